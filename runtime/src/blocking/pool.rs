//! A limit of one's own.

use std::fmt;
use std::sync::Arc;

use super::unblock;
use crate::sync::Semaphore;

/// Runs a few closures at a time on the thread pool of the process, first come, first served.
///
/// For what suffers from too much at once: a database that takes ten connections, a disk, a
/// computation that fills a core. Clones share the limit, on any thread.
///
/// ```
/// use wakering_runtime::{blocking::Pool, run, task::settle};
///
/// run(async {
///     let cores = Pool::new(2);
///     let squares = settle((0..10).map(|n| cores.unblock(move || n * n))).await;
///     assert_eq!(*squares[9].as_ref().unwrap(), 81);
/// });
/// ```
#[derive(Clone)]
pub struct Pool {
    permits: Arc<Semaphore>,
    limit: usize,
}

impl Pool {
    /// At most `limit` closures at a time.
    ///
    /// ```
    /// use wakering_runtime::{blocking::Pool, run};
    ///
    /// assert_eq!(run(Pool::new(1).unblock(|| 42)), 42);
    /// ```
    ///
    /// # Panics
    /// If `limit` is zero: no closure would ever run.
    #[track_caller]
    pub fn new(limit: usize) -> Pool {
        assert!(limit > 0, "a pool of no threads runs no closure; give it at least one");
        Pool { permits: Arc::new(Semaphore::new(limit)), limit }
    }

    /// Runs `body` as [`unblock`](super::unblock()) does, once its turn has come.
    ///
    /// ```
    /// use wakering_runtime::{blocking::Pool, run};
    ///
    /// let pool = Pool::new(4);
    /// assert_eq!(run(async { pool.unblock(|| 1).await + pool.unblock(|| 2).await }), 3);
    /// ```
    ///
    /// # Panics
    /// If `body` does, with the same payload.
    ///
    /// # Cancellation
    /// **Weak.** A closure that has begun runs to its end, counts up to that, and is waited for by
    /// the task. One that has not never does.
    pub fn unblock<T, F>(&self, body: F) -> impl Future<Output = T> + use<T, F>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        let permits = self.permits.clone();
        async {
            let Ok(permit) = Semaphore::acquire_owned(permits).await else {
                unreachable!("nobody closes it")
            };
            let limited = move || {
                let _permit = permit;
                body()
            };
            unblock(limited).await
        }
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let running = self.limit - self.permits.available_permits();
        f.debug_struct("Pool").field("limit", &self.limit).field("running", &running).finish()
    }
}
