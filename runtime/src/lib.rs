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

// In the order in which a completion travels; then what cancelling needs, what futures are made
// of, how the whole is reached and seen from outside, and helpers.

/// Puts the parts together, and takes them apart cleanly.
mod runtime;
/// Its settings.
mod builder;
/// 1. A completion arrives: the loop turns the driver, which wakes whoever waits.
mod event_loop;
/// 2. The wake finds its way: to the runtime that is current on this thread, if it is the right
///    one.
mod context;
/// Otherwise through the inbox of the task's home.
mod home;
/// 3. The task joins the run queue, and its turn comes.
mod executor;
/// 4. The task is polled, and one day over.
pub mod task;

/// Who pays for what a future has in the kernel.
mod account;
/// The tree of what runs.
mod node;
/// What goes on elsewhere on somebody's account.
mod bill;
/// What cancelling is: a body is dropped, and what it left behind waited for.
mod conduct;

/// Timers, and what is made of them.
pub mod time;
/// What tasks share and wait for.
pub mod sync;
/// Streams of bytes.
pub mod io;
/// Values that come one after the other.
pub mod stream;
/// `join!`, `try_join!`, `select!`.
#[doc(hidden)]
pub mod macros;
/// Code that blocks, kept off the loop's thread.
pub mod blocking;
/// Child processes.
#[cfg(feature = "process")]
#[cfg_attr(docsrs, doc(cfg(feature = "process")))]
pub mod process;
/// Signals of the system.
pub mod signal;

/// What other threads may do.
mod handle;
/// Several cores in one runtime.
mod cores;
/// What debug mode tells, and the picture of all that runs.
pub mod debug;
/// What it has and has done.
mod metrics;
/// What its end came to.
mod report;

/// std's shared state, or loom's.
mod primitive;
/// A table for what few rows of another one have.
mod sparse;
/// Where tasks are.
mod roster;
/// Panics that are not worth telling.
mod unheard;
/// Tests of what threads share.
#[cfg(test)]
mod model;
/// Helpers for tests here and in the crates above.
#[cfg(feature = "testing")]
pub mod testing;

pub use builder::Builder;
pub use cores::{Cores, spawn_on};
pub use handle::Handle;
pub use metrics::Metrics;
pub use report::ShutdownReport;
pub use runtime::{Runtime, run};
pub use task::spawn;
pub use wakering_ring_driver::{Backend, Capabilities, Counters, Mask, SetupError};
