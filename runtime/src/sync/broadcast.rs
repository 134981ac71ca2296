//! Every receiver gets every value, or is told how many it has missed.

use std::collections::VecDeque;
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::task::Poll;

use super::after::{After, update};
use super::flavor::{Flavor, Protect, Threads};
use super::wait::{Wait, Waits};
use super::wait_list::{Ticket, WaitList};

/// Makes a channel whose values go to all receivers. It keeps `capacity` values at most: a receiver
/// that falls behind further has missed the oldest, and is told how many.
///
/// Sending never waits. A value is kept until all receivers have had it, and one that nobody would
/// receive is not kept at all.
///
/// ```
/// use wakering_runtime::{run, sync::broadcast::{self, RecvError}};
///
/// run(async {
///     let (sender, mut first) = broadcast::channel(2);
///     let mut second = sender.subscribe();
///     sender.send(1).unwrap();
///     assert_eq!(first.recv().await, Ok(1));
///     sender.send(2).unwrap();
///     sender.send(3).unwrap();
///     assert_eq!(first.recv().await, Ok(2));
///     assert_eq!(second.recv().await, Err(RecvError::Lagged(1)));
///     assert_eq!(second.recv().await, Ok(2));
/// });
/// ```
///
/// # Panics
/// Without any room.
#[track_caller]
pub fn channel<T: Clone>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    assert!(capacity > 0, "a broadcast keeps one value at least, not 0");
    let state = State {
        capacity,
        values: VecDeque::new(),
        first: 0,
        senders: 1,
        receivers: 1,
        waiters: WaitList::new(),
    };
    let shared: Shared<T> = Arc::new(Protect::new(state));
    (Sender { shared: shared.clone() }, Receiver { shared, next: 0 })
}

type Shared<T> = Arc<<Threads as Flavor>::Cell<State<T>>>;

struct State<T> {
    capacity: usize,
    values: VecDeque<Value<T>>,
    /// The number of the first in `values`.
    first: u64,
    senders: usize,
    receivers: usize,
    waiters: WaitList,
}

/// A value and how many receivers have not had it. It is shared, so that it can be cloned and
/// dropped when the lock is free.
struct Value<T> {
    value: Arc<T>,
    left: usize,
}

/// Sends values to all receivers. Can be cloned.
///
/// ```
/// use wakering_runtime::sync::broadcast;
///
/// let (sender, mut receiver) = broadcast::channel(1);
/// assert_eq!(sender.send("value"), Ok(1));
/// assert_eq!(receiver.try_recv(), Ok("value"));
/// ```
pub struct Sender<T> {
    shared: Shared<T>,
}

/// Receives what is sent from its making on. A clone goes on where this one is.
///
/// ```
/// use wakering_runtime::sync::broadcast;
///
/// let (sender, mut receiver) = broadcast::channel(1);
/// sender.send(1).unwrap();
/// let mut clone = receiver.clone();
/// assert_eq!((receiver.try_recv(), clone.try_recv()), (Ok(1), Ok(1)));
/// ```
pub struct Receiver<T> {
    shared: Shared<T>,
    /// The number of the value that it gets next.
    next: u64,
}

impl<T> State<T> {
    fn end(&self) -> u64 {
        self.first + self.values.len() as u64
    }

    /// Takes out a value that nobody is to have any more. As everybody goes from the first to the
    /// last, only the first can be one.
    fn take_spent(&mut self) -> Option<Arc<T>> {
        let spent = self.values.pop_front_if(|value| value.left == 0)?;
        self.first += 1;
        Some(spent.value)
    }

    /// The value of number `next`, which moves on, also over those that were missed.
    fn receive(&mut self, next: &mut u64) -> Result<Arc<T>, TryRecvError> {
        let Some(at) = next.checked_sub(self.first) else {
            let missed = self.first - *next;
            *next = self.first;
            return Err(TryRecvError::Lagged(missed));
        };
        let Some(value) = self.values.get_mut(at as usize) else {
            let is_over = self.senders == 0;
            return Err(if is_over { TryRecvError::Closed } else { TryRecvError::Empty });
        };
        *next += 1;
        value.left -= 1;
        let value = value.value.clone();
        // What is taken out here is another pointer to it, with which nothing is dropped.
        self.take_spent();
        Ok(value)
    }
}

impl<T> Sender<T> {
    /// Sends `value` to all receivers there are, and tells how many.
    ///
    /// ```
    /// use wakering_runtime::sync::broadcast::{self, SendError};
    ///
    /// let (sender, receiver) = broadcast::channel(1);
    /// assert_eq!(sender.send(1), Ok(1));
    /// drop(receiver);
    /// assert_eq!(sender.send(2), Err(SendError(2)));
    /// ```
    ///
    /// # Errors
    /// When there is no receiver, with the value. There may be one later.
    pub fn send(&self, value: T) -> Result<usize, SendError<T>> {
        let value = Arc::new(value);
        let (sent, gone) = update(&*self.shared, |state: &mut State<T>, after| {
            if state.receivers == 0 {
                return (Err(value), None);
            }
            let full = state.values.len() == state.capacity;
            let gone = full.then(|| state.values.pop_front()).flatten();
            state.first += u64::from(full);
            state.values.push_back(Value { value, left: state.receivers });
            state.waiters.call_all(after);
            (Ok(state.receivers), gone)
        });
        drop(gone);
        sent.map_err(|value| {
            SendError(Arc::into_inner(value).expect("nobody has seen what was not sent"))
        })
    }

    /// Makes a receiver for what is sent from now on.
    ///
    /// ```
    /// use wakering_runtime::sync::broadcast::{self, TryRecvError};
    ///
    /// let (sender, _receiver) = broadcast::channel(1);
    /// sender.send(1).unwrap();
    /// let mut late = sender.subscribe();
    /// assert_eq!(late.try_recv(), Err(TryRecvError::Empty));
    /// ```
    pub fn subscribe(&self) -> Receiver<T> {
        let next = self.shared.with(|state| {
            state.receivers += 1;
            state.end()
        });
        Receiver { shared: self.shared.clone(), next }
    }

    /// How many receivers there are.
    ///
    /// ```
    /// use wakering_runtime::sync::broadcast;
    ///
    /// let (sender, _receiver) = broadcast::channel::<u8>(1);
    /// assert_eq!(sender.receiver_count(), 1);
    /// ```
    pub fn receiver_count(&self) -> usize {
        self.shared.with(|state| state.receivers)
    }
}

impl<T: Clone> Receiver<T> {
    /// Waits for the next value.
    ///
    /// ```
    /// use wakering_runtime::{run, sync::broadcast};
    ///
    /// run(async {
    ///     let (sender, mut receiver) = broadcast::channel(1);
    ///     sender.send(1).unwrap();
    ///     assert_eq!(receiver.recv().await, Ok(1));
    /// });
    /// ```
    ///
    /// # Errors
    /// [`RecvError::Lagged`] tells how many values were missed; the next call goes on with the
    /// oldest that is there. [`RecvError::Closed`] when all senders are gone and nothing is left.
    ///
    /// # Cancellation
    /// **Strict.**
    pub async fn recv(&mut self) -> Result<T, RecvError> {
        let wish = Next { next: &mut self.next };
        match Wait::<Threads, _, _>::new(&*self.shared, wish).await {
            Ok(value) => Ok(Arc::unwrap_or_clone(value)),
            Err(error) => Err(error),
        }
    }

    /// Takes the next value if it is there.
    ///
    /// ```
    /// use wakering_runtime::sync::broadcast::{self, TryRecvError};
    ///
    /// let (sender, mut receiver) = broadcast::channel::<u8>(1);
    /// assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    /// drop(sender);
    /// assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));
    /// ```
    ///
    /// # Errors
    /// As [`recv`](Self::recv), and [`TryRecvError::Empty`].
    pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
        let received = self.shared.with(|state| state.receive(&mut self.next));
        received.map(Arc::unwrap_or_clone)
    }
}

impl<T> Receiver<T> {
    /// Makes a receiver for what is sent from now on, unlike a clone.
    ///
    /// ```
    /// use wakering_runtime::sync::broadcast::{self, TryRecvError};
    ///
    /// let (sender, receiver) = broadcast::channel(1);
    /// sender.send(1).unwrap();
    /// assert_eq!(receiver.resubscribe().try_recv(), Err(TryRecvError::Empty));
    /// ```
    pub fn resubscribe(&self) -> Receiver<T> {
        let next = self.shared.with(|state| {
            state.receivers += 1;
            state.end()
        });
        Receiver { shared: self.shared.clone(), next }
    }

    /// How many values it has not had, with those that it has missed.
    ///
    /// ```
    /// use wakering_runtime::sync::broadcast;
    ///
    /// let (sender, receiver) = broadcast::channel(2);
    /// sender.send(1).unwrap();
    /// assert_eq!(receiver.len(), 1);
    /// ```
    pub fn len(&self) -> usize {
        self.shared.with(|state| (state.end() - self.next) as usize)
    }

    /// Whether it has had all that was sent.
    ///
    /// ```
    /// use wakering_runtime::sync::broadcast;
    ///
    /// let (_sender, receiver) = broadcast::channel::<u8>(2);
    /// assert!(receiver.is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The wish for the value of a number.
struct Next<'a> {
    next: &'a mut u64,
}

impl<T> Waits<State<T>> for Next<'_> {
    type Output = Result<Arc<T>, RecvError>;

    fn poll(
        &mut self,
        state: &mut State<T>,
        ticket: &mut Option<Ticket>,
        after: &mut After<'_>,
    ) -> Poll<Result<Arc<T>, RecvError>> {
        state.waiters.take_called(ticket, after);
        let received = match state.receive(self.next) {
            Err(TryRecvError::Empty) => {
                state.waiters.park(ticket, (), after);
                return Poll::Pending;
            }
            Ok(value) => Ok(value),
            Err(TryRecvError::Lagged(missed)) => Err(RecvError::Lagged(missed)),
            Err(TryRecvError::Closed) => Err(RecvError::Closed),
        };
        Poll::Ready(received)
    }

    fn leave(&mut self, state: &mut State<T>, ticket: Ticket, after: &mut After<'_>) {
        // Everybody was called: there is nothing to pass on.
        state.waiters.remove(ticket, after);
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Sender<T> {
        self.shared.with(|state| state.senders += 1);
        Sender { shared: self.shared.clone() }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        update(&*self.shared, |state: &mut State<T>, after| {
            state.senders -= 1;
            if state.senders == 0 {
                state.waiters.call_all(after);
            }
        });
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Receiver<T> {
        self.shared.with(|state| {
            state.receivers += 1;
            let had = self.next.saturating_sub(state.first) as usize;
            state.values.iter_mut().skip(had).for_each(|value| value.left += 1);
        });
        Receiver { shared: self.shared.clone(), next: self.next }
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        let spent: Vec<_> = self.shared.with(|state| {
            state.receivers -= 1;
            let had = self.next.saturating_sub(state.first) as usize;
            state.values.iter_mut().skip(had).for_each(|value| value.left -= 1);
            std::iter::from_fn(|| state.take_spent()).collect()
        });
        drop(spent);
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("receiver_count", &self.receiver_count()).finish()
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").field("len", &self.len()).finish()
    }
}

/// There is no receiver; this is the value that was not sent.
///
/// ```
/// use wakering_runtime::sync::broadcast::{self, SendError};
///
/// let (sender, _) = broadcast::channel(1);
/// assert_eq!(sender.send(1), Err(SendError(1)));
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SendError<T>(pub T);

/// Why there is no next value.
///
/// ```
/// use wakering_runtime::sync::broadcast::RecvError;
///
/// assert_eq!(RecvError::Lagged(2).to_string(), "the receiver was too slow and missed 2 values");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecvError {
    /// All senders are gone.
    Closed,
    /// So many were sent and dropped since the last call.
    Lagged(u64),
}

/// Why there is no next value at once.
///
/// ```
/// use wakering_runtime::sync::broadcast::TryRecvError;
///
/// assert_eq!(TryRecvError::Empty.to_string(), "nothing was sent since");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TryRecvError {
    /// Nothing was sent since.
    Empty,
    /// All senders are gone.
    Closed,
    /// So many were sent and dropped since the last call.
    Lagged(u64),
}

impl<T> fmt::Display for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cannot send: there is no receiver")
    }
}

impl<T> fmt::Debug for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SendError(..)")
    }
}

impl fmt::Display for RecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RecvError::Closed => f.write_str("nothing more will be sent: all senders are gone"),
            RecvError::Lagged(missed) => {
                write!(f, "the receiver was too slow and missed {missed} values")
            }
        }
    }
}

impl fmt::Display for TryRecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            TryRecvError::Empty => f.write_str("nothing was sent since"),
            TryRecvError::Closed => RecvError::Closed.fmt(f),
            TryRecvError::Lagged(missed) => RecvError::Lagged(missed).fmt(f),
        }
    }
}

impl<T> Error for SendError<T> {}
impl Error for RecvError {}
impl Error for TryRecvError {}
