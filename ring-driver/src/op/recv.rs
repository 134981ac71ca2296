//! Receiving from a stream socket into a buffer of the caller, or looking at what there is.

#![allow(unsafe_code)]

use std::io;

use super::transfer::{self, filled, length, no_room};
use super::{Lane, Op, Operation};
use crate::buffer::{BufError, BufResult, IoBufMut};
use crate::completion::Outcome;
use crate::driver::Driver;
use crate::fd::{Fd, Shelf};
use crate::request::{Number, Request};

/// The operation of [`recv`] and [`peek`].
#[derive(Debug)]
pub struct Recv<B> {
    buf: B,
    /// `MSG_PEEK` if the bytes stay where they are, else nothing. As wide as the words of a buffer,
    /// so that it is moved with them.
    flags: i64,
}

const TAKE: i64 = 0;
const PEEK: i64 = libc::MSG_PEEK as i64;

/// Receives into `buf`, overwriting it from 0 up to its capacity; 0 bytes are the end of the
/// stream.
///
/// For sockets that carry streams; datagrams are received by [`recv_msg`](super::recv_msg()).
///
/// ```
/// use std::io::Write;
/// use std::os::unix::net::UnixStream;
/// use wakering_ring_driver::{Driver, Fd, Sharing, op};
///
/// # wakering_ring_driver::testing::block_on(async {
/// let (ours, mut theirs) = UnixStream::pair()?;
/// let ours = Fd::adopt(&Driver::current()?, ours.into(), Sharing::Private)?;
/// theirs.write_all(b"hello")?;
/// let (n, buf) = op::recv(&ours, Vec::with_capacity(64)).await?;
/// assert_eq!((n, buf.as_slice()), (5, b"hello".as_slice()));
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
///
/// # Errors
/// `InvalidInput` if `buf` has no capacity; `ConnectionReset`; what recv(2) says.
///
/// # Cancellation
/// **Strict**: what a dropped receive brings is served to the next one.
///
/// # Kernel
/// `IORING_OP_RECV`, 5.6; elsewhere recv(2) once the socket is ready.
pub fn recv<B: IoBufMut>(fd: &Fd, buf: B) -> Op<Recv<B>> {
    Op::on(fd, Recv { buf, flags: TAKE })
}

/// Waits until something can be received and copies it to `buf` without taking it; the next receive
/// gets the same bytes.
///
/// ```
/// use std::io::Write;
/// use std::os::unix::net::UnixStream;
/// use wakering_ring_driver::{Driver, Fd, Sharing, op};
///
/// # wakering_ring_driver::testing::block_on(async {
/// let (ours, mut theirs) = UnixStream::pair()?;
/// let ours = Fd::adopt(&Driver::current()?, ours.into(), Sharing::Private)?;
/// theirs.write_all(b"hello")?;
/// assert_eq!(op::peek(&ours, vec![0; 2]).await?.1, b"he");
/// assert_eq!(op::recv(&ours, vec![0; 8]).await?.1, b"hello");
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
///
/// # Errors
/// As [`recv`].
///
/// # Cancellation
/// **Strict**: nothing is taken.
///
/// # Kernel
/// As [`recv`], with `MSG_PEEK`.
pub fn peek<B: IoBufMut>(fd: &Fd, buf: B) -> Op<Recv<B>> {
    Op::on(fd, Recv { buf, flags: PEEK })
}

// SAFETY: the pointer leads into the buffer, which is owned and stays at its address.
unsafe impl<B: IoBufMut> Operation for Recv<B> {
    type Output = BufResult<usize, B>;

    const NAME: &'static str = "recv";
    const LANE: Lane = Lane::Read;

    fn request(&mut self, fd: Number) -> Request {
        let (buf, len) = (self.buf.as_mut_ptr(), length(self.buf.capacity()));
        Request::Recv { fd, buf, len, flags: self.flags as i32 }
    }

    fn complete(mut self, outcome: Outcome, _driver: &Driver) -> Self::Output {
        // SAFETY: `request` lent the buffer from its start, for at most its capacity; `serve`
        // filled it so.
        let count = unsafe { filled(&mut self.buf, outcome) };
        Ok((count, self.buf))
    }

    fn fail(self, error: io::Error) -> Self::Output {
        Err(BufError::new(error, self.buf))
    }

    fn refuse(&self) -> Option<io::Error> {
        no_room(self.buf.capacity())
    }

    fn serve(&mut self, shelf: &mut Shelf) -> Option<Outcome> {
        transfer::serve(&mut self.buf, shelf, self.flags == PEEK)
    }

    fn put_back(&mut self, outcome: Outcome, shelf: &mut Shelf) {
        // What was only looked at the kernel still has.
        match self.flags {
            PEEK => transfer::keep(outcome, shelf),
            _ => transfer::put_back(&mut self.buf, outcome, shelf),
        }
    }
}
