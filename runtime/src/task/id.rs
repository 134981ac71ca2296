//! Names for tasks that machines like: numbers that are never used twice in a process.

use std::cell::Cell;
use std::fmt;
use std::num::NonZeroU64;
use std::sync::atomic::{AtomicU64, Ordering};

/// The number of a task, unique in this process.
///
/// ```
/// use wakering_runtime::{run, spawn};
///
/// run(async {
///     let (first, second) = (spawn(async {}), spawn(async {}));
///     assert_ne!(first.id(), second.id());
/// });
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(NonZeroU64);

impl Id {
    /// That of what is woken like a task and is none, so that tasks are counted from one.
    pub(crate) const RESIDENT: Id = Id(NonZeroU64::MAX);

    /// The next number.
    pub(crate) fn next() -> Id {
        /// How many numbers a thread takes at a time, so that it need not ask the others for each.
        const BLOCK: u64 = 64;
        static TAKEN: AtomicU64 = AtomicU64::new(0);
        thread_local!(static NEXT: Cell<u64> = const { Cell::new(0) });
        let mut next = NEXT.get();
        if next.is_multiple_of(BLOCK) {
            next = TAKEN.fetch_add(BLOCK, Ordering::Relaxed);
        }
        NEXT.set(next + 1);
        Id(NonZeroU64::MIN.saturating_add(next))
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Id({})", self.0)
    }
}
