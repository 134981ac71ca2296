//! Sending a message: to an address, with control data, or from several buffers.

#![allow(unsafe_code)]

use std::io;
use std::mem::zeroed;

use super::control::{ControlBytes, ControlMessage};
use super::transfer::keep;
use super::{Lane, Op, Operation};
use crate::address::SocketAddress;
use crate::buffer::vectored::sources;
use crate::buffer::{BufError, BufResult, IoBuf};
use crate::completion::Outcome;
use crate::driver::Driver;
use crate::fd::{Fd, Shelf};
use crate::request::{Number, Request};

/// The operation of [`send_msg`].
#[derive(Debug)]
pub struct SendMsg<B> {
    header: libc::msghdr,
    segment: libc::iovec,
    address: Option<SocketAddress>,
    control: ControlBytes,
    buf: B,
}

/// Sends `buf` as one message to `to`, or to where the socket is connected, with `control` beside
/// it.
///
/// ```
/// use std::os::unix::net::UnixDatagram;
/// use wakering_ring_driver::op;
/// use wakering_ring_driver::{Driver, Fd, Sharing};
///
/// # wakering_ring_driver::testing::block_on(async {
/// let (ours, theirs) = UnixDatagram::pair()?;
/// let ours = Fd::adopt(&Driver::current()?, ours.into(), Sharing::Private)?;
/// op::send_msg(&ours, "hello", None, vec![]).await?;
/// let mut buf = [0; 8];
/// assert_eq!(theirs.recv(&mut buf)?, 5);
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
///
/// # Errors
/// EMSGSIZE if it is longer than the protocol carries; `ConnectionRefused` where an earlier
/// datagram met a closed port; what sendmsg(2) says. No signal is raised.
///
/// # Cancellation
/// **Strict**: a submitted message is sent; the next send waits for it.
///
/// # Kernel
/// sendmsg(2) at once; where that would have to wait `IORING_OP_SENDMSG`, 5.3, or sendmsg(2) again
/// once the socket is ready.
pub fn send_msg<B: IoBuf>(
    fd: &Fd,
    buf: B,
    to: Option<SocketAddress>,
    control: Vec<ControlMessage>,
) -> Op<SendMsg<B>> {
    // SAFETY: null pointers and zero lengths are valid in both.
    let (header, segment) = unsafe { (zeroed(), zeroed()) };
    let control = ControlBytes::encode(control);
    Op::on(fd, SendMsg { header, segment, address: to, control, buf })
}

// SAFETY: everything lies in `self`, which does not move while in flight, or on the heap or in the
// buffer, owned and only read.
unsafe impl<B: IoBuf> Operation for SendMsg<B> {
    type Output = BufResult<usize, B>;

    const NAME: &'static str = "sendmsg";
    const LANE: Lane = Lane::Write;
    const AT_ONCE: bool = true;

    fn request(&mut self, fd: Number) -> Request {
        self.segment.iov_base = self.buf.as_ptr().cast_mut().cast();
        self.segment.iov_len = self.buf.len();
        self.header.msg_iov = &raw mut self.segment;
        self.header.msg_iovlen = 1;
        if let Some(address) = &self.address {
            self.header.msg_name = address.as_ptr().cast_mut().cast();
            self.header.msg_namelen = address.len();
        }
        if self.control.len() > 0 {
            self.header.msg_control = self.control.as_ptr().cast_mut().cast();
            self.header.msg_controllen = self.control.len() as _;
        }
        Request::SendMsg { fd, message: &raw const self.header, flags: libc::MSG_NOSIGNAL }
    }

    fn complete(self, outcome: Outcome, _driver: &Driver) -> Self::Output {
        Ok((outcome.result() as usize, self.buf))
    }

    fn fail(self, error: io::Error) -> Self::Output {
        Err(BufError::new(error, self.buf))
    }

    fn put_back(&mut self, outcome: Outcome, shelf: &mut Shelf) {
        keep(outcome, shelf);
    }
}

/// The operation of [`send_vectored`].
#[derive(Debug)]
pub struct SendVectored<B> {
    header: libc::msghdr,
    segments: Vec<libc::iovec>,
    bufs: Vec<B>,
}

/// Sends `bufs` one after the other on a connected socket. On a stream it waits until the system
/// has taken all of them; the count is less only after a signal, an error on the way, on old
/// kernels, behind the first 1,024 that are not empty, or behind 2 GiB.
///
/// ```
/// use std::io::Read;
/// use std::os::unix::net::UnixStream;
/// use wakering_ring_driver::{Driver, Fd, Sharing, op};
///
/// # wakering_ring_driver::testing::block_on(async {
/// let (ours, mut theirs) = UnixStream::pair()?;
/// let ours = Fd::adopt(&Driver::current()?, ours.into(), Sharing::Private)?;
/// assert_eq!(op::send_vectored(&ours, vec!["he", "llo"]).await?.0, 5);
/// let mut buf = [0; 5];
/// theirs.read_exact(&mut buf)?;
/// assert_eq!(&buf, b"hello");
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
///
/// # Errors
/// `BrokenPipe` and `ConnectionReset` once the other side has gone; no signal is raised. What
/// sendmsg(2) says.
///
/// # Cancellation
/// **Strict**: a submitted send belongs to the socket and finishes; the next one waits for it.
///
/// # Kernel
/// `IORING_OP_SENDMSG` with `MSG_WAITALL`, 5.3; elsewhere sendmsg(2) once the socket is ready.
pub fn send_vectored<B: IoBuf>(fd: &Fd, bufs: Vec<B>) -> Op<SendVectored<B>> {
    // SAFETY: null pointers and zero lengths are valid.
    let header = unsafe { zeroed() };
    Op::on(fd, SendVectored { header, segments: Vec::new(), bufs })
}

// SAFETY: the header lies in `self`, which does not move while in flight, everything else on the
// heap, owned; the buffers are only read.
unsafe impl<B: IoBuf> Operation for SendVectored<B> {
    type Output = BufResult<usize, Vec<B>>;

    const NAME: &'static str = "sendmsg";
    const LANE: Lane = Lane::Write;

    fn request(&mut self, fd: Number) -> Request {
        sources(&self.bufs, &mut self.segments);
        self.header.msg_iov = self.segments.as_mut_ptr();
        self.header.msg_iovlen = self.segments.len() as _;
        let flags = libc::MSG_WAITALL | libc::MSG_NOSIGNAL;
        Request::SendMsg { fd, message: &raw const self.header, flags }
    }

    fn complete(self, outcome: Outcome, _driver: &Driver) -> Self::Output {
        Ok((outcome.result() as usize, self.bufs))
    }

    fn fail(self, error: io::Error) -> Self::Output {
        Err(BufError::new(error, self.bufs))
    }

    fn put_back(&mut self, outcome: Outcome, shelf: &mut Shelf) {
        keep(outcome, shelf);
    }
}
