//! A deadline for somebody else's future.

use std::error::Error;
use std::fmt;
use std::future::{Future, IntoFuture, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use wakering_ring_driver::{Instant, Orphans};

use super::Sleep;
use crate::account::Account;
use crate::context;

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
    within(Instant::now().checked_add(duration), future.into_future())
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
    within(Some(deadline), future.into_future())
}

async fn within<F: Future>(deadline: Option<Instant>, future: F) -> Result<F::Output, Elapsed> {
    let account = Account::open(context::expect("set a timeout").driver());
    let mut body = pin!(Some(future));
    let mut sleep = Sleep::new(deadline);
    let result = poll_fn(|cx| {
        let Some(body) = body.as_mut().as_pin_mut() else {
            unreachable!("the body is dropped after this future only")
        };
        if let Poll::Ready(output) = account.charge(|| body.poll(cx)) {
            return Poll::Ready(Ok(output));
        }
        Pin::new(&mut sleep).poll(cx).map(|()| Err(Elapsed(())))
    })
    .await;
    if result.is_err() {
        account.charge(|| body.set(None));
        poll_fn(|cx| account.poll_drained(Orphans::Cancellable, cx)).await;
    }
    result
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
pub struct Elapsed(());

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
