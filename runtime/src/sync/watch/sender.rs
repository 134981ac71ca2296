//! The end of a watched value that sets it.

use std::fmt;
use std::sync::{Arc, PoisonError};

use super::{Receiver, Ref, SendError, State, Watched};
use crate::sync::after::{After, update};
use crate::sync::flavor::{Protect, Threads};
use crate::sync::wait::{Until, Wait};

/// Sets the value. Can be cloned.
///
/// ```
/// use wakering_runtime::sync::watch;
///
/// let (sender, receiver) = watch::channel(1);
/// sender.send(2).unwrap();
/// assert_eq!(*receiver.borrow(), 2);
/// ```
pub struct Sender<T> {
    shared: Arc<Watched<T>>,
}

impl<T> Sender<T> {
    pub(super) fn new(shared: Arc<Watched<T>>) -> Sender<T> {
        Sender { shared }
    }

    /// Sets the value if somebody may look at it.
    ///
    /// ```
    /// use wakering_runtime::sync::watch::{self, SendError};
    ///
    /// let (sender, receiver) = watch::channel(1);
    /// sender.send(2).unwrap();
    /// drop(receiver);
    /// assert_eq!(sender.send(3), Err(SendError(3)));
    /// ```
    ///
    /// # Errors
    /// When there is no receiver, with the value.
    pub fn send(&self, value: T) -> Result<(), SendError<T>> {
        if self.is_closed() {
            return Err(SendError(value));
        }
        self.send_replace(value);
        Ok(())
    }

    /// Sets the value, also if there is no receiver, and returns the one before.
    ///
    /// ```
    /// use wakering_runtime::sync::watch;
    ///
    /// let (sender, _) = watch::channel(1);
    /// assert_eq!(sender.send_replace(2), 1);
    /// assert_eq!(*sender.borrow(), 2);
    /// ```
    pub fn send_replace(&self, mut value: T) -> T {
        self.send_modify(|old| std::mem::swap(old, &mut value));
        value
    }

    /// Changes the value in place.
    ///
    /// ```
    /// use wakering_runtime::sync::watch;
    ///
    /// let (sender, receiver) = watch::channel(1);
    /// sender.send_modify(|value| *value += 1);
    /// assert_eq!(*receiver.borrow(), 2);
    /// ```
    ///
    /// # Panics
    /// If `modify` does. The receivers are not told then.
    pub fn send_modify(&self, modify: impl FnOnce(&mut T)) {
        self.send_if_modified(|value| {
            modify(value);
            true
        });
    }

    /// Changes the value in place, and tells the receivers only if `modify` says that it has
    /// changed it. Returns what it says.
    ///
    /// ```
    /// use wakering_runtime::sync::watch;
    ///
    /// let (sender, receiver) = watch::channel(1);
    /// let is_raised = sender.send_if_modified(|value| {
    ///     let is_raised = *value < 5;
    ///     *value = 5.max(*value);
    ///     is_raised
    /// });
    /// assert!(is_raised && receiver.has_changed().unwrap());
    /// ```
    ///
    /// # Panics
    /// If `modify` does. The receivers are not told then.
    pub fn send_if_modified(&self, modify: impl FnOnce(&mut T) -> bool) -> bool {
        let mut after = After::default();
        let mut value = self.shared.value.write().unwrap_or_else(PoisonError::into_inner);
        let is_modified = modify(&mut value);
        if is_modified {
            self.shared.state.with(|state| {
                state.version += 1;
                state.changes.call_all(&mut after);
            });
        }
        drop(value);
        after.run();
        is_modified
    }

    /// Looks at the value.
    ///
    /// ```
    /// use wakering_runtime::sync::watch;
    ///
    /// assert_eq!(*watch::channel(1).0.borrow(), 1);
    /// ```
    pub fn borrow(&self) -> Ref<'_, T> {
        self.shared.borrow()
    }

    /// Makes a receiver, for which the value that is there now counts as seen.
    ///
    /// ```
    /// use wakering_runtime::sync::watch;
    ///
    /// let (sender, _receiver) = watch::channel(1);
    /// assert!(!sender.subscribe().has_changed().unwrap());
    /// ```
    pub fn subscribe(&self) -> Receiver<T> {
        let seen = self.shared.state.with(|state| {
            state.receivers += 1;
            state.version
        });
        Receiver::new(self.shared.clone(), seen)
    }

    /// How many receivers there are.
    ///
    /// ```
    /// use wakering_runtime::sync::watch;
    ///
    /// let (sender, _receiver) = watch::channel(1);
    /// assert_eq!(sender.receiver_count(), 1);
    /// ```
    pub fn receiver_count(&self) -> usize {
        self.shared.state.with(|state| state.receivers)
    }

    /// Whether there is no receiver.
    ///
    /// ```
    /// use wakering_runtime::sync::watch;
    ///
    /// let (sender, receiver) = watch::channel(1);
    /// drop(receiver);
    /// assert!(sender.is_closed());
    /// ```
    pub fn is_closed(&self) -> bool {
        self.receiver_count() == 0
    }

    /// Waits until there is no receiver.
    ///
    /// ```
    /// use wakering_runtime::{run, sync::watch};
    ///
    /// run(async {
    ///     let (sender, receiver) = watch::channel(1);
    ///     drop(receiver);
    ///     sender.closed().await;
    /// });
    /// ```
    ///
    /// # Cancellation
    /// **Strict.**
    pub async fn closed(&self) {
        Wait::<Threads, _, _>::new(&self.shared.state, Until(State::closed)).await;
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Sender<T> {
        self.shared.state.with(|state| state.senders += 1);
        Sender { shared: self.shared.clone() }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        update(&self.shared.state, |state: &mut State, after| {
            state.senders -= 1;
            if state.senders == 0 {
                state.changes.call_all(after);
            }
        });
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("receiver_count", &self.receiver_count()).finish()
    }
}
