//! Nothing at all, once to the kernel and back: the smallest operation, and the one to read first.

#![allow(unsafe_code)]

use std::io;

use super::{Op, Operation};
use crate::completion::Outcome;
use crate::driver::Driver;
use crate::request::{Number, Request};

/// The operation of [`nop`].
#[derive(Debug)]
pub struct Nop(());

/// Completes on the next turn of the loop without doing anything.
///
/// # Kernel
/// `IORING_OP_NOP`, 5.1.
pub fn nop() -> Op<Nop> {
    Op::here(Nop(()))
}

// SAFETY: nothing is lent.
unsafe impl Operation for Nop {
    type Output = io::Result<()>;

    const NAME: &'static str = "nop";

    fn request(&mut self, _fd: Number) -> Request {
        Request::Nop
    }

    fn complete(self, _outcome: Outcome, _driver: &Driver) -> io::Result<()> {
        Ok(())
    }

    fn fail(self, error: io::Error) -> io::Result<()> {
        Err(error)
    }
}
