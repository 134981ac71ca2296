//! Futures that are awaited together and go on until somebody asks again.

use std::collections::VecDeque;
use std::fmt;
use std::future::{Future, IntoFuture, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;

use super::members::Members;

/// The outputs of `futures` in the order in which they are ready.
///
/// All run at once, as parts of this task, while the set is asked for its next output. With a
/// [`timeout`](crate::time::timeout()) around that, those that are not ready in time go on at the
/// next call.
///
/// ```
/// use std::time::Duration;
/// use wakering_runtime::{run, task::completed, time::sleep};
///
/// run(async {
///     let mut set = completed([3, 1, 2].map(async |ms| {
///         sleep(Duration::from_millis(ms)).await;
///         ms
///     }));
///     let mut order = Vec::new();
///     while let Some(ms) = set.next().await {
///         order.push(ms);
///     }
///     assert_eq!(order, [1, 2, 3]);
/// });
/// ```
pub fn completed<I>(futures: I) -> FutureSet<<I::Item as IntoFuture>::IntoFuture>
where
    I: IntoIterator<Item: IntoFuture>,
{
    futures.into_iter().map(IntoFuture::into_future).collect()
}

/// Futures of one type that run beside each other while somebody waits for one of them:
/// [`next`](FutureSet::next) gives outputs one by one, [`wait`](super::wait()) several.
///
/// It is a [`Stream`]. Each future is polled when it was woken, whatever the others do. Those that
/// are in the set when it is dropped are dropped with it.
///
/// ```
/// use wakering_runtime::{run, spawn, task::FutureSet};
///
/// run(async {
///     let mut set = FutureSet::new();
///     set.push(spawn(async { 1 }));
///     set.push(spawn(async { 2 }));
///     let mut sum = 0;
///     while let Some(value) = set.next().await {
///         sum += value.unwrap();
///     }
///     assert_eq!(sum, 3);
/// });
/// ```
#[must_use = "futures do nothing until they are awaited"]
pub struct FutureSet<F: Future> {
    members: Members<Pin<Box<F>>>,
    /// Outputs that are the next ones to be given.
    ready: VecDeque<F::Output>,
}

impl<F: Future> FutureSet<F> {
    /// A set without futures.
    ///
    /// ```
    /// use wakering_runtime::{run, task::{FutureSet, YieldNow}};
    ///
    /// assert_eq!(run(async { FutureSet::<YieldNow>::new().next().await }), None);
    /// ```
    pub fn new() -> FutureSet<F> {
        FutureSet { members: Members::new(), ready: VecDeque::new() }
    }

    /// Adds a future. It is polled when somebody next waits.
    ///
    /// ```
    /// use wakering_runtime::{run, task::FutureSet};
    ///
    /// let mut set = FutureSet::new();
    /// set.push(async { 42 });
    /// assert_eq!(run(set.next()), Some(42));
    /// ```
    pub fn push(&mut self, future: F) {
        self.members.insert(Box::pin(future));
    }

    /// How many outputs are still to come.
    ///
    /// ```
    /// use wakering_runtime::task::{completed, yield_now};
    ///
    /// assert_eq!(completed([yield_now(), yield_now()]).len(), 2);
    /// ```
    pub fn len(&self) -> usize {
        self.members.len() + self.ready.len()
    }

    /// Whether no output is to come.
    ///
    /// ```
    /// use wakering_runtime::task::{completed, yield_now};
    ///
    /// assert!(!completed([yield_now()]).is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The futures that are not known to be ready, in no order.
    ///
    /// ```
    /// use std::future::pending;
    /// use wakering_runtime::{run, spawn, task::completed};
    ///
    /// run(async {
    ///     let mut set = completed([spawn(pending::<()>()), spawn(pending())]);
    ///     assert!(set.iter_mut().all(|handle| handle.cancel()));
    ///     assert!(set.next().await.unwrap().unwrap_err().is_cancelled());
    /// });
    /// ```
    pub fn iter_mut(&mut self) -> impl Iterator<Item = Pin<&mut F>> {
        self.members.iter_mut().map(|member| member.as_mut())
    }

    /// The output that is ready next, or `None` if the set is empty.
    ///
    /// ```
    /// use wakering_runtime::{run, task::completed};
    ///
    /// run(async {
    ///     let mut set = completed([async { 42 }]);
    ///     assert_eq!(set.next().await, Some(42));
    ///     assert_eq!(set.next().await, None);
    /// });
    /// ```
    ///
    /// # Cancellation
    /// **Strict.** The futures stay in the set.
    pub async fn next(&mut self) -> Option<F::Output> {
        poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// Moves one more output to those that are ready.
    pub(super) fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Option<&F::Output>> {
        self.members.poll_next(cx).map(|output| {
            self.ready.push_back(output?);
            self.ready.back()
        })
    }

    /// The outputs that are ready, in that order.
    pub(super) fn take_ready(&mut self) -> Vec<F::Output> {
        self.ready.drain(..).collect()
    }

    pub(super) fn ready(&self) -> impl Iterator<Item = &F::Output> {
        self.ready.iter()
    }
}

// Futures are pinned in boxes, and outputs nowhere.
impl<F: Future> Unpin for FutureSet<F> {}

impl<F: Future> Stream for FutureSet<F> {
    type Item = F::Output;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<F::Output>> {
        match self.ready.pop_front() {
            Some(output) => Poll::Ready(Some(output)),
            None => self.members.poll_next(cx),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.len(), Some(self.len()))
    }
}

impl<F: Future> Default for FutureSet<F> {
    fn default() -> FutureSet<F> {
        FutureSet::new()
    }
}

impl<F: Future> FromIterator<F> for FutureSet<F> {
    fn from_iter<I: IntoIterator<Item = F>>(futures: I) -> FutureSet<F> {
        let members = futures.into_iter().map(Box::pin).collect();
        FutureSet { members, ready: VecDeque::new() }
    }
}

impl<F: Future> Extend<F> for FutureSet<F> {
    fn extend<I: IntoIterator<Item = F>>(&mut self, futures: I) {
        futures.into_iter().for_each(|future| self.push(future));
    }
}

impl<F: Future> fmt::Debug for FutureSet<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FutureSet").field("len", &self.len()).finish_non_exhaustive()
    }
}
