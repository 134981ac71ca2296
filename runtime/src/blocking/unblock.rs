//! A closure on the pool, and the future that awaits it.

use std::fmt;
use std::future::Future;
use std::mem;
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread;

use wakering_ring_driver::Recall;
use wakering_ring_driver::pool::{Class, Pool};

use super::cancelled::Flag;
use crate::bill::Bill;
use crate::context;
use crate::home::Home;
use crate::task::{Cause, JoinError, TaskInfo};

/// Runs `body` on the process's thread pool and gives what it returns.
///
/// For code that blocks or computes for long: libraries without an async form, name look-ups,
/// compression. The pool grows with the demand up to a limit; what is beyond that waits for its
/// turn.
///
/// ```
/// use std::thread;
/// use wakering_runtime::{blocking::unblock, run};
///
/// run(async {
///     let elsewhere = unblock(|| thread::current().id()).await;
///     assert_ne!(elsewhere, thread::current().id());
/// });
/// ```
///
/// # Panics
/// If `body` does, with the same payload. If nobody waits any more, the panic is reported as
/// [`Builder::on_unhandled`](crate::Builder::on_unhandled) says.
///
/// # Kernel
/// Where the system refuses even the first thread (`EAGAIN`: `ulimit -u`, or the control group's
/// limit of processes), `body` runs on the thread that awaits it: slow is better than never.
///
/// # Cancellation
/// **Weak.** Once it has begun, `body` runs to its end even if nobody waits any more, unless it
/// asks [`is_cancelled`](super::is_cancelled); its output is then dropped on the thread where it
/// ran. The task or scope that began it is over only after that;
/// [`timeout`](crate::time::timeout()) and races do not wait. If it has not begun it never does.
#[track_caller]
pub fn unblock<T, F>(body: F) -> Unblock<T>
where
    T: Send + 'static,
    F: FnOnce() -> T + Send + 'static,
{
    let entries = Entries { body: Some(Box::new(body)), outcome: None, waiting: None, left: None };
    Unblock {
        desk: Arc::new(Desk { flag: Flag::default(), entries: Mutex::new(entries) }),
        begun: None,
        is_over: false,
        is_abandoned: false,
        location: Location::caller(),
    }
}

/// The future of [`unblock`].
///
/// ```
/// use wakering_runtime::{blocking::{Unblock, unblock}, run};
///
/// let stored: Unblock<u32> = unblock(|| 42);
/// assert_eq!(run(stored), 42);
/// ```
#[must_use = "a closure does not begin before it is awaited"]
pub struct Unblock<T> {
    desk: Arc<Desk<T>>,
    begun: Option<Begun>,
    is_over: bool,
    is_abandoned: bool,
    location: &'static Location<'static>,
}

/// What a closure on the pool needs, or occupies.
struct Begun {
    /// A pool that somebody holds drops no job.
    _pool: Arc<Pool>,
    home: Option<Arc<Home>>,
    bill: Option<Bill>,
}

/// Where a closure and its outcome change hands.
struct Desk<T> {
    flag: Flag,
    entries: Mutex<Entries<T>>,
}

struct Entries<T> {
    /// Until it begins.
    body: Option<Box<dyn FnOnce() -> T + Send>>,
    /// Once it has ended.
    outcome: Option<thread::Result<T>>,
    waiting: Option<Waker>,
    /// Once its future is gone.
    left: Option<Left>,
}

/// What whoever carries out a closure that nobody waits for has to do at its end.
struct Left {
    home: Option<Arc<Home>>,
    location: &'static Location<'static>,
    /// Paid last.
    _bill: Option<Bill>,
}

impl Left {
    /// Drops an outcome that nobody wants, and reports the panic that it is.
    fn discard<T>(self, outcome: thread::Result<T>) {
        let dropped = outcome.and_then(|value| catch_unwind(AssertUnwindSafe(|| drop(value))));
        if let (Err(panic), Some(home)) = (dropped, &self.home) {
            let closure =
                TaskInfo::new(Some("closure of unblock".to_owned().into()), self.location);
            home.report(&JoinError::new(closure, Cause::panicked(panic)));
        }
    }
}

impl<T> Unblock<T> {
    /// Lets nobody wait for a closure that has begun when this future is dropped: the task may be
    /// over before it, and one that still waits for a thread runs all the same.
    ///
    /// The end of the runtime waits for the threads of the pool, within its grace.
    ///
    /// ```
    /// use std::{thread, time::Duration};
    /// use wakering_runtime::{blocking::unblock, run, spawn, time::{Instant, timeout}};
    ///
    /// run(async {
    ///     let start = Instant::now();
    ///     let long = unblock(|| thread::sleep(Duration::from_secs(1))).abandon_on_cancel();
    ///     let task = spawn(timeout(Duration::from_millis(1), long));
    ///     assert!(task.await.unwrap().is_err());
    ///     assert!(start.elapsed() < Duration::from_secs(1));
    /// });
    /// ```
    pub fn abandon_on_cancel(mut self) -> Unblock<T> {
        self.is_abandoned = true;
        self
    }

    fn left(&mut self) -> Left {
        let (home, bill) = self.begun.take().map_or((None, None), |b| (b.home, b.bill));
        let bill = bill.filter(|_| !self.is_abandoned);
        Left { home, location: self.location, _bill: bill }
    }
}

impl<T: Send + 'static> Unblock<T> {
    fn begin(&self) -> Begun {
        let pool = Pool::shared();
        let bill = Bill::open();
        let home = context::current().map(|executor| executor.home().clone());
        let job = self.desk.clone();
        if pool.submit(Class::User, Box::new(move || job.work())).is_err() {
            self.desk.work();
        }
        Begun { _pool: pool, home, bill }
    }
}

impl<T: Send + 'static> Future for Unblock<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let this = self.get_mut();
        if this.begun.is_none() && !this.is_over {
            this.begun = Some(this.begin());
        }
        let outcome = std::task::ready!(this.desk.poll_outcome(cx));
        this.is_over = true;
        this.begun = None;
        Poll::Ready(outcome.unwrap_or_else(|panic| resume_unwind(panic)))
    }
}

// Nothing in it is ever pinned.
impl<T> Unpin for Unblock<T> {}

impl<T> Drop for Unblock<T> {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        self.desk.flag.set();
        if let Some(Begun { bill: Some(bill), .. }) = &self.begun
            && !self.is_abandoned
        {
            bill.abandon(Recall::Futile);
        }
        let left = self.left();
        let mut entries = self.desk.lock();
        // What is taken out is foreign code, and dropped without the lock.
        let waiting = entries.waiting.take();
        if let Some(outcome) = entries.outcome.take() {
            drop(entries);
            left.discard(outcome);
        } else if entries.body.is_some() && !self.is_abandoned {
            let body = entries.body.take();
            drop(entries);
            drop(body);
        } else {
            entries.left = Some(left);
        }
        drop(waiting);
    }
}

impl<T> fmt::Debug for Unblock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unblock").field("is_over", &self.is_over).finish_non_exhaustive()
    }
}

impl<T> Desk<T> {
    /// Runs the closure and tells whoever waits. Without the lock, since both is foreign code.
    fn work(&self) {
        let Some(body) = self.lock().body.take() else { return };
        let outcome = catch_unwind(AssertUnwindSafe(|| self.flag.watched_by(body)));
        let mut entries = self.lock();
        if let Some(left) = entries.left.take() {
            drop(entries);
            return left.discard(outcome);
        }
        entries.outcome = Some(outcome);
        let waiting = mem::take(&mut entries.waiting);
        drop(entries);
        if let Some(waker) = waiting {
            waker.wake();
        }
    }

    fn poll_outcome(&self, cx: &mut Context<'_>) -> Poll<thread::Result<T>> {
        let waker = cx.waker().clone();
        let mut entries = self.lock();
        if let Some(outcome) = entries.outcome.take() {
            drop(entries);
            return Poll::Ready(outcome);
        }
        let former = entries.waiting.replace(waker);
        drop(entries);
        drop(former);
        Poll::Pending
    }

    fn lock(&self) -> MutexGuard<'_, Entries<T>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
