//! Who may do what with an open file.

#![allow(unsafe_code)]

use std::io;

use super::{Op, Operation};
use crate::completion::Outcome;
use crate::driver::Driver;
use crate::fd::Fd;
use crate::request::{Number, Request};

/// The operation of [`fchmod`].
#[derive(Debug)]
pub struct Fchmod {
    mode: u32,
}

/// Sets the permission bits of the file; other bits of `mode` are ignored.
///
/// # Cancellation
/// **Weak**: a submitted change is made all the same.
///
/// # Kernel
/// No ring can do this yet: fchmod(2) on the pool.
pub fn fchmod(fd: &Fd, mode: u32) -> Op<Fchmod> {
    Op::on(fd, Fchmod { mode })
}

// SAFETY: nothing is lent.
unsafe impl Operation for Fchmod {
    type Output = io::Result<()>;

    const NAME: &'static str = "fchmod";

    fn request(&mut self, fd: Number) -> Request {
        Request::Fchmod { fd, mode: self.mode & 0o7777 }
    }

    fn complete(self, _outcome: Outcome, _driver: &Driver) -> io::Result<()> {
        Ok(())
    }

    fn fail(self, error: io::Error) -> io::Result<()> {
        Err(error)
    }
}
