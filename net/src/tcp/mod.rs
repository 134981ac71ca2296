//! Streams of bytes between machines: [`TcpListener`] accepts them, [`TcpStream`] is one, [`TcpSocket`] is what comes before.

/// Accepting connections.
mod listener;
/// A socket before it is connected or listens.
mod socket;
/// One stream as two halves.
mod split;
/// A connection.
mod stream;

pub use listener::TcpListener;
pub use socket::TcpSocket;
pub use split::{OwnedReadHalf, OwnedWriteHalf, ReuniteError};
pub use stream::TcpStream;
