//! A clock that stands still, for tests of what takes long.
//!
//! It is a thread's: [`Instant::now`] tells its time there, and std's everywhere else. It goes on
//! while a driver sleeps, by as much as that took: what the kernel has in flight takes the time
//! that it takes. And it is moved by whoever holds it.

use std::cell::Cell;
use std::marker::PhantomData;
use std::time::Duration;

use crate::time::Instant;

thread_local! {
    static CLOCK: Cell<Option<Clock>> = const { Cell::new(None) };
}

/// What the clock of a thread shows, where it is not std's.
#[derive(Clone, Copy)]
struct Clock {
    /// When it was stopped or started last.
    shown: std::time::Instant,
    /// When it was started, if it runs.
    running_since: Option<std::time::Instant>,
}

impl Clock {
    fn now(self) -> std::time::Instant {
        self.shown + self.running_since.map_or(Duration::ZERO, |since| since.elapsed())
    }
}

/// What the clock of this thread shows, if it is not std's.
pub(crate) fn now() -> Option<std::time::Instant> {
    CLOCK.get().map(Clock::now)
}

/// Moves a clock that stands still by what `sleep` takes.
pub(crate) fn goes_on_during<R>(sleep: impl FnOnce() -> R) -> R {
    let begun = std::time::Instant::now();
    let result = sleep();
    if let Some(clock @ Clock { running_since: None, .. }) = CLOCK.get() {
        CLOCK.set(Some(Clock { shown: clock.shown + begun.elapsed(), ..clock }));
    }
    result
}

/// The clock of a thread, stopped until this is dropped.
///
/// ```
/// use std::time::Duration;
/// use wakering_ring_driver::{Instant, testing::StoppedClock};
///
/// let clock = StoppedClock::new();
/// let start = Instant::now();
/// assert_eq!(start.elapsed(), Duration::ZERO);
/// StoppedClock::advance_to(start + Duration::from_secs(3600));
/// assert_eq!(start.elapsed(), Duration::from_secs(3600));
/// drop(clock);
/// assert!(Instant::now() < start + Duration::from_secs(3600));
/// ```
#[derive(Debug)]
pub struct StoppedClock {
    _on_this_thread: PhantomData<*const ()>,
}

impl StoppedClock {
    /// Stops the clock of this thread.
    ///
    /// # Panics
    /// If it is stopped already.
    #[expect(clippy::new_without_default, reason = "it stops a clock")]
    pub fn new() -> StoppedClock {
        assert!(CLOCK.get().is_none(), "the clock of this thread is stopped by somebody else");
        CLOCK.set(Some(Clock { shown: std::time::Instant::now(), running_since: None }));
        StoppedClock { _on_this_thread: PhantomData }
    }

    /// Whether the clock of this thread stands still now.
    pub fn is_still() -> bool {
        CLOCK.get().is_some_and(|clock| clock.running_since.is_none())
    }

    /// Lets the clock of this thread run, or stand still again. What it shows stays for the moment.
    /// False if nobody has stopped it, or if it does so already.
    pub fn let_run(runs: bool) -> bool {
        let Some(clock) = CLOCK.get().filter(|clock| clock.running_since.is_some() != runs) else {
            return false;
        };
        let running_since = runs.then(std::time::Instant::now);
        CLOCK.set(Some(Clock { shown: clock.now(), running_since }));
        true
    }

    /// Moves the clock of this thread forward to `instant`, if it stands still before that.
    pub fn advance_to(instant: Instant) {
        if let Some(clock @ Clock { running_since: None, .. }) = CLOCK.get() {
            CLOCK.set(Some(Clock { shown: clock.shown.max(instant.into_std()), ..clock }));
        }
    }
}

impl Drop for StoppedClock {
    fn drop(&mut self) {
        CLOCK.set(None);
    }
}
