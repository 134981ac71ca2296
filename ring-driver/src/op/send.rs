//! Sending on a connected socket.

#![allow(unsafe_code)]

use std::io;

use super::transfer::{keep, length};
use super::{Lane, Op, Operation};
use crate::buffer::{BufError, BufResult, IoBuf};
use crate::completion::Outcome;
use crate::driver::Driver;
use crate::fd::{Fd, Shelf};
use crate::request::{Number, Request};

/// The operation of [`send`].
#[derive(Debug)]
pub struct Send<B>(B);

/// Sends `buf` on a connected socket. On a stream it waits until the system has taken all of it;
/// the count is less only after a signal, an error on the way, or on old kernels.
///
/// ```
/// use std::io::Read;
/// use std::os::unix::net::UnixStream;
/// use wakering_ring_driver::{Driver, Fd, Sharing, op};
///
/// # wakering_ring_driver::testing::block_on(async {
/// let (ours, mut theirs) = UnixStream::pair()?;
/// let ours = Fd::adopt(&Driver::current()?, ours.into(), Sharing::Private)?;
/// assert_eq!(op::send(&ours, "hello").await?.0, 5);
/// let mut buf = [0; 5];
/// theirs.read_exact(&mut buf)?;
/// assert_eq!(&buf, b"hello");
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
///
/// # Errors
/// `BrokenPipe` and `ConnectionReset` once the other side has gone; no signal is raised. What
/// send(2) says.
///
/// # Cancellation
/// **Strict**: a submitted send belongs to the socket and finishes; the next one waits for it.
///
/// # Kernel
/// `IORING_OP_SEND` with `MSG_WAITALL`, 5.6; elsewhere send(2) once the socket is ready. send(2) at
/// once where the ring has nothing else to do.
pub fn send<B: IoBuf>(fd: &Fd, buf: B) -> Op<Send<B>> {
    Op::on(fd, Send(buf))
}

// SAFETY: the pointer leads into the buffer, which is owned, stays at its address and is only read.
unsafe impl<B: IoBuf> Operation for Send<B> {
    type Output = BufResult<usize, B>;

    const NAME: &'static str = "send";
    const LANE: Lane = Lane::Write;

    fn request(&mut self, fd: Number) -> Request {
        let (buf, len) = (self.0.as_ptr(), length(self.0.len()));
        Request::Send { fd, buf, len, flags: libc::MSG_WAITALL | libc::MSG_NOSIGNAL }
    }

    fn complete(self, outcome: Outcome, _driver: &Driver) -> Self::Output {
        Ok((outcome.result() as usize, self.0))
    }

    fn fail(self, error: io::Error) -> Self::Output {
        Err(BufError::new(error, self.0))
    }

    fn put_back(&mut self, outcome: Outcome, shelf: &mut Shelf) {
        keep(outcome, shelf);
    }
}
