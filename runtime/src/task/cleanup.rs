//! Cleaning up with `await`, also where a future is dropped.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;

use super::TaskInfo;
use super::shield::{go_on, shield};
use crate::context;
use crate::debug::{self, Report, TaskNode};
use crate::time::sleep;

/// Awaits `body` and then `cleanup`, which runs however `body` ends and may await.
///
/// When this is dropped (a timeout expires, a scope fails, the task is cancelled) `body` is dropped
/// and `cleanup` goes on like a [shielded](shield) future: whoever cancelled waits for it. It has
/// the runtime's [grace period](crate::Builder::grace) for that, 10 seconds if nothing else was
/// said; what takes longer is dropped, and [reported](Report::CleanupCut). `cleanup` must not
/// borrow, since it may outlive whoever awaits it. A body that was never polled needs no cleanup.
///
/// ```
/// use std::{cell::Cell, future::pending, rc::Rc, time::Duration};
/// use wakering_runtime::{run, task::{Exit, with_cleanup}, time::{sleep, timeout}};
///
/// run(async {
///     let rolled_back = Rc::new(Cell::new(false));
///     let inner = rolled_back.clone();
///     let transaction = with_cleanup(pending::<()>(), async move |exit| {
///         sleep(Duration::from_millis(5)).await;
///         inner.set(exit == Exit::Cancelled);
///     });
///     assert!(timeout(Duration::from_millis(1), transaction).await.is_err());
///     assert!(rolled_back.get(), "the timeout has waited for it");
/// });
/// ```
///
/// # Panics
/// If `body` or `cleanup` does. After this was dropped, a panic of `cleanup` is reported as that of
/// a task nobody awaits.
///
/// # Cancellation
/// That of `body`, followed by `cleanup`.
#[track_caller]
pub fn with_cleanup<B, C>(body: B, cleanup: C) -> WithCleanup<B::IntoFuture, C>
where
    B: IntoFuture,
    C: AsyncFnOnce(Exit) + 'static,
{
    let pending = Pending { cleanup: Some(cleanup), body: Begun::No, location: Location::caller() };
    WithCleanup { body: Some(body.into_future()), output: None, pending, cleaning: None }
}

pin_project! {
    /// The future of [`with_cleanup`].
    ///
    /// ```
    /// use wakering_runtime::{run, task::{WithCleanup, with_cleanup}};
    ///
    /// let cleaned: WithCleanup<_, _> = with_cleanup(async { 42 }, async |_| {});
    /// assert_eq!(run(cleaned), 42);
    /// ```
    #[must_use = "a future does nothing until it is awaited"]
    pub struct WithCleanup<B, C>
    where
        B: Future,
        C: AsyncFnOnce(Exit),
        C: 'static,
    {
        // Dropped before the cleanup begins.
        #[pin]
        body: Option<B>,
        output: Option<B::Output>,
        pending: Pending<C>,
        cleaning: Option<Pin<Box<dyn Future<Output = ()>>>>,
    }
}

impl<B: Future, C: AsyncFnOnce(Exit) + 'static> Future for WithCleanup<B, C> {
    type Output = B::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<B::Output> {
        let mut this = self.project();
        if let Some(body) = this.body.as_mut().as_pin_mut() {
            // What panics leaves this as it is.
            this.pending.body = Begun::Inside;
            let polled = body.poll(cx);
            this.pending.body = Begun::Yes;
            *this.output = Some(ready!(polled));
            this.body.set(None);
            let cleanup = this.pending.cleanup.take().expect("it is taken once");
            let cleaning = shield(async move { cleanup(Exit::Returned).await });
            *this.cleaning = Some(Box::pin(cleaning));
        }
        if let Some(cleaning) = this.cleaning {
            ready!(cleaning.as_mut().poll(cx));
            *this.cleaning = None;
        }
        Poll::Ready(this.output.take().expect("it is not polled after it was ready"))
    }
}

impl<B: Future, C: AsyncFnOnce(Exit) + 'static> fmt::Debug for WithCleanup<B, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ended = self.body.is_none();
        f.debug_struct("WithCleanup").field("ended", &ended).finish_non_exhaustive()
    }
}

/// How a body ended, as its cleanup learns it.
///
/// ```
/// use wakering_runtime::{run, task::{Exit, with_cleanup}};
///
/// run(with_cleanup(async {}, async |exit| assert_eq!(exit, Exit::Returned)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It returned, be it an error.
    Returned,
    /// It was dropped.
    Cancelled,
    /// It panicked.
    Panicked,
}

/// Whether a body has begun.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Begun {
    No,
    Yes,
    /// It is being polled, or has panicked in its poll.
    Inside,
}

/// A cleanup that has to be done whatever happens.
struct Pending<C: AsyncFnOnce(Exit) + 'static> {
    cleanup: Option<C>,
    body: Begun,
    location: &'static Location<'static>,
}

impl<C: AsyncFnOnce(Exit) + 'static> Drop for Pending<C> {
    fn drop(&mut self) {
        let Some(cleanup) = self.cleanup.take().filter(|_| self.body != Begun::No) else { return };
        let exit = if self.body == Begun::Inside { Exit::Panicked } else { Exit::Cancelled };
        let Some(grace) = context::current().map(|executor| executor.grace()) else { return };
        let location = self.location;
        let stop: Pin<Box<dyn Future<Output = ()>>> = Box::pin(async move {
            sleep(grace).await;
            let Some(executor) = context::current() else { return };
            let task = debug::running(&executor)
                .unwrap_or_else(|| TaskNode::bare(TaskInfo::new(None, location)));
            debug::tell(executor.on_report(), &Report::CleanupCut { task, grace });
        });
        go_on(None, async move { cleanup(exit).await }, Some(stop), location);
    }
}
