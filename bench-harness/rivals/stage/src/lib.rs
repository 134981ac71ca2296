//! What all programs of the comparison share, so that they differ in their runtime alone.
//!
//! A program is started with a [`Job`]. A server prints `listening on ADDRESS` and serves; what is
//! repeated prints `ready` and does a slice of it whenever it is told to. Both answer on their
//! [`console`], and both count their [`allocations`].

/// What a program is asked to do.
mod job;
/// The conversation with whoever compares.
pub mod console;
/// How often a program has allocated.
pub mod allocations;
/// What is repeated without a network, the same on every runtime.
pub mod repeat;
/// A wake-up from another thread, timed.
mod wake;
/// A future that is pending once.
mod yield_once;
/// The files that are read.
pub mod files;
/// The answers of the HTTP servers.
#[cfg(feature = "http")]
pub mod http;

pub use console::Console;
pub use job::{Files, Job, Repeat};
pub use repeat::Runtime;
pub use yield_once::yield_once;
