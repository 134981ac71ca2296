//! Where a task lives, as seen from everywhere, and the key that only the thread living there
//! holds.
//!
//! Wakers and handles may be on any thread and outlive the runtime. They share a [`Home`]: the
//! inbox that takes what cannot be done from afar, and refuses it once the runtime has ended. The
//! right to touch a future is a value, the [`HomeKey`]: there is one for each home, and it cannot
//! leave its thread.

use std::cell::RefCell;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::sync::Arc;

use wakering_ring_driver::{Deliver, Message, Remote};

use crate::task::{Header, JoinError};

/// Told about a panic that nobody else will hear of.
pub(crate) type OnUnhandled = Arc<dyn Fn(&JoinError) + Send + Sync>;

/// What tasks, wakers and handles share of their runtime.
pub(crate) struct Home {
    inbox: Arc<dyn Inbox>,
    on_unhandled: OnUnhandled,
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
    /// Leaves `message` for the home thread, or gives it back because the runtime has ended.
    pub(crate) fn send(&self, message: Arc<dyn Deliver>) -> Result<(), Arc<dyn Deliver>> {
        self.inbox.push(message)
    }

    /// Reports a panic that nobody awaits. A hook that panics itself is not reported.
    pub(crate) fn report(&self, error: &JoinError) {
        let _ = catch_unwind(AssertUnwindSafe(|| (self.on_unhandled)(error)));
    }
}

/// Proof of being on the thread where the tasks of one home are polled.
///
/// It is neither `Send` nor `Sync`, so a `&HomeKey` exists on one thread only.
pub(crate) struct HomeKey {
    home: Arc<Home>,
    /// The tasks of this home that are being polled or dropped. Usually one; an eager task begins
    /// inside the poll of whoever spawns it.
    open: RefCell<Vec<*const Header>>,
    /// Neither `Send` nor `Sync`.
    _here: PhantomData<*const ()>,
}

impl HomeKey {
    /// A new home, whose thread is the one that calls.
    pub(crate) fn new(inbox: Arc<dyn Inbox>, on_unhandled: OnUnhandled) -> HomeKey {
        let home = Arc::new(Home { inbox, on_unhandled });
        HomeKey { home, open: RefCell::default(), _here: PhantomData }
    }

    pub(crate) fn home(&self) -> &Arc<Home> {
        &self.home
    }

    /// Whether this is the key of `home`.
    pub(crate) fn fits(&self, home: &Arc<Home>) -> bool {
        Arc::ptr_eq(&self.home, home)
    }

    /// The exclusive right to touch `task`, until the guard is dropped.
    ///
    /// # Panics
    /// With the key of another home, or inside a poll of that task: that would be a defect of the
    /// executor, which memory safety must not depend on.
    pub(crate) fn open<'key>(&'key self, task: &'key Header) -> Opened<'key> {
        assert!(self.fits(task.home()), "a task is touched by its own runtime only");
        let mut open = self.open.borrow_mut();
        assert!(!open.contains(&ptr::from_ref(task)), "no task is touched inside its own poll");
        open.push(task);
        Opened { key: self, task }
    }
}

/// The right that [`HomeKey::open`] gives.
pub(crate) struct Opened<'key> {
    key: &'key HomeKey,
    /// Borrowed, so that no other task can have its address meanwhile.
    task: &'key Header,
}

impl Drop for Opened<'_> {
    fn drop(&mut self) {
        self.key.open.borrow_mut().retain(|open| !ptr::eq(*open, self.task));
    }
}
