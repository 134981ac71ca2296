//! Making a bound socket one that accepts.

#![allow(unsafe_code)]

use std::io;

use super::{Op, Operation, Prompt};
use crate::completion::Outcome;
use crate::driver::Driver;
use crate::fd::Fd;
use crate::request::{Number, Request};

/// The operation of [`listen`].
#[derive(Debug)]
pub struct Listen {
    backlog: u32,
}

/// Lets up to `backlog` connections wait to be accepted; the system has a limit of its own
/// (`net.core.somaxconn`).
///
/// ```
/// use std::net::SocketAddr;
/// use wakering_ring_driver::op::{self, Domain, SocketKind};
///
/// # wakering_ring_driver::testing::block_on(async {
/// let listener = op::socket(Domain::V4, SocketKind::Stream).await?;
/// op::bind(&listener, SocketAddr::from(([127, 0, 0, 1], 0))).await?;
/// op::listen(&listener, 128).await?;
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
///
/// # Cancellation
/// **Weak**: the socket may be listening all the same.
///
/// # Kernel
/// `IORING_OP_LISTEN`, 6.11; elsewhere listen(2).
pub fn listen(fd: &Fd, backlog: u32) -> Op<Listen> {
    Op::on(fd, Listen { backlog })
}

// SAFETY: nothing is lent.
unsafe impl Operation for Listen {
    type Output = io::Result<()>;

    const NAME: &'static str = "listen";

    fn request(&mut self, fd: Number) -> Request {
        Request::Listen { fd, backlog: i32::try_from(self.backlog).unwrap_or(i32::MAX) }
    }

    fn complete(self, _outcome: Outcome, _driver: &Driver) -> io::Result<()> {
        Ok(())
    }

    fn fail(self, error: io::Error) -> io::Result<()> {
        Err(error)
    }
}

impl Prompt for Listen {}
