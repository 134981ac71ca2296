//! A time by which something has to be over, and which may be moved meanwhile.

use std::cell::Cell;
use std::fmt;
use std::future::IntoFuture;
use std::task::{Context, Waker};
use std::time::Duration;

use wakering_ring_driver::Instant;

use super::Timeout;
use crate::context;

/// A time by which a future has to be over; the future itself, or anybody else on this thread, may
/// move it.
///
/// [`timeout`](super::timeout()) is one that nobody moves.
///
/// ```
/// use std::time::Duration;
/// use wakering_runtime::{run, time::{Deadline, Instant, sleep}};
///
/// run(async {
///     let deadline = Deadline::after(Duration::from_millis(5));
///     let result = deadline
///         .limit(async {
///             // There is more to do than was expected.
///             deadline.reset(Instant::now() + Duration::from_secs(60));
///             sleep(Duration::from_millis(10)).await;
///             42
///         })
///         .await;
///     assert_eq!(result, Ok(42));
/// });
/// ```
pub struct Deadline {
    at: Cell<Option<Instant>>,
    /// Whoever waits for it.
    waiter: Cell<Option<Waker>>,
}

impl Deadline {
    /// One that is over in `duration`; never, if the clock cannot count so far.
    ///
    /// ```
    /// use std::time::Duration;
    /// use wakering_runtime::time::Deadline;
    ///
    /// assert!(Deadline::after(Duration::from_secs(1)).instant().is_some());
    /// assert!(Deadline::after(Duration::MAX).instant().is_none());
    /// ```
    pub fn after(duration: Duration) -> Deadline {
        Deadline::new(Instant::now().checked_add(duration))
    }

    /// One that is over at `instant`.
    ///
    /// ```
    /// use wakering_runtime::time::{Deadline, Instant};
    ///
    /// let now = Instant::now();
    /// assert_eq!(Deadline::at(now).instant(), Some(now));
    /// ```
    pub fn at(instant: Instant) -> Deadline {
        Deadline::new(Some(instant))
    }

    /// One that is never over, unless it is [reset](Deadline::reset).
    ///
    /// ```
    /// use wakering_runtime::time::Deadline;
    ///
    /// assert_eq!(Deadline::never().instant(), None);
    /// ```
    pub fn never() -> Deadline {
        Deadline::new(None)
    }

    fn new(at: Option<Instant>) -> Deadline {
        Deadline { at: Cell::new(at), waiter: Cell::new(None) }
    }

    /// When it is over.
    ///
    /// ```
    /// use wakering_runtime::time::Deadline;
    ///
    /// assert_eq!(Deadline::never().instant(), None);
    /// ```
    pub fn instant(&self) -> Option<Instant> {
        self.at.get()
    }

    /// Moves it to `instant`.
    ///
    /// ```
    /// use wakering_runtime::time::{Deadline, Instant};
    ///
    /// let (deadline, now) = (Deadline::never(), Instant::now());
    /// deadline.reset(now);
    /// assert_eq!(deadline.instant(), Some(now));
    /// ```
    pub fn reset(&self, instant: Instant) {
        self.set(Some(instant));
    }

    /// Takes it away: it is never over.
    ///
    /// ```
    /// use std::time::Duration;
    /// use wakering_runtime::time::Deadline;
    ///
    /// let deadline = Deadline::after(Duration::from_secs(1));
    /// deadline.clear();
    /// assert_eq!(deadline.instant(), None);
    /// ```
    pub fn clear(&self) {
        self.set(None);
    }

    fn set(&self, at: Option<Instant>) {
        self.at.set(at);
        if let Some(waiter) = self.waiter.take() {
            waiter.wake();
        }
    }

    /// Awaits `future`, but drops it when the deadline is over, as [`timeout`](super::timeout())
    /// does. A deadline limits one future at a time.
    ///
    /// ```
    /// use std::{future::pending, time::Duration};
    /// use wakering_runtime::{run, time::Deadline};
    ///
    /// run(async {
    ///     let deadline = Deadline::after(Duration::from_millis(1));
    ///     assert!(deadline.limit(pending::<()>()).await.is_err());
    /// });
    /// ```
    ///
    /// # Errors
    /// [`Elapsed`](super::Elapsed) if the deadline was over before `future` was ready.
    ///
    /// # Panics
    /// If `future` does, and when it is polled on a thread that is not running a runtime.
    ///
    /// # Cancellation
    /// That of `future`.
    pub fn limit<F: IntoFuture>(&self, future: F) -> Timeout<F::IntoFuture, &Deadline> {
        Timeout::new(self, future.into_future())
    }

    /// Whoever polls `cx` is told when it is moved.
    pub(super) fn watch(&self, cx: &Context<'_>) {
        let known = self.waiter.take().filter(|known| known.will_wake(cx.waker()));
        self.waiter.set(Some(known.unwrap_or_else(|| cx.waker().clone())));
    }
}

impl AsRef<Deadline> for Deadline {
    fn as_ref(&self) -> &Deadline {
        self
    }
}

impl fmt::Debug for Deadline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deadline").field("at", &self.at.get()).finish_non_exhaustive()
    }
}

/// The first deadline that whoever calls this is under: of the timeouts and groups around it, up to
/// the nearest [shield](crate::task::shield()). `None` if there is none.
///
/// ```
/// use std::time::Duration;
/// use wakering_runtime::{run, time::{Instant, deadline, timeout}};
///
/// run(async {
///     assert_eq!(deadline::current(), None);
///     timeout(Duration::from_secs(5), async {
///         assert!(deadline::current() <= Some(Instant::now() + Duration::from_secs(5)));
///     })
///     .await
///     .unwrap();
/// });
/// ```
pub fn current() -> Option<Instant> {
    let executor = context::current()?;
    let driver = executor.driver();
    executor.nodes().deadline_of(driver, driver.payer())
}
