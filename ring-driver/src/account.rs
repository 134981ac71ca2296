//! Who pays for an operation.
//!
//! Each operation is charged to the account of whoever is polled when it is submitted. Accounts
//! form a tree. Two counts are kept: what is in flight on an account, and the *orphans* of its
//! whole subtree, whose future is gone. Whoever ends (a task, a scope, a timeout) waits until its
//! orphans have had their final completion; what is still wanted elsewhere stays with its account,
//! which is closed but not freed, and counts for the ancestors should it be orphaned later.
//!
//! An account that is still open when the one above it has ended was forgotten, or has been moved
//! elsewhere: nobody will poll what is charged to it, so that is taken back. That of a task stands
//! by itself: whatever is above it, its runtime polls it until it ends.
//!
//! Not everything ends because somebody asks: a disk finishes what it has begun. So orphans are
//! counted by whether they can be cancelled, and who must not be held up waits for those only.

use std::collections::HashMap;
use std::task::Waker;

use slab::Slab;

/// Names an account of one driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AccountId(pub(crate) u32);

impl AccountId {
    /// The account of the runtime itself, which never closes.
    pub const ROOT: AccountId = AccountId(0);

    /// A small number that no other account has at the same time.
    pub fn index(self) -> usize {
        self.0 as usize
    }

    /// The account with this [number](AccountId::index).
    pub fn at(index: usize) -> AccountId {
        AccountId(index as u32)
    }
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

/// Whether something ends because it is asked to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recall {
    /// It ends soon.
    Cancellable,
    /// It may wait for a disk or a computation, in the kernel's workers or in the pool.
    Futile,
}

struct Account {
    parent: AccountId,
    /// Operations and debts, and accounts that are not freed.
    in_flight: u32,
    /// Of the subtree, by [`Recall`].
    orphans: [u32; 2],
    /// Accounts below this one that are open, not counting those below an open one, nor those that
    /// stand by themselves.
    open_below: u32,
    /// Whether somebody else than those above sees to it, so that they never forget it.
    by_itself: bool,
    closed: bool,
    /// Whether somebody waits for its orphans.
    awaited: bool,
}

/// Every task has one for as long as it lives.
const _: () = assert!(size_of::<Account>() == 24);

impl Account {
    fn below(parent: AccountId, by_itself: bool) -> Account {
        Account {
            parent,
            in_flight: 0,
            orphans: [0; 2],
            open_below: 0,
            by_itself,
            closed: false,
            awaited: false,
        }
    }
}

pub(crate) struct Accounts {
    accounts: Slab<Account>,
    /// Told when the last orphan of either kind has ended. Apart, because few wait at a time.
    waiters: HashMap<AccountId, Option<Waker>>,
}

impl Accounts {
    pub(crate) fn new() -> Accounts {
        let mut accounts = Slab::new();
        accounts.insert(Account::below(AccountId::ROOT, true));
        Accounts { accounts, waiters: HashMap::new() }
    }

    pub(crate) fn open(&mut self, parent: AccountId, by_itself: bool) -> AccountId {
        // The parent stays as long as a child counts for it.
        self.get(parent).in_flight += 1;
        if !by_itself {
            let owner = self.open_from(parent);
            self.get(owner).open_below += 1;
        }
        AccountId(self.accounts.insert(Account::below(parent, by_itself)) as u32)
    }

    /// Closes `id`: nobody waits for it any more but those above it.
    ///
    /// Yields whoever waited for it.
    pub(crate) fn close(&mut self, id: AccountId) -> Option<Waker> {
        assert_ne!(id, AccountId::ROOT, "the runtime's own account stays open");
        let waiter = self.take_waiter(id);
        let account = self.get(id);
        debug_assert!(!account.closed, "an account is closed once");
        account.closed = true;
        let (parent, open_below) = (account.parent, account.open_below);
        let counted = u32::from(!account.by_itself);
        let owner = self.open_from(parent);
        let owner = self.get(owner);
        owner.open_below = owner.open_below - counted + open_below;
        self.free_if_unused(id);
        waiter
    }

    /// `id`, which has been moved, counts for those above `parent` from now on. Nothing moves below
    /// itself.
    pub(crate) fn move_below(&mut self, id: AccountId, parent: AccountId, told: &mut Vec<Waker>) {
        debug_assert!(!self.get(id).by_itself, "what stands by itself stays where it is");
        if self.is_above(id, parent) {
            return;
        }
        let former = self.get(id).parent;
        let orphans = self.get(id).orphans;
        for (recall, count) in [Recall::Cancellable, Recall::Futile].into_iter().zip(orphans) {
            self.add(parent, recall, count);
            self.subtract(former, recall, count, told);
        }
        let (to, from) = (self.open_from(parent), self.open_from(former));
        self.get(to).open_below += 1;
        self.get(from).open_below -= 1;
        self.get(parent).in_flight += 1;
        self.get(id).parent = parent;
        self.get(former).in_flight -= 1;
        self.free_if_unused(former);
    }

    pub(crate) fn submitted(&mut self, id: AccountId) {
        self.get(id).in_flight += 1;
    }

    /// The future of an operation charged to `id` is gone, the operation is not.
    pub(crate) fn orphaned(&mut self, id: AccountId, recall: Recall) {
        self.add(id, recall, 1);
    }

    /// An orphan found somebody who wants it again.
    pub(crate) fn adopted(&mut self, id: AccountId, recall: Recall, told: &mut Vec<Waker>) {
        self.subtract(id, recall, 1, told);
    }

    /// The final completion of an operation charged to `id`, which was an orphan if `orphan` is
    /// anything.
    #[inline]
    pub(crate) fn ended(&mut self, id: AccountId, orphan: Option<Recall>, told: &mut Vec<Waker>) {
        if let Some(recall) = orphan {
            self.adopted(id, recall, told);
        }
        let account = self.get(id);
        account.in_flight -= 1;
        if account.closed {
            self.free_if_unused(id);
        }
    }

    /// Whether `id` or an account below it has one of these orphans left.
    pub(crate) fn has(&self, id: AccountId, orphans: Orphans) -> bool {
        let counts = &self.accounts[id.0 as usize].orphans;
        match orphans {
            Orphans::All => *counts != [0; 2],
            Orphans::Cancellable => counts[Recall::Cancellable as usize] > 0,
        }
    }

    /// Whether nothing is charged to `id` or below it, and nobody waits for that.
    pub(crate) fn is_unused(&self, id: AccountId) -> bool {
        let account = &self.accounts[id.0 as usize];
        account.in_flight == 0 && !account.awaited
    }

    /// Whether an account below `id` is open that does not stand by itself.
    pub(crate) fn has_open_below(&self, id: AccountId) -> bool {
        self.accounts[id.0 as usize].open_below > 0
    }

    /// Whether what is charged to `id` belongs to an open account below `ancestor`, with nothing
    /// between them that stands by itself.
    pub(crate) fn is_open_below(&self, id: AccountId, ancestor: AccountId) -> bool {
        let first = self.open_from(id);
        let mut open = first;
        while open != ancestor {
            let account = &self.accounts[open.0 as usize];
            if account.by_itself {
                return false;
            }
            open = self.open_from(account.parent);
        }
        first != ancestor
    }

    /// Who is told when the last orphan of `id` of either kind has ended.
    pub(crate) fn waiter(&mut self, id: AccountId) -> &mut Option<Waker> {
        self.get(id).awaited = true;
        self.waiters.entry(id).or_default()
    }

    fn take_waiter(&mut self, id: AccountId) -> Option<Waker> {
        match std::mem::take(&mut self.get(id).awaited) {
            true => self.waiters.remove(&id).flatten(),
            false => None,
        }
    }

    pub(crate) fn parent(&self, id: AccountId) -> AccountId {
        self.accounts[id.0 as usize].parent
    }

    /// All that are open, or have something in flight.
    pub(crate) fn ids(&self) -> impl Iterator<Item = AccountId> + '_ {
        self.accounts.iter().map(|(index, _)| AccountId(index as u32))
    }

    fn is_above(&self, id: AccountId, mut other: AccountId) -> bool {
        while other != id && other != AccountId::ROOT {
            other = self.accounts[other.0 as usize].parent;
        }
        other == id
    }

    fn get(&mut self, id: AccountId) -> &mut Account {
        &mut self.accounts[id.0 as usize]
    }

    /// The runtime's own account waits for nothing, and so does not count.
    fn add(&mut self, mut id: AccountId, recall: Recall, count: u32) {
        while id != AccountId::ROOT {
            let account = self.get(id);
            account.orphans[recall as usize] += count;
            id = account.parent;
        }
    }

    fn subtract(&mut self, mut id: AccountId, recall: Recall, count: u32, told: &mut Vec<Waker>) {
        while id != AccountId::ROOT {
            let account = self.get(id);
            let orphans = &mut account.orphans[recall as usize];
            *orphans -= count;
            let (is_last, parent) = (*orphans == 0, account.parent);
            if is_last {
                told.extend(self.take_waiter(id));
            }
            id = parent;
        }
    }

    /// `id` itself if it is open, else the nearest open account above it.
    fn open_from(&self, mut id: AccountId) -> AccountId {
        while self.accounts[id.0 as usize].closed {
            id = self.accounts[id.0 as usize].parent;
        }
        id
    }

    fn free_if_unused(&mut self, mut id: AccountId) {
        while self.accounts[id.0 as usize].closed && self.accounts[id.0 as usize].in_flight == 0 {
            let parent = self.accounts.remove(id.0 as usize).parent;
            self.get(parent).in_flight -= 1;
            id = parent;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orphans_count_for_everybody_above() {
        let (mut accounts, mut told) = (Accounts::new(), Vec::new());
        let parent = accounts.open(AccountId::ROOT, false);
        let child = accounts.open(parent, false);
        accounts.submitted(child);
        accounts.submitted(child);
        accounts.orphaned(child, Recall::Futile);
        assert!(accounts.has(child, Orphans::All));
        assert!(accounts.has(parent, Orphans::All));
        accounts.close(child);
        assert!(accounts.has(parent, Orphans::All));
        // The second one is dropped only now.
        accounts.orphaned(child, Recall::Futile);
        accounts.ended(child, Some(Recall::Futile), &mut told);
        assert!(accounts.has(parent, Orphans::All));
        accounts.ended(child, Some(Recall::Futile), &mut told);
        assert!(!accounts.has(parent, Orphans::All));
        accounts.close(parent);
        assert_eq!(accounts.accounts.len(), 1, "only the root is left");
    }

    #[test]
    fn an_adopted_orphan_is_not_waited_for() {
        let (mut accounts, mut told) = (Accounts::new(), Vec::new());
        let id = accounts.open(AccountId::ROOT, false);
        accounts.submitted(id);
        accounts.orphaned(id, Recall::Cancellable);
        accounts.adopted(id, Recall::Cancellable, &mut told);
        assert!(!accounts.has(id, Orphans::All));
        accounts.ended(id, None, &mut told);
        accounts.close(id);
        assert_eq!(accounts.accounts.len(), 1);
    }

    #[test]
    fn what_cannot_be_cancelled_is_waited_for_by_those_only_who_wait_for_all() {
        let (mut accounts, mut told) = (Accounts::new(), Vec::new());
        let id = accounts.open(AccountId::ROOT, false);
        for recall in [Recall::Cancellable, Recall::Futile] {
            accounts.submitted(id);
            accounts.orphaned(id, recall);
        }
        *accounts.waiter(id) = Some(Waker::noop().clone());
        accounts.ended(id, Some(Recall::Cancellable), &mut told);
        assert_eq!(told.len(), 1, "whoever waits looks again");
        assert!(!accounts.has(id, Orphans::Cancellable));
        assert!(accounts.has(id, Orphans::All));
        accounts.ended(id, Some(Recall::Futile), &mut told);
        assert!(!accounts.has(id, Orphans::All));
    }

    #[test]
    fn what_is_open_below_an_account_is_known_through_closed_ones() {
        let mut accounts = Accounts::new();
        let task = accounts.open(AccountId::ROOT, false);
        let timeout = accounts.open(task, false);
        let forgotten = accounts.open(timeout, false);
        accounts.close(timeout);
        assert!(accounts.has_open_below(task));
        assert!(accounts.is_open_below(forgotten, task));
        assert!(!accounts.is_open_below(timeout, task), "it is closed: its charges are the task's");
        assert!(!accounts.is_open_below(task, task));
        accounts.close(forgotten);
        assert!(!accounts.has_open_below(task));
    }

    #[test]
    fn an_account_that_moves_takes_its_orphans_along() {
        let (mut accounts, mut told) = (Accounts::new(), Vec::new());
        let (here, there) =
            (accounts.open(AccountId::ROOT, false), accounts.open(AccountId::ROOT, false));
        let moved = accounts.open(here, false);
        accounts.submitted(moved);
        accounts.orphaned(moved, Recall::Cancellable);
        *accounts.waiter(here) = Some(Waker::noop().clone());
        accounts.move_below(moved, there, &mut told);
        assert_eq!(told.len(), 1, "whoever waited here has nothing to wait for");
        assert!(!accounts.has(here, Orphans::All) && !accounts.has_open_below(here));
        assert!(accounts.has(there, Orphans::All) && accounts.has_open_below(there));
        accounts.close(here);
        accounts.ended(moved, Some(Recall::Cancellable), &mut told);
        accounts.close(moved);
        accounts.close(there);
        assert_eq!(accounts.accounts.len(), 1);
    }

    #[test]
    fn what_stands_by_itself_is_never_open_below_another() {
        let mut accounts = Accounts::new();
        let task = accounts.open(AccountId::ROOT, true);
        let scope = accounts.open(task, false);
        let child = accounts.open(scope, true);
        let forgotten = accounts.open(child, false);
        accounts.close(scope);
        assert!(!accounts.has_open_below(task));
        assert!(!accounts.is_open_below(child, task));
        assert!(!accounts.is_open_below(forgotten, task), "it is below the child, which lives");
        assert!(accounts.is_open_below(forgotten, child));
        accounts.close(child);
        assert!(accounts.has_open_below(task) && accounts.is_open_below(forgotten, task));
        accounts.close(forgotten);
        accounts.close(task);
        assert_eq!(accounts.accounts.len(), 1);
    }
}
