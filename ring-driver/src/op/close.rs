//! Closing a descriptor for its result, which files on some file systems need: what could not be
//! written is told here.
//!
//! An [`Fd`](crate::Fd) closes itself; this is the request that the driver makes for it, and the
//! way to be rid of a descriptor that never was one.

#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd, IntoRawFd, OwnedFd};

use super::{Op, Operation};
use crate::completion::Outcome;
use crate::driver::Driver;
use crate::request::{Number, Request};

/// The operation of [`close`].
#[derive(Debug)]
pub struct Close {
    fd: OwnedFd,
}

/// Closes `fd` without blocking the loop and gives the result.
///
/// ```
/// use wakering_ring_driver::op;
///
/// # wakering_ring_driver::testing::block_on(async {
/// let file = std::fs::File::open("/dev/null")?;
/// op::close(file.into()).await?;
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
///
/// # Errors
/// What close(2) says. The descriptor is gone all the same.
///
/// # Cancellation
/// **Strict**: it is closed, whether or not anybody waits for the result.
///
/// # Kernel
/// `IORING_OP_CLOSE`, 5.6; elsewhere close(2) on the pool.
pub fn close(fd: OwnedFd) -> Op<Close> {
    Op::here(Close { fd })
}

// SAFETY: no memory is lent.
unsafe impl Operation for Close {
    type Output = io::Result<()>;

    const NAME: &'static str = "close";

    fn request(&mut self, _fd: Number) -> Request {
        Request::Close { fd: Number(self.fd.as_raw_fd()) }
    }

    fn complete(self, _outcome: Outcome, _driver: &Driver) -> io::Result<()> {
        forget(self.fd);
        Ok(())
    }

    /// Linux frees the number before anything can fail, so an errno of close(2) means that it is
    /// gone. A request that was refused or taken back has not got that far.
    fn fail(self, error: io::Error) -> io::Result<()> {
        match error.raw_os_error() {
            None | Some(libc::ECANCELED) => drop(self.fd),
            Some(_) => forget(self.fd),
        }
        Err(error)
    }
}

/// The number belongs to somebody else by now.
fn forget(fd: OwnedFd) {
    let _ = fd.into_raw_fd();
}
