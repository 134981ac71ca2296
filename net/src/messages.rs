//! The receiving side of a socket for datagrams, which UDP and Unix sockets share.
//!
//! A datagram is received whole into a buffer of the driver's pool, or into memory of the socket's
//! own, and copied from there, so that neither a dropped future nor a small buffer of an earlier
//! caller loses any of it.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::os::fd::OwnedFd;

use wakering_ring_driver::buffer::{BufError, BufResult, IoBuf, IoBufMut};
use wakering_ring_driver::op::{self, ControlMessage, Datagram, DatagramBuffer};
use wakering_ring_driver::{Fd, SocketAddress};

use crate::detach::detach;

/// What receives and sends datagrams.
#[derive(Debug)]
pub(crate) struct Messages {
    pub(crate) fd: Fd,
    /// Room in bytes for the longest datagram that can come.
    room: usize,
    /// Whether a buffer of the driver's pool has as much.
    pooled: bool,
    /// Memory for the next receive.
    spare: RefCell<Option<DatagramBuffer>>,
    /// Datagrams that somebody has waited for to look at and nobody has taken.
    peeked: RefCell<VecDeque<Datagram>>,
}

impl Messages {
    pub(crate) fn new(fd: Fd, room: usize) -> Messages {
        let (spare, peeked) = (RefCell::default(), RefCell::default());
        Messages { fd, room, pooled: false, spare, peeked }
    }

    /// Those of a socket whose datagrams all fit into a buffer of the driver's pool.
    pub(crate) fn pooled(fd: Fd, room: usize) -> Messages {
        Messages { pooled: true, ..Messages::new(fd, room) }
    }

    /// Takes the next datagram and shows it to `use_it`, with how many bytes of it fit into `buf`.
    pub(crate) async fn receive<B, T>(
        &self,
        mut buf: B,
        use_it: impl FnOnce(&mut Datagram, usize) -> io::Result<T>,
    ) -> BufResult<T, B>
    where
        B: IoBufMut,
    {
        if let Some(error) = no_room(&buf) {
            return Err(BufError::new(error, buf));
        }
        let mut datagram = match self.take().await {
            Ok(datagram) => datagram,
            Err(error) => return Err(BufError::new(error, buf)),
        };
        let copied = buf.overwrite(datagram.data());
        let used = use_it(&mut datagram, copied);
        if !self.is_ahead() {
            *self.spare.borrow_mut() = Some(datagram.into_buffer());
        }
        match used {
            Ok(used) => Ok((used, buf)),
            Err(error) => Err(BufError::new(error, buf)),
        }
    }

    /// Takes the next datagram where it lies.
    pub(crate) async fn take(&self) -> io::Result<Datagram> {
        let peeked = self.peeked.borrow_mut().pop_front();
        match peeked {
            Some(datagram) => Ok(datagram),
            None => self.next().await,
        }
    }

    /// As [`receive`](Messages::receive), and leaves the datagram to the next call.
    pub(crate) async fn peek<B, T>(
        &self,
        mut buf: B,
        use_it: impl FnOnce(&mut Datagram, usize) -> io::Result<T>,
    ) -> BufResult<T, B>
    where
        B: IoBufMut,
    {
        if let Some(error) = no_room(&buf) {
            return Err(BufError::new(error, buf));
        }
        if self.peeked.borrow().is_empty() {
            match self.next().await {
                Ok(datagram) => self.peeked.borrow_mut().push_back(datagram),
                Err(error) => return Err(BufError::new(error, buf)),
            }
        }
        let mut peeked = self.peeked.borrow_mut();
        let datagram = peeked.front_mut().expect("there is one, or was put there just now");
        let copied = buf.overwrite(datagram.data());
        match use_it(datagram, copied) {
            Ok(used) => Ok((used, buf)),
            Err(error) => Err(BufError::new(error, buf)),
        }
    }

    /// Gives the descriptor back to the system's own handle, with all datagrams that were received
    /// and that nobody has taken, in order.
    pub(crate) async fn detach(self) -> io::Result<(OwnedFd, Vec<Datagram>)> {
        let (owned, leftovers) = detach(self.fd).await?;
        let mut datagrams = Vec::from(self.peeked.into_inner());
        datagrams.extend(leftovers.datagrams.into_iter().map(Datagram::from));
        Ok((owned, datagrams))
    }

    /// Whether the driver receives ahead, into buffers of its own.
    fn is_ahead(&self) -> bool {
        self.pooled && self.fd.receives_datagrams_ahead()
    }

    async fn next(&self) -> io::Result<Datagram> {
        if self.is_ahead() {
            return poll_fn(|cx| self.fd.poll_datagram(cx)).await;
        }
        let spare = self.spare.borrow_mut().take();
        let buffer = spare.unwrap_or_else(|| DatagramBuffer::with_capacity(self.room));
        op::recv_msg(&self.fd, buffer).await
    }

    pub(crate) async fn send<B: IoBuf>(
        &self,
        buf: B,
        to: Option<SocketAddress>,
        control: Vec<ControlMessage>,
    ) -> BufResult<usize, B> {
        op::send_msg(&self.fd, buf, to, control).await
    }
}

/// A datagram received into nothing would be lost.
fn no_room(buf: &impl IoBufMut) -> Option<io::Error> {
    let message = "receive into a buffer without capacity: Vec::with_capacity or vec![0; n]";
    (buf.capacity() == 0).then(|| io::Error::new(io::ErrorKind::InvalidInput, message))
}
