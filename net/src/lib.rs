//! TCP, UDP and Unix sockets with the names of std.
//!
//! Everything here is a thin layer: a descriptor of the driver, the operations of the driver on it, and std's vocabulary.
//! Programs use it as `wakering::net`.
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
compile_error!("wakering waits on io_uring and runs on Linux only");

/// Names to addresses, off the loop.
mod resolve;
/// The two sides of a stream socket, which TCP and Unix streams share.
mod side;
/// Streams of bytes between machines.
mod tcp;

pub use resolve::{ToSocketAddrs, lookup_host};
pub use tcp::{OwnedReadHalf, OwnedWriteHalf, ReuniteError, TcpListener, TcpSocket, TcpStream};
