//! A deadline for somebody else's future.

use std::cell::Cell;
use std::error::Error;
use std::fmt;
use std::future::{Future, IntoFuture};
use std::io;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use pin_project_lite::pin_project;
use wakering_ring_driver::{Instant, Orphans};

use super::{Deadline, Sleep};
use crate::account::Account;
use crate::conduct::{Conduct, Ended, Payer};
use crate::context;
use crate::node::Kind;

/// Awaits `future`, but drops it when `duration` is over, counted from this call.
///
/// The future is always polled before the clock is asked: a zero timeout polls it once, and a value
/// that is there when the time is over wins. When the time is over, the future is dropped, and
/// `timeout` returns once the kernel operations that it left behind have ended, as far as they can
/// be cancelled. Disk I/O, name look-ups and closures on the thread pool cannot: they own all they
/// touch and go on in the background, disk I/O and closures until the task ends at the latest.
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
pub fn timeout<F: IntoFuture>(duration: Duration, future: F) -> Timeout<F::IntoFuture> {
    Timeout::new(Deadline::after(duration), future.into_future())
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
pub fn timeout_at<F: IntoFuture>(deadline: Instant, future: F) -> Timeout<F::IntoFuture> {
    Timeout::new(Deadline::at(deadline), future.into_future())
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
pub fn move_on_after<F: IntoFuture>(duration: Duration, future: F) -> MoveOnAfter<F::IntoFuture> {
    MoveOnAfter { timeout: timeout(duration, future) }
}

pin_project! {
    /// The future of [`timeout`], [`timeout_at`] and [`Deadline::limit`].
    ///
    /// ```
    /// use std::{future::pending, pin::pin, time::Duration};
    /// use wakering_runtime::{run, time::{Instant, Timeout, timeout}};
    ///
    /// run(async {
    ///     let body: Timeout<_> = timeout(Duration::from_secs(60), pending::<()>());
    ///     // On second thoughts:
    ///     body.deadline().reset(Instant::now() + Duration::from_millis(1));
    ///     assert!(body.await.is_err());
    /// });
    /// ```
    #[must_use = "a future does nothing until it is awaited"]
    pub struct Timeout<F, D = Deadline> {
        #[pin]
        body: Conduct<F>,
        deadline: D,
        // What it takes once it has begun.
        running: Option<Running>,
    }
}

struct Running {
    account: Account,
    sleep: Sleep,
    /// Whether there was no time from the start in which the kernel could do anything.
    is_hurried: Cell<bool>,
    is_draining: bool,
}

impl<F: Future, D: AsRef<Deadline>> Timeout<F, D> {
    pub(super) fn new(deadline: D, body: F) -> Timeout<F, D> {
        Timeout { body: Conduct::new(body), deadline, running: None }
    }

    /// The deadline, to be looked at or moved.
    ///
    /// ```
    /// use std::time::Duration;
    /// use wakering_runtime::time::timeout;
    ///
    /// let waiting = timeout(Duration::MAX, async {});
    /// assert_eq!(waiting.deadline().instant(), None);
    /// ```
    pub fn deadline(&self) -> &Deadline {
        self.deadline.as_ref()
    }
}

impl Running {
    fn begin(at: Option<Instant>) -> Running {
        let account = Account::open(&context::expect("set a timeout"), Kind::Timeout);
        account.set_deadline(at);
        let is_hurried = Cell::new(at.is_some_and(|at| at <= Instant::now()));
        Running { account, sleep: Sleep::new(at), is_hurried, is_draining: false }
    }

    /// Ready when the time is over.
    fn poll_over(
        account: &Account,
        sleep: &mut Sleep,
        is_hurried: &Cell<bool>,
        deadline: &Deadline,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        let at = deadline.instant();
        if at != sleep.deadline() {
            sleep.set(at);
            account.set_deadline(at);
        }
        deadline.watch(cx);
        let over = Pin::new(sleep).poll(cx);
        if over.is_pending() && is_hurried.replace(false) {
            // The body has moved its own deadline: what was held back may start.
            cx.waker().wake_by_ref();
        }
        over
    }
}

impl<F: Future, D: AsRef<Deadline>> Future for Timeout<F, D> {
    type Output = Result<F::Output, Elapsed>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let deadline = (*this.deadline).as_ref();
        let Running { account, sleep, is_hurried, is_draining } =
            this.running.get_or_insert_with(|| Running::begin(deadline.instant()));
        if !*is_draining {
            let payer = Hurried { account, is_hurried };
            let stop =
                |cx: &mut Context<'_>| Running::poll_over(account, sleep, is_hurried, deadline, cx);
            match ready!(this.body.poll(&payer, cx, || false, stop)) {
                Ended::Returned(output) => return Poll::Ready(Ok(output)),
                Ended::Panicked(panic) => resume_unwind(panic),
                Ended::Stopped => *is_draining = true,
            }
        }
        ready!(account.poll_drained(Orphans::Cancellable, cx));
        Poll::Ready(Err(Elapsed(())))
    }
}

/// Pays for a body that may have no time: then nothing is handed to the kernel.
struct Hurried<'account> {
    account: &'account Account,
    is_hurried: &'account Cell<bool>,
}

impl Payer for Hurried<'_> {
    fn charge<R>(&self, body: impl FnOnce() -> R) -> R {
        match self.is_hurried.get() {
            true => self.account.hold(body),
            false => self.account.charge(body),
        }
    }
}

impl<F, D: AsRef<Deadline>> fmt::Debug for Timeout<F, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timeout").field("deadline", self.deadline.as_ref()).finish_non_exhaustive()
    }
}

pin_project! {
    /// The future of [`move_on_after`].
    ///
    /// ```
    /// use std::time::Duration;
    /// use wakering_runtime::{run, time::{MoveOnAfter, move_on_after}};
    ///
    /// let limited: MoveOnAfter<_> = move_on_after(Duration::from_secs(1), async { 42 });
    /// assert_eq!(run(limited), Some(42));
    /// ```
    #[derive(Debug)]
    #[must_use = "a future does nothing until it is awaited"]
    pub struct MoveOnAfter<F> {
        #[pin]
        timeout: Timeout<F>,
    }
}

impl<F: Future> Future for MoveOnAfter<F> {
    type Output = Option<F::Output>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<F::Output>> {
        self.project().timeout.poll(cx).map(Result::ok)
    }
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
