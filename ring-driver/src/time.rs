//! The driver's clock: a newtype, so that a simulated world can have its own.

use std::ops::{Add, AddAssign, Sub, SubAssign};
use std::time::Duration;

/// Runs `wait`, in which this thread sleeps: a test's clock that stands still goes on meanwhile.
pub(crate) fn asleep<R>(wait: impl FnOnce() -> R) -> R {
    #[cfg(feature = "testing")]
    let wait = || crate::testing::clock::goes_on_during(wait);
    wait()
}

/// A point on the monotonic clock, opaque and useful only with [`Duration`].
///
/// ```
/// use std::time::Duration;
/// use wakering_ring_driver::Instant;
///
/// let start = Instant::now();
/// assert!(start + Duration::from_secs(1) > start);
/// assert!(start.elapsed() < Duration::from_secs(1));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(std::time::Instant);

impl Instant {
    /// The time now.
    pub fn now() -> Instant {
        #[cfg(feature = "testing")]
        if let Some(shown) = crate::testing::clock::now() {
            return Instant(shown);
        }
        Instant(std::time::Instant::now())
    }

    /// The same point on std's clock.
    pub fn into_std(self) -> std::time::Instant {
        self.0
    }

    /// A point on std's clock as ours.
    pub fn from_std(instant: std::time::Instant) -> Instant {
        Instant(instant)
    }

    /// The time since `self`; zero if `self` lies ahead.
    pub fn elapsed(&self) -> Duration {
        Instant::now().saturating_duration_since(*self)
    }

    /// The time from `earlier` to `self`; zero if `earlier` is the later one.
    pub fn duration_since(&self, earlier: Instant) -> Duration {
        self.saturating_duration_since(earlier)
    }

    /// The time from `earlier` to `self`; zero if `earlier` is the later one.
    pub fn saturating_duration_since(&self, earlier: Instant) -> Duration {
        self.0.saturating_duration_since(earlier.0)
    }

    /// The time from `earlier` to `self`, or `None` if `earlier` is the later one.
    pub fn checked_duration_since(&self, earlier: Instant) -> Option<Duration> {
        self.0.checked_duration_since(earlier.0)
    }

    /// `self + duration`, or `None` where the clock cannot count that far.
    pub fn checked_add(&self, duration: Duration) -> Option<Instant> {
        self.0.checked_add(duration).map(Instant)
    }

    /// `self - duration`, or `None` where the clock does not reach back that far.
    pub fn checked_sub(&self, duration: Duration) -> Option<Instant> {
        self.0.checked_sub(duration).map(Instant)
    }
}

impl Add<Duration> for Instant {
    type Output = Instant;
    fn add(self, duration: Duration) -> Instant {
        Instant(self.0 + duration)
    }
}

impl AddAssign<Duration> for Instant {
    fn add_assign(&mut self, duration: Duration) {
        self.0 += duration;
    }
}

impl Sub<Duration> for Instant {
    type Output = Instant;
    fn sub(self, duration: Duration) -> Instant {
        Instant(self.0 - duration)
    }
}

impl SubAssign<Duration> for Instant {
    fn sub_assign(&mut self, duration: Duration) {
        self.0 -= duration;
    }
}

impl Sub<Instant> for Instant {
    type Output = Duration;
    fn sub(self, earlier: Instant) -> Duration {
        self.saturating_duration_since(earlier)
    }
}
