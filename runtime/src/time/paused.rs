//! Time that stands still, for tests: it jumps to the next timer when there is nothing else to wait
//! for.
//!
//! Nothing else means: no task is ready, the kernel has no operation of this runtime in flight, and
//! no closure of it is on the pool. While there is one of these, time passes as it really does, so
//! that a test which waits for the world sees it as it is, and does not hang.

use std::time::Duration;

use wakering_ring_driver::testing::StoppedClock;
use wakering_ring_driver::{Instant, Wait};

use crate::context;
use crate::executor::Executor;
use crate::task::yield_now;

/// Moves paused time forward by `duration`, and lets those go on whose timers that fires.
///
/// ```
/// use std::time::Duration;
/// use wakering_runtime::{Builder, spawn, time::{self, Instant, sleep}};
///
/// let runtime = Builder::new().paused_time().build()?;
/// runtime.block_on(async {
///     let start = Instant::now();
///     let hour = spawn(sleep(Duration::from_secs(3600)));
///     wakering_runtime::task::yield_now().await;
///     time::advance(Duration::from_secs(3599)).await;
///     assert!(!hour.is_finished());
///     time::advance(Duration::from_secs(1)).await;
///     assert!(hour.is_finished());
///     assert_eq!(start.elapsed(), Duration::from_secs(3600));
/// });
/// # Ok::<(), wakering_runtime::SetupError>(())
/// ```
///
/// # Panics
/// If time is not paused, or on a thread that is not running a runtime. And if the clock cannot
/// count that far.
///
/// # Cancellation
/// **Strict** before it is polled. Afterwards time has moved.
pub async fn advance(duration: Duration) {
    let executor = context::expect("advance time");
    assert!(StoppedClock::is_still(), "{}", not_paused("advance", "paused"));
    StoppedClock::advance_to(Instant::now() + duration);
    executor.fire(executor.driver().now());
    drop(executor);
    yield_now().await;
}

/// Stops time again that [`resume`] let run.
///
/// ```
/// use std::time::Duration;
/// use wakering_runtime::{Builder, time::{self, Instant, sleep}};
///
/// let runtime = Builder::new().paused_time().build()?;
/// runtime.block_on(async {
///     time::resume();
///     sleep(Duration::from_millis(1)).await; // for as long as it says
///     time::pause();
///     let start = Instant::now();
///     assert_eq!(start.elapsed(), Duration::ZERO);
/// });
/// # Ok::<(), wakering_runtime::SetupError>(())
/// ```
///
/// # Panics
/// Where the runtime was not built with [`Builder::paused_time`](crate::Builder::paused_time), or
/// if time is paused already.
pub fn pause() {
    assert!(StoppedClock::let_run(false), "{}", not_paused("pause", "running"));
}

/// Lets paused time run, from what it shows now; see [`pause`].
///
/// # Panics
/// If time is not paused.
///
/// ```
/// use wakering_runtime::{Builder, time};
///
/// let runtime = Builder::new().paused_time().build()?;
/// runtime.block_on(async { time::resume() });
/// # Ok::<(), wakering_runtime::SetupError>(())
/// ```
pub fn resume() {
    assert!(StoppedClock::let_run(true), "{}", not_paused("resume", "paused"));
}

fn not_paused(what: &str, expected: &str) -> String {
    format!(
        "cannot {what} time that is not {expected}; build the runtime with \
         `Builder::paused_time`, or write `#[wakering::test(paused)]`"
    )
}

/// Moves paused time to the next timer if there is nothing else to wait for. True if there is
/// something to do instead of sleeping.
pub(crate) fn jump(executor: &Executor, is_idle: impl Fn() -> bool) -> bool {
    if !StoppedClock::is_still() {
        return false;
    }
    // What was asked for is handed to the kernel, and may be there at once.
    executor.driver().turn(Wait::Now);
    if !is_idle() {
        return true;
    }
    if executor.has_debts() || executor.driver().counters().in_flight > 0 {
        return false;
    }
    let Some(next) = executor.timers().first() else { return false };
    StoppedClock::advance_to(next);
    true
}
