//! Code that blocks, kept off the loop's thread.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread;

use wakering_ring_driver::pool::{Class, Pool};

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
/// If `body` does, with the same payload.
///
/// # Kernel
/// Where the system refuses even the first thread (`EAGAIN`: `ulimit -u`, or the control group's
/// limit of processes), `body` runs on the thread that awaits it: slow is better than never.
///
/// # Cancellation
/// **Weak.** Once it has been polled, `body` runs to its end even if nobody waits any more; its
/// output is then dropped on the thread where it ran.
pub async fn unblock<T, F>(body: F) -> T
where
    T: Send + 'static,
    F: FnOnce() -> T + Send + 'static,
{
    // Held until the outcome is there: a pool that somebody holds drops no job.
    let pool = Pool::shared();
    let desk =
        Arc::new(Desk(Mutex::new(Entries { body: Some(body), outcome: None, waiting: None })));
    let job = desk.clone();
    if pool.submit(Class::User, Box::new(move || job.work())).is_err() {
        desk.work();
    }
    #[cfg(feature = "testing")]
    let _elsewhere = crate::time::Elsewhere::new();
    poll_fn(|cx| desk.poll_outcome(cx)).await.unwrap_or_else(|panic| resume_unwind(panic))
}

/// Where a closure and its outcome change hands.
struct Desk<T, F>(Mutex<Entries<T, F>>);

struct Entries<T, F> {
    body: Option<F>,
    outcome: Option<thread::Result<T>>,
    waiting: Option<Waker>,
}

impl<T, F: FnOnce() -> T> Desk<T, F> {
    /// Runs the closure and tells whoever waits. Without the lock, since both is foreign code.
    fn work(&self) {
        let Some(body) = self.lock().body.take() else { return };
        let outcome = catch_unwind(AssertUnwindSafe(body));
        let waiting = {
            let mut entries = self.lock();
            entries.outcome = Some(outcome);
            entries.waiting.take()
        };
        if let Some(waker) = waiting {
            waker.wake();
        }
    }

    fn poll_outcome(&self, cx: &mut Context<'_>) -> Poll<thread::Result<T>> {
        let mut entries = self.lock();
        if let Some(outcome) = entries.outcome.take() {
            return Poll::Ready(outcome);
        }
        let former = entries.waiting.replace(cx.waker().clone());
        drop(entries);
        drop(former);
        Poll::Pending
    }

    fn lock(&self) -> MutexGuard<'_, Entries<T, F>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
