//! A runtime as other threads see it.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use crate::context;
use crate::home::Home;
use crate::task::{self, JoinError, JoinHandle, Parcel, TaskInfo};

/// Reaches a runtime from any thread, also after its end. Clones reach the same one.
///
/// ```
/// use std::thread;
/// use wakering_runtime::{Handle, run};
///
/// run(async {
///     let handle = Handle::current();
///     let elsewhere = thread::spawn(move || handle.spawn(async { thread::current().id() }));
///     let task = elsewhere.join().unwrap();
///     assert_eq!(task.await.unwrap(), thread::current().id(), "it runs here");
/// });
/// ```
#[derive(Clone)]
pub struct Handle {
    home: Arc<Home>,
}

impl Handle {
    pub(crate) fn new(home: Arc<Home>) -> Handle {
        Handle { home }
    }

    /// The runtime that is running on this thread.
    ///
    /// ```
    /// use wakering_runtime::{Handle, run};
    ///
    /// let handle = run(async { Handle::current() });
    /// assert!(handle.block_on(async {}).unwrap_err().is_runtime_gone());
    /// ```
    ///
    /// # Panics
    /// On a thread that is not running a runtime.
    #[track_caller]
    pub fn current() -> Handle {
        Handle::new(context::expect("get a handle").home().clone())
    }

    /// The runtime that is running on this thread, if any.
    ///
    /// ```
    /// use wakering_runtime::{Handle, run};
    ///
    /// assert!(Handle::try_current().is_none());
    /// assert!(run(async { Handle::try_current().is_some() }));
    /// ```
    pub fn try_current() -> Option<Handle> {
        context::current().map(|executor| Handle::new(executor.home().clone()))
    }

    /// Makes `future` a task of that runtime.
    ///
    /// It travels, so it has to be `Send`. One that is not (anything that sleeps or reads) can be made
    /// over there: let the future that travels [`spawn`](crate::spawn) it.
    ///
    /// ```
    /// use std::{thread, time::Duration};
    /// use wakering_runtime::{Handle, run, spawn, time::sleep};
    ///
    /// run(async {
    ///     let handle = Handle::current();
    ///     let elsewhere = thread::spawn(move || {
    ///         handle.spawn(async { spawn(sleep(Duration::from_millis(1))).await })
    ///     });
    ///     assert!(elsewhere.join().unwrap().await.is_ok());
    /// });
    /// ```
    ///
    /// If the runtime has ended, or ends before the task gets there, `future` is dropped and the
    /// handle gives an error that [says so](JoinError::is_runtime_gone).
    ///
    /// ```
    /// use wakering_runtime::{Handle, run};
    ///
    /// let handle = run(async { Handle::current() });
    /// let task = handle.spawn(async { 42 });
    /// assert!(task.is_finished(), "the runtime is gone");
    /// ```
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let info = TaskInfo::new(None, Location::caller());
        let (task, joiner) = task::cell::new_parcel(&self.home, info, future);
        // One that is refused is dropped here, and then tells the joiner.
        drop(self.home.send(Arc::new(Parcel(task))));
        JoinHandle::new(joiner)
    }

    /// Makes `future` a task of that runtime and blocks this thread until it is over.
    ///
    /// The runtime has to be running on its own thread, or to be run later.
    ///
    /// ```
    /// use std::thread;
    /// use wakering_runtime::{Handle, blocking::unblock, run};
    ///
    /// run(async {
    ///     let handle = Handle::current();
    ///     let sum = unblock(move || handle.block_on(async { 1 + 1 })).await;
    ///     assert_eq!(sum.unwrap(), 2);
    /// });
    /// ```
    ///
    /// # Errors
    /// [`JoinError`] if the task was cancelled or has panicked, or if the runtime has ended; a
    /// thread never waits for a runtime that is gone.
    ///
    /// # Panics
    /// On a thread that is running tasks.
    #[track_caller]
    pub fn block_on<F>(&self, future: F) -> Result<F::Output, JoinError>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        context::assert_may_block("Handle::block_on");
        let mut task = pin!(self.spawn(future));
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let mut cx = Context::from_waker(&waker);
        loop {
            match task.as_mut().poll(&mut cx) {
                Poll::Ready(output) => return output,
                Poll::Pending => thread::park(),
            }
        }
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").finish_non_exhaustive()
    }
}

/// Wakes a thread that is parked.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}
