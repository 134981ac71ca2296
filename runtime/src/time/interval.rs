//! Doing something again and again.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use wakering_ring_driver::Instant;

use super::Sleep;

/// Ticks at once and then every `period`.
///
/// ```
/// use std::time::Duration;
/// use wakering_runtime::{run, time::{Instant, interval}};
///
/// run(async {
///     let start = Instant::now();
///     let mut interval = interval(Duration::from_millis(1));
///     for _ in 0..3 {
///         interval.tick().await;
///     }
///     assert!(start.elapsed() >= Duration::from_millis(2));
/// });
/// ```
///
/// # Panics
/// If `period` is zero.
#[track_caller]
pub fn interval(period: Duration) -> Interval {
    interval_at(Instant::now(), period)
}

/// Ticks at `start` and then every `period`.
///
/// ```
/// use std::time::Duration;
/// use wakering_runtime::{run, time::{Instant, interval_at}};
///
/// run(async {
///     let start = Instant::now() + Duration::from_millis(1);
///     let mut interval = interval_at(start, Duration::from_millis(2));
///     assert_eq!(interval.tick().await, start);
///     assert_eq!(interval.tick().await, start + Duration::from_millis(2));
/// });
/// ```
///
/// # Panics
/// If `period` is zero.
#[track_caller]
pub fn interval_at(start: Instant, period: Duration) -> Interval {
    assert!(!period.is_zero(), "an interval needs a period longer than zero");
    Interval {
        sleep: Sleep::new(Some(start)),
        next: Some(start),
        period,
        missed: MissedTickBehavior::default(),
    }
}

/// A clock that ticks every so often; made by [`interval`] and [`interval_at`].
///
/// ```
/// use std::time::Duration;
/// use wakering_runtime::{run, time::{Interval, interval}};
///
/// struct Heart {
///     beat: Interval,
/// }
///
/// run(async {
///     let mut heart = Heart { beat: interval(Duration::from_millis(1)) };
///     let first = heart.beat.tick().await;
///     assert!(heart.beat.tick().await > first);
/// });
/// ```
#[derive(Debug)]
pub struct Interval {
    sleep: Sleep,
    /// When the next tick is due; `None` if the clock cannot count that far.
    next: Option<Instant>,
    period: Duration,
    missed: MissedTickBehavior,
}

/// What an [`Interval`] does about ticks that nobody has awaited in time: those after which another
/// was already due.
///
/// ```
/// use std::{thread, time::Duration};
/// use wakering_runtime::{run, time::{MissedTickBehavior, interval}};
///
/// run(async {
///     let period = Duration::from_millis(2);
///     let mut interval = interval(period);
///     interval.set_missed_tick_behavior(MissedTickBehavior::Skip);
///     let first = interval.tick().await;
///     thread::sleep(period * 5);
///     let late = interval.tick().await;
///     assert_eq!(late, first + period, "the missed tick comes late");
///     assert!(interval.tick().await >= first + period * 6, "those behind it do not come at all");
/// });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum MissedTickBehavior {
    /// They come at once, one after another, until the clock has caught up.
    #[default]
    Burst,
    /// The next tick comes a whole period after the late one, and all that follow are shifted.
    Delay,
    /// They do not come; the next tick is the first one of the original beat that is still ahead.
    Skip,
}

impl MissedTickBehavior {
    /// When the tick after the one that was `due` comes, which has been taken at `now`.
    fn next(self, due: Instant, now: Instant, period: Duration) -> Option<Instant> {
        let late = now.duration_since(due);
        if late < period {
            return due.checked_add(period);
        }
        match self {
            MissedTickBehavior::Burst => due.checked_add(period),
            MissedTickBehavior::Delay => now.checked_add(period),
            MissedTickBehavior::Skip => {
                let beyond = Duration::from_nanos_u128(late.as_nanos() % period.as_nanos());
                now.checked_add(period - beyond)
            }
        }
    }
}

impl Interval {
    /// Waits for the next tick, and tells when it was due.
    ///
    /// ```
    /// use std::time::Duration;
    /// use wakering_runtime::{run, time::interval};
    ///
    /// run(async {
    ///     let mut interval = interval(Duration::from_millis(1));
    ///     let first = interval.tick().await;
    ///     assert_eq!(interval.tick().await, first + Duration::from_millis(1));
    /// });
    /// ```
    ///
    /// # Panics
    /// When it is polled on a thread that is not running a runtime.
    ///
    /// # Cancellation
    /// **Strict.** A tick that was not awaited to its end is the next one.
    pub async fn tick(&mut self) -> Instant {
        poll_fn(|cx| self.poll_tick(cx)).await
    }

    /// [`tick`](Interval::tick) for those who write futures by hand.
    ///
    /// ```
    /// use std::{future::poll_fn, time::Duration};
    /// use wakering_runtime::{run, time::interval};
    ///
    /// run(async {
    ///     let mut interval = interval(Duration::from_millis(1));
    ///     let first = poll_fn(|cx| interval.poll_tick(cx)).await;
    ///     assert!(first.elapsed() < Duration::from_secs(1));
    /// });
    /// ```
    ///
    /// # Panics
    /// When it is called on a thread that is not running a runtime.
    pub fn poll_tick(&mut self, cx: &mut Context<'_>) -> Poll<Instant> {
        let Some(due) = self.next else { return Poll::Pending };
        ready!(Pin::new(&mut self.sleep).poll(cx));
        self.restart(self.missed.next(due, Instant::now(), self.period));
        Poll::Ready(due)
    }

    /// Lets the next tick come one period from now.
    ///
    /// ```
    /// use std::time::Duration;
    /// use wakering_runtime::{run, time::{Instant, interval}};
    ///
    /// run(async {
    ///     let mut interval = interval(Duration::from_millis(2));
    ///     let now = Instant::now();
    ///     interval.reset();
    ///     assert!(interval.tick().await >= now + Duration::from_millis(2));
    /// });
    /// ```
    pub fn reset(&mut self) {
        self.restart(Instant::now().checked_add(self.period));
    }

    /// The time between two ticks.
    ///
    /// ```
    /// use std::time::Duration;
    /// use wakering_runtime::time::interval;
    ///
    /// let period = Duration::from_millis(5);
    /// assert_eq!(interval(period).period(), period);
    /// ```
    pub fn period(&self) -> Duration {
        self.period
    }

    /// What happens to missed ticks.
    ///
    /// ```
    /// use std::time::Duration;
    /// use wakering_runtime::time::{MissedTickBehavior, interval};
    ///
    /// let interval = interval(Duration::from_millis(5));
    /// assert_eq!(interval.missed_tick_behavior(), MissedTickBehavior::Burst);
    /// ```
    pub fn missed_tick_behavior(&self) -> MissedTickBehavior {
        self.missed
    }

    /// Decides what happens to missed ticks.
    ///
    /// ```
    /// use std::time::Duration;
    /// use wakering_runtime::time::{MissedTickBehavior, interval};
    ///
    /// let mut interval = interval(Duration::from_millis(5));
    /// interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    /// assert_eq!(interval.missed_tick_behavior(), MissedTickBehavior::Delay);
    /// ```
    pub fn set_missed_tick_behavior(&mut self, behavior: MissedTickBehavior) {
        self.missed = behavior;
    }

    fn restart(&mut self, next: Option<Instant>) {
        self.next = next;
        self.sleep.set(next);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    const PERIOD: Duration = Duration::from_millis(10);

    /// Milliseconds from when a tick was due to when the next one is, if it was taken so many
    /// milliseconds late.
    fn next_after(behavior: MissedTickBehavior, late_ms: u64) -> u128 {
        let due = Instant::now();
        let next = behavior.next(due, due + Duration::from_millis(late_ms), PERIOD);
        next.unwrap().duration_since(due).as_millis()
    }

    #[test]
    fn a_tick_that_is_a_little_late_shifts_nothing() {
        for behavior in
            [MissedTickBehavior::Burst, MissedTickBehavior::Delay, MissedTickBehavior::Skip]
        {
            assert_eq!(next_after(behavior, 0), 10);
            assert_eq!(next_after(behavior, 9), 10);
        }
    }

    #[test]
    fn each_behavior_treats_missed_ticks_in_its_own_way() {
        assert_eq!(next_after(MissedTickBehavior::Burst, 25), 10);
        assert_eq!(next_after(MissedTickBehavior::Delay, 25), 35);
        assert_eq!(next_after(MissedTickBehavior::Skip, 25), 30);
        assert_eq!(
            next_after(MissedTickBehavior::Skip, 20),
            30,
            "the one that is due now is missed too"
        );
    }

    #[test]
    fn a_tick_beyond_the_clock_never_comes() {
        let now = Instant::now();
        assert_eq!(MissedTickBehavior::Burst.next(now, now, Duration::MAX), None);
    }
}
