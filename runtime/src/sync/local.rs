//! What only the tasks of one thread share, without atomic operations. Where the others take an
//! `Arc`, these take an `Rc`.
//!
//! ```
//! use std::rc::Rc;
//! use wakering_runtime::{run, spawn, sync::local};
//!
//! run(async {
//!     let (sender, mut receiver) = local::channel(1);
//!     let total = Rc::new(local::Mutex::new(0));
//!     let mut guard = local::Mutex::lock_owned(total.clone()).await;
//!     let task = spawn(async move {
//!         while let Some(n) = receiver.recv().await {
//!             *guard += n;
//!         }
//!     });
//!     for n in 1..=3 {
//!         sender.send(n).await.unwrap();
//!     }
//!     drop(sender);
//!     assert_eq!(*total.lock().await, 6);
//!     task.await.unwrap();
//! });
//! ```
//!
//! They stay on their thread:
//!
//! ```compile_fail
//! fn is_shared<T: Sync>(_: T) {}
//! is_shared(wakering_runtime::sync::local::Event::new());
//! ```

use super::channel as channels;
use super::generic::{self, Local};

/// A [`Barrier`](generic::Barrier) of one thread.
pub type Barrier = generic::Barrier<Local>;
/// A [`Condvar`](generic::Condvar) of one thread.
pub type Condvar = generic::Condvar<Local>;
/// An [`Event`](generic::Event) of one thread.
pub type Event = generic::Event<Local>;
/// A [`Mutex`](generic::Mutex) of one thread.
pub type Mutex<T> = generic::Mutex<T, Local>;
/// A [`Notify`](generic::Notify) of one thread.
pub type Notify = generic::Notify<Local>;
/// An [`RwLock`](generic::RwLock) of one thread.
pub type RwLock<T> = generic::RwLock<T, Local>;
/// A [`Semaphore`](generic::Semaphore) of one thread.
pub type Semaphore = generic::Semaphore<Local>;
/// A [`Sender`](super::Sender) of one thread.
pub type Sender<T> = super::Sender<T, Local>;
/// An [`UnboundedSender`](super::UnboundedSender) of one thread.
pub type UnboundedSender<T> = super::UnboundedSender<T, Local>;
/// A [`Receiver`](super::Receiver) of one thread.
pub type Receiver<T> = super::Receiver<T, Local>;

/// Makes a [`channel`](super::channel()) for one thread.
///
/// ```
/// use wakering_runtime::sync::local;
///
/// let (sender, mut receiver) = local::channel(1);
/// sender.try_send(1).unwrap();
/// assert_eq!(receiver.try_recv(), Ok(1));
/// ```
///
/// # Panics
/// Without any room.
#[track_caller]
pub fn channel<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    channels::new(capacity)
}

/// Makes an [`unbounded`](super::unbounded) channel for one thread.
///
/// ```
/// use wakering_runtime::sync::local;
///
/// let (sender, mut receiver) = local::unbounded();
/// sender.send(1).unwrap();
/// assert_eq!(receiver.try_recv(), Ok(1));
/// ```
pub fn unbounded<T>() -> (UnboundedSender<T>, Receiver<T>) {
    channels::new_unbounded()
}

/// One value, sent once, on one thread.
pub mod oneshot {
    use super::Local;
    use crate::sync::oneshot;

    /// A [`Sender`](oneshot::Sender) of one thread.
    pub type Sender<T> = oneshot::Sender<T, Local>;
    /// A [`Receiver`](oneshot::Receiver) of one thread.
    pub type Receiver<T> = oneshot::Receiver<T, Local>;

    /// Makes a [`channel`](oneshot::channel) for one value on one thread.
    ///
    /// ```
    /// use wakering_runtime::{run, sync::local::oneshot};
    ///
    /// let (sender, receiver) = oneshot::channel();
    /// sender.send(1).unwrap();
    /// assert_eq!(run(receiver), Ok(1));
    /// ```
    pub fn channel<T>() -> (Sender<T>, Receiver<T>) {
        oneshot::new()
    }
}
