//! Code that blocks, kept off the loop's thread.
//!
//! [`unblock`](crate::blocking::unblock) runs a closure on the thread pool of the process. Nobody
//! can stop a closure that has begun. So the task that began it is over only after it, whatever
//! became of the future, and the closure may ask whether it is still
//! [wanted](crate::blocking::is_cancelled). A [`Pool`](crate::blocking::Pool) lets a few run at a
//! time.

/// Whether anybody waits, as the closure sees it.
mod cancelled;
/// A few at a time.
mod pool;
/// A closure and who awaits it.
mod unblock;

pub use cancelled::{Cancelled, check_cancelled, is_cancelled};
pub use pool::Pool;
pub use unblock::{Unblock, unblock};
