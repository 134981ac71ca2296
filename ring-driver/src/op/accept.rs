//! Taking connections from a listener: one, or each as it comes.

#![allow(unsafe_code)]

use std::io;

use super::transfer::keep;
use super::{Lane, Multi, MultiOperation, Op, Operation};
use crate::address::SocketAddress;
use crate::completion::Outcome;
use crate::driver::Driver;
use crate::fd::{Fd, Shelf};
use crate::option;
use crate::request::{Number, Request};

/// The operation of [`accept`].
#[derive(Debug)]
pub struct Accept {
    /// `None` where a connection comes from the shelf and nobody has asked for its address yet.
    address: Option<SocketAddress>,
}

/// Accepts one connection, with the address of the other side.
///
/// ```
/// use std::net::SocketAddr;
/// use wakering_ring_driver::op::{self, Domain, SocketKind};
/// use wakering_ring_driver::option;
///
/// # wakering_ring_driver::testing::block_on(async {
/// let listener = op::socket(Domain::V4, SocketKind::Stream).await?;
/// op::bind(&listener, SocketAddr::from(([127, 0, 0, 1], 0))).await?;
/// op::listen(&listener, 16).await?;
/// let address = option::local_address(&listener)?;
/// let client = op::socket(Domain::V4, SocketKind::Stream).await?;
/// op::connect(&client, address).await?;
/// let (_server, peer) = op::accept(&listener).await?;
/// assert_eq!(peer.to_inet(), option::local_address(&client)?.to_inet());
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
///
/// # Errors
/// EMFILE at the limit of open descriptors: the connection then waits on, so trying again at once
/// is a spin. What accept(2) says.
///
/// # Cancellation
/// **Strict**: a connection that comes while nobody waits any more is given to the next accept.
///
/// # Kernel
/// `IORING_OP_ACCEPT`, 5.5; elsewhere accept4(2) once the listener is ready.
pub fn accept(fd: &Fd) -> Op<Accept> {
    Op::on(fd, Accept { address: None })
}

// SAFETY: the address lies in `self`, which does not move while in flight.
unsafe impl Operation for Accept {
    type Output = io::Result<(Fd, SocketAddress)>;

    const NAME: &'static str = "accept";
    const LANE: Lane = Lane::Read;

    fn request(&mut self, fd: Number) -> Request {
        let (address, len) = self.address.insert(SocketAddress::empty()).as_out_ptrs();
        Request::Accept { fd, address, len }
    }

    fn complete(self, outcome: Outcome, driver: &Driver) -> Self::Output {
        let connection = Fd::from_number(driver, Number(outcome.result()));
        // A connection whose other side has gone meanwhile has no address any more, but is still
        // one.
        let ask = || option::peer_address(&connection).unwrap_or(SocketAddress::empty());
        let address = self.address.unwrap_or_else(ask);
        Ok((connection, address))
    }

    fn fail(self, error: io::Error) -> Self::Output {
        Err(error)
    }

    fn serve(&mut self, shelf: &mut Shelf) -> Option<Outcome> {
        let (number, address) = shelf.accepted.pop_front()?;
        self.address = address;
        Some(Outcome::plain(number.0))
    }

    fn put_back(&mut self, outcome: Outcome, shelf: &mut Shelf) {
        match outcome.errno() {
            None => shelf.accepted.push_back((Number(outcome.result()), self.address)),
            Some(_) => keep(outcome, shelf),
        }
    }
}

/// The operation of [`accept_multi`].
#[derive(Debug)]
pub struct AcceptMulti(());

/// Accepts connections as they come, without their addresses: ask [`option::peer_address`] where
/// one is wanted.
///
/// ```
/// use std::net::SocketAddr;
/// use wakering_ring_driver::op::{self, Domain, SocketKind};
/// use wakering_ring_driver::option;
///
/// # wakering_ring_driver::testing::block_on(async {
/// let listener = op::socket(Domain::V4, SocketKind::Stream).await?;
/// op::bind(&listener, SocketAddr::from(([127, 0, 0, 1], 0))).await?;
/// op::listen(&listener, 16).await?;
/// let address = option::local_address(&listener)?;
/// let client = op::socket(Domain::V4, SocketKind::Stream).await?;
/// op::connect(&client, address).await?;
/// let mut series = op::accept_multi(&listener);
/// let server = series.next().await.expect("a client has connected")?;
/// assert_eq!(option::local_address(&server)?.to_inet(), address.to_inet());
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
///
/// # Errors
/// As [`accept`]; an error ends the series.
///
/// # Cancellation
/// **Strict**: connections that nobody has taken are given to the next accept.
///
/// # Kernel
/// `IORING_OP_ACCEPT` with `IORING_ACCEPT_MULTISHOT`, 5.19.
pub fn accept_multi(fd: &Fd) -> Multi<AcceptMulti> {
    Multi::on(fd, AcceptMulti(()))
}

// SAFETY: nothing is lent.
unsafe impl Operation for AcceptMulti {
    type Output = io::Result<Fd>;

    const NAME: &'static str = "accept";
    const LANE: Lane = Lane::Read;

    fn request(&mut self, fd: Number) -> Request {
        Request::AcceptMulti { fd }
    }

    fn complete(self, outcome: Outcome, driver: &Driver) -> io::Result<Fd> {
        Ok(Fd::from_number(driver, Number(outcome.result())))
    }

    fn fail(self, error: io::Error) -> io::Result<Fd> {
        Err(error)
    }

    fn put_back(&mut self, outcome: Outcome, shelf: &mut Shelf) {
        match outcome.errno() {
            None => shelf.accepted.push_back((Number(outcome.result()), None)),
            Some(_) => keep(outcome, shelf),
        }
    }
}

// SAFETY: as above.
unsafe impl MultiOperation for AcceptMulti {
    type Item = Fd;
    type Taken = Number;

    fn take(shelf: &mut Shelf) -> Option<Number> {
        shelf.accepted.pop_front().map(|(number, _)| number)
    }

    fn item(number: Number, driver: &Driver) -> Fd {
        Fd::from_number(driver, number)
    }
}
