//! Tasks: futures that the runtime owns and polls, each in one allocation.
//!
//! [`spawn`](crate::spawn) makes one and gives a [`JoinHandle`](crate::task::JoinHandle). A task
//! stays on the thread where it was spawned, so its future need not be `Send`; only its wakers and,
//! if the output allows it, its handle travel. It ends in three steps: its future returns, panics
//! or is dropped because of [`cancel`](crate::task::JoinHandle::cancel); then the kernel operations
//! that the future left behind have their final completion; then the handle resolves.

// A task and what it is made of; its end; several futures in one task; children.

/// Making one.
mod builder;
/// What is known of it whatever its future is.
mod header;
/// What it is called by machines.
mod id;
/// Who has to do what.
mod state;
/// How many refer to it.
mod references;
/// The allocation, and the only unsafe code of this crate.
pub(crate) mod cell;
/// How it comes from another thread.
mod parcel;
/// What it knows of itself.
mod current;
/// Values that belong to a task.
mod local;
/// How it lets others go first.
mod yield_now;

/// Waiting for a task and ending it.
mod handle;
/// What is called at its end.
mod callbacks;
/// One that ends with its handle.
mod abort_on_drop;
/// One that nobody awaits.
mod background;
/// Being told to stop.
mod cancel_token;
/// Cleaning up, also after a cancellation.
mod cleanup;
/// What goes on although it was cancelled.
mod shield;

/// Futures beside each other in one.
mod members;
/// All of them.
mod gather;
/// All of them, whatever they come to.
mod settle;
/// The first of many futures.
mod race;
/// The first that succeeds, one begun after the other.
mod race_staggered;
/// Many futures in one task, which go on.
mod future_set;
/// Some of them.
mod wait;

/// Children that borrow.
mod scope;
/// Children that are tasks of their own.
mod group;
/// What children come to.
mod scope_error;
/// What goes wrong in a scope or group.
mod failures;

/// The races of its state, and of who ends it.
#[cfg(test)]
mod races;

pub use abort_on_drop::AbortOnDrop;
pub use background::background;
pub use builder::{Builder, spawn, spawn_eager};
pub use cancel_token::{CancelToken, Cancelled, DropGuard, RunUntilCancelled};
pub use cleanup::{Exit, WithCleanup, with_cleanup};
pub use current::{TaskInfo, current};
pub use future_set::{FutureSet, completed};
pub use gather::gather;
pub use group::{Ready, StartError, TaskGroup, TaskHandle, group};
pub use handle::{JoinError, JoinHandle};
pub use id::Id;
pub use local::{AccessError, LocalKey};
pub use race::race;
pub use race_staggered::{Attempt, race_staggered};
pub use scope::{ChildHandle, Scope, TryScope, scope, try_scope};
pub use scope_error::{ChildError, ScopeError};
pub use settle::settle;
pub use shield::{Shield, shield, shield_for, shield_until};
pub use wait::{When, wait};
pub use yield_now::{YieldNow, yield_now};

pub(crate) use callbacks::Callbacks;
pub(crate) use cell::{Lodging, Progress, Spare, TaskRef};
pub(crate) use group::{Roll, Seat};
pub(crate) use handle::Cause;
pub(crate) use header::Header;
pub(crate) use parcel::Parcel;
pub(crate) use references::References;
pub(crate) use shield::go_on;
pub(crate) use state::{Cancel, Wake};

/// What ties a task to somebody other than the runtime, until it is over.
pub(crate) struct Bond {
    pub(crate) debt: wakering_ring_driver::Debt,
    /// The place of a child of a group, to be left when it is over.
    pub(crate) seat: Option<Seat>,
    /// Whether it goes on when its runtime ends, for as long as the grace lasts.
    pub(crate) is_shielded: bool,
}
