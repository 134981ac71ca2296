//! One value, sent once.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::after::{After, update};
use super::flavor::{Flavor, Protect, Threads};
use super::wait::{self, Until, Wait, Waits};
use super::wait_list::{Ticket, WaitList};

pub use super::channel::TryRecvError;

/// Makes a channel for one value. The receiver is a future.
///
/// ```
/// use wakering_runtime::{run, spawn, sync::oneshot};
///
/// run(async {
///     let (sender, receiver) = oneshot::channel();
///     spawn(async move { sender.send(42).unwrap() });
///     assert_eq!(receiver.await, Ok(42));
/// });
/// ```
pub fn channel<T>() -> (Sender<T>, Receiver<T>) {
    new::<T, Threads>()
}

pub(super) fn new<T, F: Flavor>() -> (Sender<T, F>, Receiver<T, F>) {
    let state = State {
        value: None,
        will_come: true,
        is_wanted: true,
        receiver: WaitList::new(),
        sender: WaitList::new(),
    };
    let shared: Shared<T, F> = F::share(Protect::new(state));
    (Sender { shared: shared.clone() }, Receiver { shared, ticket: None })
}

type Shared<T, F> = <F as Flavor>::Ref<<F as Flavor>::Cell<State<T>>>;

struct State<T> {
    value: Option<T>,
    /// Whether there is a sender that has not sent.
    will_come: bool,
    /// Whether there is a receiver that has not closed.
    is_wanted: bool,
    receiver: WaitList,
    sender: WaitList,
}

/// Sends the value.
///
/// ```
/// use wakering_runtime::{run, sync::oneshot};
///
/// let (sender, receiver) = oneshot::channel();
/// sender.send(1).unwrap();
/// assert_eq!(run(receiver), Ok(1));
/// ```
pub struct Sender<T, F: Flavor = Threads> {
    shared: Shared<T, F>,
}

impl<T, F: Flavor> Sender<T, F> {
    /// Sends `value`, without waiting.
    ///
    /// ```
    /// use wakering_runtime::sync::oneshot;
    ///
    /// let (sender, receiver) = oneshot::channel();
    /// drop(receiver);
    /// assert_eq!(sender.send(1), Err(1));
    /// ```
    ///
    /// # Errors
    /// The value, when nobody wants it any more.
    pub fn send(self, value: T) -> Result<(), T> {
        update(&*self.shared, |state, after| {
            if !state.is_wanted {
                return Err(value);
            }
            state.value = Some(value);
            state.receiver.call_all(after);
            Ok(())
        })
    }

    /// Whether nobody wants the value any more.
    ///
    /// ```
    /// use wakering_runtime::sync::oneshot;
    ///
    /// let (sender, receiver) = oneshot::channel::<u8>();
    /// assert!(!sender.is_closed());
    /// drop(receiver);
    /// assert!(sender.is_closed());
    /// ```
    pub fn is_closed(&self) -> bool {
        self.shared.with(|state| !state.is_wanted)
    }

    /// Waits until nobody wants the value any more.
    ///
    /// ```
    /// use wakering_runtime::{run, sync::oneshot};
    ///
    /// run(async {
    ///     let (mut sender, receiver) = oneshot::channel::<u8>();
    ///     drop(receiver);
    ///     sender.closed().await;
    /// });
    /// ```
    ///
    /// # Cancellation
    /// **Strict.**
    pub async fn closed(&mut self) {
        Wait::<F, _, _>::new(&*self.shared, Until(State::unwanted)).await;
    }
}

impl<T, F: Flavor> Drop for Sender<T, F> {
    fn drop(&mut self) {
        update(&*self.shared, |state: &mut State<T>, after| {
            state.will_come = false;
            state.receiver.call_all(after);
        });
    }
}

/// Receives the value, when it is awaited.
///
/// ```
/// use wakering_runtime::{run, sync::oneshot};
///
/// let (sender, receiver) = oneshot::channel::<u8>();
/// drop(sender);
/// assert_eq!(run(receiver), Err(oneshot::RecvError));
/// ```
///
/// # Cancellation
/// **Strict** where it is awaited as `&mut receiver`: the value stays until it is asked for again.
/// With the receiver itself the value is dropped.
#[must_use = "a receiver does nothing until it is awaited"]
pub struct Receiver<T, F: Flavor = Threads> {
    shared: Shared<T, F>,
    ticket: Option<Ticket>,
}

impl<T, F: Flavor> Receiver<T, F> {
    /// Takes the value if it is there.
    ///
    /// ```
    /// use wakering_runtime::sync::oneshot::{self, TryRecvError};
    ///
    /// let (sender, mut receiver) = oneshot::channel();
    /// assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    /// sender.send(1).unwrap();
    /// assert_eq!(receiver.try_recv(), Ok(1));
    /// assert_eq!(receiver.try_recv(), Err(TryRecvError::Disconnected));
    /// ```
    ///
    /// # Errors
    /// [`TryRecvError::Empty`] and [`TryRecvError::Disconnected`].
    pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
        self.shared.with(|state| match (state.value.take(), state.can_come()) {
            (Some(value), _) => Ok(value),
            (None, true) => Err(TryRecvError::Empty),
            (None, false) => Err(TryRecvError::Disconnected),
        })
    }

    /// Tells the sender that nothing is wanted any more. What was sent before can be received.
    ///
    /// ```
    /// use wakering_runtime::{run, sync::oneshot};
    ///
    /// let (sender, mut receiver) = oneshot::channel();
    /// receiver.close();
    /// assert_eq!(sender.send(1), Err(1));
    /// assert!(run(receiver).is_err());
    /// ```
    pub fn close(&mut self) {
        update(&*self.shared, |state: &mut State<T>, after| state.close(after));
    }
}

impl<T> State<T> {
    fn can_come(&self) -> bool {
        self.will_come && self.is_wanted
    }

    fn unwanted(&mut self) -> (bool, &mut WaitList) {
        (!self.is_wanted, &mut self.sender)
    }

    fn close(&mut self, after: &mut After<'_>) {
        self.is_wanted = false;
        self.sender.call_all(after);
    }
}

impl<T, F: Flavor> Future for Receiver<T, F> {
    type Output = Result<T, RecvError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<T, RecvError>> {
        let Receiver { shared, ticket } = self.get_mut();
        wait::poll(&**shared, &mut Arrival, ticket, cx)
    }
}

impl<T, F: Flavor> Drop for Receiver<T, F> {
    fn drop(&mut self) {
        wait::leave(&*self.shared, &mut Arrival, &mut self.ticket);
        let left = update(&*self.shared, |state: &mut State<T>, after| {
            state.close(after);
            state.value.take()
        });
        drop(left);
    }
}

/// The wish for the value.
struct Arrival;

impl<T> Waits<State<T>> for Arrival {
    type Output = Result<T, RecvError>;

    fn poll(
        &mut self,
        state: &mut State<T>,
        ticket: &mut Option<Ticket>,
        after: &mut After<'_>,
    ) -> Poll<Result<T, RecvError>> {
        if state.value.is_none() && state.can_come() {
            state.receiver.park(ticket, (), after);
            return Poll::Pending;
        }
        if let Some(ticket) = ticket.take() {
            state.receiver.remove(ticket, after);
        }
        Poll::Ready(state.value.take().ok_or(RecvError))
    }

    fn leave(&mut self, state: &mut State<T>, ticket: Ticket, after: &mut After<'_>) {
        state.receiver.remove(ticket, after);
    }
}

impl<T, F: Flavor> fmt::Debug for Sender<T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("is_closed", &self.is_closed()).finish()
    }
}

impl<T, F: Flavor> fmt::Debug for Receiver<T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_there = self.shared.with(|state| state.value.is_some());
        f.debug_struct("Receiver").field("is_there", &is_there).finish()
    }
}

/// The sender was dropped without sending.
///
/// ```
/// use wakering_runtime::{run, sync::oneshot};
///
/// let (sender, receiver) = oneshot::channel::<u8>();
/// drop(sender);
/// let error = run(receiver).unwrap_err();
/// assert_eq!(error.to_string(), "nothing will be received: the sender is gone");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecvError;

impl fmt::Display for RecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nothing will be received: the sender is gone")
    }
}

impl Error for RecvError {}
