//! Tasks: futures that the runtime owns and polls, each in one allocation.
//!
//! [`spawn`](crate::spawn) makes one and gives a [`JoinHandle`](crate::task::JoinHandle). A task stays on the thread where
//! it was spawned, so its future need not be `Send`; only its wakers and, if the output allows it,
//! its handle travel. It ends in three steps: its future returns, panics or is dropped because of
//! [`cancel`](crate::task::JoinHandle::cancel); then the kernel operations that the future left behind have
//! their final completion; then the handle resolves.

/// One that ends with its handle.
mod abort_on_drop;
/// Making one.
mod builder;
/// What is known of it whatever its future is.
mod header;
/// The allocation, and the only unsafe code of this crate.
pub(crate) mod cell;
/// What is called at its end.
mod callbacks;
/// Being told to stop.
mod cancel_token;
/// What it knows of itself.
mod current;
/// Many futures in one task, which go on.
mod future_set;
/// All of them.
mod gather;
/// Waiting for a task and ending it.
mod handle;
/// What it is called by machines.
mod id;
/// Everything about a task that one atomic word tells.
mod state;
/// The first of many futures.
mod race;
/// The first that succeeds, one begun after the other.
mod race_staggered;
/// All of them, whatever they come to.
mod settle;
/// Some of them.
mod wait;
/// How it lets others go first.
mod yield_now;

#[cfg(test)]
mod races;

pub use abort_on_drop::AbortOnDrop;
pub use builder::{Builder, spawn, spawn_eager};
pub use cancel_token::{CancelToken, Cancelled, DropGuard};
pub use current::{TaskInfo, current};
pub use future_set::{FutureSet, completed};
pub use gather::gather;
pub use handle::{JoinError, JoinHandle};
pub use id::Id;
pub use race::race;
pub use race_staggered::{Attempt, race_staggered};
pub use settle::settle;
pub use wait::{When, wait};
pub use yield_now::{YieldNow, yield_now};

pub(crate) use cell::{Parcel, Progress, Task};
pub(crate) use handle::Cause;
pub(crate) use header::{Header, Place};
pub(crate) use state::Cancel;
