//! Tasks: futures that the runtime owns and polls, each in one allocation.
//!
//! [`spawn`](crate::spawn) makes one and gives a [`JoinHandle`](crate::task::JoinHandle). A task stays on the thread where
//! it was spawned, so its future need not be `Send`; only its wakers and, if the output allows it,
//! its handle travel. It ends in three steps: its future returns, panics or is dropped because of
//! [`cancel`](crate::task::JoinHandle::cancel); then the kernel operations that the future left behind have
//! their final completion; then the handle resolves.

/// Making one.
mod builder;
/// What is known of it whatever its future is.
mod header;
/// The allocation, and the only unsafe code of this crate.
pub(crate) mod cell;
/// What it knows of itself.
mod current;
/// Waiting for a task and ending it.
mod handle;
/// What it is called by machines.
mod id;
/// Values that belong to a task.
mod local;
/// Everything about a task that one atomic word tells.
mod state;
/// How it lets others go first.
mod yield_now;

#[cfg(test)]
mod races;

pub use builder::{Builder, spawn};
pub use current::{TaskInfo, current};
pub use handle::{JoinError, JoinHandle};
pub use id::Id;
pub use local::{AccessError, LocalKey};
pub use yield_now::{YieldNow, yield_now};

pub(crate) use cell::{Parcel, Progress, Task};
pub(crate) use header::Place;
pub(crate) use state::Cancel;
