//! What is put off until a lock is free again.
//!
//! A waker is somebody else's code: cloned, woken or dropped, it may come back to the very lock
//! under which that happens. So whoever holds the lock only notes here what is to be done.

use std::mem;
use std::task::Waker;

use super::flavor::Protect;

/// Wakers to be woken and dropped, and the one that may be left behind.
#[derive(Default)]
pub(crate) struct After<'a> {
    /// The waker of the task that is being polled.
    own: Option<&'a Waker>,
    needs_clone: bool,
    /// Usually there is nothing to do.
    work: Option<Work>,
}

#[derive(Default)]
struct Work {
    /// A clone of the own waker, once somebody has asked for that.
    clone: Option<Waker>,
    first: Option<Waker>,
    /// Stays empty, and so without memory, where one waker at most is woken.
    rest: Vec<Waker>,
    gone: Option<Waker>,
}

impl<'a> After<'a> {
    pub(crate) fn of(own: &'a Waker) -> After<'a> {
        After { own: Some(own), ..After::default() }
    }

    fn work(&mut self) -> &mut Work {
        self.work.get_or_insert_default()
    }

    /// Wakes `waker`, in the order of these calls.
    pub(super) fn wake(&mut self, waker: Waker) {
        let work = self.work();
        match work.first {
            None => work.first = Some(waker),
            Some(_) => work.rest.push(waker),
        }
    }

    /// Drops `waker`, of which there is one at most under one lock.
    pub(super) fn drop(&mut self, waker: Waker) {
        let gone = &mut self.work().gone;
        debug_assert!(gone.is_none());
        *gone = Some(waker);
    }

    pub(super) fn is_own(&self, waker: &Waker) -> bool {
        self.own.is_some_and(|own| own.will_wake(waker))
    }

    /// A waker to leave behind. The first time there is none, and the poll comes again with one.
    pub(super) fn take_clone(&mut self) -> Option<Waker> {
        let clone = self.work.as_mut().and_then(|work| work.clone.take());
        self.needs_clone = clone.is_none();
        clone
    }

    /// Does what was put off, now that no lock is held. Whether the poll has to come again.
    #[inline]
    pub(super) fn run(&mut self) -> bool {
        (self.work.is_some() || self.needs_clone) && self.run_work()
    }

    fn run_work(&mut self) -> bool {
        if let Some(work) = self.work.take() {
            for waker in work.first.into_iter().chain(work.rest) {
                waker.wake();
            }
        }
        let comes_again = mem::take(&mut self.needs_clone);
        if comes_again && let Some(own) = self.own {
            self.work().clone = Some(own.clone());
        }
        comes_again
    }
}

/// Changes a state under its lock, and does afterwards what that has put off.
pub(crate) fn update<C, S, R>(cell: &C, body: impl FnOnce(&mut S, &mut After<'_>) -> R) -> R
where
    C: Protect<S>,
{
    let mut after = After::default();
    let result = cell.with(|state| body(state, &mut after));
    after.run();
    result
}
