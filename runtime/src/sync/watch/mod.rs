//! The latest value of something, and to be told when there is a newer one.

/// How it can fail.
mod error;
/// The end that looks.
mod receiver;
/// The end that sets.
mod sender;

use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

pub use error::{RecvError, SendError};
pub use receiver::Receiver;
pub use sender::Sender;

use super::flavor::{Flavor, Protect, Threads};
use super::wait_list::WaitList;

/// Makes a channel that keeps the latest value only. The first, `value`, counts as seen.
///
/// ```
/// use wakering_runtime::{run, spawn, sync::watch};
///
/// run(async {
///     let (sender, mut receiver) = watch::channel("starting");
///     let task = spawn(async move {
///         receiver.changed().await.unwrap();
///         *receiver.borrow_and_update()
///     });
///     sender.send("loading").unwrap();
///     sender.send("ready").unwrap();
///     assert_eq!(task.await.unwrap(), "ready");
/// });
/// ```
pub fn channel<T>(value: T) -> (Sender<T>, Receiver<T>) {
    let state = State {
        version: 0,
        senders: 1,
        receivers: 1,
        changes: WaitList::new(),
        closing: WaitList::new(),
    };
    let shared = Arc::new(Watched { value: RwLock::new(value), state: Protect::new(state) });
    (Sender::new(shared.clone()), Receiver::new(shared, 0))
}

struct Watched<T> {
    /// Locked for as long as somebody looks, always before the state. The version changes while it
    /// is locked for writing, so that who looks sees a value and its own version.
    value: RwLock<T>,
    state: <Threads as Flavor>::Cell<State>,
}

struct State {
    version: u64,
    senders: usize,
    receivers: usize,
    /// Who waits for a newer value.
    changes: WaitList,
    /// Who waits until there is no receiver.
    closing: WaitList,
}

impl<T> Watched<T> {
    fn borrow(&self) -> Ref<'_, T> {
        Ref { value: self.value.read().unwrap_or_else(PoisonError::into_inner) }
    }
}

/// A look at the value. As long as it is there, nobody can set another, and who tries blocks its
/// thread: it must not be kept over an `await`.
///
/// ```
/// use wakering_runtime::sync::watch;
///
/// let (_sender, receiver) = watch::channel(vec![1]);
/// assert_eq!(receiver.borrow().len(), 1);
/// ```
pub struct Ref<'a, T> {
    value: RwLockReadGuard<'a, T>,
}

impl<T> Deref for Ref<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl State {
    fn has_changed(&self, seen: u64) -> Result<bool, RecvError> {
        match self.version != seen {
            false if self.senders == 0 => Err(RecvError(())),
            has_changed => Ok(has_changed),
        }
    }

    fn closed(&mut self) -> (bool, &mut WaitList) {
        (self.receivers == 0, &mut self.closing)
    }
}

impl<T: fmt::Debug> fmt::Debug for Ref<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
