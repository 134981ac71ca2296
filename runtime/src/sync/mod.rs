//! What tasks share and wait for: locks, permits, flags, channels.
//!
//! Everything here is first come, first served, and **Strict**: a wait that is dropped has not
//! happened, and what was on its way to it goes to the next. What is not in
//! [`local`](crate::sync::local) may be shared by any threads, also such as run no runtime.
//!
//! All of it is made of one wait list. The two forms of a type, between threads and on one thread,
//! are one type in [`generic`](crate::sync::generic), with another
//! [`Flavor`](crate::sync::generic::Flavor).

/// 1. A lock's state is touched by one at a time.
pub(crate) mod flavor;
/// 2. What must not happen under the lock is put off.
pub(crate) mod after;
/// 3. Whoever has to wait is queued.
pub(crate) mod wait_list;
/// 4. A future that waits in the queue, and leaves it if it is dropped.
pub(crate) mod wait;
/// 5. What is handed out in turn.
mod permits;
/// Waiting for each other.
mod barrier;
/// Every receiver gets every value.
pub mod broadcast;
/// A value under guard.
mod cell;
/// A queue with an end.
mod channel;
/// Waiting for a change of what a mutex guards.
mod condvar;
/// A flag to wait for.
mod event;
/// What only the tasks of one thread share.
pub mod local;
/// One at a time.
mod mutex;
/// Telling a task to look again.
mod notify;
/// A value that is made once.
mod once_cell;
/// One value, sent once.
pub mod oneshot;
/// The races of all of these.
#[cfg(test)]
mod races;
/// Many who look, or one who changes.
mod rwlock;
/// At most so many at a time.
mod semaphore;
/// The latest value.
pub mod watch;

use std::sync::Arc;

pub use barrier::Broken;
pub use channel::{
    Receiver, SendError, SendPermit, Sender, TryRecvError, TrySendError, UnboundedSender, channel,
    unbounded,
};
pub use mutex::TryLockError;
pub use once_cell::OnceCell;
pub use semaphore::{AcquireError, TryAcquireError};

use generic::Threads;

/// A [`Barrier`](generic::Barrier) that threads may share.
pub type Barrier = generic::Barrier<Threads>;
/// A [`Condvar`](generic::Condvar) that threads may share.
pub type Condvar = generic::Condvar<Threads>;
/// An [`Event`](generic::Event) that threads may share.
pub type Event = generic::Event<Threads>;
/// A [`Mutex`](generic::Mutex) that threads may share.
pub type Mutex<T> = generic::Mutex<T, Threads>;
/// The guard of a [`Mutex`].
pub type MutexGuard<'a, T> = generic::Exclusive<&'a Mutex<T>>;
/// The guard of a [`Mutex`] that it keeps.
pub type OwnedMutexGuard<T> = generic::Exclusive<Arc<Mutex<T>>>;
/// A [`Notify`](generic::Notify) that threads may share.
pub type Notify = generic::Notify<Threads>;
/// An [`RwLock`](generic::RwLock) that threads may share.
pub type RwLock<T> = generic::RwLock<T, Threads>;
/// The guard of an [`RwLock`] for reading.
pub type RwLockReadGuard<'a, T> = generic::Shared<&'a RwLock<T>>;
/// The guard of an [`RwLock`] for writing.
pub type RwLockWriteGuard<'a, T> = generic::Exclusive<&'a RwLock<T>>;
/// The guard for reading of an [`RwLock`] that it keeps.
pub type OwnedRwLockReadGuard<T> = generic::Shared<Arc<RwLock<T>>>;
/// The guard for writing of an [`RwLock`] that it keeps.
pub type OwnedRwLockWriteGuard<T> = generic::Exclusive<Arc<RwLock<T>>>;
/// A [`Semaphore`](generic::Semaphore) that threads may share.
pub type Semaphore = generic::Semaphore<Threads>;
/// A [`Permit`](generic::Permit) of a [`Semaphore`].
pub type SemaphorePermit<'a> = generic::Permit<Threads, &'a Semaphore>;
/// A [`Permit`](generic::Permit) of a [`Semaphore`] that it keeps.
pub type OwnedSemaphorePermit = generic::Permit<Threads, Arc<Semaphore>>;

/// The types that exist in two forms, and what tells these apart.
pub mod generic {
    pub use super::barrier::Barrier;
    pub use super::cell::{Exclusive, Shared};
    pub use super::condvar::Condvar;
    pub use super::event::Event;
    pub use super::flavor::{Flavor, Local, Threads};
    pub use super::mutex::Mutex;
    pub use super::notify::{Notified, Notify};
    pub use super::rwlock::RwLock;
    pub use super::semaphore::{Permit, Semaphore};
}
