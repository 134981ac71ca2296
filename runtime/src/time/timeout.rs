//! A deadline for somebody else's future.

use std::error::Error;
use std::fmt;
use std::future::{Future, IntoFuture};
use std::io;
use std::pin::pin;
use std::time::Duration;

use wakering_ring_driver::Instant;

use super::Deadline;

/// Awaits `future`, but drops it when `duration` is over, counted from this call.
///
/// The future is always polled before the clock is asked: a zero timeout polls it once, and a value
/// that is there when the time is over wins. When the time is over, the future is dropped, and
/// `timeout` returns once the kernel operations that it left behind have ended, as far as they can
/// be cancelled. Disk I/O, name look-ups and closures on the thread pool cannot: they own all they
/// touch and go on in the background, disk I/O until the task ends at the latest.
///
/// ```
/// use std::{future::pending, time::Duration};
/// use wakering_runtime::{run, time::timeout};
///
/// run(async {
///     let second = Duration::from_secs(1);
///     assert_eq!(timeout(second, async { 42 }).await, Ok(42));
///     assert!(timeout(Duration::from_millis(1), pending::<()>()).await.is_err());
/// });
/// ```
///
/// # Errors
/// [`Elapsed`], which converts into an [`io::Error`] of kind `TimedOut`.
///
/// # Panics
/// When it is polled on a thread that is not running a runtime.
///
/// # Cancellation
/// That of `future`. Operations that it leaves behind when all of this is dropped are left to
/// whoever drops it.
pub fn timeout<F: IntoFuture>(
    duration: Duration,
    future: F,
) -> impl Future<Output = Result<F::Output, Elapsed>> {
    let (deadline, future) = (Deadline::after(duration), future.into_future());
    async move { deadline.apply(pin!(Some(future)), false).await }
}

/// Awaits `future`, but drops it at `deadline`; otherwise like [`timeout`].
///
/// ```
/// use std::{future::pending, time::Duration};
/// use wakering_runtime::{run, time::{Instant, timeout_at}};
///
/// run(async {
///     let deadline = Instant::now() + Duration::from_millis(1);
///     assert!(timeout_at(deadline, pending::<()>()).await.is_err());
///     assert_eq!(timeout_at(deadline, async { "ready" }).await, Ok("ready"));
/// });
/// ```
///
/// # Errors
/// [`Elapsed`], which converts into an [`io::Error`] of kind `TimedOut`.
///
/// # Panics
/// When it is polled on a thread that is not running a runtime.
///
/// # Cancellation
/// That of `future`.
pub fn timeout_at<F: IntoFuture>(
    deadline: Instant,
    future: F,
) -> impl Future<Output = Result<F::Output, Elapsed>> {
    let (deadline, future) = (Deadline::at(deadline), future.into_future());
    async move { deadline.apply(pin!(Some(future)), false).await }
}

/// Awaits `future`, but drops it when `duration` is over: a [`timeout`] for whoever does not care
/// why there is no value.
///
/// ```
/// use std::{future::pending, time::Duration};
/// use wakering_runtime::{run, time::move_on_after};
///
/// run(async {
///     assert_eq!(move_on_after(Duration::from_secs(1), async { 42 }).await, Some(42));
///     assert_eq!(move_on_after(Duration::from_millis(1), pending::<()>()).await, None);
/// });
/// ```
///
/// # Panics
/// When it is polled on a thread that is not running a runtime.
///
/// # Cancellation
/// That of `future`.
pub fn move_on_after<F: IntoFuture>(
    duration: Duration,
    future: F,
) -> impl Future<Output = Option<F::Output>> {
    let (deadline, future) = (Deadline::after(duration), future.into_future());
    async move { deadline.apply(pin!(Some(future)), false).await.ok() }
}

/// The time was over before the future was ready.
///
/// ```
/// use std::{future::pending, io, time::Duration};
/// use wakering_runtime::{run, time::timeout};
///
/// let error: io::Error = run(async {
///     timeout(Duration::ZERO, pending::<()>()).await.unwrap_err().into()
/// });
/// assert_eq!(error.kind(), io::ErrorKind::TimedOut);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elapsed(pub(super) ());

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the time allowed for it was over; allow more with a longer timeout")
    }
}

impl Error for Elapsed {}

impl From<Elapsed> for io::Error {
    fn from(elapsed: Elapsed) -> io::Error {
        io::Error::new(io::ErrorKind::TimedOut, elapsed)
    }
}
