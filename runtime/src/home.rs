//! Where a task lives, as seen from everywhere, and the key that only the thread living there
//! holds.
//!
//! Wakers and handles may be on any thread and outlive the runtime. They share a [`Home`]: the
//! inbox that takes what cannot be done from afar, and refuses it once the runtime has ended. The
//! right to touch a future is a value, the [`HomeKey`]: there is one for each home, and it cannot
//! leave its thread.

use std::cell::Cell;
use std::marker::PhantomData;
use std::mem;
use std::ptr;
use std::sync::{Arc, PoisonError};

use wakering_ring_driver::{Deliver, Message, Remote};

use crate::context;
use crate::primitive::{Mutex, per_thread};
use crate::task::{Callbacks, JoinError, Lodging, References, Spare, TaskRef};
use crate::unheard::unheard;

/// Told about a panic that nobody else will hear of.
pub(crate) type OnUnhandled = Arc<dyn Fn(&JoinError) + Send + Sync>;

/// What tasks, wakers and handles share of their runtime.
pub(crate) struct Home {
    inbox: Arc<dyn Inbox>,
    /// Tasks that were woken from afar. As long as there are any, one message lies in the inbox.
    called: Mutex<Vec<TaskRef>>,
    on_unhandled: OnUnhandled,
    callbacks: Callbacks,
    /// How many [`Lodging`]s there are.
    lodgers: References,
}

/// Takes messages for a thread and wakes it. In the product that is the driver's [`Remote`].
pub(crate) trait Inbox: Send + Sync {
    /// Leaves `message`, or gives it back if nobody will ever look.
    fn push(&self, message: Arc<dyn Deliver>) -> Result<(), Arc<dyn Deliver>>;
}

impl Inbox for Remote {
    fn push(&self, message: Arc<dyn Deliver>) -> Result<(), Arc<dyn Deliver>> {
        match Remote::push(self, Message::Deliver(message)) {
            Err(Message::Deliver(message)) => Err(message),
            _ => Ok(()),
        }
    }
}

impl Home {
    pub(crate) fn lodgers(&self) -> &References {
        &self.lodgers
    }

    pub(crate) fn callbacks(&self) -> &Callbacks {
        &self.callbacks
    }

    /// Leaves `message` for the home thread, or gives it back because the runtime has ended.
    pub(crate) fn send(&self, message: Arc<dyn Deliver>) -> Result<(), Arc<dyn Deliver>> {
        self.inbox.push(message)
    }

    /// Has home put `task`, one of its own, into the run queue. Nothing happens if the runtime has
    /// ended, and with it the task.
    pub(crate) fn call(self: &Arc<Home>, task: TaskRef) {
        let is_first = {
            let mut called = self.called.lock().unwrap_or_else(PoisonError::into_inner);
            called.push(task);
            called.len() == 1
        };
        if is_first && self.send(self.clone()).is_err() {
            drop(self.take_called(Vec::new()));
        }
    }

    /// The tasks that were woken from afar. Leaves `spare`, which is empty, for the next ones.
    pub(crate) fn take_called(&self, spare: Vec<TaskRef>) -> Vec<TaskRef> {
        mem::replace(&mut *self.called.lock().unwrap_or_else(PoisonError::into_inner), spare)
    }

    /// Reports a panic that nobody awaits. A hook that panics itself is not reported.
    pub(crate) fn report(&self, error: &JoinError) {
        unheard(|| (self.on_unhandled)(error));
    }
}

/// The message that tasks were woken from afar.
impl Deliver for Home {
    fn deliver(self: Arc<Self>) {
        match context::current_of(&self) {
            Some(executor) => executor.push_called(),
            // Without the executor there is nothing left to do for a wake. Else no message would
            // follow this one, and home and tasks keep each other for ever.
            None => drop(self.take_called(Vec::new())),
        }
    }
}

/// Proof of being on the thread where the tasks of one home are polled.
///
/// It is neither `Send` nor `Sync`, so a `&HomeKey` exists on one thread only.
pub(crate) struct HomeKey {
    home: Lodging,
    spare: Spare,
    is_disowned: Cell<bool>,
    /// Neither `Send` nor `Sync`.
    _here: PhantomData<*const ()>,
}

impl HomeKey {
    /// A new home, whose thread is the one that calls.
    pub(crate) fn new(inbox: Arc<dyn Inbox>, on_unhandled: OnUnhandled) -> HomeKey {
        let (called, lodgers) = (Mutex::new(Vec::new()), References::own(1));
        let callbacks = Callbacks::default();
        let home = Home { inbox, called, on_unhandled, callbacks, lodgers };
        let (home, is_disowned) = (Lodging::first(home), Cell::new(false));
        HomeKey { home, spare: Spare::new(), is_disowned, _here: PhantomData }
    }

    /// This is the copy of a forked child: a thread that it does not have may hold a lock.
    pub(crate) fn disown(&self) {
        self.is_disowned.set(true);
    }

    pub(crate) fn home(&self) -> &Arc<Home> {
        &self.home
    }

    /// Memory for tasks.
    pub(crate) fn spare(&self) -> &Spare {
        &self.spare
    }

    /// Whether this is the key of `home`.
    pub(crate) fn fits(&self, home: &Arc<Home>) -> bool {
        Arc::ptr_eq(&self.home, home)
    }

    /// Makes this thread know that it is home, until the guard is dropped.
    pub(crate) fn enter(&self) -> AtHome {
        let outer = HERE.with(|here| here.replace(Arc::as_ptr(&self.home)));
        AtHome { outer, _here: PhantomData }
    }
}

impl Drop for HomeKey {
    fn drop(&mut self) {
        // A task refers to its home, which must not refer back for ever.
        if !self.is_disowned.get() {
            drop(self.home.take_called(Vec::new()));
        }
        self.home.settle();
    }
}

per_thread! {
    /// The home of those that are polled on this thread. Only compared, never followed.
    static HERE: Cell<*const Home> = const { Cell::new(ptr::null()) };
}

/// What [`HomeKey::enter`] has made known.
pub(crate) struct AtHome {
    outer: *const Home,
    /// Neither `Send` nor `Sync`.
    _here: PhantomData<*const ()>,
}

impl Drop for AtHome {
    fn drop(&mut self) {
        HERE.with(|here| here.set(self.outer));
    }
}

/// Whether this thread is `home`, and knows it: the tasks of no other home are polled now.
pub(crate) fn is_here(home: &Arc<Home>) -> bool {
    HERE.with(|here| ptr::eq(here.get(), Arc::as_ptr(home)))
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::panic::Location;
    use std::time::Duration;

    use wakering_ring_driver::Driver;
    use wakering_ring_driver::testing::forked;

    use super::*;
    use crate::executor::Executor;
    use crate::task::{self, TaskInfo};

    /// Counts the messages.
    #[derive(Default)]
    struct Letterbox(Mutex<usize>);

    impl Inbox for Letterbox {
        fn push(&self, _message: Arc<dyn Deliver>) -> Result<(), Arc<dyn Deliver>> {
            *self.0.lock().unwrap() += 1;
            Ok(())
        }
    }

    /// Given a task that was woken from afar; when the message of it arrives where no executor is
    /// current; then the home lets go of the task, and the next wake sends a message again.
    #[test]
    fn a_wake_that_arrives_too_late_is_forgotten() {
        let letters = Arc::new(Letterbox::default());
        let key = HomeKey::new(letters.clone(), Arc::new(|_| {}));
        let info = TaskInfo::new(None, Location::caller());
        let task = task::cell::new_resident(&key, info);
        key.home().call(task.clone());
        assert_eq!(*letters.0.lock().unwrap(), 1);
        key.home().clone().deliver();
        assert!(key.home().called.lock().unwrap().is_empty());
        key.home().call(task);
        assert_eq!(*letters.0.lock().unwrap(), 2);
    }

    /// Given an executor, and a thread that is just waking one of its tasks from afar; when the
    /// process forks; then the child gets rid of its copy, though nobody will open the lock.
    #[test]
    fn a_forked_child_does_not_wait_for_a_thread_that_it_does_not_have() {
        let (driver, _memory) = Driver::memory().unwrap();
        let (told, watch) = (Arc::new(|_: &_| {}), None);
        let executor = Executor::new(driver, Duration::ZERO, Arc::new(|_| {}), told, watch);
        let home = executor.home().clone();
        let held = home.called.lock().unwrap();
        let mut executor = Some(executor);
        assert_eq!(forked(|| drop(executor.take())), 0);
        drop(held);
    }
}
