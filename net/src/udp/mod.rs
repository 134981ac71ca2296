//! Datagrams between machines: [`UdpSocket`] sends and receives them, [`RecvMeta`] and [`SendMeta`]
//! are what travels beside their bytes.

/// What travels beside the bytes of a datagram.
mod meta;
/// Options as std names them.
mod options;
/// The socket.
mod socket;

pub use meta::{RecvMeta, SendMeta};
pub use socket::UdpSocket;
