//! What [`serve`](crate::serve) can accept from.

use std::fmt::Debug;
use std::future::Future;
use std::io;
use std::net::SocketAddr;

use crate::{TcpListener, TcpStream};

/// Something that accepts connections.
pub trait Listener: 'static {
    /// A connection.
    type Stream: 'static;
    /// The address of its other side.
    type Peer: Clone + Debug + 'static;

    /// The next connection.
    ///
    /// # Errors
    /// What accept(2) says.
    ///
    /// # Cancellation
    /// **Strict.**
    fn accept(&self) -> impl Future<Output = io::Result<(Self::Stream, Self::Peer)>>;
}

impl Listener for TcpListener {
    type Stream = TcpStream;
    type Peer = SocketAddr;

    async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        self.accept().await
    }
}
