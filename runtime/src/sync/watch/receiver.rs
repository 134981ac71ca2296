//! The end of a watched value that looks at it, and waits for a newer one.

use std::fmt;
use std::sync::Arc;
use std::task::Poll;

use super::{RecvError, Ref, State, Watched};
use crate::sync::after::{After, update};
use crate::sync::flavor::{Protect, Threads};
use crate::sync::wait::{Wait, Waits};
use crate::sync::wait_list::Ticket;

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

impl<T> Receiver<T> {
    pub(super) fn new(shared: Arc<Watched<T>>, seen: u64) -> Receiver<T> {
        Receiver { shared, seen }
    }

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

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").field("has_changed", &self.has_changed()).finish()
    }
}
