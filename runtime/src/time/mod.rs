//! Time: waiting for it, and not waiting longer than it.
//!
//! The clock is the monotonic one. Nothing here is early; what is due is late by the kernel's own
//! slack, tens of microseconds on a quiet machine, because the earliest deadline is the timeout of
//! the loop's own wait and there are no ticks. Only what has waited for 20 ms or longer may be up to
//! 0.2 ms later than that, where others were due just before: many that end close together then
//! cost few wake-ups. Where a deadline and a completion meet, the completion wins.

/// Deadlines in order, with removal.
mod heap;
/// The timers of one runtime.
mod timers;
/// Waiting for a point in time.
mod sleep;
/// Doing something again and again.
mod interval;
/// A deadline for somebody else's future.
mod timeout;
/// A deadline that may be moved.
pub mod deadline;
/// Time that stands still, for tests.
#[cfg(feature = "testing")]
mod paused;

pub use deadline::Deadline;
pub use interval::{Interval, MissedTickBehavior, interval, interval_at};
#[cfg(feature = "testing")]
#[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
pub use paused::{advance, pause, resume};
pub use sleep::{Sleep, sleep, sleep_until};
pub use timeout::{Elapsed, MoveOnAfter, Timeout, move_on_after, timeout, timeout_at};
pub use wakering_ring_driver::Instant;

#[cfg(feature = "testing")]
pub(crate) use paused::jump;
pub(crate) use timers::{Sleeper, Timers};
