//! Making a socket.

#![allow(unsafe_code)]

use std::io;
use std::net::SocketAddr;

use super::{Op, Operation, Prompt};
use crate::completion::Outcome;
use crate::driver::Driver;
use crate::fd::Fd;
use crate::request::{Number, Request};

/// Which addresses a socket uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Domain {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
    /// Paths and abstract names on this machine.
    Unix,
}

impl Domain {
    /// The domain of an internet address.
    ///
    /// ```
    /// use wakering_ring_driver::op::Domain;
    ///
    /// # wakering_ring_driver::testing::block_on(async {
    /// assert_eq!(Domain::of(&"[::1]:80".parse().unwrap()), Domain::V6);
    /// # Ok::<_, std::io::Error>(())
    /// # }).unwrap();
    /// ```
    pub fn of(address: &SocketAddr) -> Domain {
        if address.is_ipv4() { Domain::V4 } else { Domain::V6 }
    }
}

/// How a socket carries data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SocketKind {
    /// Bytes in order: TCP, `SOCK_STREAM`.
    Stream,
    /// Messages of their own: UDP, `SOCK_DGRAM`.
    Datagram,
}

/// The operation of [`socket`].
#[derive(Debug)]
pub struct Socket {
    domain: Domain,
    kind: SocketKind,
}

/// Makes a socket that programs started from here do not inherit.
///
/// ```
/// use wakering_ring_driver::op::{self, Domain, SocketKind};
/// use wakering_ring_driver::option;
///
/// # wakering_ring_driver::testing::block_on(async {
/// let socket = op::socket(Domain::Unix, SocketKind::Datagram).await?;
/// assert_eq!(option::domain(&socket)?, Domain::Unix);
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
///
/// # Errors
/// What socket(2) says, such as EMFILE at the limit of open descriptors.
///
/// # Cancellation
/// **Strict**: a socket that nobody takes is closed.
///
/// # Kernel
/// `IORING_OP_SOCKET`, 5.19; elsewhere socket(2).
pub fn socket(domain: Domain, kind: SocketKind) -> Op<Socket> {
    Op::here(Socket { domain, kind })
}

// SAFETY: nothing is lent.
unsafe impl Operation for Socket {
    type Output = io::Result<Fd>;

    const NAME: &'static str = "socket";

    fn request(&mut self, _fd: Number) -> Request {
        let domain = match self.domain {
            Domain::V4 => libc::AF_INET,
            Domain::V6 => libc::AF_INET6,
            Domain::Unix => libc::AF_UNIX,
        };
        let kind = match self.kind {
            SocketKind::Stream => libc::SOCK_STREAM,
            SocketKind::Datagram => libc::SOCK_DGRAM,
        };
        Request::Socket { domain, kind: kind | libc::SOCK_CLOEXEC, protocol: 0 }
    }

    fn complete(self, outcome: Outcome, driver: &Driver) -> io::Result<Fd> {
        Ok(Fd::from_number(driver, Number(outcome.result())))
    }

    fn fail(self, error: io::Error) -> io::Result<Fd> {
        Err(error)
    }
}

impl Prompt for Socket {}
