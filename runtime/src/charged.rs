//! A future that is ended early by whoever polls it.
//!
//! It is polled on an account of its own. What it has left in the kernel when it is dropped can so
//! be told apart from what others have there, and is waited for.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};

use wakering_ring_driver::{Driver, Orphans};

use crate::account::Account;

/// A body that lies elsewhere, and its account.
pub(crate) struct Charged<'body, F> {
    account: Account,
    body: Pin<&'body mut Option<F>>,
}

impl<'body, F: Future> Charged<'body, F> {
    /// `body` on a new account, under that which pays now.
    pub(crate) fn open(driver: &Driver, body: Pin<&'body mut Option<F>>) -> Charged<'body, F> {
        Charged { account: Account::open(driver), body }
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<F::Output> {
        let Some(body) = self.body.as_mut().as_pin_mut() else {
            unreachable!("the body is polled before it is dropped only")
        };
        self.account.charge(|| body.poll(cx))
    }

    /// Drops the body, and waits for what it leaves in the kernel that can be cancelled.
    pub(crate) async fn end(mut self) {
        self.account.charge(|| self.body.set(None));
        poll_fn(|cx| self.account.poll_drained(Orphans::Cancellable, cx)).await;
    }
}
