//! How long a client takes to send the head of a request, without a timer a request.
//!
//! hyper asks its timer for a sleep whenever it begins to wait for a head and drops the sleep when
//! the head is complete. Its sleeps must be `Send`, which our timers are not, and one timer a
//! request would be a waste anyway. So its sleep here only notes the deadline in a [`Watch`]; the
//! connection looks there after each poll and keeps one timer, which it sets forward when that
//! fires too early, as nearly always. The watch also knows what decides whether a connection is
//! idle: whether a byte has come since the wait began, and whether something waits to be written.
//!
//! All of it happens on one thread; the atomics are there because hyper's types want them.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hyper::rt::{Sleep, Timer};

/// In [`Watch::deadline`]: hyper is not waiting for a head.
const NOT_WAITING: u64 = u64::MAX;

/// What the connection, the stream under hyper and hyper's timer tell each other.
pub(crate) struct Watch {
    start: Instant,
    /// When the head is due, in nanoseconds from `start`.
    deadline: AtomicU64,
    /// A byte has come since the wait for the head began.
    heard: AtomicBool,
    /// hyper holds bytes that the stream had no room for.
    blocked: AtomicBool,
}

impl Watch {
    pub(crate) fn new() -> Arc<Watch> {
        Arc::new(Watch {
            start: Instant::now(),
            deadline: AtomicU64::new(NOT_WAITING),
            heard: AtomicBool::new(false),
            blocked: AtomicBool::new(false),
        })
    }

    /// When the head that hyper is waiting for is due.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        match self.deadline.load(Relaxed) {
            NOT_WAITING => None,
            nanos => Some(self.start + Duration::from_nanos(nanos)),
        }
    }

    /// Whether hyper waits for a head of which nothing has come, and has nothing to write.
    pub(crate) fn is_idle(&self) -> bool {
        !self.heard.load(Relaxed) && !self.blocked.load(Relaxed)
    }

    pub(crate) fn note_bytes(&self) {
        self.heard.store(true, Relaxed);
    }

    pub(crate) fn note_blocked(&self, blocked: bool) {
        self.blocked.store(blocked, Relaxed);
    }

    fn begin(&self, deadline: Instant) {
        let nanos = deadline.saturating_duration_since(self.start).as_nanos();
        let nanos = u64::try_from(nanos).unwrap_or(NOT_WAITING).min(NOT_WAITING - 1);
        self.deadline.store(nanos, Relaxed);
        self.heard.store(false, Relaxed);
    }

    fn end(&self) {
        self.deadline.store(NOT_WAITING, Relaxed);
    }
}

/// The timer of one connection, as hyper sees it.
pub(crate) struct HeadTimer(pub(crate) Arc<Watch>);

impl Timer for HeadTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(Instant::now() + duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        self.0.begin(deadline);
        Box::pin(HeadDeadline { deadline, watch: Arc::clone(&self.0) })
    }

    fn reset(&self, sleep: &mut Pin<Box<dyn Sleep>>, deadline: Instant) {
        // A new sleep in its place would be noted first, and then the end of the old one.
        match sleep.as_mut().downcast_mut_pin::<HeadDeadline>() {
            Some(mut sleep) => {
                sleep.deadline = deadline;
                self.0.begin(deadline);
            }
            None => *sleep = self.sleep_until(deadline),
        }
    }
}

/// A deadline that wakes nobody: the connection polls again when it has come.
struct HeadDeadline {
    deadline: Instant,
    watch: Arc<Watch>,
}

impl Future for HeadDeadline {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<()> {
        if self.deadline <= Instant::now() { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Sleep for HeadDeadline {}

impl Drop for HeadDeadline {
    fn drop(&mut self) {
        self.watch.end();
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("deadline", &self.deadline()).finish_non_exhaustive()
    }
}
