//! An HTTP/1 server: hyper on the streams of the runtime.
//!
//! hyper parses, frames and keeps connections alive; this crate puts it on completion-based
//! streams, gives it the runtime's clock, and ends servers in good order. Programs use it as
//! `wakering::http`, with the feature `http`.
//!
//! ```
//! use std::convert::Infallible;
//! use wakering_http::{Request, Response, body::Incoming, service::service_fn};
//! use wakering_net::{TcpListener, TcpStream};
//! use wakering_runtime::io::{AsyncRead, AsyncWrite};
//!
//! async fn hello(request: Request<Incoming>) -> Result<Response<String>, Infallible> {
//!     Ok(Response::new(format!("hello from {}", request.uri().path())))
//! }
//!
//! wakering_runtime::run(async {
//!     let listener = TcpListener::bind("127.0.0.1:0").await?;
//!     let address = listener.local_addr()?;
//!     let server = wakering_http::serve(listener, service_fn(hello));
//!
//!     let mut client = TcpStream::connect(address).await?;
//!     client.write_all("GET /there HTTP/1.1\r\nConnection: close\r\n\r\n").await?;
//!     let (_, answer) = client.read_to_string(String::new()).await?;
//!     assert!(answer.ends_with("\r\n\r\nhello from /there"));
//!
//!     server.close();
//!     server.wait_closed().await;
//!     Ok::<_, std::io::Error>(())
//! })
//! # .unwrap();
//! ```

#![forbid(unsafe_code)]

/// From a listener to connections, and their end.
mod server;
/// The settings of a server.
mod builder;
/// The word that a server is to close.
mod closing;
/// One connection, with hyper or without.
mod connection;
/// What a connection has to know of hyper's waiting.
mod watch;
/// The stream under hyper.
mod watched;
/// hyper's traits on our streams.
mod io;

pub use builder::Builder;
pub use connection::Connection;
pub use hyper::{self, Method, Request, Response, StatusCode, Uri, Version, body, header, service};
pub use io::Io;
pub use server::{Server, serve, serve_each, serve_on_cores};

/// The examples of the README, kept compiling.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
