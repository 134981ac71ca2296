//! Whoever polls, as the core sees them.
//!
//! A waker is foreign code, also where it is cloned, and so must not be cloned under the core's
//! borrow. Most polls need no clone: the waker is known, or what was asked for is there. So the
//! core looks first and says that it wants one, gets it, and looks again.

use std::task::Waker;

use crate::fd::Line;

/// A waker, and a clone of it if the core has asked for one. Lives longer than the borrow, and so
/// does what is left in here.
pub(crate) struct Caller<'a> {
    waker: &'a Waker,
    clone: Option<Waker>,
    former: Option<Waker>,
    wanted: bool,
}

impl<'a> Caller<'a> {
    pub(super) fn new(waker: &'a Waker) -> Caller<'a> {
        Caller { waker, clone: None, former: None, wanted: false }
    }

    /// One that will be remembered for sure.
    pub(crate) fn ready(waker: &'a Waker) -> Caller<'a> {
        Caller { clone: Some(waker.clone()), ..Caller::new(waker) }
    }

    /// Whether the core could not remember it. It then has a clone for the next time.
    pub(super) fn must_ask_again(&mut self) -> bool {
        if self.wanted {
            self.clone = Some(self.waker.clone());
        }
        std::mem::take(&mut self.wanted)
    }

    /// Leaves it in `place`, instead of whoever was there.
    pub(crate) fn stay_in(&mut self, place: &mut Option<Waker>) {
        if !place.as_ref().is_some_and(|known| known.will_wake(self.waker)) {
            let own = self.own();
            if own.is_some() {
                self.former = std::mem::replace(place, own);
            }
        }
    }

    /// Leaves it among `waiters`.
    pub(crate) fn stay_among(&mut self, waiters: &mut Line<Waker>) {
        if !waiters.iter().any(|known| known.will_wake(self.waker))
            && let Some(own) = self.own()
        {
            waiters.push_back(own);
        }
    }

    /// It, if the core need not ask for it again.
    pub(super) fn own(&mut self) -> Option<Waker> {
        self.wanted |= self.clone.is_none();
        self.clone.take()
    }
}
