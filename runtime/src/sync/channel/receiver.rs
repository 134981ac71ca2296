//! The end of a channel where items come out.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;

use super::{Shared, State, TryRecvError};
use crate::sync::after::{After, update};
use crate::sync::flavor::{Flavor, Protect, Threads};
use crate::sync::permits::Ended;
use crate::sync::wait::{self, Wait, Waits};
use crate::sync::wait_list::Ticket;

/// Receives items from a [`channel`](super::channel), also as a [`Stream`]. Can be cloned; each
/// item is received once. When the last is dropped, the channel is closed and emptied.
///
/// As a stream it keeps its place between two polls, and an item that comes meanwhile is its own:
/// who has several receivers and may stop waiting uses [`recv`](Self::recv), which gives its place
/// to the others.
///
/// ```
/// use futures_util::StreamExt;
/// use wakering_runtime::{run, sync::channel};
///
/// run(async {
///     let (sender, receiver) = channel(3);
///     for n in 1..=3 {
///         sender.send(n).await.unwrap();
///     }
///     drop(sender);
///     let doubled: Vec<_> = receiver.map(|n| 2 * n).collect().await;
///     assert_eq!(doubled, [2, 4, 6]);
/// });
/// ```
pub struct Receiver<T, F: Flavor = Threads> {
    shared: Shared<T, F>,
    /// Its place as a stream.
    ticket: Option<Ticket>,
}

impl<T, F: Flavor> Receiver<T, F> {
    pub(super) fn new(shared: Shared<T, F>) -> Receiver<T, F> {
        Receiver { shared, ticket: None }
    }

    /// Waits for the next item; `None` when the channel is closed and nothing is left in it.
    ///
    /// ```
    /// use wakering_runtime::{run, sync::channel};
    ///
    /// run(async {
    ///     let (sender, mut receiver) = channel(1);
    ///     sender.send(1).await.unwrap();
    ///     drop(sender);
    ///     assert_eq!(receiver.recv().await, Some(1));
    ///     assert_eq!(receiver.recv().await, None);
    /// });
    /// ```
    ///
    /// # Cancellation
    /// **Strict.** An item that was on its way stays first in the channel.
    pub async fn recv(&mut self) -> Option<T> {
        Wait::<F, _, _>::resume(&*self.shared, Next, self.ticket.take()).await
    }

    /// Takes the next item if one is there that nobody waits for.
    ///
    /// ```
    /// use wakering_runtime::sync::{TryRecvError, channel};
    ///
    /// let (sender, mut receiver) = channel(1);
    /// assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    /// sender.try_send(1).unwrap();
    /// assert_eq!(receiver.try_recv(), Ok(1));
    /// ```
    ///
    /// # Errors
    /// [`TryRecvError::Empty`] and [`TryRecvError::Disconnected`].
    pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
        wait::leave(&*self.shared, &mut Next, &mut self.ticket);
        update(&*self.shared, |state: &mut State<T>, after| match state.items.take(1) {
            Ok(true) => Ok(state.pop(after)),
            Ok(false) => Err(TryRecvError::Empty),
            Err(Ended) => Err(TryRecvError::Disconnected),
        })
    }

    /// Closes the channel for all: whoever waits to send is told so, and what is in it can still be
    /// received.
    ///
    /// ```
    /// use wakering_runtime::{run, sync::channel};
    ///
    /// run(async {
    ///     let (sender, mut receiver) = channel(2);
    ///     sender.send(1).await.unwrap();
    ///     receiver.close();
    ///     assert!(sender.send(2).await.is_err());
    ///     assert_eq!(receiver.recv().await, Some(1));
    ///     assert_eq!(receiver.recv().await, None);
    /// });
    /// ```
    pub fn close(&self) {
        update(&*self.shared, |state: &mut State<T>, after| state.close(after));
    }

    /// Closes the channel for all and takes out what is in it, but for items that are on their way
    /// to those who waited.
    ///
    /// ```
    /// use wakering_runtime::sync::{TryRecvError, channel};
    ///
    /// let (sender, mut receiver) = channel(2);
    /// sender.try_send(1).unwrap();
    /// sender.try_send(2).unwrap();
    /// assert_eq!(receiver.close_now(), [1, 2]);
    /// assert_eq!(receiver.try_recv(), Err(TryRecvError::Disconnected));
    /// assert!(sender.is_closed());
    /// ```
    pub fn close_now(&self) -> Vec<T> {
        let left = update(&*self.shared, |state: &mut State<T>, after| {
            state.close(after);
            state.empty(after)
        });
        left.into()
    }

    /// Whether it was closed, by whatever side, or all senders are gone. There may be items left.
    ///
    /// ```
    /// use wakering_runtime::sync::channel;
    ///
    /// let (sender, receiver) = channel::<u8>(1);
    /// drop(sender);
    /// assert!(receiver.is_closed());
    /// ```
    pub fn is_closed(&self) -> bool {
        self.shared.with(|state| state.is_closed())
    }

    /// How many items are in it.
    ///
    /// ```
    /// use wakering_runtime::sync::channel;
    ///
    /// let (sender, receiver) = channel(2);
    /// sender.try_send(1).unwrap();
    /// assert_eq!(receiver.len(), 1);
    /// ```
    pub fn len(&self) -> usize {
        self.shared.with(|state| state.queue.len())
    }

    /// Whether nothing is in it.
    ///
    /// ```
    /// use wakering_runtime::sync::channel;
    ///
    /// let (_sender, receiver) = channel::<u8>(2);
    /// assert!(receiver.is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<T, F: Flavor> Stream for Receiver<T, F> {
    type Item = T;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let Receiver { shared, ticket } = self.get_mut();
        wait::poll(&**shared, &mut Next, ticket, cx)
    }
}

impl<T, F: Flavor> Clone for Receiver<T, F> {
    fn clone(&self) -> Receiver<T, F> {
        self.shared.with(|state| state.receivers += 1);
        Receiver { shared: self.shared.clone(), ticket: None }
    }
}

impl<T, F: Flavor> Drop for Receiver<T, F> {
    fn drop(&mut self) {
        wait::leave(&*self.shared, &mut Next, &mut self.ticket);
        let left = update(&*self.shared, |state: &mut State<T>, after| {
            state.receivers -= 1;
            if state.receivers > 0 {
                return None;
            }
            state.close(after);
            Some(state.empty(after))
        });
        drop(left);
    }
}

impl<T, F: Flavor> fmt::Debug for Receiver<T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (len, is_closed) = (self.len(), self.is_closed());
        f.debug_struct("Receiver")
            .field("len", &len)
            .field("is_closed", &is_closed)
            .finish_non_exhaustive()
    }
}

/// The wish for the next item.
struct Next;

impl<T> Waits<State<T>> for Next {
    type Output = Option<T>;

    fn poll(
        &mut self,
        state: &mut State<T>,
        ticket: &mut Option<Ticket>,
        after: &mut After<'_>,
    ) -> Poll<Option<T>> {
        state.items.poll(1, ticket, after).map(|taken| taken.ok().map(|()| state.pop(after)))
    }

    fn leave(&mut self, state: &mut State<T>, ticket: Ticket, after: &mut After<'_>) {
        state.items.leave(ticket, after);
    }
}
