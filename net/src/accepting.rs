//! Connections one after the other, for those who hold a listener for themselves.
//!
//! Where the kernel can, one request yields them all, and the loop is told of many at once. Such a
//! series keeps the listener's read side to itself, so nobody else may accept beside it: that is
//! why [`serve`](crate::serve()) uses it and `incoming` does not.

use std::io;
use std::task::{Context, Poll, ready};

use wakering_ring_driver::op::{self, Accept, AcceptMulti, Multi, Op};
use wakering_ring_driver::{Fd, SocketAddress, option};

/// The series of one listener.
pub(crate) struct Accepting {
    listener: Fd,
    request: Request,
}

enum Request {
    None,
    One(Op<Accept>),
    Series(Multi<AcceptMulti>),
}

impl Accepting {
    pub(crate) fn new(listener: &Fd) -> Accepting {
        Accepting { listener: listener.clone(), request: Request::None }
    }

    /// The next connection, and the address of its other side unless that has gone already.
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Connection>> {
        loop {
            match &mut self.request {
                Request::None => self.request = self.start(),
                Request::One(accept) => {
                    let accepted = ready!(std::pin::Pin::new(accept).poll(cx));
                    self.request = Request::None;
                    return Poll::Ready(accepted.map(|(fd, peer)| (fd, Some(peer))));
                }
                Request::Series(series) => match ready!(series.poll_next(cx)) {
                    Some(accepted) => {
                        return Poll::Ready(accepted.map(|fd| {
                            let peer = option::peer_address(&fd).ok();
                            (fd, peer)
                        }));
                    }
                    // A series also ends where the completion queue is full.
                    None => self.request = Request::None,
                },
            }
        }
    }

    fn start(&self) -> Request {
        match self.listener.driver().capabilities().multishot_accept {
            true => Request::Series(op::accept_multi(&self.listener)),
            false => Request::One(op::accept(&self.listener)),
        }
    }
}

pub(crate) type Connection = (Fd, Option<SocketAddress>);
