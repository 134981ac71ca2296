//! Who pays for an operation.
//!
//! Each operation is charged to the account of whoever is polled when it is submitted. Two counts
//! are kept: all that is in flight, and the *orphans* among it, whose future is gone. Whoever ends
//! (a task, a scope, a timeout) waits until its orphans have had their final completion; what is
//! still wanted elsewhere moves to the parent by following the chain of closed accounts.

use std::task::Waker;

use slab::Slab;

/// Names an account of one driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AccountId(pub(crate) u32);

impl AccountId {
    /// The account of the runtime itself, which never closes.
    pub const ROOT: AccountId = AccountId(0);
}

struct Account {
    parent: AccountId,
    in_flight: u32,
    orphans: u32,
    closed: bool,
    /// Told when the last orphan has ended.
    waiter: Option<Waker>,
}

pub(crate) struct Accounts {
    accounts: Slab<Account>,
}

impl Accounts {
    pub(crate) fn new() -> Accounts {
        let mut accounts = Slab::new();
        accounts.insert(Account {
            parent: AccountId::ROOT,
            in_flight: 0,
            orphans: 0,
            closed: false,
            waiter: None,
        });
        Accounts { accounts }
    }

    pub(crate) fn open(&mut self, parent: AccountId) -> AccountId {
        // The parent stays as long as a child may forward to it.
        self.accounts[parent.0 as usize].in_flight += 1;
        AccountId(self.accounts.insert(Account {
            parent,
            in_flight: 0,
            orphans: 0,
            closed: false,
            waiter: None,
        }) as u32)
    }

    /// Closes `id`: what it still has in flight goes on the parent's bill from now on.
    ///
    /// Yields whoever waited for it.
    pub(crate) fn close(&mut self, id: AccountId) -> Option<Waker> {
        assert_ne!(id, AccountId::ROOT, "the runtime's own account stays open");
        let account = &mut self.accounts[id.0 as usize];
        debug_assert!(!account.closed, "an account is closed once");
        account.closed = true;
        let waiter = account.waiter.take();
        let (parent, orphans) = (self.open_ancestor(id), self.accounts[id.0 as usize].orphans);
        self.accounts[parent.0 as usize].orphans += orphans;
        self.accounts[id.0 as usize].orphans = 0;
        self.free_if_unused(id);
        waiter
    }

    pub(crate) fn submitted(&mut self, id: AccountId) {
        self.accounts[id.0 as usize].in_flight += 1;
    }

    /// The future of an operation charged to `id` is gone, the operation is not.
    pub(crate) fn orphaned(&mut self, id: AccountId) {
        let open = self.open_ancestor(id);
        self.accounts[open.0 as usize].orphans += 1;
    }

    /// An orphan found somebody who wants it again.
    pub(crate) fn adopted(&mut self, id: AccountId) -> Option<Waker> {
        let open = self.open_ancestor(id);
        let account = &mut self.accounts[open.0 as usize];
        account.orphans -= 1;
        if account.orphans == 0 { account.waiter.take() } else { None }
    }

    /// The final completion of an operation charged to `id`.
    pub(crate) fn ended(&mut self, id: AccountId, orphan: bool) -> Option<Waker> {
        let waiter = if orphan { self.adopted(id) } else { None };
        self.accounts[id.0 as usize].in_flight -= 1;
        self.free_if_unused(id);
        waiter
    }

    /// Whether `id` has an orphan left.
    pub(crate) fn has_orphans(&self, id: AccountId) -> bool {
        self.accounts[id.0 as usize].orphans > 0
    }

    /// `waker` is told when the last orphan of `id` has ended. Yields whoever was to be told
    /// before.
    pub(crate) fn wait(&mut self, id: AccountId, waker: &Waker) -> Option<Waker> {
        self.accounts[id.0 as usize].waiter.replace(waker.clone())
    }

    fn open_ancestor(&self, mut id: AccountId) -> AccountId {
        while self.accounts[id.0 as usize].closed {
            id = self.accounts[id.0 as usize].parent;
        }
        id
    }

    fn free_if_unused(&mut self, mut id: AccountId) {
        while self.accounts[id.0 as usize].closed && self.accounts[id.0 as usize].in_flight == 0 {
            let parent = self.accounts.remove(id.0 as usize).parent;
            self.accounts[parent.0 as usize].in_flight -= 1;
            id = parent;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orphans_move_to_the_parent_when_an_account_closes() {
        let mut accounts = Accounts::new();
        let parent = accounts.open(AccountId::ROOT);
        let child = accounts.open(parent);
        accounts.submitted(child);
        accounts.submitted(child);
        accounts.orphaned(child);
        assert!(accounts.has_orphans(child));
        accounts.close(child);
        assert!(accounts.has_orphans(parent));
        // The second one is dropped only now: its orphan is the parent's.
        accounts.orphaned(child);
        accounts.ended(child, true);
        assert!(accounts.has_orphans(parent));
        accounts.ended(child, true);
        assert!(!accounts.has_orphans(parent));
        accounts.close(parent);
        assert_eq!(accounts.accounts.len(), 1, "only the root is left");
    }

    #[test]
    fn an_adopted_orphan_is_not_waited_for() {
        let mut accounts = Accounts::new();
        let id = accounts.open(AccountId::ROOT);
        accounts.submitted(id);
        accounts.orphaned(id);
        accounts.adopted(id);
        assert!(!accounts.has_orphans(id));
        accounts.ended(id, false);
        accounts.close(id);
        assert_eq!(accounts.accounts.len(), 1);
    }
}
