//! What an account answers for beside operations: a task of its own, a closure on the pool.

use super::Driver;
use crate::account::{AccountId, Recall};

/// Something that has not ended and that an account answers for, until this is dropped.
///
/// It counts as in flight; from [`abandon`](Debt::abandon) on as an orphan, for which those wait
/// that wait for the account. It stays on its thread.
///
/// ```
/// use std::task::{Context, Waker};
/// use wakering_ring_driver::{AccountId, Config, Driver, Orphans, Recall};
///
/// let driver = Driver::new(&Config::default())?;
/// let account = driver.open_account(AccountId::ROOT);
/// let mut debt = driver.owe(account);
/// let mut cx = Context::from_waker(Waker::noop());
/// assert!(driver.poll_drained(account, Orphans::All, &mut cx).is_ready());
/// debt.abandon(Recall::Cancellable);
/// assert!(driver.poll_drained(account, Orphans::All, &mut cx).is_pending());
/// drop(debt);
/// assert!(driver.poll_drained(account, Orphans::All, &mut cx).is_ready());
/// driver.close_account(account);
/// # Ok::<(), wakering_ring_driver::SetupError>(())
/// ```
#[derive(Debug)]
#[must_use = "a debt that is dropped has been paid"]
pub struct Debt {
    driver: Driver,
    account: AccountId,
    orphan: Option<Recall>,
}

impl Driver {
    /// Opens a debt of `account`.
    pub fn owe(&self, account: AccountId) -> Debt {
        self.with(|core| core.accounts.submitted(account));
        Debt { driver: self.clone(), account, orphan: None }
    }
}

impl Debt {
    /// The account that answers for it.
    pub fn account(&self) -> AccountId {
        self.account
    }

    /// Whether it counts as an orphan.
    pub fn is_abandoned(&self) -> bool {
        self.orphan.is_some()
    }

    /// Nobody wants it any more, but it has not ended: how soon it does, `recall` tells. May be
    /// called again when that has changed.
    pub fn abandon(&mut self, recall: Recall) {
        let former = self.orphan.replace(recall);
        if former == Some(recall) {
            return;
        }
        self.driver.with(|core| {
            core.accounts.orphaned(self.account, recall);
            if let Some(former) = former {
                core.accounts.adopted(self.account, former, &mut core.after.wakers);
            }
        });
    }
}

impl Drop for Debt {
    fn drop(&mut self) {
        let Debt { driver, account, orphan } = self;
        driver.with(|core| core.accounts.ended(*account, *orphan, &mut core.after.wakers));
    }
}
