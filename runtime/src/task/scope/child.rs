//! A child as the scope polls it.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;
use wakering_ring_driver::Orphans;

use super::TryScope;
use super::handle::Outcome;
use crate::account::Account;
use crate::conduct::{Conduct, Ended};
use crate::node::Kind;
use crate::task::ChildError;
use crate::task::failures::Failure;

pin_project! {
    /// A child: polled on an account of its own, dropped, and waited for.
    pub(super) struct ScopeChild<'scope, 'env, F, T, E> {
        #[pin]
        pub(super) body: Conduct<F>,
        // Open once it has begun.
        pub(super) account: Option<Account>,
        pub(super) ended: Option<Ended<Result<T, E>>>,
        pub(super) outcome: Rc<Outcome<T>>,
        pub(super) scope: &'scope TryScope<'scope, 'env, E>,
    }
}

impl<F: Future<Output = Result<T, E>>, T, E> Future for ScopeChild<'_, '_, F, T, E> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        let state = &this.scope.state;
        let account =
            this.account.get_or_insert_with(|| Account::open(&state.executor, Kind::Scope));
        if this.ended.is_none() {
            let is_cancelled = || state.cancelled.get() || this.outcome.cancelled.get();
            match this.body.poll_unless(account, cx, is_cancelled) {
                Poll::Ready(ended) => *this.ended = Some(ended),
                Poll::Pending => {
                    this.outcome.listen(cx);
                    return Poll::Pending;
                }
            }
        }
        ready!(account.poll_drained(Orphans::All, cx));
        *this.account = None;
        let outcome = match this.ended.take() {
            Some(Ended::Returned(Ok(value))) => Ok(value),
            Some(Ended::Returned(Err(error))) => Err(this.scope.fail(Failure::Error(error))),
            Some(Ended::Panicked(panic)) => Err(this.scope.fail(Failure::Panic(panic))),
            Some(Ended::Stopped) | None => Err(ChildError::Cancelled),
        };
        this.outcome.settle(outcome);
        Poll::Ready(())
    }
}
