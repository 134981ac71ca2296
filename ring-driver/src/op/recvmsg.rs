//! Receiving a message whole: data, sender, control data, and whether something was cut off.

#![allow(unsafe_code)]

use std::io;
use std::mem::{size_of_val, zeroed};

use super::control::decode;
use super::datagram::{Body, Datagram, DatagramBuffer};
use super::transfer::keep;
use super::{Lane, Op, Operation};
use crate::address::SocketAddress;
use crate::completion::Outcome;
use crate::driver::Driver;
use crate::fd::{Fd, Shelf};
use crate::request::{Number, Request};

/// The operation of [`recv_msg`].
#[derive(Debug)]
pub struct RecvMsg {
    header: libc::msghdr,
    segment: libc::iovec,
    address: SocketAddress,
    buffer: DatagramBuffer,
    /// What the shelf had, which has a buffer of its own.
    served: Option<Datagram>,
}

/// Receives one message into `buffer`, which comes back with it for the next.
///
/// ```
/// use std::os::unix::net::UnixDatagram;
/// use wakering_ring_driver::op::{self, DatagramBuffer};
/// use wakering_ring_driver::{Driver, Fd, Sharing};
///
/// # wakering_ring_driver::testing::block_on(async {
/// let (ours, theirs) = UnixDatagram::pair()?;
/// let ours = Fd::adopt(&Driver::current()?, ours.into(), Sharing::Private)?;
/// theirs.send(b"one")?;
/// theirs.send(b"two")?;
/// let datagram = op::recv_msg(&ours, DatagramBuffer::new()).await?;
/// assert_eq!(datagram.data(), b"one");
/// let datagram = op::recv_msg(&ours, datagram.into_buffer()).await?;
/// assert_eq!(datagram.data(), b"two");
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
///
/// # Errors
/// `ConnectionRefused` where an earlier datagram met a closed port; what recvmsg(2) says.
///
/// # Cancellation
/// **Strict**: a message that comes while nobody waits any more is given whole to the next receive.
/// On a stream that may be any: bytes that one kind of receive has left are served to the others.
///
/// # Kernel
/// `IORING_OP_RECVMSG`, 5.3; elsewhere recvmsg(2) once the socket is ready.
pub fn recv_msg(fd: &Fd, buffer: DatagramBuffer) -> Op<RecvMsg> {
    Op::on(fd, RecvMsg::new(buffer))
}

/// Receives one message without waiting.
pub(crate) fn recv_msg_now(fd: &Fd) -> io::Result<Datagram> {
    let mut operation = RecvMsg::new(DatagramBuffer::new());
    // The operation stays where it is until the call has returned.
    let received = fd.call_now(|fd| match operation.request(fd) {
        Request::RecvMsg { fd, message, flags } => {
            Request::RecvMsg { fd, message, flags: flags | libc::MSG_DONTWAIT }
        }
        request => request,
    })?;
    operation.complete(Outcome::plain(received as i32), fd.driver())
}

impl RecvMsg {
    fn new(buffer: DatagramBuffer) -> RecvMsg {
        // SAFETY: null pointers and zero lengths are valid in both.
        let (header, segment) = unsafe { (zeroed(), zeroed()) };
        RecvMsg { header, segment, address: SocketAddress::empty(), buffer, served: None }
    }
}

/// The message that a completion announces, which was received into `buffer` as `header` says.
fn datagram(
    header: &libc::msghdr,
    mut address: SocketAddress,
    mut buffer: DatagramBuffer,
    outcome: Outcome,
) -> Datagram {
    let count = (outcome.result() as usize).min(buffer.data.capacity());
    // SAFETY: the kernel has written that many bytes, no more than the segment had room for.
    unsafe { buffer.data.set_len(count) };
    let control_len: usize = header.msg_controllen as _;
    let control_len = control_len.min(size_of_val(&*buffer.control));
    let control = (&raw const *buffer.control).cast();
    // SAFETY: all of the control memory is initialised.
    let control = unsafe { std::slice::from_raw_parts(control, control_len) };
    // SAFETY: this is the completion of our own receive, of which each buffer sees one.
    let control = unsafe { decode(control) };
    address.set_len(header.msg_namelen);
    Datagram {
        body: Body::Lent(buffer),
        address: (header.msg_namelen > 0).then_some(address),
        control,
        truncated: header.msg_flags & libc::MSG_TRUNC != 0,
        control_truncated: header.msg_flags & libc::MSG_CTRUNC != 0,
    }
}

// SAFETY: everything lies in `self`, which does not move while in flight, or on the heap, owned.
unsafe impl Operation for RecvMsg {
    type Output = io::Result<Datagram>;

    const NAME: &'static str = "recvmsg";
    const LANE: Lane = Lane::Read;

    fn request(&mut self, fd: Number) -> Request {
        self.buffer.data.clear();
        self.segment.iov_base = self.buffer.data.as_mut_ptr().cast();
        self.segment.iov_len = self.buffer.data.capacity();
        self.header.msg_name = self.address.as_out_ptrs().0.cast();
        self.header.msg_namelen = self.address.len();
        self.header.msg_iov = &raw mut self.segment;
        self.header.msg_iovlen = 1;
        self.header.msg_control = (&raw mut *self.buffer.control).cast();
        self.header.msg_controllen = size_of_val(&*self.buffer.control) as _;
        Request::RecvMsg { fd, message: &raw mut self.header, flags: libc::MSG_CMSG_CLOEXEC }
    }

    fn complete(self, outcome: Outcome, _driver: &Driver) -> Self::Output {
        let RecvMsg { header, address, buffer, served, .. } = self;
        Ok(match served {
            Some(served) => served.moved_to(buffer),
            None => datagram(&header, address, buffer, outcome),
        })
    }

    fn fail(self, error: io::Error) -> Self::Output {
        Err(error)
    }

    fn serve(&mut self, shelf: &mut Shelf) -> Option<Outcome> {
        let datagram = shelf.next_datagram()?;
        let len = datagram.data().len();
        self.served = Some(datagram);
        Some(Outcome::plain(len as i32))
    }

    fn put_back(&mut self, outcome: Outcome, shelf: &mut Shelf) {
        if outcome.errno().is_some() {
            return keep(outcome, shelf);
        }
        // Whoever is robbed of the message receives again, with as much room as before.
        let spare = DatagramBuffer::with_capacity(self.buffer.capacity());
        let buffer = std::mem::replace(&mut self.buffer, spare);
        shelf.datagrams.push_back(datagram(&self.header, self.address, buffer, outcome));
    }
}
