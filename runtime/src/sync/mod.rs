//! What tasks share and wait for: locks, permits, flags, channels.
//!
//! Everything here is first come, first served, and **Strict**: a wait that is dropped has not
//! happened, and what was on its way to it goes to the next. What is not in [`local`] may be shared
//! by any threads, also such as run no runtime.
//!
//! All of it is made of one wait list. The two forms of a type, between threads and
//! on one thread, are one type in [`generic`] with another [`Flavor`](generic::Flavor).

/// 1. A lock's state is touched by one at a time.
pub(crate) mod flavor;
/// 2. What must not happen under the lock is put off.
pub(crate) mod after;
/// 3. Whoever has to wait is queued.
pub(crate) mod wait_list;
/// 4. A future that waits in the queue, and leaves it if it is dropped.
pub(crate) mod wait;
/// 5. What is handed out in turn.
mod permits;
/// A flag to wait for.
mod event;
/// At most so many at a time.
mod semaphore;

pub use semaphore::{AcquireError, TryAcquireError};

/// An [`Event`](generic::Event) that threads may share.
pub type Event = generic::Event<generic::Threads>;
/// A [`Semaphore`](generic::Semaphore) that threads may share.
pub type Semaphore = generic::Semaphore<generic::Threads>;
/// A [`Permit`](generic::Permit) that borrows its semaphore.
pub type SemaphorePermit<'a> = generic::Permit<generic::Threads, &'a Semaphore>;
/// A [`Permit`](generic::Permit) that keeps its semaphore.
pub type OwnedSemaphorePermit = generic::Permit<generic::Threads, std::sync::Arc<Semaphore>>;

/// The types themselves, which exist in two forms.
pub mod generic {
    pub use super::event::Event;
    pub use super::flavor::{Flavor, Local, Threads};
    pub use super::semaphore::{Permit, Semaphore};
}

/// What only the tasks of one thread share, without atomic operations.
pub mod local {
    use super::generic::{self, Local};

    /// An [`Event`](generic::Event) of one thread.
    pub type Event = generic::Event<Local>;
    /// A [`Semaphore`](generic::Semaphore) of one thread.
    pub type Semaphore = generic::Semaphore<Local>;
}
