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

use pin_project_lite::pin_project;

use crate::account::Account;
use crate::unheard::unheard;

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

pin_project! {
    /// A body that somebody may end. It lies in here once: futures that hold it are no larger than
    /// it is, however deep they are nested.
    pub(crate) struct Conduct<F> {
        #[pin]
        body: Option<F>,
        begun: bool,
    }
}

impl<F: Future> Conduct<F> {
    pub(crate) fn new(body: F) -> Conduct<F> {
        Conduct { body: Some(body), begun: false }
    }

    /// Polls the body, unless it is to stop, and drops it in the poll that tells how it ended.
    ///
    /// `stop_before` is asked before each turn of the body but the first; `stop_after` after each,
    /// so that a value which is there wins.
    pub(crate) fn poll(
        self: Pin<&mut Self>,
        payer: &impl Payer,
        cx: &mut Context<'_>,
        stop_before: impl FnOnce() -> bool,
        stop_after: impl FnOnce(&mut Context<'_>) -> Poll<()>,
    ) -> Poll<Ended<F::Output>> {
        let mut this = self.project();
        let stopped = std::mem::replace(this.begun, true) && stop_before();
        payer.charge(|| {
            let step = || {
                let body = this.body.as_mut().as_pin_mut();
                let polled = match body.expect("a body is polled until it has ended only") {
                    _ if stopped => Poll::Ready(Ended::Stopped),
                    body => match body.poll(cx) {
                        Poll::Ready(output) => Poll::Ready(Ended::Returned(output)),
                        Poll::Pending => stop_after(cx).map(|()| Ended::Stopped),
                    },
                };
                if polled.is_ready() {
                    this.body.set(None);
                }
                polled
            };
            catch_unwind(AssertUnwindSafe(step)).unwrap_or_else(|panic| {
                // What has panicked in its poll is dropped too; once is enough to tell.
                unheard(|| this.body.set(None));
                Poll::Ready(Ended::Panicked(panic))
            })
        })
    }

    /// Like [`poll`](Conduct::poll), for a body that is not polled again once it is cancelled,
    /// except that it has its first turn.
    pub(crate) fn poll_unless(
        self: Pin<&mut Self>,
        payer: &impl Payer,
        cx: &mut Context<'_>,
        is_cancelled: impl Fn() -> bool,
    ) -> Poll<Ended<F::Output>> {
        self.poll(payer, cx, &is_cancelled, |_| match is_cancelled() {
            true => Poll::Ready(()),
            false => Poll::Pending,
        })
    }
}

/// Polls `body` until it is ready, or `stop` is. It is pinned by whoever calls: an async function
/// that is given a future keeps it twice.
pub(crate) async fn until<F: Future>(
    payer: &impl Payer,
    mut body: Pin<&mut Conduct<F>>,
    mut stop: impl FnMut(&mut Context<'_>) -> Poll<()>,
) -> Ended<F::Output> {
    poll_fn(|cx| body.as_mut().poll(payer, cx, || false, &mut stop)).await
}
