//! What is left below an account whose owner has ended: it was forgotten, or lives elsewhere.

use wakering_ring_driver::AccountId;

use super::Executor;
use crate::task::Roll;

impl Executor {
    /// Wakes those who wait for something below `account`, which has ended, so that they are polled
    /// if they live elsewhere. Whether there is anything below.
    pub(crate) fn remind_below(&self, account: AccountId) -> bool {
        let is_open = self.driver.has_open_below(account);
        if is_open {
            self.driver.remind_below(account);
            for child in self.children_below(account) {
                self.with_roll(child, Roll::tell_owner);
            }
        }
        is_open
    }

    /// Ends what was forgotten below `account`: operations, and groups with their children.
    pub(crate) fn recall_below(&self, account: AccountId) {
        if !self.driver.has_open_below(account) {
            return;
        }
        self.driver.recall_below(account);
        for child in self.children_below(account) {
            self.with_roll(child, Roll::close);
            self.abandon(child);
        }
    }

    /// The children of groups that are open below `account`.
    fn children_below(&self, account: AccountId) -> Vec<AccountId> {
        let bonds = self.bonds.borrow();
        let below = bonds.iter().filter(|(_, bond)| {
            !bond.is_shielded && self.driver.is_open_below(bond.debt.account(), account)
        });
        below.map(|(index, _)| AccountId::at(index)).collect()
    }

    fn with_roll(&self, child: AccountId, act: impl FnOnce(&Roll)) {
        let roll = (self.bonds.borrow().get(child.index()))
            .and_then(|bond| Some(bond.seat.as_ref()?.roll().clone()));
        if let Some(roll) = roll {
            act(&roll);
        }
    }
}
