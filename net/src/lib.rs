//! TCP, UDP and Unix sockets with the names of std.
//!
//! Everything here is a thin layer: a descriptor of the driver, the operations of the driver on it,
//! and std's vocabulary. Programs use it as `wakering::net`.
//!
//! ```
//! use wakering_net::{TcpListener, TcpStream};
//! use wakering_runtime::io::{AsyncRead, AsyncWrite};
//!
//! wakering_runtime::run(async {
//!     let listener = TcpListener::bind("127.0.0.1:0").await?;
//!     let mut client = TcpStream::connect(listener.local_addr()?).await?;
//!     let (mut server, _) = listener.accept().await?;
//!     client.write_all("ping").await?;
//!     let (_, buf) = server.read(Vec::with_capacity(16)).await?;
//!     assert_eq!(buf, b"ping");
//!     Ok::<_, std::io::Error>(())
//! })
//! # .unwrap();
//! ```

#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(not(target_os = "linux"))]
compile_error!("wakering runs on Linux only");

/// Connections one after the other, for those who hold a listener for themselves.
mod accepting;
/// The driver's addresses as those of std.
mod address;
/// Giving a socket to std.
mod detach;
/// A connection on its way to another core.
mod detached;
/// Connections as a stream.
mod incoming;
/// What listeners have in common.
mod listen;
/// What sockets for datagrams have in common.
mod messages;
/// Names to addresses, off the loop.
mod resolve;
/// A buffer as a whole, out through a socket.
mod send_all;
/// The content of a file, out through a socket.
mod send_file;
/// Servers: an accept loop, and a task for every connection.
mod serve;
/// The two sides of a stream, which TCP and Unix streams share.
mod side;
/// One stream as two halves.
mod split;
/// Streams of bytes between machines.
mod tcp;
/// Datagrams between machines.
mod udp;
/// Sockets between programs of one machine.
mod unix;

pub use detached::Detached;
pub use incoming::Incoming;
pub use resolve::{ToSocketAddrs, lookup_host};
pub use serve::{Server, serve, serve_on_cores, serve_on_cores_reporting, serve_reporting};
pub use split::{OwnedReadHalf, OwnedWriteHalf, ReuniteError};
pub use tcp::{TcpListener, TcpSocket, TcpStream};
pub use udp::{RecvMeta, SendMeta, UdpSocket};
pub use unix::{UnixDatagram, UnixListener, UnixStream};
pub use wakering_ring_driver::option::PeerCredentials;
