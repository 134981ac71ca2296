//! The end of a channel where items go in.

use std::fmt;
use std::task::Poll;

use super::{SendError, Shared, State, TrySendError};
use crate::sync::after::{After, update};
use crate::sync::flavor::{Flavor, Protect, Threads};
use crate::sync::permits::Ended;
use crate::sync::wait::{Wait, Waits};
use crate::sync::wait_list::Ticket;

/// Sends items into a [`channel`](super::channel). Can be cloned; when the last is dropped, the
/// channel is closed.
///
/// ```
/// use wakering_runtime::{run, sync::channel};
///
/// run(async {
///     let (sender, mut receiver) = channel(1);
///     let other = sender.clone();
///     sender.send(1).await.unwrap();
///     drop((sender, other));
///     assert_eq!(receiver.recv().await, Some(1));
///     assert_eq!(receiver.recv().await, None);
/// });
/// ```
pub struct Sender<T, F: Flavor = Threads> {
    shared: Shared<T, F>,
}

impl<T, F: Flavor> Sender<T, F> {
    pub(super) fn new(shared: Shared<T, F>) -> Sender<T, F> {
        Sender { shared }
    }

    /// Sends `item`, once there is room.
    ///
    /// ```
    /// use wakering_runtime::{run, sync::channel};
    ///
    /// run(async {
    ///     let (sender, mut receiver) = channel(1);
    ///     sender.send("item").await.unwrap();
    ///     assert_eq!(receiver.recv().await, Some("item"));
    /// });
    /// ```
    ///
    /// # Errors
    /// When the channel is closed, with the item.
    ///
    /// # Cancellation
    /// **Strict** towards the channel: the item was not sent, and is dropped with the future.
    /// [`reserve`](Self::reserve) waits without an item.
    pub async fn send(&self, item: T) -> Result<(), SendError<T>> {
        Wait::<F, _, _>::new(&*self.shared, Send(Some(item))).await.map_err(SendError)
    }

    /// Sends `item` if there is room and nobody waits for it.
    ///
    /// ```
    /// use wakering_runtime::sync::{TrySendError, channel};
    ///
    /// let (sender, _receiver) = channel(1);
    /// assert_eq!(sender.try_send(1), Ok(()));
    /// assert_eq!(sender.try_send(2), Err(TrySendError::Full(2)));
    /// ```
    ///
    /// # Errors
    /// [`TrySendError::Full`] and [`TrySendError::Closed`], with the item.
    pub fn try_send(&self, item: T) -> Result<(), TrySendError<T>> {
        update(&*self.shared, |state, after| match state.room.take(1) {
            Ok(true) => state.push(item, after).map_err(TrySendError::Closed),
            Ok(false) => Err(TrySendError::Full(item)),
            Err(Ended) => Err(TrySendError::Closed(item)),
        })
    }

    /// Waits for room, and keeps it for an item that is still to be made.
    ///
    /// ```
    /// use wakering_runtime::{run, sync::channel};
    ///
    /// run(async {
    ///     let (sender, mut receiver) = channel(1);
    ///     let permit = sender.reserve().await.unwrap();
    ///     assert!(sender.try_send(2).is_err(), "the room is taken");
    ///     permit.send(1);
    ///     assert_eq!(receiver.recv().await, Some(1));
    /// });
    /// ```
    ///
    /// # Errors
    /// When the channel is closed.
    ///
    /// # Cancellation
    /// **Strict.** A room that was on its way goes to the next.
    pub async fn reserve(&self) -> Result<SendPermit<'_, T, F>, SendError<()>> {
        match Wait::<F, _, _>::new(&*self.shared, Reserve).await {
            Ok(()) => Ok(SendPermit { sender: self, is_used: false }),
            Err(Ended) => Err(SendError(())),
        }
    }

    /// Keeps room for an item if there is some and nobody waits for it.
    ///
    /// ```
    /// use wakering_runtime::sync::channel;
    ///
    /// let (sender, mut receiver) = channel(1);
    /// sender.try_reserve().unwrap().send(1);
    /// assert!(sender.try_reserve().is_err());
    /// assert_eq!(receiver.try_recv(), Ok(1));
    /// ```
    ///
    /// # Errors
    /// [`TrySendError::Full`] and [`TrySendError::Closed`].
    pub fn try_reserve(&self) -> Result<SendPermit<'_, T, F>, TrySendError<()>> {
        match self.shared.with(|state| state.room.take(1)) {
            Ok(true) => Ok(SendPermit { sender: self, is_used: false }),
            Ok(false) => Err(TrySendError::Full(())),
            Err(Ended) => Err(TrySendError::Closed(())),
        }
    }

    /// Closes the channel for all: whoever waits to send is told so, and receivers get what is in
    /// it, then `None`. Room that was [reserved](Self::reserve) may still be used.
    ///
    /// ```
    /// use wakering_runtime::{run, sync::channel};
    ///
    /// run(async {
    ///     let (sender, mut receiver) = channel(2);
    ///     sender.send(1).await.unwrap();
    ///     sender.close();
    ///     assert!(sender.send(2).await.is_err());
    ///     assert_eq!(receiver.recv().await, Some(1));
    ///     assert_eq!(receiver.recv().await, None);
    /// });
    /// ```
    pub fn close(&self) {
        update(&*self.shared, |state: &mut State<T>, after| state.close(after));
    }

    /// Whether it was closed, by whatever side, or all receivers are gone.
    ///
    /// ```
    /// use wakering_runtime::sync::channel;
    ///
    /// let (sender, receiver) = channel::<u8>(1);
    /// assert!(!sender.is_closed());
    /// drop(receiver);
    /// assert!(sender.is_closed());
    /// ```
    pub fn is_closed(&self) -> bool {
        self.shared.with(|state| state.is_closed())
    }

    /// How much room is left.
    ///
    /// ```
    /// use wakering_runtime::sync::channel;
    ///
    /// let (sender, _receiver) = channel(2);
    /// sender.try_send(1).unwrap();
    /// assert_eq!(sender.capacity(), 1);
    /// ```
    pub fn capacity(&self) -> usize {
        self.shared.with(|state| state.room.free)
    }
}

impl<T, F: Flavor> Clone for Sender<T, F> {
    fn clone(&self) -> Sender<T, F> {
        self.shared.with(|state| state.senders += 1);
        Sender { shared: self.shared.clone() }
    }
}

impl<T, F: Flavor> Drop for Sender<T, F> {
    fn drop(&mut self) {
        update(&*self.shared, |state: &mut State<T>, after| {
            state.senders -= 1;
            if state.senders == 0 {
                state.close(after);
            }
        });
    }
}

impl<T, F: Flavor> fmt::Debug for Sender<T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (capacity, is_closed) = (self.capacity(), self.is_closed());
        f.debug_struct("Sender")
            .field("capacity", &capacity)
            .field("is_closed", &is_closed)
            .finish_non_exhaustive()
    }
}

/// The wish to send an item.
struct Send<T>(Option<T>);

impl<T> Waits<State<T>> for Send<T> {
    type Output = Result<(), T>;

    fn poll(
        &mut self,
        state: &mut State<T>,
        ticket: &mut Option<Ticket>,
        after: &mut After<'_>,
    ) -> Poll<Result<(), T>> {
        state.room.poll(1, ticket, after).map(|taken| {
            let item = self.0.take().expect("it is not polled again after it was sent");
            match taken {
                Ok(()) => state.push(item, after),
                Err(Ended) => Err(item),
            }
        })
    }

    fn leave(&mut self, state: &mut State<T>, ticket: Ticket, after: &mut After<'_>) {
        Reserve.leave(state, ticket, after);
    }
}

/// The wish for room.
struct Reserve;

impl<T> Waits<State<T>> for Reserve {
    type Output = Result<(), Ended>;

    fn poll(
        &mut self,
        state: &mut State<T>,
        ticket: &mut Option<Ticket>,
        after: &mut After<'_>,
    ) -> Poll<Result<(), Ended>> {
        state.room.poll(1, ticket, after)
    }

    fn leave(&mut self, state: &mut State<T>, ticket: Ticket, after: &mut After<'_>) {
        state.room.leave(ticket, after);
        state.end_if_over(after);
    }
}

/// Room for one item, from [`Sender::reserve`]. Dropped unused, it goes to the next.
///
/// ```
/// use wakering_runtime::sync::channel;
///
/// let (sender, _receiver) = channel(1);
/// let permit = sender.try_reserve().unwrap();
/// assert_eq!(sender.capacity(), 0);
/// drop(permit);
/// assert_eq!(sender.capacity(), 1);
/// # sender.try_send(1).unwrap();
/// ```
#[must_use = "the room is given back when its permit is dropped"]
pub struct SendPermit<'a, T, F: Flavor = Threads> {
    sender: &'a Sender<T, F>,
    is_used: bool,
}

impl<T, F: Flavor> SendPermit<'_, T, F> {
    /// Sends the item for which the room was kept. If all receivers are gone, it is dropped.
    ///
    /// ```
    /// use wakering_runtime::sync::channel;
    ///
    /// let (sender, mut receiver) = channel(1);
    /// sender.try_reserve().unwrap().send(1);
    /// assert_eq!(receiver.try_recv(), Ok(1));
    /// ```
    pub fn send(mut self, item: T) {
        let sent = update(&*self.sender.shared, |state, after| state.push(item, after));
        self.is_used = sent.is_ok();
    }
}

impl<T, F: Flavor> Drop for SendPermit<'_, T, F> {
    fn drop(&mut self) {
        if !self.is_used {
            update(&*self.sender.shared, |state: &mut State<T>, after| state.vacate(1, after));
        }
    }
}

impl<T, F: Flavor> fmt::Debug for SendPermit<'_, T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendPermit").finish_non_exhaustive()
    }
}

/// Sends items into an [`unbounded`](super::unbounded) channel. Can be cloned; when the last is
/// dropped, the channel is closed.
///
/// ```
/// use wakering_runtime::{run, sync::unbounded};
///
/// let (sender, mut receiver) = unbounded();
/// sender.clone().send(1).unwrap();
/// assert_eq!(run(receiver.recv()), Some(1));
/// ```
pub struct UnboundedSender<T, F: Flavor = Threads>(Sender<T, F>);

impl<T, F: Flavor> UnboundedSender<T, F> {
    pub(super) fn new(sender: Sender<T, F>) -> UnboundedSender<T, F> {
        UnboundedSender(sender)
    }

    /// Sends `item`.
    ///
    /// ```
    /// use wakering_runtime::sync::unbounded;
    ///
    /// let (sender, mut receiver) = unbounded();
    /// sender.send(1).unwrap();
    /// assert_eq!(receiver.try_recv(), Ok(1));
    /// ```
    ///
    /// # Errors
    /// When the channel is closed, with the item.
    pub fn send(&self, item: T) -> Result<(), SendError<T>> {
        self.0.try_send(item).map_err(|error| SendError(error.into_inner()))
    }

    /// Closes the channel for all, as [`Sender::close`] does.
    ///
    /// ```
    /// use wakering_runtime::sync::unbounded;
    ///
    /// let (sender, _receiver) = unbounded();
    /// sender.close();
    /// assert!(sender.send(1).is_err());
    /// ```
    pub fn close(&self) {
        self.0.close();
    }

    /// Whether it was closed, by whatever side, or all receivers are gone.
    ///
    /// ```
    /// use wakering_runtime::sync::unbounded;
    ///
    /// let (sender, receiver) = unbounded::<u8>();
    /// drop(receiver);
    /// assert!(sender.is_closed());
    /// ```
    pub fn is_closed(&self) -> bool {
        self.0.is_closed()
    }
}

impl<T, F: Flavor> Clone for UnboundedSender<T, F> {
    fn clone(&self) -> UnboundedSender<T, F> {
        UnboundedSender(self.0.clone())
    }
}

impl<T, F: Flavor> fmt::Debug for UnboundedSender<T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_closed = self.is_closed();
        f.debug_struct("UnboundedSender").field("is_closed", &is_closed).finish_non_exhaustive()
    }
}
