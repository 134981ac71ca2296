//! The receiving side of a socket for datagrams, for those who take them where they lie: in buffers
//! of the driver's pool, each of which holds the longest datagram of UDP, so that none is cut,
//! whoever takes it.

#![allow(unsafe_code)]

use std::io;
use std::task::{Context, Poll};

use super::Fd;
use super::source::Ahead;
use crate::buffer::{BufPool, Traffic};
use crate::completion::Outcome;
use crate::driver::Driver;
use crate::fd::Shelf;
use crate::op::{Datagram, Lane, Operation, keep, recv_msg_now, rooms, unpack};
use crate::request::{Number, Request};

impl Fd {
    /// The next datagram of a socket for UDP, in the buffer into which it was received.
    ///
    /// What an abandoned receive left comes first. Not fetching a datagram loses nothing. From the
    /// first call on some are received ahead: whoever reads the descriptor by a way of its own misses
    /// them. On sockets of other kinds, datagrams above 65,535 bytes are cut, and so is control data
    /// above 192.
    pub fn poll_datagram(&self, cx: &mut Context<'_>) -> Poll<io::Result<Datagram>> {
        self.poll_ahead::<Datagrams>(cx)
    }

    /// Whether [`poll_datagram`](Fd::poll_datagram) asks the kernel once for many datagrams.
    /// Elsewhere it works, and costs more than [`op::recv_msg`](crate::op::recv_msg()).
    pub fn receives_datagrams_ahead(&self) -> bool {
        self.driver().buf_pool(Traffic::Datagrams).is_ok_and(|pool| pool.has_ring())
    }
}

/// Whole datagrams.
struct Datagrams;

impl Ahead for Datagrams {
    type Item = Datagram;
    type Prefetch = Prefetch;

    const TRAFFIC: Traffic = Traffic::Datagrams;

    fn next(shelf: &mut Shelf) -> Option<Datagram> {
        shelf.next_datagram()
    }

    fn end(_shelf: &mut Shelf) -> Option<Datagram> {
        None
    }

    fn prefetch(pool: BufPool) -> Prefetch {
        Prefetch { pool, rooms: rooms() }
    }

    fn receive_now(fd: &Fd) -> io::Result<Datagram> {
        recv_msg_now(fd)
    }
}

/// Receives datagram after datagram, each into whichever pooled buffer is next when it is there.
struct Prefetch {
    pool: BufPool,
    rooms: libc::msghdr,
}

// SAFETY: the header lies in `self`, which does not move while in flight, and points nowhere; the
// pool's memory belongs to the pool, which `self` keeps alive.
unsafe impl Operation for Prefetch {
    type Output = ();

    const NAME: &'static str = "recvmsg";
    const LANE: Lane = Lane::Read;

    fn request(&mut self, fd: Number) -> Request {
        let (message, group) = (&raw const self.rooms, self.pool.group());
        Request::RecvMsgMulti { fd, message, group, flags: libc::MSG_CMSG_CLOEXEC }
    }

    fn complete(self, outcome: Outcome, _driver: &Driver) {
        if let Some(id) = outcome.buffer_id() {
            drop(unpack(&self.pool, id, outcome.result()));
        }
    }

    fn fail(self, _error: io::Error) {}

    fn put_back(&mut self, outcome: Outcome, shelf: &mut Shelf) {
        match outcome.buffer_id() {
            Some(id) => shelf.datagrams.extend(unpack(&self.pool, id, outcome.result())),
            None if outcome.errno() == Some(libc::ENOBUFS) => shelf.starved = true,
            None => keep(outcome, shelf),
        }
    }
}
