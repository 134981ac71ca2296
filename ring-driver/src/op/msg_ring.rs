//! Posting a completion to another ring.
//!
//! Only this crate may do it: a made-up completion could end a flight that the kernel still has
//! memory of.

#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsFd, AsRawFd};

use super::{Op, Operation};
use crate::completion::{Completion, Outcome};
use crate::driver::Driver;
use crate::request::{Number, Request};

/// The operation of [`msg_ring`].
#[derive(Debug)]
pub(crate) struct MsgRing<T> {
    /// Keeps the number of the target alive.
    ring: T,
    message: Completion,
}

/// Posts `message` (its user data and result) to `ring`, and completes when it is there.
///
/// # Errors
/// EBADFD if the other ring has not been enabled yet; EOVERFLOW if it has no room.
///
/// # Kernel
/// `IORING_OP_MSG_RING`, 5.18.
pub(crate) fn msg_ring<T: AsFd + 'static>(ring: T, message: Completion) -> Op<MsgRing<T>> {
    Op::here(MsgRing { ring, message })
}

// SAFETY: no memory is lent, and the descriptor lives as long as the value.
unsafe impl<T: AsFd + 'static> Operation for MsgRing<T> {
    type Output = io::Result<()>;

    const NAME: &'static str = "msg_ring";

    fn request(&mut self, _fd: Number) -> Request {
        Request::MsgRing {
            ring: Number(self.ring.as_fd().as_raw_fd()),
            result: self.message.outcome.result,
            user_data: self.message.user_data.0,
        }
    }

    fn complete(self, _outcome: Outcome, _driver: &Driver) -> io::Result<()> {
        Ok(())
    }

    fn fail(self, error: io::Error) -> io::Result<()> {
        Err(error)
    }
}
