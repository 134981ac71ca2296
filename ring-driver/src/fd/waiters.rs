//! Who waits for a side: as a rule one, who costs no memory of his own.

use std::task::Waker;

/// Wakers that are all told at once, in the order in which they came.
#[derive(Default)]
pub(crate) struct Waiters {
    first: Option<Waker>,
    /// Boxed, since most sides never have a second.
    #[allow(clippy::box_collection)]
    others: Option<Box<Vec<Waker>>>,
}

impl Waiters {
    /// Whether waking them wakes `waker`.
    pub(crate) fn have(&self, waker: &Waker) -> bool {
        self.first
            .iter()
            .chain(self.others.iter().flat_map(|others| &**others))
            .any(|known| known.will_wake(waker))
    }

    pub(crate) fn add(&mut self, waker: Waker) {
        match self.first {
            None => self.first = Some(waker),
            Some(_) => self.others.get_or_insert_default().push(waker),
        }
    }

    /// Moves all of them to `told`.
    #[inline]
    pub(crate) fn leave_to(&mut self, told: &mut Vec<Waker>) {
        told.extend(self.first.take());
        if let Some(others) = &mut self.others {
            told.append(others);
        }
    }
}
