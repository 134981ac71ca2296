//! What is called when a task is over.

use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use wakering_ring_driver::Deliver;

use super::handle::Cause;
use super::{JoinError, TaskInfo};
use crate::home::Home;

/// A callback of one task.
pub(super) type Callback = Box<dyn FnOnce(&TaskInfo) + Send>;

/// The callbacks of one task, in the order in which they came. As a message to the task's home it
/// calls all that are there; a second such message finds nothing to do.
pub(super) struct Callbacks {
    task: TaskInfo,
    home: Arc<Home>,
    list: Mutex<Vec<Callback>>,
}

impl Callbacks {
    pub(super) fn new(task: TaskInfo, home: Arc<Home>) -> Callbacks {
        Callbacks { task, home, list: Mutex::default() }
    }

    pub(super) fn push(&self, callback: Callback) {
        self.list.lock().unwrap_or_else(PoisonError::into_inner).push(callback);
    }

    /// Has them called by the loop. They are dropped if there is none any more.
    pub(super) fn post(self: &Arc<Self>) {
        drop(self.home.send(self.clone()));
    }
}

impl Deliver for Callbacks {
    fn deliver(self: Arc<Self>) {
        let list = mem::take(&mut *self.list.lock().unwrap_or_else(PoisonError::into_inner));
        for callback in list {
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| callback(&self.task))) {
                self.home.report(&JoinError::new(self.task.clone(), Cause::panicked(panic)));
            }
        }
    }
}
