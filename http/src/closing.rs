//! The word that a server is to close, passed to every connection of it.
//!
//! Each connection is a task of its own and looks here whenever it is polled; those that wait for
//! something else are woken. The list of them is weak, so that a connection that ends need not sign
//! off.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::{Rc, Weak};
use std::task::{Context, Waker};

/// Whether the server is to close, and who wants to hear of it.
#[derive(Default)]
pub(crate) struct Closing {
    begun: Cell<bool>,
    listeners: RefCell<Vec<Weak<Listener>>>,
    /// How long the list may grow before those go whose connection is gone.
    listeners_max: Cell<usize>,
}

/// One connection's ear.
#[derive(Default)]
pub(crate) struct Listener {
    waker: RefCell<Option<Waker>>,
}

impl Closing {
    pub(crate) fn begin(&self) {
        self.begun.set(true);
        for listener in self.listeners.take() {
            let waker = listener.upgrade().and_then(|listener| listener.waker.take());
            waker.inspect(Waker::wake_by_ref);
        }
    }

    pub(crate) fn listen(&self) -> Rc<Listener> {
        let listener = Rc::new(Listener::default());
        let mut listeners = self.listeners.borrow_mut();
        if listeners.len() >= self.listeners_max.get() {
            listeners.retain(|listener| listener.strong_count() > 0);
            self.listeners_max.set(2 * listeners.len() + 64);
        }
        listeners.push(Rc::downgrade(&listener));
        listener
    }

    /// Whether it has begun; if not, the listener's task is woken when it does.
    pub(crate) fn has_begun(&self, listener: &Listener, cx: &mut Context<'_>) -> bool {
        let mut waker = listener.waker.borrow_mut();
        match &*waker {
            Some(known) if known.will_wake(cx.waker()) => {}
            _ => *waker = Some(cx.waker().clone()),
        }
        self.begun.get()
    }
}

impl fmt::Debug for Closing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Closing").field("begun", &self.begun).finish_non_exhaustive()
    }
}
