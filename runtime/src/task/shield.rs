//! What goes on although whoever awaited it was cancelled, and is still waited for.

use std::fmt;
use std::future::{Future, IntoFuture, pending};
use std::panic::{Location, resume_unwind};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use wakering_ring_driver::Recall;

use super::{Bond, TaskInfo};
use crate::account::Account;
use crate::conduct::{self, Conduct, Ended};
use crate::context;
use crate::node::Kind;
use crate::time::sleep;

/// Awaits `future`; once begun, it goes on to its end even if this is dropped.
///
/// Whoever cancels (a timeout, a scope, a task's handle, the end of `run`) waits for it, so that
/// nothing of a cancelled task outlives the cancellation. The end of the runtime waits for the
/// grace period at most. `future` must not borrow, since it may outlive whoever awaits it.
///
/// ```
/// use std::{cell::Cell, rc::Rc, time::Duration};
/// use wakering_runtime::{run, task::shield, time::{sleep, timeout}};
///
/// run(async {
///     let committed = Rc::new(Cell::new(false));
///     let inner = committed.clone();
///     let commit = shield(async move {
///         sleep(Duration::from_millis(10)).await;
///         inner.set(true);
///     });
///     assert!(timeout(Duration::from_millis(1), commit).await.is_err());
///     assert!(committed.get(), "the timeout has waited for it");
/// });
/// ```
///
/// # Panics
/// If `future` does. After this was dropped, such a panic is reported as that of a task nobody
/// awaits.
///
/// # Cancellation
/// **Strict**: `future` is not cancelled. Its output is dropped.
#[track_caller]
pub fn shield<F: IntoFuture<IntoFuture: 'static>>(future: F) -> Shield<F::IntoFuture> {
    Shield::new(future.into_future(), None)
}

/// Awaits `future`, which goes on like that of [`shield`] if this is dropped, but only for
/// `duration` from then on.
///
/// ```
/// use std::{future::pending, time::Duration};
/// use wakering_runtime::{run, task::shield_for, time::{Instant, timeout}};
///
/// run(async {
///     let start = Instant::now();
///     let hung = shield_for(Duration::from_millis(5), pending::<()>());
///     assert!(timeout(Duration::from_millis(1), hung).await.is_err());
///     assert!(start.elapsed() >= Duration::from_millis(5));
/// });
/// ```
///
/// # Panics
/// If `future` does.
///
/// # Cancellation
/// **Weak.** After `duration` the future is dropped, and what it was about to do is not done.
#[track_caller]
pub fn shield_for<F: IntoFuture<IntoFuture: 'static>>(
    duration: Duration,
    future: F,
) -> Shield<F::IntoFuture> {
    let stop = async move { sleep(duration).await };
    Shield::new(future.into_future(), Some(Box::pin(stop)))
}

/// Awaits `future`, which goes on like that of [`shield`] if this is dropped, but only until `stop`
/// is ready. `stop` is first polled when this is dropped.
///
/// ```
/// use std::{future::{pending, ready}, time::Duration};
/// use wakering_runtime::{run, task::shield_until, time::timeout};
///
/// run(async {
///     let unshielded = shield_until(ready(()), pending::<()>());
///     assert!(timeout(Duration::from_millis(1), unshielded).await.is_err());
/// });
/// ```
///
/// # Panics
/// If `future` does.
///
/// # Cancellation
/// **Weak.** When `stop` is ready, the future is dropped.
#[track_caller]
pub fn shield_until<F: IntoFuture<IntoFuture: 'static>>(
    stop: impl Future<Output = ()> + 'static,
    future: F,
) -> Shield<F::IntoFuture> {
    Shield::new(future.into_future(), Some(Box::pin(stop)))
}

/// The future of [`shield`], [`shield_for`] and [`shield_until`].
///
/// ```
/// use wakering_runtime::{run, task::{Shield, shield}};
///
/// let shielded: Shield<_> = shield(async { 42 });
/// assert_eq!(run(shielded), 42);
/// ```
#[must_use = "a future does nothing until it is awaited"]
pub struct Shield<F: Future + 'static> {
    body: Option<Pin<Box<F>>>,
    stop: Option<Stop>,
    /// What a body that has begun is charged to.
    account: Option<Account>,
    location: &'static Location<'static>,
}

type Stop = Pin<Box<dyn Future<Output = ()>>>;

impl<F: Future + 'static> Shield<F> {
    #[track_caller]
    fn new(body: F, stop: Option<Stop>) -> Shield<F> {
        let location = Location::caller();
        Shield { body: Some(Box::pin(body)), stop, account: None, location }
    }
}

impl<F: Future + 'static> Future for Shield<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let Shield { body, account, .. } = &mut *self;
        let account = account.get_or_insert_with(|| {
            Account::open(&context::expect("shield a future"), Kind::Shield)
        });
        // Taken out meanwhile: one that panics must not be polled again.
        let mut begun = body.take().expect("a shielded future is not polled after it was ready");
        let polled = account.charge(|| begun.as_mut().poll(cx));
        if polled.is_pending() {
            *body = Some(begun);
        }
        polled
    }
}

impl<F: Future + 'static> Drop for Shield<F> {
    fn drop(&mut self) {
        if let (Some(body), Some(account)) = (self.body.take(), self.account.take()) {
            go_on(Some(account), body, self.stop.take(), self.location);
        }
    }
}

/// Makes a task of `body`, for which the account that pays now answers. Without a runtime, or when
/// that has given up waiting, `body` is dropped.
pub(crate) fn go_on(
    account: Option<Account>,
    body: impl Future + 'static,
    stop: Option<Stop>,
    location: &'static Location<'static>,
) {
    let Some(executor) = context::current().filter(|executor| !executor.has_given_up()) else {
        return;
    };
    let driver = executor.driver();
    let mut debt = driver.owe(driver.payer());
    debt.abandon(Recall::Cancellable);
    let bond = Bond { debt, seat: None, is_shielded: true };
    let account = account.unwrap_or_else(|| Account::open(&executor, Kind::Shield));
    let rest = async move {
        let mut stop = stop.unwrap_or_else(|| Box::pin(pending()));
        let body = pin!(Conduct::new(body));
        let ended = conduct::until(&account, body, |cx| stop.as_mut().poll(cx)).await;
        if let Ended::Panicked(panic) = ended {
            resume_unwind(panic);
        }
    };
    drop(executor.spawn_bound(TaskInfo::new(None, location), bond, rest));
}

impl<F: Future + 'static> fmt::Debug for Shield<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shield").field("begun", &self.account.is_some()).finish_non_exhaustive()
    }
}
