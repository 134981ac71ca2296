//! Who pays for the operations of a future: a driver's account that opens and closes with a value.
//!
//! A timeout, and the future that a runtime blocks on, are polled under an account of their own, so
//! that what they leave behind in the kernel can be told apart and waited for. Tasks keep their
//! account in the executor instead.

use std::task::{Context, Poll};

use wakering_ring_driver::{AccountId, Driver, Orphans};

/// An open account. When it is dropped, what it still has in flight goes on the bill of its parent.
pub(crate) struct Account {
    driver: Driver,
    id: AccountId,
}

impl Account {
    /// A child of the account that pays on this thread now.
    pub(crate) fn open(driver: &Driver) -> Account {
        let parent = driver.charge_to(AccountId::ROOT);
        driver.charge_to(parent);
        Account { driver: driver.clone(), id: driver.open_account(parent) }
    }

    /// Runs `body`; what it submits is charged to this account.
    pub(crate) fn charge<R>(&self, body: impl FnOnce() -> R) -> R {
        let _restored = Restored { driver: &self.driver, payer: self.driver.charge_to(self.id) };
        body()
    }

    /// Ready when no operation of this account is in flight whose future is gone, as far as
    /// `orphans` counts it.
    pub(crate) fn poll_drained(&self, orphans: Orphans, cx: &mut Context<'_>) -> Poll<()> {
        self.driver.poll_drained(self.id, orphans, cx)
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        self.driver.close_account(self.id);
    }
}

/// Lets the former payer pay again, also when the body panics.
struct Restored<'driver> {
    driver: &'driver Driver,
    payer: AccountId,
}

impl Drop for Restored<'_> {
    fn drop(&mut self) {
        self.driver.charge_to(self.payer);
    }
}
