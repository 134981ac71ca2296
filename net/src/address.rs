//! The driver's addresses as those of std, and objects by their addresses in errors.

use std::io;
use std::net::SocketAddr;
use std::os::unix;

use wakering_ring_driver::{Failure, Fd, SocketAddress, option};

pub(crate) fn inet(address: SocketAddress) -> io::Result<SocketAddr> {
    address.to_inet().ok_or_else(|| foreign("an internet"))
}

pub(crate) fn unix(address: SocketAddress) -> io::Result<unix::net::SocketAddr> {
    address.to_unix().ok_or_else(|| foreign("a Unix"))
}

fn foreign(wanted: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the socket has not {wanted} address"))
}

/// Adds the operation, and the socket's own address as its object.
pub(crate) fn failed(operation: &'static str, fd: &Fd, error: io::Error) -> io::Error {
    Failure::wrap(operation, own_address(fd), error)
}

/// A socket by its own address, for people.
pub(crate) fn own_address(fd: &Fd) -> String {
    match option::local_address(fd) {
        Ok(address) => format!("{address:?}"),
        Err(_) => "socket".to_owned(),
    }
}
