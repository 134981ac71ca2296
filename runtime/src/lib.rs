//! The task side of wakering: a loop that polls tasks, timers that wake them, and streams that they
//! read and write.
//!
//! ```
//! use std::time::Duration;
//! use wakering_runtime::{run, spawn, time::{sleep, timeout}};
//!
//! let words = run(async {
//!     // Tasks run beside each other on this one thread.
//!     let slow = spawn(async {
//!         sleep(Duration::from_millis(2)).await;
//!         "world"
//!     });
//!     let quick = spawn(async { "hello" });
//!     // A handle gives the output, or tells that the task has panicked or was cancelled.
//!     let words = format!("{} {}", quick.await?, slow.await?);
//!     // What takes too long is dropped, and waited for until the kernel is done with it.
//!     let late = timeout(Duration::from_millis(1), sleep(Duration::from_secs(60))).await;
//!     assert!(late.is_err());
//!     Ok::<_, wakering_runtime::task::JoinError>(words)
//! });
//! // Whatever was still running has been cancelled and awaited by now.
//! assert_eq!(words?, "hello world");
//! # Ok::<(), wakering_runtime::task::JoinError>(())
//! ```
//!
//! Programs use this through the crate `wakering`. It knows the driver's operations only as
//! futures: there are no opcodes, sockets or files here.
//!
//! # Cancellation
//! To cancel is to drop, then to drain: the future is dropped, and whoever cancelled it (a handle,
//! a timeout, the end of `run`) waits until the kernel is done with what the future left behind.
//! Nothing is injected into code that is not ours. Each function says whether dropping its future
//! is **Strict**, that is the same as never having called it, or **Weak**, and then what is lost.

#![deny(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

/// Who pays for what a future has in the kernel.
mod account;
/// What goes on elsewhere on somebody's account.
mod bill;
/// Code that blocks, kept off the loop's thread.
pub mod blocking;
/// Its settings.
mod builder;
/// What cancelling is: a body is dropped, and what it left behind waited for.
mod conduct;
/// 2. The wake finds its way: to the runtime that is current on this thread, if it is the right
///    one.
mod context;
/// What debug mode tells, and the picture of all that runs.
pub mod debug;
/// 1. A completion arrives: the loop turns the driver, which wakes whoever waits.
mod event_loop;
/// 3. The task joins the run queue, and its turn comes.
mod executor;
/// What other threads may do.
mod handle;
/// Otherwise through the inbox of the task's home.
mod home;
/// Streams of bytes.
pub mod io;
/// What it has and has done.
mod metrics;
/// The tree of what runs.
mod node;
/// Tests of what threads share.
#[cfg(test)]
mod model;
/// `join!`, `try_join!`, `select!`.
#[doc(hidden)]
pub mod macros;
/// std's shared state, or loom's.
mod primitive;
/// Child processes.
#[cfg(feature = "process")]
#[cfg_attr(docsrs, doc(cfg(feature = "process")))]
pub mod process;
/// What its end came to.
mod report;
/// Puts the parts together, and takes them apart cleanly.
mod runtime;
/// Signals of the system.
pub mod signal;
/// A table for what few rows of another one have.
mod sparse;
/// What tasks share and wait for.
pub mod sync;
/// Values that come one after the other.
pub mod stream;
/// 4. The task is polled, and one day over.
pub mod task;
/// Helpers for tests here and in the crates above.
#[cfg(feature = "testing")]
pub mod testing;
/// Timers, and what is made of them.
pub mod time;

pub use builder::Builder;
pub use handle::Handle;
pub use metrics::Metrics;
pub use report::ShutdownReport;
pub use runtime::{Runtime, run};
pub use task::spawn;
pub use wakering_ring_driver::{Backend, Capabilities, Counters, Mask, SetupError};
