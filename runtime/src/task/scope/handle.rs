//! A child as whoever spawned it sees it.

use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use crate::task::ChildError;

/// Awaits the value of a child of a scope, or ends the child. Dropping it lets the child go on.
///
/// ```
/// use std::future::pending;
/// use wakering_runtime::{run, task::{self, ChildError}};
///
/// run(task::scope(async |scope| {
///     let mut child = scope.spawn(pending::<()>());
///     assert!(child.cancel());
///     assert_eq!((&mut child).await, Err(ChildError::Cancelled));
///     assert!(!child.cancel(), "it is over");
/// }));
/// ```
///
/// # Errors
/// [`ChildError`] if there is no value.
///
/// # Panics
/// If it is polled again after it has given the value.
///
/// # Cancellation
/// **Strict.** `&mut handle` may be awaited, dropped and awaited again.
pub struct ChildHandle<'scope, T> {
    pub(super) outcome: Rc<Outcome<T>>,
    pub(super) _scope: PhantomData<&'scope ()>,
}

/// Where a child leaves its value, and its handle the wish that it end.
pub(super) struct Outcome<T> {
    pub(super) value: Cell<Option<Result<T, ChildError>>>,
    pub(super) is_over: Cell<bool>,
    pub(super) waiter: Cell<Option<Waker>>,
    pub(super) cancelled: Cell<bool>,
    pub(super) bell: Cell<Option<Waker>>,
}

impl<T> Outcome<T> {
    pub(super) fn new() -> Outcome<T> {
        Outcome {
            value: Cell::new(None),
            is_over: Cell::new(false),
            waiter: Cell::new(None),
            cancelled: Cell::new(false),
            bell: Cell::new(None),
        }
    }

    /// The child is told, from now on, that it shall end. Before its first turn there is no need.
    pub(super) fn listen(&self, cx: &Context<'_>) {
        // A member has one waker all its life.
        let bell = self.bell.take().unwrap_or_else(|| cx.waker().clone());
        self.bell.set(Some(bell));
    }

    pub(super) fn settle(&self, value: Result<T, ChildError>) {
        self.value.set(Some(value));
        self.is_over.set(true);
        if let Some(waiter) = self.waiter.take() {
            waiter.wake();
        }
    }
}

impl<T> ChildHandle<'_, T> {
    /// Asks for the end of the child, and tells whether this was the first request and in time.
    ///
    /// The child is dropped when its turn comes, after the first poll of its own at the earliest;
    /// what it left in the kernel is waited for; then the handle resolves.
    ///
    /// ```
    /// use wakering_runtime::{run, task};
    ///
    /// run(task::scope(async |scope| {
    ///     let child = scope.spawn(async { "ready at once" });
    ///     assert!(child.cancel());
    ///     assert_eq!(child.await, Ok("ready at once"), "a value wins");
    /// }));
    /// ```
    pub fn cancel(&self) -> bool {
        let asked = !self.outcome.is_over.get() && !self.outcome.cancelled.replace(true);
        if asked && let Some(bell) = self.outcome.bell.take() {
            bell.wake();
        }
        asked
    }

    /// Whether awaiting it would give an outcome at once.
    ///
    /// ```
    /// use wakering_runtime::{run, task};
    ///
    /// run(task::scope(async |scope| {
    ///     let child = scope.spawn(async {});
    ///     assert!(!child.is_finished());
    ///     task::yield_now().await;
    ///     assert!(child.is_finished());
    /// }));
    /// ```
    pub fn is_finished(&self) -> bool {
        self.outcome.is_over.get()
    }
}

impl<T> Future for ChildHandle<'_, T> {
    type Output = Result<T, ChildError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let outcome = &self.outcome;
        if outcome.is_over.get() {
            let value = outcome.value.take();
            return Poll::Ready(value.expect("the handle of a child gives its value once"));
        }
        outcome.waiter.set(Some(cx.waker().clone()));
        Poll::Pending
    }
}

impl<T> fmt::Debug for ChildHandle<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChildHandle").field("is_finished", &self.is_finished()).finish()
    }
}
