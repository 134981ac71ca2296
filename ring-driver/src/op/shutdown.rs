//! Ending one or both directions of a connection.

#![allow(unsafe_code)]

use std::io;
use std::net;

use super::{Op, Operation, Prompt};
use crate::completion::Outcome;
use crate::driver::Driver;
use crate::fd::Fd;
use crate::request::{Number, Request};

/// The operation of [`shutdown`].
#[derive(Debug)]
pub struct Shutdown {
    how: net::Shutdown,
}

/// Ends the given direction: the other side reads the end of the stream, a receive in flight here
/// completes with it.
///
/// It does not wait for what is queued or in flight on the write side.
///
/// ```
/// use std::io::Read;
/// use std::os::unix::net::UnixStream;
/// use wakering_ring_driver::{Driver, Fd, Sharing, op};
///
/// # wakering_ring_driver::testing::block_on(async {
/// let (ours, mut theirs) = UnixStream::pair()?;
/// let ours = Fd::adopt(&Driver::current()?, ours.into(), Sharing::Private)?;
/// op::shutdown(&ours, std::net::Shutdown::Write).await?;
/// assert_eq!(theirs.read(&mut [0])?, 0);
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
///
/// # Errors
/// `NotConnected`; what shutdown(2) says.
///
/// # Cancellation
/// **Weak**: the direction may be ended all the same.
///
/// # Kernel
/// `IORING_OP_SHUTDOWN`, 5.11; elsewhere shutdown(2).
pub fn shutdown(fd: &Fd, how: net::Shutdown) -> Op<Shutdown> {
    Op::on(fd, Shutdown { how })
}

// SAFETY: nothing is lent.
unsafe impl Operation for Shutdown {
    type Output = io::Result<()>;

    const NAME: &'static str = "shutdown";

    fn request(&mut self, fd: Number) -> Request {
        Request::Shutdown { fd, how: direction(self.how) }
    }

    fn complete(self, _outcome: Outcome, _driver: &Driver) -> io::Result<()> {
        Ok(())
    }

    fn fail(self, error: io::Error) -> io::Result<()> {
        Err(error)
    }
}

impl Prompt for Shutdown {}

fn direction(how: net::Shutdown) -> i32 {
    match how {
        net::Shutdown::Read => libc::SHUT_RD,
        net::Shutdown::Write => libc::SHUT_WR,
        net::Shutdown::Both => libc::SHUT_RDWR,
    }
}
