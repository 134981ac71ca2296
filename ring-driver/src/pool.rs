//! The one thread pool of the process: for system calls that a ring lacks and for closures that may
//! block.
//!
//! All drivers share it; it begins with the first and ends with the last, which joins its threads.
//! It has two crews, one for each [`Class`](crate::pool::Class) of job, so that closures that sit
//! and wait never keep a file from being read. A crew starts a thread when a job comes and none is
//! idle, up to its limit; further jobs queue, first come, first served. The thread that went idle
//! last gets the next job (its stack is warm), and one that had none for ten seconds ends, so that
//! the crew shrinks to what it needs.

use std::io;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use crate::fork::Process;
use crew::Crew;

mod crew;

/// What a job is, which decides who carries it out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Class {
    /// A system call that ends by itself, such as a read from a file. At most 32 run at a time:
    /// enough to fill a disk's queue, too few to bury one. Signals never land on these threads.
    Kernel,
    /// A closure, which may wait for anything, also for another closure. At most 512 run at a time,
    /// under the signal mask of whoever submitted the job that the thread was started for.
    ///
    /// Where closures wait for each other a low limit is a deadlock: asyncio's `min(32, cpus + 4)`
    /// comes to six on a machine with two cores. A thread that waits costs little more than the
    /// pages of stack it has touched. So the limit is there to stop a runaway, and has nothing to
    /// do with the number of cores.
    User,
}

/// How many threads and jobs one class has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CrewCounters {
    /// Threads, idle ones included.
    pub threads: usize,
    /// Threads that wait for a job.
    pub idle: usize,
    /// Jobs that wait for a thread.
    pub queued: usize,
}

/// The thread pool of the process; see [the module](self).
///
/// ```
/// use std::sync::mpsc;
/// use wakering_ring_driver::pool::{Class, Pool};
///
/// let pool = Pool::shared();
/// let (tell, told) = mpsc::channel();
/// let job = move || tell.send(std::thread::current().name().map(str::to_owned)).unwrap();
/// pool.submit(Class::User, Box::new(job))?;
/// assert_eq!(told.recv()?.as_deref(), Some("wakering-pool"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Pool {
    kernel: Arc<Crew>,
    user: Arc<Crew>,
    ended: bool,
    process: Process,
}

/// How long the end of the pool waits for jobs that still run before it leaves them to themselves.
const GRACE: Duration = Duration::from_secs(10);
const IDLE: Duration = Duration::from_secs(10);
const KERNEL_THREADS: usize = 32;
const USER_THREADS: usize = 512;

static SHARED: Mutex<Weak<Pool>> = Mutex::new(Weak::new());

impl Pool {
    /// The pool of the process. It lasts as long as somebody holds what this returns, and no thread
    /// runs before there is a job.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use wakering_ring_driver::pool::Pool;
    ///
    /// let pool = Pool::shared();
    /// assert!(Arc::ptr_eq(&pool, &Pool::shared()));
    /// ```
    pub fn shared() -> Arc<Pool> {
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        match shared.upgrade() {
            Some(pool) if !pool.process.is_gone() => return pool,
            // A child has the memory of its parent's pool, and none of its threads.
            Some(parents) => std::mem::forget(parents),
            None => {}
        }
        let pool = Arc::new(Pool::new(KERNEL_THREADS, USER_THREADS, IDLE));
        *shared = Arc::downgrade(&pool);
        pool
    }

    fn new(kernel_threads: usize, user_threads: usize, idle: Duration) -> Pool {
        let kernel = Crew::new(kernel_threads, idle, false);
        // What a closure starts, a child process say, inherits its signal mask, so that one is left
        // as it comes.
        let user = Crew::new(user_threads, idle, true);
        Pool { kernel, user, ended: false, process: Process::here() }
    }

    /// Has `job` carried out on a thread of `class`, after all jobs of that class that came before.
    ///
    /// A job that panics ends alone: the panic hook reports it and the thread goes on. If the pool
    /// ends before a thread gets round to it, `job` is dropped without having been called.
    ///
    /// # Errors
    /// If the class has no thread at all and none can be started (`EAGAIN`, for the limits of
    /// `ulimit -u` and of the control group). While at least one runs, the job waits for it.
    ///
    /// # Kernel
    /// A `futex(2)` to wake an idle thread, or a `clone(2)` where none is idle and the limit is not
    /// reached, else nothing.
    pub fn submit(&self, class: Class, job: Box<dyn FnOnce() + Send>) -> io::Result<()> {
        self.crew(class).submit(job)
    }

    /// How many threads and jobs `class` has now.
    ///
    /// ```
    /// use wakering_ring_driver::pool::{Class, Pool};
    ///
    /// let counters = Pool::shared().counters(Class::Kernel);
    /// assert_eq!((counters.threads, counters.queued), (0, 0));
    /// ```
    pub fn counters(&self, class: Class) -> CrewCounters {
        self.crew(class).counters()
    }

    /// Lets go of the pool. The last one to do so ends it: jobs that no thread has begun are
    /// dropped, and threads that are done within `grace` are joined. Returns how many were not;
    /// they end after their job. Zero if others still hold it.
    ///
    /// Dropping the last handle does the same with a grace of 10 s.
    ///
    /// ```
    /// use std::time::Duration;
    /// use wakering_ring_driver::pool::{Class, Pool};
    ///
    /// let pool = Pool::shared();
    /// pool.submit(Class::User, Box::new(|| std::thread::sleep(Duration::from_millis(10))))?;
    /// assert_eq!(Pool::leave(pool, Duration::from_secs(5)), 0);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn leave(pool: Arc<Pool>, grace: Duration) -> usize {
        Arc::into_inner(pool).map_or(0, |mut pool| pool.end(grace))
    }

    fn end(&mut self, grace: Duration) -> usize {
        if std::mem::replace(&mut self.ended, true) || self.process.is_gone() {
            return 0;
        }
        let since = Instant::now();
        self.kernel.close();
        self.user.close();
        self.kernel.join(grace) + self.user.join(grace.saturating_sub(since.elapsed()))
    }

    fn crew(&self, class: Class) -> &Arc<Crew> {
        match class {
            Class::Kernel => &self.kernel,
            Class::User => &self.user,
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.end(GRACE);
    }
}

#[cfg(test)]
mod tests;
