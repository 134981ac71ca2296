//! What is called when a task is over.

use std::collections::HashMap;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError};

use wakering_ring_driver::Deliver;

use super::handle::Cause;
use super::{Id, JoinError, TaskInfo};
use crate::home::Home;
use crate::primitive::Mutex;

/// A callback of one task.
pub(super) type Callback = Box<dyn FnOnce(&TaskInfo) + Send>;

/// The callbacks of all tasks of one home, each in the order in which they came. Most tasks have
/// none, and so no room for them.
#[derive(Default)]
pub(crate) struct Callbacks(Mutex<HashMap<Id, Vec<Callback>>>);

impl Callbacks {
    pub(super) fn push(&self, task: Id, callback: Callback) {
        let mut lists = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lists.entry(task).or_default().push(callback);
    }

    /// Has those of `task`, which is over, called by the loop of its home. They are dropped if there
    /// is none any more.
    pub(super) fn post(home: &Arc<Home>, task: &TaskInfo) {
        // Sent under the lock, so that those who come later are called later.
        let mut lists = home.callbacks().0.lock().unwrap_or_else(PoisonError::into_inner);
        let list = Mutex::new(lists.remove(&task.id()).unwrap_or_default());
        let sent = home.send(Arc::new(Post { task: task.clone(), home: home.clone(), list }));
        drop(lists);
        drop(sent);
    }
}

/// The message that a task is over, to its home.
struct Post {
    task: TaskInfo,
    home: Arc<Home>,
    list: Mutex<Vec<Callback>>,
}

impl Deliver for Post {
    fn deliver(self: Arc<Self>) {
        let list = mem::take(&mut *self.list.lock().unwrap_or_else(PoisonError::into_inner));
        for callback in list {
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| callback(&self.task))) {
                self.home.report(&JoinError::new(self.task.clone(), Cause::panicked(panic)));
            }
        }
    }
}
