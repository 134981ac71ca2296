//! Between threads, or between the tasks of one thread: what that changes, in one place.
//!
//! Everything else in [`sync`](super) is written once, for any [`Flavor`].

use std::cell::RefCell;
use std::ops::Deref;
use std::rc::Rc;
use std::sync::{Arc, PoisonError};

use crate::primitive::Mutex;

/// Who may share something: [`Threads`], or the tasks of one thread, [`Local`].
///
/// There are these two and no others.
pub trait Flavor: Sealed + 'static {
    /// What all sides touch, one at a time.
    #[doc(hidden)]
    type Cell<S>: Protect<S>;
    /// A pointer that several own: `Arc` or `Rc`.
    type Ref<T>: Deref<Target = T> + Clone + Unpin;
    /// Makes a value that several own.
    #[doc(hidden)]
    fn share<T>(value: T) -> Self::Ref<T>;
}

/// Any number of threads share it.
#[derive(Debug)]
pub enum Threads {}

/// The tasks of one thread share it, which saves them the atomic operations.
#[derive(Debug)]
pub enum Local {}

/// Nobody else has a flavor.
pub trait Sealed {}

impl Sealed for Threads {}
impl Sealed for Local {}

/// A state that is touched by one at a time, and never while foreign code runs.
pub trait Protect<S> {
    fn new(state: S) -> Self;
    fn with<R>(&self, body: impl FnOnce(&mut S) -> R) -> R;
}

impl Flavor for Threads {
    type Cell<S> = Mutex<S>;
    type Ref<T> = Arc<T>;

    fn share<T>(value: T) -> Arc<T> {
        Arc::new(value)
    }
}

impl Flavor for Local {
    type Cell<S> = RefCell<S>;
    type Ref<T> = Rc<T>;

    fn share<T>(value: T) -> Rc<T> {
        Rc::new(value)
    }
}

impl<S> Protect<S> for Mutex<S> {
    fn new(state: S) -> Mutex<S> {
        Mutex::new(state)
    }

    fn with<R>(&self, body: impl FnOnce(&mut S) -> R) -> R {
        body(&mut self.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<S> Protect<S> for RefCell<S> {
    fn new(state: S) -> RefCell<S> {
        RefCell::new(state)
    }

    fn with<R>(&self, body: impl FnOnce(&mut S) -> R) -> R {
        body(&mut self.borrow_mut())
    }
}
