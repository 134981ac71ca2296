//! Who pays for what is in flight, as those above the driver ask for it.

use std::task::{Context, Poll};

use super::Driver;
use crate::account::{AccountId, Orphans};

impl Driver {
    /// Opens an account under `parent` for somebody whose operations are to be counted.
    pub fn open_account(&self, parent: AccountId) -> AccountId {
        self.with(|core| core.accounts.open(parent, false))
    }

    /// As [`open_account`](Driver::open_account), for somebody who lives by himself, a task say:
    /// [`recall_below`](Driver::recall_below) a `parent` leaves alone what is charged to it.
    pub fn open_account_by_itself(&self, parent: AccountId) -> AccountId {
        self.with(|core| core.accounts.open(parent, true))
    }

    /// Charges what is submitted from now on to `account`; returns who paid before.
    pub fn charge_to(&self, account: AccountId) -> AccountId {
        std::mem::replace(&mut self.0.core.borrow_mut().paying, account)
    }

    /// Who pays for what is submitted now.
    pub fn payer(&self) -> AccountId {
        self.0.core.borrow().paying
    }

    /// The account above `account`; that of the runtime is its own.
    pub fn parent_of(&self, account: AccountId) -> AccountId {
        self.with(|core| core.accounts.parent(account))
    }

    /// `account` counts for those above `parent` from now on: whoever polls it has been moved
    /// there.
    pub fn move_account(&self, account: AccountId, parent: AccountId) {
        self.with(|core| core.accounts.move_below(account, parent, &mut core.after.wakers));
    }

    /// Wakes whoever waits for what is charged to accounts below `account` that are still open
    /// although it has ended. Where their futures live on elsewhere they are polled, and moved
    /// there, before [`recall_below`](Driver::recall_below) takes them for forgotten.
    pub fn remind_below(&self, account: AccountId) {
        self.with(|core| core.remind_below(account));
    }

    /// Takes back what is charged to accounts below `account` that are still open although it has
    /// ended. Their futures were forgotten; one that was only moved, and has not been polled since,
    /// gets `ECANCELED`.
    pub fn recall_below(&self, account: AccountId) {
        self.with(|core| core.recall_below(account));
    }

    /// Whether an account below `account` is open.
    pub fn has_open_below(&self, account: AccountId) -> bool {
        self.with(|core| core.accounts.has_open_below(account))
    }

    /// Whether none of these `orphans` is in flight, under `account` and below.
    pub fn is_drained(&self, account: AccountId, orphans: Orphans) -> bool {
        self.with(|core| !core.accounts.has(account, orphans))
    }

    /// Whether `account` belongs to an open account below `ancestor`.
    pub fn is_open_below(&self, account: AccountId, ancestor: AccountId) -> bool {
        self.with(|core| core.accounts.is_open_below(account, ancestor))
    }

    /// Ready when none of these `orphans`, which futures under `account` left behind, is in flight
    /// any more.
    pub fn poll_drained(
        &self,
        account: AccountId,
        orphans: Orphans,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        self.with_caller(cx.waker(), |core, caller| {
            if !core.accounts.has(account, orphans) {
                return Poll::Ready(());
            }
            caller.stay_in(core.accounts.waiter(account));
            Poll::Pending
        })
    }

    /// Closes `account`: what it still has in flight is its parent's from now on.
    pub fn close_account(&self, account: AccountId) {
        self.with(|core| {
            let waiter = core.accounts.close(account);
            core.after.silent.extend(waiter);
        });
    }

    /// Whether nothing at all is charged to `account`, nor to one below it.
    pub fn is_unused(&self, account: AccountId) -> bool {
        self.0.core.borrow().accounts.is_unused(account)
    }
}
