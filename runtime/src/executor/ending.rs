//! The end of a runtime, as far as its tasks are concerned: all are asked to end, waited for, and
//! given up in the end.

use std::task::{Context, Poll, Waker};

use wakering_ring_driver::{AccountId, Orphans};

use super::Executor;
use crate::debug::{TaskNode, TaskTree, tree};
use crate::task::{Bond, Cancel, Wake};

/// How far the end of the runtime has come.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    Not,
    /// Tasks are cancelled, and new ones before they begin, except for what is shielded.
    Cancelling,
    /// The time is over: nothing begins.
    Abandoning,
}

impl Executor {
    /// Whether nothing begins any more.
    pub(crate) fn has_given_up(&self) -> bool {
        self.ending.get() == Ending::Abandoning
    }

    /// Asks for the end of all tasks, and of those that are still to be spawned before they begin.
    pub(crate) fn cancel_all(&self) {
        self.ending.set(Ending::Cancelling);
        for (account, task) in self.tasks.borrow().iter() {
            if !self.is_shielded(account)
                && task.header().cancel() == Cancel::Wake
                && task.header().wake() == Wake::Push
            {
                self.push(task.clone());
            }
        }
    }

    fn is_shielded(&self, account: AccountId) -> bool {
        self.bonds.borrow().get(account.index()).is_some_and(|bond| self.shields(bond))
    }

    /// Whether a task goes on when the runtime ends: what is shielded itself, and the children of a
    /// group in there.
    pub(super) fn shields(&self, bond: &Bond) -> bool {
        bond.is_shielded || self.nodes.is_shielded(&self.driver, bond.debt.account())
    }

    /// Ready when all tasks are over.
    pub(crate) fn poll_empty(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.tasks.borrow().is_empty() {
            return Poll::Ready(());
        }
        self.emptied.set(Some(cx.waker().clone()));
        Poll::Pending
    }

    /// Gives up waiting: what is left of each task ends here and now. Tells of which tasks the
    /// kernel still has something, and what they were waiting for.
    pub(crate) fn abandon_all(&self) -> Vec<TaskNode> {
        self.ending.set(Ending::Abandoning);
        let tree = if self.tasks.borrow().is_empty() { TaskTree::default() } else { tree(self) };
        let seen = tree.tasks();
        let mut abandoned = Vec::new();
        let mut cx = Context::from_waker(Waker::noop());
        let next_from = |account| {
            let tasks = self.tasks.borrow();
            let next = tasks.iter_from(account).next().or_else(|| tasks.iter().next());
            next.map(|(account, task)| (account, task.clone()))
        };
        let mut last = AccountId::ROOT;
        // One after the other, and once more from the start: what is dropped may spawn.
        while let Some((account, task)) = next_from(last) {
            let is_shielded = self.is_shielded(account);
            task.header().cancel();
            task.advance(&self.key, &mut cx);
            if is_shielded || !self.driver.is_drained(account, Orphans::All) {
                let info = &task.header().info;
                let node = seen.get(&info.id()).copied().cloned();
                abandoned.push(node.unwrap_or_else(|| TaskNode::bare(info.clone())));
            }
            self.retire(task, account);
            last = account;
        }
        // Dropped outside the borrow: the last owner of a task drops the waker of whoever awaited
        // it.
        drop(self.queue.take());
        abandoned
    }

    /// Tells whoever waits for it that the last task is over, if it is.
    pub(super) fn tell_emptied(&self) {
        if self.tasks.borrow().is_empty()
            && let Some(waker) = self.emptied.take()
        {
            waker.wake();
        }
    }
}
