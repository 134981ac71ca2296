//! Sockets between programs of one machine: [`UnixListener`] and [`UnixStream`] for bytes,
//! [`UnixDatagram`] for messages.

use std::fmt::Display;
use std::io;
use std::os::unix::net::SocketAddr;
use std::path::Path;

use wakering_ring_driver::Failure;

/// Messages.
mod datagram;
/// Accepting connections.
mod listener;
/// What a listener leaves in the file system.
mod socket_file;
/// A connection.
mod stream;

pub use datagram::UnixDatagram;
pub use listener::UnixListener;
pub use stream::UnixStream;

/// The address that a path stands for; `operation` is what it is wanted for.
fn of_path(operation: &'static str, path: &Path) -> io::Result<SocketAddr> {
    SocketAddr::from_pathname(path).map_err(failed(operation, path.display()))
}

/// Names the operation and its object.
fn failed(operation: &'static str, object: impl Display) -> impl FnOnce(io::Error) -> io::Error {
    move |error| Failure::wrap(operation, object.to_string(), error)
}

/// An address for people: the path, or what there is instead.
fn shown(address: &SocketAddr) -> String {
    match address.as_pathname() {
        Some(path) => path.display().to_string(),
        None => format!("{address:?}"),
    }
}
