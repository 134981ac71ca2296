//! What listeners have in common, whatever the addresses.

use std::fmt;
use std::io;

use wakering_ring_driver::{Fd, SocketAddress};

/// A listener, to those who only want its connections.
pub trait Listen: Sized {
    type Stream;
    type Address: fmt::Debug;

    fn fd(&self) -> &Fd;

    fn into_fd(self) -> Fd;

    /// What makes a second listener for the same address on another core; `None` where there can be
    /// but one.
    fn beside(&self) -> Option<Box<dyn FnOnce() -> io::Result<Self> + Send>>;

    /// An accepted descriptor as a stream. The address is not known if the other side had gone
    /// before it was asked.
    fn connection(fd: Fd, peer: Option<SocketAddress>) -> (Self::Stream, Self::Address);
}
