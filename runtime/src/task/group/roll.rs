//! Who belongs to a group: told of every end, and reached by every cancellation.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::task::{Context, Waker};

use slab::Slab;
use wakering_ring_driver::AccountId;

use crate::executor::Executor;
use crate::task::TaskInfo;

/// The children of one group.
pub(crate) struct Roll {
    pub(super) executor: Rc<Executor>,
    /// The account of each of them, that of the runtime itself where there is none.
    pub(super) accounts: RefCell<Slab<AccountId>>,
    /// Those that are over and of whom nobody was told, if anybody wants to be.
    pub(super) ended: RefCell<Option<VecDeque<TaskInfo>>>,
    /// Told of every change.
    watchers: RefCell<Vec<Waker>>,
    /// Whoever polls the group.
    pub(super) owner: Cell<Option<Waker>>,
    pub(super) is_cancelled: Cell<bool>,
    /// Whether nobody may join any more.
    pub(super) is_over: Cell<bool>,
}

impl Roll {
    pub(super) fn new(executor: Rc<Executor>) -> Roll {
        Roll {
            executor,
            accounts: RefCell::default(),
            ended: RefCell::default(),
            watchers: RefCell::default(),
            owner: Cell::new(None),
            is_cancelled: Cell::new(false),
            is_over: Cell::new(false),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.accounts.borrow().len()
    }

    pub(super) fn seat(roll: &Rc<Roll>) -> Seat {
        Seat { key: roll.accounts.borrow_mut().insert(AccountId::ROOT), roll: roll.clone() }
    }

    pub(super) fn cancel(&self) {
        if !self.is_cancelled.replace(true) {
            for child in self.children() {
                self.executor.wake(child);
            }
            self.tell();
        }
    }

    pub(super) fn children(&self) -> Vec<AccountId> {
        self.accounts.borrow().iter().map(|(_, &account)| account).collect()
    }

    pub(super) fn watch(&self, cx: &Context<'_>) {
        let waker = cx.waker().clone();
        let mut watchers = self.watchers.borrow_mut();
        if !watchers.iter().any(|known| known.will_wake(&waker)) {
            watchers.push(waker);
        }
    }

    fn tell(&self) {
        for watcher in self.watchers.take() {
            watcher.wake();
        }
        self.tell_owner();
    }

    pub(crate) fn tell_owner(&self) {
        if let Some(owner) = self.owner.take() {
            owner.wake();
        }
    }

    /// Nobody joins any more, because nobody polls the group. Its children are for the executor to
    /// end.
    pub(crate) fn close(&self) {
        self.is_over.set(true);
        self.is_cancelled.set(true);
    }
}

/// The place of one child, left when the child is over.
pub(crate) struct Seat {
    roll: Rc<Roll>,
    pub(super) key: usize,
}

impl Seat {
    pub(crate) fn roll(&self) -> &Rc<Roll> {
        &self.roll
    }

    /// The child has left its account to others.
    pub(crate) fn vacate(&self) {
        self.roll.accounts.borrow_mut()[self.key] = AccountId::ROOT;
    }

    /// The child, which was `info`, is over.
    pub(crate) fn leave(self, info: &TaskInfo) {
        let Seat { roll, key } = self;
        roll.accounts.borrow_mut().remove(key);
        if let Some(ended) = &mut *roll.ended.borrow_mut() {
            ended.push_back(info.clone());
        }
        let has_watchers = !roll.watchers.borrow().is_empty();
        if has_watchers || roll.len() == 0 {
            roll.tell();
        }
    }
}

/// A group whose future exists.
pub(super) struct Open<'group>(pub(super) &'group Rc<Roll>);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        let roll = self.0;
        roll.close();
        for child in roll.children() {
            roll.executor.abandon(child);
        }
    }
}
