//! The tree of what runs: tasks, and the scopes, groups and timeouts in them.
//!
//! A node is an account of the driver, seen from here: what kind of thing its operations are
//! charged to, and by when that has to be over. The driver keeps the tree itself.

use std::cell::RefCell;

use wakering_ring_driver::{AccountId, Driver, Instant};

use crate::sparse::Sparse;

/// What an account stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The future that `run` or `block_on` was given.
    Main,
    /// A task, or one that is to come.
    Task,
    Scope,
    Group,
    Timeout,
    /// Members of one future that are raced, or waited for together.
    Members,
    /// What goes on when the one who awaits it has gone: the deadlines of those above do not
    /// concern it.
    Shield,
}

/// The nodes of one runtime, by account.
#[derive(Default)]
pub(crate) struct Nodes {
    kinds: RefCell<Sparse<Kind>>,
    /// Apart, because most nodes have none.
    deadlines: RefCell<Sparse<Instant>>,
}

impl Nodes {
    pub(crate) fn set(&self, account: AccountId, kind: Kind) {
        self.kinds.borrow_mut().put(account.index(), kind);
    }

    pub(crate) fn clear(&self, account: AccountId) {
        self.kinds.borrow_mut().take(account.index());
        self.set_deadline(account, None);
    }

    pub(crate) fn get(&self, account: AccountId) -> Option<Kind> {
        self.kinds.borrow().get(account.index()).copied()
    }

    pub(crate) fn set_deadline(&self, account: AccountId, deadline: Option<Instant>) {
        let mut deadlines = self.deadlines.borrow_mut();
        match deadline {
            Some(deadline) => deadlines.put(account.index(), deadline),
            None => drop(deadlines.take(account.index())),
        }
    }

    /// The deadline that `account` itself has set.
    pub(crate) fn own_deadline(&self, account: AccountId) -> Option<Instant> {
        self.deadlines.borrow().get(account.index()).copied()
    }

    /// Whether `account` is shielded from those above it.
    pub(crate) fn is_shielded(&self, driver: &Driver, mut account: AccountId) -> bool {
        while account != AccountId::ROOT {
            if self.get(account) == Some(Kind::Shield) {
                return true;
            }
            account = driver.parent_of(account);
        }
        false
    }

    /// The first deadline of those that `account` is under.
    pub(crate) fn deadline_of(&self, driver: &Driver, mut account: AccountId) -> Option<Instant> {
        let deadlines = self.deadlines.borrow();
        let mut first = None;
        while account != AccountId::ROOT {
            let own = deadlines.get(account.index()).copied();
            first = first.into_iter().chain(own).min();
            if self.get(account) == Some(Kind::Shield) {
                break;
            }
            account = driver.parent_of(account);
        }
        first
    }
}
