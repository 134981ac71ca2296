//! Cleaning up with `await`, also where a future is dropped.

use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::thread;

use super::TaskInfo;
use super::shield::{go_on, shield};
use crate::context;
use crate::time::sleep;

/// Awaits `body` and then `cleanup`, which runs however `body` ends and may await.
///
/// When this is dropped (a timeout expires, a scope fails, the task is cancelled) `body` is dropped
/// and `cleanup` goes on like a [shielded](shield) future: whoever cancelled waits for it. It has
/// the runtime's [grace period](crate::Builder::grace) for that, 10 seconds if nothing else was
/// said; what takes longer is dropped, and named on standard error. `cleanup` must not borrow,
/// since it may outlive whoever awaits it. A body that was never polled needs no cleanup.
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
pub fn with_cleanup<B, C>(body: B, cleanup: C) -> impl Future<Output = B::Output>
where
    B: IntoFuture,
    C: AsyncFnOnce(Exit) + 'static,
{
    let location = Location::caller();
    let body = body.into_future();
    async move {
        let mut pending = Pending { cleanup: Some(cleanup), location };
        let output = body.await;
        if let Some(cleanup) = pending.cleanup.take() {
            shield(async move { cleanup(Exit::Returned).await }).await;
        }
        output
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

/// A cleanup that has to be done whatever happens.
struct Pending<C: AsyncFnOnce(Exit) + 'static> {
    cleanup: Option<C>,
    location: &'static Location<'static>,
}

impl<C: AsyncFnOnce(Exit) + 'static> Drop for Pending<C> {
    fn drop(&mut self) {
        let Some(cleanup) = self.cleanup.take() else { return };
        let exit = if thread::panicking() { Exit::Panicked } else { Exit::Cancelled };
        let Some(grace) = context::current().map(|executor| executor.grace()) else { return };
        let location = self.location;
        let stop: Pin<Box<dyn Future<Output = ()>>> = Box::pin(async move {
            sleep(grace).await;
            let task = super::current().unwrap_or_else(|| TaskInfo::new(None, location));
            eprintln!(
                "wakering: {task} was ended: its cleanup took longer than {grace:?}; \
                 `Builder::grace` gives more time"
            );
        });
        go_on(None, async move { cleanup(exit).await }, Some(stop), location);
    }
}
