//! How many refer to a task, counted without atomic steps where nearly all of it happens: at home.
//!
//! References made and dropped at home are counted in a word that only home writes, the others in
//! one that is shared. A reference may be made on one side and dropped on the other, so either
//! count alone says nothing, and may be negative; their sum is the number of references. Nobody
//! asks for it while the task goes on, since home keeps the cell until it is over. Then home
//! *settles*: it adds its own count to the shared one, and from there on whoever drops the last
//! reference knows it.
//!
//! A task that was made elsewhere is not home's before it is taken in: until then, as after the
//! settlement, references are counted in the shared word only, also those at home.

use crate::primitive::{AtomicU64, Ordering};

/// In the word of home: references made here are counted here. Else in the shared word.
const OWN: u64 = 1;

/// In the shared word: it is the whole count.
const SETTLED: u64 = 1;

/// One reference, in either word. Behind the flag counts wrap around, so that a negative one is as
/// good as any other.
const ONE: u64 = 1 << 1;

pub(crate) struct References {
    /// Read and written by home only, and so in plain steps.
    here: AtomicU64,
    shared: AtomicU64,
}

impl References {
    /// One reference of home and one of the handle.
    const BOTH: u64 = OWN + 2 * ONE;

    /// Of a task made at home.
    pub(crate) fn own(count: u64) -> References {
        References { here: AtomicU64::new(OWN + count * ONE), shared: AtomicU64::new(0) }
    }

    /// Of a task made on another thread.
    pub(crate) fn foreign(count: u64) -> References {
        References { here: AtomicU64::new(0), shared: AtomicU64::new(count * ONE) }
    }

    /// Home has taken in a task made elsewhere. Home only.
    pub(crate) fn take_in(&self) {
        self.here.store(OWN, Ordering::Relaxed);
    }

    /// Whether home counts for itself. Home only.
    pub(crate) fn is_own(&self) -> bool {
        self.here.load(Ordering::Relaxed) & OWN != 0
    }

    /// One more, made where [`is_own`](References::is_own) holds.
    pub(crate) fn add_here(&self) {
        let count = self.here.load(Ordering::Relaxed);
        self.here.store(count.wrapping_add(ONE), Ordering::Relaxed);
    }

    /// One more, made from one that exists.
    pub(crate) fn add(&self) {
        self.shared.fetch_add(ONE, Ordering::Relaxed);
    }

    /// One less, dropped where [`is_own`](References::is_own) holds. It is never the last.
    pub(crate) fn drop_here(&self) {
        let count = self.here.load(Ordering::Relaxed);
        self.here.store(count.wrapping_sub(ONE), Ordering::Relaxed);
    }

    /// One less. Whether it was the last: then nobody else has any, and its former owner frees the
    /// cell.
    #[must_use]
    pub(crate) fn drop(&self) -> bool {
        const LAST: u64 = SETTLED + ONE;
        // Whoever sees only their own reference is alone with it: there is none to make more from.
        self.shared.load(Ordering::Acquire) == LAST
            || self.shared.fetch_sub(ONE, Ordering::AcqRel) == LAST
    }

    /// The task is over, and home is about to drop its reference: whether there is only the handle's
    /// beside it, that is, and nothing was ever counted elsewhere. From then on nothing is counted
    /// at home, unless home is to [stay](References::stay).
    #[inline]
    pub(crate) fn leave_alone(&self) -> bool {
        let is_alone = self.here.load(Ordering::Relaxed) == References::BOTH
            && self.shared.load(Ordering::Acquire) == 0;
        if is_alone {
            self.here.store(0, Ordering::Relaxed);
        }
        is_alone
    }

    /// Home has more to do: its reference and the handle's are counted there again.
    pub(crate) fn stay(&self) {
        self.here.store(References::BOTH, Ordering::Relaxed);
    }

    /// The handle that was left alone drops its reference. Whether it was the last, else whoever
    /// has the others knows.
    #[inline]
    #[must_use]
    pub(crate) fn settle_alone(&self) -> bool {
        // Only the handle itself can have made one, to have the task cancelled.
        self.shared.load(Ordering::Acquire) == 0
            || self.shared.fetch_add(SETTLED, Ordering::AcqRel) == 0
    }

    /// The task is over, and home drops one reference: as [`drop`](References::drop). Home, or
    /// whoever refuses a task that home has not taken in.
    #[must_use]
    pub(crate) fn settle(&self) -> bool {
        let here = self.here.load(Ordering::Relaxed);
        let left = (here & !OWN).wrapping_sub(ONE);
        self.here.store(0, Ordering::Relaxed);
        // Where both are zero there is no reference, and so nobody who could make this untrue.
        left == 0 && self.shared.load(Ordering::Acquire) == 0
            || self
                .shared
                .fetch_add(left.wrapping_add(SETTLED), Ordering::AcqRel)
                .wrapping_add(left)
                == 0
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn what_home_alone_refers_to_is_counted_at_home() {
        let references = References::own(2);
        references.add_here();
        references.drop_here();
        references.drop_here();
        assert!(references.settle(), "that was the last");
        assert_eq!(references.shared.load(Ordering::Relaxed), 0, "nobody else was asked");
    }

    #[test]
    fn references_may_be_made_here_and_dropped_elsewhere_and_the_other_way_round() {
        let references = References::own(1);
        references.add_here();
        assert!(!references.drop(), "elsewhere, before the end");
        references.add();
        references.add();
        references.drop_here();
        assert!(!references.settle(), "one is left");
        assert!(!references.is_own());
        references.add();
        assert!(!references.drop());
        assert!(references.drop(), "the last");
    }

    #[test]
    fn a_handle_that_is_left_alone_waits_for_what_it_has_made_itself() {
        let references = References::own(3);
        assert!(!references.leave_alone(), "there is another one");
        references.drop_here();
        assert!(references.leave_alone());
        references.stay();
        assert!(references.is_own());
        assert!(references.leave_alone());
        assert!(references.settle_alone());

        let asked = References::own(2);
        assert!(asked.leave_alone());
        asked.add();
        assert!(!asked.settle_alone());
        assert!(asked.drop(), "the last");

        let known_elsewhere = References::own(2);
        known_elsewhere.add();
        assert!(!known_elsewhere.leave_alone());
    }

    #[test]
    fn a_task_from_elsewhere_is_counted_at_home_only_once_it_is_taken_in() {
        let references = References::foreign(2);
        assert!(!references.is_own());
        references.take_in();
        references.drop_here();
        references.add_here();
        assert!(!references.settle());
        assert!(references.drop());

        let refused = References::foreign(2);
        assert!(!refused.settle());
        assert!(refused.drop());
    }
}
