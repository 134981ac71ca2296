//! Streams of bytes between machines: [`TcpListener`] accepts them, [`TcpStream`] is one,
//! [`TcpSocket`] is what comes before.

/// Accepting connections.
mod listener;
/// A socket before it is connected or listens.
mod socket;
/// A connection.
mod stream;

pub use listener::TcpListener;
pub use socket::TcpSocket;
pub use stream::TcpStream;
