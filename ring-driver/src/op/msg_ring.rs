//! Posting to another driver's ring.
//!
//! What is posted means nothing but "look up": a completion that names one of the other driver's
//! flights could end it while the kernel still has its memory, so no such thing can be made here.

#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;

use super::{Op, Operation};
use crate::completion::Outcome;
use crate::driver::Driver;
use crate::remote::Remote;
use crate::request::{Number, Request, UserData};

/// The operation of [`msg_ring`].
#[derive(Debug)]
pub struct MsgRing {
    /// Keeps the other ring open until the message is there.
    ring: Option<Arc<OwnedFd>>,
}

/// Ends the sleep of the driver behind `target` by a completion in its ring, without a system call
/// of its own: it leaves with the next enter.
///
/// # Errors
/// `NotConnected` if that driver has ended or has no ring that can be posted to; EOVERFLOW if the
/// ring has no room, in which case it is awake anyway.
///
/// # Cancellation
/// **Strict**: at worst it is posted twice.
///
/// # Kernel
/// `IORING_OP_MSG_RING`, 5.18; elsewhere [`Remote::push`] does the same by an eventfd.
pub fn msg_ring(target: &Remote) -> Op<MsgRing> {
    Op::here(MsgRing { ring: target.ring() })
}

// SAFETY: no memory is lent, and the descriptor lives as long as the value.
unsafe impl Operation for MsgRing {
    type Output = io::Result<()>;

    const NAME: &'static str = "msg_ring";

    fn request(&mut self, _fd: Number) -> Request {
        let ring = self.ring.as_ref().map_or(Number::NONE, |ring| Number(ring.as_raw_fd()));
        Request::MsgRing { ring, result: 0, user_data: UserData::NUDGE.0 }
    }

    fn complete(self, _outcome: Outcome, _driver: &Driver) -> io::Result<()> {
        Ok(())
    }

    fn fail(self, error: io::Error) -> io::Result<()> {
        Err(error)
    }

    fn refuse(&self) -> Option<io::Error> {
        let message = "the other driver has ended, or has no ring that can be posted to";
        self.ring.is_none().then(|| io::Error::new(io::ErrorKind::NotConnected, message))
    }
}
