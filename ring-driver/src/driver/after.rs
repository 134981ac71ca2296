//! What the core leaves to be done once nobody borrows it.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::task::Waker;

use super::Driver;
use crate::completion::Outcome;
use crate::fd::Shelf;
use crate::in_flight::{EmptyCell, Kept};

/// All of it may run foreign code, which may call the driver again.
#[derive(Default)]
pub(crate) struct After {
    /// Told in the order of completion.
    pub(crate) wakers: Vec<Waker>,
    /// Dropped without being told.
    pub(crate) silent: Vec<Waker>,
    /// Completed for nobody: descriptors are closed, buffers dropped.
    pub(super) discard: Vec<(Kept, Outcome)>,
    /// Dropped: what they brought has been put back.
    pub(super) free: Vec<Kept>,
    /// Boxed as they come, so that putting one here moves a pointer.
    #[allow(clippy::vec_box)]
    pub(crate) shelves: Vec<Box<Shelf>>,
    pub(super) empty: Vec<EmptyCell>,
}

impl After {
    pub(crate) fn is_empty(&self) -> bool {
        self.wakers.is_empty()
            && self.silent.is_empty()
            && self.discard.is_empty()
            && self.free.is_empty()
            && self.shelves.is_empty()
    }

    pub(super) fn run(&mut self, driver: &Driver) {
        let mut panic = None;
        for waker in self.wakers.drain(..) {
            isolate(&mut panic, || waker.wake());
        }
        for (kept, outcome) in self.discard.drain(..) {
            self.empty.extend(isolate(&mut panic, || kept.discard(outcome, driver)));
        }
        for kept in self.free.drain(..) {
            self.empty.extend(isolate(&mut panic, || kept.free()));
        }
        for shelf in self.shelves.drain(..) {
            isolate(&mut panic, || drop(shelf));
        }
        for waker in self.silent.drain(..) {
            isolate(&mut panic, || drop(waker));
        }
        if let Some(panic) = panic {
            resume_unwind(panic);
        }
    }
}

/// Runs foreign code whose panic must not keep the others from being told. The first panic is kept
/// for afterwards.
pub(super) fn isolate<R>(
    panic: &mut Option<Box<dyn Any + Send>>,
    step: impl FnOnce() -> R,
) -> Option<R> {
    match catch_unwind(AssertUnwindSafe(step)) {
        Ok(result) => Some(result),
        Err(payload) => {
            panic.get_or_insert(payload);
            None
        }
    }
}
