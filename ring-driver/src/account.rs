//! Who pays for an operation.
//!
//! Each operation is charged to the account of whoever is polled when it is submitted. Two counts
//! are kept: all that is in flight, and the *orphans* among it, whose future is gone. Whoever ends
//! (a task, a scope, a timeout) waits until its orphans have had their final completion; what is
//! still wanted elsewhere moves to the parent by following the chain of closed accounts.
//!
//! Not everything ends because somebody asks: a disk finishes what it has begun. So orphans are
//! counted by whether they can be cancelled, and who must not be held up waits for those only.

use std::task::Waker;

use slab::Slab;

/// Names an account of one driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AccountId(pub(crate) u32);

impl AccountId {
    /// The account of the runtime itself, which never closes.
    pub const ROOT: AccountId = AccountId(0);
}

/// Which of the operations that futures left behind somebody waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Orphans {
    /// All of them.
    All,
    /// Those that end soon after they were asked to: not disk I/O and paths, which go on with what
    /// they own for as long as the disk takes.
    Cancellable,
}

/// Whether an operation ends because it is asked to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Recall {
    Cancellable,
    /// It may wait for a disk, in the kernel's workers or in the pool.
    Futile,
}

struct Account {
    parent: AccountId,
    in_flight: u32,
    /// By [`Recall`].
    orphans: [u32; 2],
    closed: bool,
    /// Told when the last orphan of either kind has ended.
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
            orphans: [0; 2],
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
            orphans: [0; 2],
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
        let orphans = std::mem::take(&mut account.orphans);
        let parent = self.open_ancestor(id);
        for (known, more) in self.accounts[parent.0 as usize].orphans.iter_mut().zip(orphans) {
            *known += more;
        }
        self.free_if_unused(id);
        waiter
    }

    pub(crate) fn submitted(&mut self, id: AccountId) {
        self.accounts[id.0 as usize].in_flight += 1;
    }

    /// The future of an operation charged to `id` is gone, the operation is not.
    pub(crate) fn orphaned(&mut self, id: AccountId, recall: Recall) {
        let open = self.open_ancestor(id);
        self.accounts[open.0 as usize].orphans[recall as usize] += 1;
    }

    /// An orphan found somebody who wants it again.
    pub(crate) fn adopted(&mut self, id: AccountId, recall: Recall) -> Option<Waker> {
        let open = self.open_ancestor(id);
        let account = &mut self.accounts[open.0 as usize];
        let orphans = &mut account.orphans[recall as usize];
        *orphans -= 1;
        if *orphans == 0 { account.waiter.take() } else { None }
    }

    /// The final completion of an operation charged to `id`, which was an orphan if `orphan` is
    /// anything.
    pub(crate) fn ended(&mut self, id: AccountId, orphan: Option<Recall>) -> Option<Waker> {
        let waiter = orphan.and_then(|recall| self.adopted(id, recall));
        self.accounts[id.0 as usize].in_flight -= 1;
        self.free_if_unused(id);
        waiter
    }

    /// Whether `id` has one of these orphans left.
    pub(crate) fn has(&self, id: AccountId, orphans: Orphans) -> bool {
        let counts = &self.accounts[id.0 as usize].orphans;
        match orphans {
            Orphans::All => *counts != [0; 2],
            Orphans::Cancellable => counts[Recall::Cancellable as usize] > 0,
        }
    }

    /// Who is told when the last orphan of `id` of either kind has ended.
    pub(crate) fn waiter(&mut self, id: AccountId) -> &mut Option<Waker> {
        &mut self.accounts[id.0 as usize].waiter
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
        accounts.orphaned(child, Recall::Futile);
        assert!(accounts.has(child, Orphans::All));
        accounts.close(child);
        assert!(accounts.has(parent, Orphans::All));
        // The second one is dropped only now: its orphan is the parent's.
        accounts.orphaned(child, Recall::Futile);
        accounts.ended(child, Some(Recall::Futile));
        assert!(accounts.has(parent, Orphans::All));
        accounts.ended(child, Some(Recall::Futile));
        assert!(!accounts.has(parent, Orphans::All));
        accounts.close(parent);
        assert_eq!(accounts.accounts.len(), 1, "only the root is left");
    }

    #[test]
    fn an_adopted_orphan_is_not_waited_for() {
        let mut accounts = Accounts::new();
        let id = accounts.open(AccountId::ROOT);
        accounts.submitted(id);
        accounts.orphaned(id, Recall::Cancellable);
        accounts.adopted(id, Recall::Cancellable);
        assert!(!accounts.has(id, Orphans::All));
        accounts.ended(id, None);
        accounts.close(id);
        assert_eq!(accounts.accounts.len(), 1);
    }

    #[test]
    fn what_cannot_be_cancelled_is_waited_for_by_those_only_who_wait_for_all() {
        let mut accounts = Accounts::new();
        let id = accounts.open(AccountId::ROOT);
        for recall in [Recall::Cancellable, Recall::Futile] {
            accounts.submitted(id);
            accounts.orphaned(id, recall);
        }
        *accounts.waiter(id) = Some(Waker::noop().clone());
        let told = accounts.ended(id, Some(Recall::Cancellable));
        assert!(told.is_some(), "whoever waits looks again");
        assert!(!accounts.has(id, Orphans::Cancellable));
        assert!(accounts.has(id, Orphans::All));
        accounts.ended(id, Some(Recall::Futile));
        assert!(!accounts.has(id, Orphans::All));
    }
}
