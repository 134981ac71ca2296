//! The latest value of something, and to be told when there is a newer one.

use std::error::Error;
use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::task::Poll;

use super::after::{After, update};
use super::flavor::{Flavor, Protect, Threads};
use super::wait::{Until, Wait, Waits};
use super::wait_list::{Ticket, WaitList};

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
    (Sender { shared: shared.clone() }, Receiver { shared, seen: 0 })
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

/// Looks at the value. A clone has seen what this has seen.
///
/// ```
/// use wakering_runtime::sync::watch;
///
/// let (_sender, receiver) = watch::channel(1);
/// assert_eq!(*receiver.clone().borrow(), 1);
/// ```
pub struct Receiver<T> {
    shared: Arc<Watched<T>>,
    seen: u64,
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

impl<T> Sender<T> {
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
        Receiver { shared: self.shared.clone(), seen }
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

impl<T> Receiver<T> {
    /// Looks at the value, which does not count as seeing it.
    ///
    /// ```
    /// use wakering_runtime::sync::watch;
    ///
    /// let (sender, receiver) = watch::channel(1);
    /// sender.send(2).unwrap();
    /// assert_eq!(*receiver.borrow(), 2);
    /// assert!(receiver.has_changed().unwrap());
    /// ```
    pub fn borrow(&self) -> Ref<'_, T> {
        self.shared.borrow()
    }

    /// Looks at the value, which is seen from now on.
    ///
    /// ```
    /// use wakering_runtime::sync::watch;
    ///
    /// let (sender, mut receiver) = watch::channel(1);
    /// sender.send(2).unwrap();
    /// assert_eq!(*receiver.borrow_and_update(), 2);
    /// assert!(!receiver.has_changed().unwrap());
    /// ```
    pub fn borrow_and_update(&mut self) -> Ref<'_, T> {
        let value = self.shared.borrow();
        self.seen = self.shared.state.with(|state| state.version);
        value
    }

    /// Whether there is a value that it has not seen.
    ///
    /// ```
    /// use wakering_runtime::sync::watch;
    ///
    /// let (sender, receiver) = watch::channel(1);
    /// assert_eq!(receiver.has_changed(), Ok(false));
    /// drop(sender);
    /// assert!(receiver.has_changed().is_err());
    /// ```
    ///
    /// # Errors
    /// When there is none, and all senders are gone.
    pub fn has_changed(&self) -> Result<bool, RecvError> {
        self.shared.state.with(|state| state.has_changed(self.seen))
    }

    /// Waits for a value that it has not seen, which is seen from then on.
    ///
    /// ```
    /// use wakering_runtime::{run, sync::watch};
    ///
    /// run(async {
    ///     let (sender, mut receiver) = watch::channel(1);
    ///     sender.send(2).unwrap();
    ///     receiver.changed().await.unwrap();
    ///     assert_eq!(*receiver.borrow(), 2);
    ///     drop(sender);
    ///     assert!(receiver.changed().await.is_err());
    /// });
    /// ```
    ///
    /// # Errors
    /// When all senders are gone and it has seen the last value.
    ///
    /// # Cancellation
    /// **Strict.**
    pub async fn changed(&mut self) -> Result<(), RecvError> {
        let wish = Change { seen: &mut self.seen };
        Wait::<Threads, _, _>::new(&self.shared.state, wish).await
    }

    /// Waits for a value that `predicate` accepts, which may be there already, and looks at it.
    ///
    /// ```
    /// use wakering_runtime::{run, sync::watch};
    ///
    /// run(async {
    ///     let (sender, mut receiver) = watch::channel(1);
    ///     sender.send(5).unwrap();
    ///     assert_eq!(*receiver.wait_for(|value| *value > 3).await.unwrap(), 5);
    /// });
    /// ```
    ///
    /// # Errors
    /// When all senders are gone and the last value was not accepted.
    ///
    /// # Cancellation
    /// **Strict.**
    pub async fn wait_for(
        &mut self,
        mut predicate: impl FnMut(&T) -> bool,
    ) -> Result<Ref<'_, T>, RecvError> {
        let Receiver { shared, seen } = self;
        let shared = &**shared;
        loop {
            {
                let value = shared.borrow();
                *seen = shared.state.with(|state| state.version);
                if predicate(&value) {
                    return Ok(value);
                }
            }
            Wait::<Threads, _, _>::new(&shared.state, Change { seen }).await?;
        }
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

/// The wish for a newer value.
struct Change<'a> {
    seen: &'a mut u64,
}

impl Waits<State> for Change<'_> {
    type Output = Result<(), RecvError>;

    fn poll(
        &mut self,
        state: &mut State,
        ticket: &mut Option<Ticket>,
        after: &mut After<'_>,
    ) -> Poll<Result<(), RecvError>> {
        state.changes.take_called(ticket, after);
        match state.has_changed(*self.seen) {
            Ok(false) => {
                state.changes.park(ticket, (), after);
                Poll::Pending
            }
            outcome => {
                *self.seen = state.version;
                Poll::Ready(outcome.map(drop))
            }
        }
    }

    fn leave(&mut self, state: &mut State, ticket: Ticket, after: &mut After<'_>) {
        state.changes.remove(ticket, after);
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

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Receiver<T> {
        self.shared.state.with(|state| state.receivers += 1);
        Receiver { shared: self.shared.clone(), seen: self.seen }
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        update(&self.shared.state, |state: &mut State, after| {
            state.receivers -= 1;
            if state.receivers == 0 {
                state.closing.call_all(after);
            }
        });
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("receiver_count", &self.receiver_count()).finish()
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").field("has_changed", &self.has_changed()).finish()
    }
}

impl<T: fmt::Debug> fmt::Debug for Ref<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

/// There is no receiver; this is the value that was not set.
///
/// ```
/// use wakering_runtime::sync::watch::{self, SendError};
///
/// let (sender, _) = watch::channel(1);
/// assert_eq!(sender.send(2), Err(SendError(2)));
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SendError<T>(pub T);

/// All senders are gone: the value will not change any more.
///
/// ```
/// use wakering_runtime::sync::watch;
///
/// let (sender, receiver) = watch::channel(1);
/// drop(sender);
/// let error = receiver.has_changed().unwrap_err();
/// assert_eq!(error.to_string(), "the value will not change any more: all senders are gone");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecvError(());

impl<T> fmt::Debug for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SendError(..)")
    }
}

impl<T> fmt::Display for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cannot send: there is no receiver")
    }
}

impl fmt::Display for RecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the value will not change any more: all senders are gone")
    }
}

impl<T> Error for SendError<T> {}
impl Error for RecvError {}
