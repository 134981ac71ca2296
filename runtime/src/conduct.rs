//! What cancelling is, in one place: a body is polled on somebody's account, dropped when it has
//! ended or shall end, and what it left behind in the kernel is waited for.
//!
//! Bodies are pinned by whoever calls: a future that is handed from one `async fn` to the next is
//! kept in each of them, so that what is nested would grow by that factor each time.

use std::any::Any;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use wakering_ring_driver::Orphans;

use crate::account::Account;

/// How a body ended.
pub(crate) enum Ended<T> {
    Returned(T),
    /// It was dropped before it could return.
    Stopped,
    /// It panicked while it was polled or dropped.
    Panicked(Box<dyn Any + Send>),
}

/// Who pays for a body while it is polled and dropped.
pub(crate) trait Payer {
    fn charge<R>(&self, body: impl FnOnce() -> R) -> R;
}

impl Payer for Account {
    fn charge<R>(&self, body: impl FnOnce() -> R) -> R {
        Account::charge(self, body)
    }
}

/// Whoever does anyway.
pub(crate) struct Same;

impl Payer for Same {
    fn charge<R>(&self, body: impl FnOnce() -> R) -> R {
        body()
    }
}

/// Polls `body` until it is ready, or `stop` is. That is asked after each poll, so that a value
/// which is there wins.
pub(crate) async fn until<F: Future>(
    payer: &impl Payer,
    body: Pin<&mut Option<F>>,
    stop: impl FnMut(&mut Context<'_>) -> Poll<()>,
) -> Ended<F::Output> {
    conduct(payer, body, || false, stop).await
}

/// Polls `body` until it is ready, or cancelled: then it is not polled again, except that it has
/// its first turn.
pub(crate) async fn unless<F: Future>(
    payer: &impl Payer,
    body: Pin<&mut Option<F>>,
    is_cancelled: impl Fn() -> bool,
) -> Ended<F::Output> {
    let stop = |_: &mut Context<'_>| if is_cancelled() { Poll::Ready(()) } else { Poll::Pending };
    conduct(payer, body, &is_cancelled, stop).await
}

async fn conduct<F: Future>(
    payer: &impl Payer,
    mut body: Pin<&mut Option<F>>,
    stop_before: impl Fn() -> bool,
    mut stop_after: impl FnMut(&mut Context<'_>) -> Poll<()>,
) -> Ended<F::Output> {
    let mut begun = false;
    let ended = poll_fn(|cx| {
        let Some(body) = body.as_mut().as_pin_mut() else {
            unreachable!("the body is dropped after it has ended only")
        };
        if std::mem::replace(&mut begun, true) && stop_before() {
            return Poll::Ready(Ended::Stopped);
        }
        match payer.charge(|| catch_unwind(AssertUnwindSafe(|| body.poll(cx)))) {
            Ok(Poll::Ready(output)) => Poll::Ready(Ended::Returned(output)),
            Ok(Poll::Pending) => stop_after(cx).map(|()| Ended::Stopped),
            Err(panic) => Poll::Ready(Ended::Panicked(panic)),
        }
    })
    .await;
    match payer.charge(|| catch_unwind(AssertUnwindSafe(|| body.set(None)))) {
        Ok(()) => ended,
        Err(_) if matches!(ended, Ended::Panicked(_)) => ended,
        Err(panic) => Ended::Panicked(panic),
    }
}

/// Waits until what was left behind under `account` has ended, as far as `orphans` counts it.
pub(crate) async fn drain(account: &Account, orphans: Orphans) {
    poll_fn(|cx| account.poll_drained(orphans, cx)).await;
}
