//! Giving a socket its own address.

#![allow(unsafe_code)]

use std::io;

use super::{Op, Operation, Prompt};
use crate::address::SocketAddress;
use crate::completion::Outcome;
use crate::driver::Driver;
use crate::fd::Fd;
use crate::request::{Number, Request};

/// The operation of [`bind`].
#[derive(Debug)]
pub struct Bind {
    address: SocketAddress,
}

/// Binds a socket to `address`.
///
/// ```
/// use std::net::SocketAddr;
/// use wakering_ring_driver::op::{self, Domain, SocketKind};
/// use wakering_ring_driver::option;
///
/// # wakering_ring_driver::testing::block_on(async {
/// let socket = op::socket(Domain::V4, SocketKind::Datagram).await?;
/// op::bind(&socket, SocketAddr::from(([127, 0, 0, 1], 0))).await?;
/// let own = option::local_address(&socket)?.to_inet().expect("an IPv4 socket");
/// assert_ne!(own.port(), 0);
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
///
/// # Errors
/// `AddrInUse`, `AddrNotAvailable`, `PermissionDenied`; what bind(2) says.
///
/// # Cancellation
/// **Weak**: the socket may be bound all the same, and the file of a Unix socket made.
///
/// # Kernel
/// `IORING_OP_BIND`, 6.11; elsewhere bind(2).
pub fn bind(fd: &Fd, address: impl Into<SocketAddress>) -> Op<Bind> {
    Op::on(fd, Bind { address: address.into() })
}

// SAFETY: the address lies in `self`, which does not move while in flight.
unsafe impl Operation for Bind {
    type Output = io::Result<()>;

    const NAME: &'static str = "bind";

    fn request(&mut self, fd: Number) -> Request {
        Request::Bind { fd, address: self.address.as_ptr(), len: self.address.len() }
    }

    fn complete(self, _outcome: Outcome, _driver: &Driver) -> io::Result<()> {
        Ok(())
    }

    fn fail(self, error: io::Error) -> io::Result<()> {
        Err(error)
    }
}

impl Prompt for Bind {}
