//! The tasks of a runtime that are not over, each by the account that pays for it.
//!
//! An account may outlive its task: that of one for whom the runtime answers, and to which nothing
//! is charged, serves whoever comes next.

use wakering_ring_driver::AccountId;

use crate::task::TaskRef;

/// Tasks by account.
#[derive(Default)]
pub(crate) struct Roster {
    tasks: Vec<Option<TaskRef>>,
    len: usize,
    /// Accounts that wait for a task.
    idle: Vec<AccountId>,
}

impl Roster {
    /// Puts `task` where one was that is gone, and says where; gives it back if there is no such
    /// place.
    #[inline]
    pub(crate) fn insert_idle(&mut self, task: TaskRef) -> Result<AccountId, TaskRef> {
        let Some(account) = self.idle.pop() else { return Err(task) };
        self.insert(account, task);
        Ok(account)
    }

    /// The task of this account is gone, and another one may have it.
    #[inline]
    pub(crate) fn leave_idle(&mut self, account: AccountId) {
        self.idle.push(account);
    }

    #[inline]
    pub(crate) fn insert(&mut self, account: AccountId, task: TaskRef) {
        if self.tasks.len() <= account.index() {
            self.grow(account.index() + 1);
        }
        self.tasks[account.index()] = Some(task);
        self.len += 1;
    }

    #[cold]
    fn grow(&mut self, len: usize) {
        self.tasks.resize_with(len, || None);
    }

    /// Takes the task out.
    ///
    /// # Panics
    /// If there is none.
    #[inline]
    pub(crate) fn remove(&mut self, account: AccountId) -> TaskRef {
        let task = self.tasks[account.index()].take().expect("a task leaves once");
        self.len -= 1;
        task
    }

    pub(crate) fn get(&self, account: AccountId) -> Option<&TaskRef> {
        self.tasks.get(account.index())?.as_ref()
    }

    /// Each with its account.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (AccountId, &TaskRef)> {
        self.iter_from(AccountId::ROOT)
    }

    /// Each from account `first` on, with its account.
    pub(crate) fn iter_from(
        &self,
        first: AccountId,
    ) -> impl Iterator<Item = (AccountId, &TaskRef)> {
        let tasks = (first.index()..).zip(self.tasks.get(first.index()..).unwrap_or_default());
        tasks.filter_map(|(index, task)| Some((AccountId::at(index), task.as_ref()?)))
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }
}
