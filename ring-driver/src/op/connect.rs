//! Reaching the other side.

#![allow(unsafe_code)]

use std::io;

use super::{Op, Operation};
use crate::address::SocketAddress;
use crate::completion::Outcome;
use crate::driver::Driver;
use crate::fd::Fd;
use crate::request::{Number, Request};

/// The operation of [`connect`].
#[derive(Debug)]
pub struct Connect {
    address: SocketAddress,
}

/// Connects a socket to `address`; one for datagrams takes and sends no others from then on.
///
/// ```
/// use wakering_ring_driver::op::{self, Domain, SocketKind};
/// use wakering_ring_driver::option;
///
/// # wakering_ring_driver::testing::block_on(async {
/// let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
/// let client = op::socket(Domain::V4, SocketKind::Stream).await?;
/// op::connect(&client, listener.local_addr()?).await?;
/// let peer = option::peer_address(&client)?.to_inet();
/// assert_eq!(peer, Some(listener.local_addr()?));
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
///
/// # Errors
/// `ConnectionRefused`, `TimedOut`, `NetworkUnreachable`; what connect(2) says. A socket that has
/// failed to connect is good for nothing but being closed.
///
/// # Cancellation
/// **Weak**: the socket may be connected all the same, or be left half-way; close it.
///
/// # Kernel
/// `IORING_OP_CONNECT`, 5.5; elsewhere connect(2) and waiting until the socket can be written to.
pub fn connect(fd: &Fd, address: impl Into<SocketAddress>) -> Op<Connect> {
    Op::on(fd, Connect { address: address.into() })
}

// SAFETY: the address lies in `self`, which does not move while in flight.
unsafe impl Operation for Connect {
    type Output = io::Result<()>;

    const NAME: &'static str = "connect";

    fn request(&mut self, fd: Number) -> Request {
        Request::Connect { fd, address: self.address.as_ptr(), len: self.address.len() }
    }

    fn complete(self, _outcome: Outcome, _driver: &Driver) -> io::Result<()> {
        Ok(())
    }

    fn fail(self, error: io::Error) -> io::Result<()> {
        Err(error)
    }
}
