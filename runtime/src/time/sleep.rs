//! Waiting for a point in time.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use wakering_ring_driver::Instant;

use super::timers::{Ticket, Timers};
use crate::context;

/// Waits for `duration`, counted from this call.
///
/// Never ends early; [`Duration::MAX`] never ends. Sleeps with equal deadlines end in the order in
/// which they began. One of 20 ms or longer may end up to 0.2 ms later if another one has ended
/// just before.
///
/// ```
/// use std::time::Duration;
/// use wakering_runtime::{run, time::{Instant, sleep}};
///
/// run(async {
///     let start = Instant::now();
///     sleep(Duration::from_millis(2)).await;
///     assert!(start.elapsed() >= Duration::from_millis(2));
/// });
/// ```
///
/// # Panics
/// When it is polled on a thread that is not running a runtime.
///
/// # Cancellation
/// **Strict.** A dropped sleep leaves nothing behind.
pub fn sleep(duration: Duration) -> Sleep {
    Sleep::new(Instant::now().checked_add(duration))
}

/// Waits until `deadline`.
///
/// ```
/// use std::time::Duration;
/// use wakering_runtime::{run, time::{Instant, sleep_until}};
///
/// run(async {
///     let deadline = Instant::now() + Duration::from_millis(2);
///     sleep_until(deadline).await;
///     assert!(Instant::now() >= deadline);
/// });
/// ```
///
/// # Panics
/// When it is polled on a thread that is not running a runtime.
///
/// # Cancellation
/// **Strict.** A dropped sleep leaves nothing behind.
pub fn sleep_until(deadline: Instant) -> Sleep {
    Sleep::new(Some(deadline))
}

/// The future of [`sleep`] and [`sleep_until`]. It may be stored, and moved between polls.
///
/// ```
/// use std::time::Duration;
/// use wakering_runtime::{run, time::{Sleep, sleep}};
///
/// struct Patience {
///     left: Sleep,
/// }
///
/// run(async {
///     let mut patience = Patience { left: sleep(Duration::from_millis(1)) };
///     (&mut patience.left).await;
///     assert!(patience.left.deadline() < Some(wakering_runtime::time::Instant::now()));
/// });
/// ```
#[must_use = "a sleep does nothing until it is awaited"]
pub struct Sleep {
    /// `None` lies beyond all clocks.
    deadline: Option<Instant>,
    timer: Option<Timer>,
}

/// A timer that runs somewhere.
struct Timer {
    timers: Rc<Timers>,
    ticket: Ticket,
}

impl Sleep {
    pub(crate) fn new(deadline: Option<Instant>) -> Sleep {
        Sleep { deadline, timer: None }
    }

    /// When it ends; `None` if that lies beyond what the clock can count.
    ///
    /// ```
    /// use std::time::Duration;
    /// use wakering_runtime::time::{Instant, sleep, sleep_until};
    ///
    /// let now = Instant::now();
    /// assert_eq!(sleep_until(now).deadline(), Some(now));
    /// assert_eq!(sleep(Duration::MAX).deadline(), None);
    /// ```
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Gives it another deadline, whether it has ended or not.
    ///
    /// ```
    /// use std::time::Duration;
    /// use wakering_runtime::{run, time::{Instant, sleep}};
    ///
    /// run(async {
    ///     let mut watchdog = sleep(Duration::MAX);
    ///     watchdog.reset(Instant::now() + Duration::from_millis(1));
    ///     watchdog.await;
    /// });
    /// ```
    pub fn reset(&mut self, deadline: Instant) {
        self.set(Some(deadline));
    }

    pub(crate) fn set(&mut self, deadline: Option<Instant>) {
        self.stop();
        self.deadline = deadline;
    }

    fn stop(&mut self) {
        if let Some(Timer { timers, ticket }) = self.timer.take() {
            timers.remove(ticket);
        }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(deadline) = self.deadline else { return Poll::Pending };
        let current = context::expect("sleep");
        let timers = current.timers();
        if let Some(timer) = &self.timer {
            // Whether it is over is for the loop to say, which lets completions go first.
            if Rc::ptr_eq(&timer.timers, timers) {
                let sleeper = current.sleeper(cx.waker());
                let fired = timer.timers.has_fired(&timer.ticket, sleeper);
                return if fired { Poll::Ready(()) } else { Poll::Pending };
            }
            // It has moved to another runtime, whose loop is the one that runs now.
            self.stop();
        }
        let now = Instant::now();
        if deadline <= now {
            return Poll::Ready(());
        }
        let (payer, sleeper) = (current.driver().payer(), current.sleeper(cx.waker()));
        let ticket = timers.insert(now, deadline, payer, sleeper);
        self.timer = Some(Timer { timers: timers.clone(), ticket });
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.stop();
    }
}

impl fmt::Debug for Sleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sleep").field("deadline", &self.deadline).finish_non_exhaustive()
    }
}
