//! An async runtime for Linux in which every wait is an io_uring completion.
//!
//! Sockets, files, timers and wake-ups all end as completions of one ring per thread. What has been
//! handed to the kernel stays there until the kernel is done with it: a future may be dropped at
//! any time, and nothing that was received, accepted or read is lost by it. Where a machine gives
//! no io_uring, the same programs run on epoll, plain system calls and a thread pool.
//!
//! ```
//! use wakering::io::{AsyncRead, AsyncWrite};
//! use wakering::net::{TcpListener, TcpStream};
//!
//! # fn main() -> std::io::Result<()> {
//! wakering::run(async {
//!     let listener = TcpListener::bind("127.0.0.1:0").await?;
//!     let address = listener.local_addr()?;
//!     let server = wakering::spawn(async move {
//!         let (mut stream, _peer) = listener.accept().await?;
//!         let (n, buf) = stream.read(Vec::with_capacity(64)).await?;
//!         stream.write_all(buf).await?;
//!         std::io::Result::Ok(n)
//!     });
//!
//!     let mut client = TcpStream::connect(address).await?;
//!     client.write_all(b"hello".as_slice()).await?;
//!     let (n, buf) = client.read(Vec::with_capacity(64)).await?;
//!     assert_eq!((n, buf.as_slice()), (5, b"hello".as_slice()));
//!     assert_eq!(server.await.expect("the server does not panic")?, 5);
//!     Ok(())
//! })
//! # }
//! ```
//!
//! # What to look at first
//!
//! - [`run`], [`spawn`], [`Runtime`], `#[wakering::main]`: start here.
//! - [`Builder::cores`], [`spawn_on`]: several cores.
//! - [`task::scope`](task::scope()) and [`task::group`](task::group()): what is begun in them is
//!   over when they are. [`task`]: several futures at once, cancelling, cleaning up, shielding.
//! - [`time`]: [`sleep`](time::sleep), [`timeout`](time::timeout()),
//!   [`interval`](time::interval()).
//! - [`sync`]: locks, permits, flags, channels, first come, first served.
//! - [`io`]: streams and what is built on them. [`net`] and [`fs`]: std's names.
//! - [`join!`], [`try_join!`], [`select!`]: several futures at once. [`stream`]: values that come
//!   one after the other.
//! - [`process`]: child processes, their pipes and their end.
//! - [`signal`]: Ctrl-C, the request to end, and all others.
//! - [`blocking`]: closures that block. [`driver`]: single operations, capabilities, which backend
//!   there is, and why it is not io_uring.
//! - [`debug`]: who blocks the loop, and what everybody waits for; [`Runtime::metrics`]: numbers.
//! - `http` (feature `http`): hyper's server on these streams.
//!
//! # Cancellation
//!
//! Every future says what dropping it loses, in one of two words. **Strict**: nothing; asking again
//! is as good as not having dropped. **Weak**: something, which is named. `read`, `recv`, `accept`
//! and their like are Strict.

#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(not(target_os = "linux"))]
compile_error!("wakering runs on Linux only");

/// What the attributes make of a function calls these.
#[cfg(feature = "macros")]
#[doc(hidden)]
pub mod entry;

#[cfg(feature = "signal")]
#[cfg_attr(docsrs, doc(cfg(feature = "signal")))]
pub use wakering_runtime::signal;
pub use wakering_runtime::{
    Backend, Builder, Cores, Handle, Metrics, Runtime, ShutdownReport, blocking, debug, io, join,
    run, select, spawn, spawn_on, stream, sync, task, task_local, time, try_join,
};

#[cfg(feature = "fs")]
#[cfg_attr(docsrs, doc(cfg(feature = "fs")))]
pub use wakering_fs as fs;
#[cfg(feature = "http")]
#[cfg_attr(docsrs, doc(cfg(feature = "http")))]
pub use wakering_http as http;
#[cfg(feature = "net")]
#[cfg_attr(docsrs, doc(cfg(feature = "net")))]
pub use wakering_net as net;
pub use wakering_ring_driver as driver;
#[cfg(feature = "process")]
#[cfg_attr(docsrs, doc(cfg(feature = "process")))]
pub use wakering_runtime::process;

/// ```
/// #[wakering::main]
/// async fn main() -> std::io::Result<()> {
///     let task = wakering::spawn(async { 42 });
///     assert_eq!(task.await?, 42);
///     Ok(())
/// }
/// ```
#[cfg(feature = "macros")]
#[cfg_attr(docsrs, doc(cfg(feature = "macros")))]
pub use wakering_macros::main;
/// ```
/// use std::time::Duration;
/// use wakering::task::JoinError;
///
/// #[wakering::test]
/// async fn a_task_gives_its_output() -> Result<(), JoinError> {
///     let task = wakering::spawn(async { 42 });
///     assert_eq!(task.await?, 42);
///     Ok(())
/// }
/// ```
#[cfg(feature = "macros")]
#[cfg_attr(docsrs, doc(cfg(feature = "macros")))]
pub use wakering_macros::test;

/// The examples of the documents run as tests.
#[cfg(doctest)]
mod documents {
    #[doc = include_str!("../README.md")]
    struct Readme;
    #[doc = include_str!("../docs/kernels.md")]
    struct Kernels;
}
