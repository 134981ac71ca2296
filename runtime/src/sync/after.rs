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
    /// A clone of it, once somebody has asked for that.
    clone: Option<Waker>,
    needs_clone: bool,
    first: Option<Waker>,
    /// Stays empty, and so without memory, where one waker at most is woken.
    rest: Vec<Waker>,
    gone: Option<Waker>,
}

impl<'a> After<'a> {
    pub(crate) fn of(own: &'a Waker) -> After<'a> {
        After { own: Some(own), ..After::default() }
    }

    /// Wakes `waker`, in the order of these calls.
    pub(super) fn wake(&mut self, waker: Waker) {
        match self.first {
            None => self.first = Some(waker),
            Some(_) => self.rest.push(waker),
        }
    }

    /// Drops `waker`, of which there is one at most under one lock.
    pub(super) fn drop(&mut self, waker: Waker) {
        debug_assert!(self.gone.is_none());
        self.gone = Some(waker);
    }

    pub(super) fn is_own(&self, waker: &Waker) -> bool {
        self.own.is_some_and(|own| own.will_wake(waker))
    }

    /// A waker to leave behind. The first time there is none, and the poll comes again with one.
    pub(super) fn take_clone(&mut self) -> Option<Waker> {
        self.needs_clone = self.clone.is_none();
        self.clone.take()
    }

    /// Does what was put off, now that no lock is held. Whether the poll has to come again.
    pub(super) fn run(&mut self) -> bool {
        for waker in self.first.take().into_iter().chain(mem::take(&mut self.rest)) {
            waker.wake();
        }
        self.gone = None;
        let comes_again = mem::take(&mut self.needs_clone);
        self.clone = self.own.filter(|_| comes_again).cloned();
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
