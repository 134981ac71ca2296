//! A queue between tasks, with an end.
//!
//! Two kinds of permits keep it: the senders' are the room that is left, the receivers' the items
//! that are there. So an item belongs to whoever waits longest from the moment at which it is sent,
//! and a room from the moment at which an item is taken.

/// How it can fail.
mod error;
/// The end where items come out.
mod receiver;
/// The end where they go in.
mod sender;

use std::collections::VecDeque;
use std::mem;

pub use error::{SendError, TryRecvError, TrySendError};
pub use receiver::Receiver;
pub use sender::{SendPermit, Sender, UnboundedSender};

use super::after::After;
use super::flavor::{Flavor, Protect, Threads};
use super::permits::Permits;

/// Makes a channel with room for `capacity` items. Both ends can be cloned, and each item comes out
/// once, first in, first out.
///
/// It ends when all senders are dropped, or when either side [closes](Receiver::close) it: what is
/// in it can still be received. When all receivers are dropped, so is what is in it.
///
/// ```
/// use wakering_runtime::{run, spawn, sync::channel};
///
/// run(async {
///     let (sender, mut receiver) = channel(2);
///     let task = spawn(async move {
///         for n in 0..5 {
///             // Waits while there is no room.
///             sender.send(n).await.unwrap();
///         }
///     });
///     let mut received = Vec::new();
///     while let Some(n) = receiver.recv().await {
///         received.push(n);
///     }
///     assert_eq!(received, [0, 1, 2, 3, 4]);
///     task.await.unwrap();
/// });
/// ```
///
/// # Panics
/// Without any room.
#[track_caller]
pub fn channel<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    new::<T, Threads>(capacity)
}

/// Makes a channel without a bound: whoever sends never waits, and the memory grows if nobody
/// receives as fast.
///
/// ```
/// use wakering_runtime::{run, sync::unbounded};
///
/// let (sender, mut receiver) = unbounded();
/// for n in 0..1000 {
///     sender.send(n).unwrap();
/// }
/// assert_eq!(run(receiver.recv()), Some(0));
/// ```
pub fn unbounded<T>() -> (UnboundedSender<T>, Receiver<T>) {
    new_unbounded::<T, Threads>()
}

#[track_caller]
pub(super) fn new<T, F: Flavor>(capacity: usize) -> (Sender<T, F>, Receiver<T, F>) {
    assert!(capacity > 0, "a channel has room for one item at least, not for 0");
    assert!(capacity <= BOUNDLESS, "a channel has room for {BOUNDLESS} items at most");
    let state = State {
        queue: VecDeque::new(),
        items: Permits::new(0),
        room: Permits::new(capacity),
        capacity,
        senders: 1,
        receivers: 1,
    };
    let shared: Shared<T, F> = F::share(Protect::new(state));
    (Sender::new(shared.clone()), Receiver::new(shared))
}

pub(super) fn new_unbounded<T, F: Flavor>() -> (UnboundedSender<T, F>, Receiver<T, F>) {
    let (sender, receiver) = new(BOUNDLESS);
    (UnboundedSender::new(sender), receiver)
}

/// More than memory can hold.
const BOUNDLESS: usize = usize::MAX >> 3;

/// What all ends share.
type Shared<T, F> = <F as Flavor>::Ref<<F as Flavor>::Cell<State<T>>>;

struct State<T> {
    queue: VecDeque<T>,
    /// For those in the queue that nobody was promised.
    items: Permits,
    /// For the room that nobody was promised. Closed together with the channel.
    room: Permits,
    capacity: usize,
    senders: usize,
    receivers: usize,
}

impl<T> State<T> {
    fn is_closed(&self) -> bool {
        self.room.is_closed
    }

    /// Puts an item into a room that was taken for it, or gives it back because nobody will ever
    /// look.
    fn push(&mut self, item: T, after: &mut After<'_>) -> Result<(), T> {
        if self.receivers == 0 {
            return Err(item);
        }
        self.queue.push_back(item);
        self.items.give(1, after);
        Ok(())
    }

    /// Takes the item that was promised.
    fn pop(&mut self, after: &mut After<'_>) -> T {
        let item = self.queue.pop_front().expect("no more items are promised than there are");
        self.vacate(1, after);
        item
    }

    /// Gives back room that was taken and is not used any more.
    fn vacate(&mut self, n: usize, after: &mut After<'_>) {
        self.room.give(n, after);
        self.end_if_over(after);
    }

    fn close(&mut self, after: &mut After<'_>) {
        self.room.close(after);
        self.end_if_over(after);
    }

    /// Lets receivers wait no more once nothing can come: the channel is closed, and all its room
    /// is free. As long as an item is in it, even one that somebody was promised, it may still come
    /// to another.
    fn end_if_over(&mut self, after: &mut After<'_>) {
        if self.is_closed() && self.room.free == self.capacity {
            self.items.close(after);
        }
    }

    /// Takes out what nobody was promised, which is what came last.
    fn empty(&mut self, after: &mut After<'_>) -> VecDeque<T> {
        let promised = self.queue.len() - mem::take(&mut self.items.free);
        let rest = self.queue.split_off(promised);
        self.vacate(rest.len(), after);
        rest
    }
}
