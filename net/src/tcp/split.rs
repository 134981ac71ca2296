//! One stream as two halves that two tasks may own.

use std::error::Error;
use std::fmt;
use std::net::SocketAddr;


use super::TcpStream;
use crate::side::{ReadSide, WriteSide, delegate_stream};

/// The receiving half of a [`TcpStream`], made by [`TcpStream::into_split`].
#[derive(Debug)]
pub struct OwnedReadHalf {
    pub(super) read: ReadSide,
}

/// The sending half of a [`TcpStream`], made by [`TcpStream::into_split`].
///
/// Dropping it tells the peer that nothing more will come, as in tokio.
#[derive(Debug)]
pub struct OwnedWriteHalf {
    /// `None` only while it is taken apart.
    pub(super) write: WriteSide,
    pub(super) shut_down_on_drop: bool,
}

delegate_stream!(read OwnedReadHalf);
delegate_stream!(write OwnedWriteHalf);

impl OwnedReadHalf {
    /// Puts the two halves of one stream together again.
    ///
    /// # Errors
    /// Both halves, if they are not of the same stream.
    pub fn reunite(self, other: OwnedWriteHalf) -> Result<TcpStream, ReuniteError> {
        if self.read.fd.is_same(&other.write.fd) {
            Ok(TcpStream::reunited(self, other))
        } else {
            Err(ReuniteError(self, other))
        }
    }

    /// The address of the other side.
    ///
    /// # Errors
    /// What getpeername(2) says.
    pub fn peer_addr(&self) -> std::io::Result<SocketAddr> {
        super::listener::inet(wakering_ring_driver::option::peer_address(&self.read.fd)?)
    }
}

impl Drop for OwnedWriteHalf {
    fn drop(&mut self) {
        if self.shut_down_on_drop {
            self.write.fd.end_after_output();
        }
    }
}

/// Two halves of different streams, given back by [`OwnedReadHalf::reunite`].
#[derive(Debug)]
pub struct ReuniteError(pub OwnedReadHalf, pub OwnedWriteHalf);

impl fmt::Display for ReuniteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the halves belong to different streams: reunite those that one into_split made")
    }
}

impl Error for ReuniteError {}
