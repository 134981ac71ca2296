//! A runtime as other threads see it.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::pin;
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use wakering_ring_driver::Deliver;

use crate::context;
use crate::cores::Member;
use crate::debug::{self, TaskTree};
use crate::executor::Executor;
use crate::home::Home;
use crate::metrics::Metrics;
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
    member: Member,
}

impl Handle {
    pub(crate) fn new(member: Member) -> Handle {
        Handle { member }
    }

    fn home(&self) -> &Arc<Home> {
        self.member.home()
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
        Handle::new(context::expect("get a handle").member().clone())
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
        context::current().map(|executor| Handle::new(executor.member().clone()))
    }

    /// How many cores that runtime has; see [`Builder::cores`](crate::Builder::cores).
    ///
    /// ```
    /// use wakering_runtime::{Handle, run};
    ///
    /// assert_eq!(run(async { Handle::current().cores() }), 1);
    /// ```
    pub fn cores(&self) -> usize {
        self.member.team.seats.len()
    }

    /// Which of them this handle reaches. The one that `block_on` runs on is 0.
    ///
    /// ```
    /// use wakering_runtime::{Handle, run};
    ///
    /// assert_eq!(run(async { Handle::current().core() }), 0);
    /// ```
    pub fn core(&self) -> usize {
        self.member.core
    }

    /// A handle that reaches core `core` of the same runtime, if there is one.
    ///
    /// ```
    /// use wakering_runtime::{Handle, run};
    ///
    /// run(async {
    ///     let handle = Handle::current();
    ///     assert_eq!(handle.of_core(0).map(|first| first.core()), Some(0));
    ///     assert!(handle.of_core(handle.cores()).is_none());
    /// });
    /// ```
    pub fn of_core(&self, core: usize) -> Option<Handle> {
        let team = self.member.team.clone();
        (core < team.seats.len()).then_some(Handle::new(Member { team, core }))
    }

    /// How much processor time the thread of that core has used: how busy it is shows by how much
    /// this grows. Zero, once it has ended.
    ///
    /// ```
    /// use std::time::Duration;
    /// use wakering_runtime::{Handle, run};
    ///
    /// assert!(run(async { Handle::current().cpu_time() }) > Duration::ZERO);
    /// ```
    pub fn cpu_time(&self) -> Duration {
        self.member.team.seats[self.member.core].clock.used()
    }

    /// Makes `future` a task of that runtime.
    ///
    /// It travels, so it has to be `Send`. One that is not (anything that sleeps or reads) can be
    /// made over there: let the future that travels [`spawn`](crate::spawn) it.
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
        self.spawn_as(TaskInfo::new(None, Location::caller()), move || future)
    }

    /// Has that runtime make a future and run it as a task. What `make` captures travels; the
    /// future is made over there, and need not be `Send`.
    ///
    /// ```
    /// use std::{rc::Rc, thread};
    /// use wakering_runtime::{Handle, run, task::yield_now};
    ///
    /// run(async {
    ///     let handle = Handle::current();
    ///     let elsewhere = thread::spawn(move || {
    ///         handle.spawn_with(|| async {
    ///             let local = Rc::new(42);
    ///             yield_now().await;
    ///             *local
    ///         })
    ///     });
    ///     assert_eq!(elsewhere.join().unwrap().await.unwrap(), 42);
    /// });
    /// ```
    ///
    /// If the runtime has ended, `make` is dropped, as the future of [`spawn`](Handle::spawn) is.
    #[track_caller]
    pub fn spawn_with<F>(&self, make: impl FnOnce() -> F + Send + 'static) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send> + 'static,
    {
        self.spawn_as(TaskInfo::new(None, Location::caller()), make)
    }

    pub(crate) fn spawn_as<F>(
        &self,
        info: TaskInfo,
        make: impl FnOnce() -> F + Send + 'static,
    ) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send> + 'static,
    {
        let (task, joiner) = task::cell::new_parcel(self.home(), info, make);
        // One that is refused is dropped here, and then tells the joiner.
        drop(self.home().send(Arc::new(Parcel(task))));
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

impl Handle {
    /// The tasks of that runtime that are not over; none, once it has ended.
    ///
    /// On another thread this waits until the runtime has time to answer, as
    /// [`dump`](Handle::dump) does.
    ///
    /// ```
    /// use wakering_runtime::{Handle, run, spawn};
    ///
    /// let handle = run(async {
    ///     let task = spawn(async {});
    ///     let tasks = Handle::current().tasks();
    ///     assert_eq!((tasks.len(), tasks[0].id()), (1, task.id()));
    ///     Handle::current()
    /// });
    /// assert!(handle.tasks().is_empty());
    /// ```
    ///
    /// # Panics
    /// On a thread that is running tasks of another runtime.
    #[track_caller]
    pub fn tasks(&self) -> Vec<TaskInfo> {
        self.ask("Handle::tasks", Executor::infos).unwrap_or_default()
    }

    /// All that runs in that runtime, with what it waits for: a picture to be printed. Nothing,
    /// once it has ended.
    ///
    /// On another thread this waits until the runtime has time to answer: not while a task of it
    /// blocks, and not before it is run. On its own thread, while it does not run,
    /// [`Runtime::dump`](crate::Runtime::dump) answers.
    ///
    /// ```
    /// use std::time::Duration;
    /// use wakering_runtime::{Handle, blocking::unblock, run, task, time::sleep};
    ///
    /// let picture = run(async {
    ///     task::Builder::new().name("patient").spawn(sleep(Duration::from_secs(60)));
    ///     task::yield_now().await;
    ///     let handle = Handle::current();
    ///     unblock(move || handle.dump().to_string()).await
    /// });
    /// assert!(picture.starts_with("main: a closure on a pool\ntask "), "{picture}");
    /// assert!(picture.ends_with(": sleep for 60.0 s more"), "{picture}");
    /// ```
    ///
    /// # Panics
    /// On a thread that is running tasks of another runtime.
    #[track_caller]
    pub fn dump(&self) -> TaskTree {
        self.ask("Handle::dump", debug::tree).unwrap_or_default()
    }

    /// What there is and what has been done so far, as
    /// [`Runtime::metrics`](crate::Runtime::metrics) tells it; `None`, once the runtime has ended.
    ///
    /// On another thread this waits as [`dump`](Handle::dump) does.
    ///
    /// ```
    /// use wakering_runtime::{Handle, blocking::unblock, run};
    ///
    /// run(async {
    ///     let handle = Handle::current();
    ///     let metrics = unblock(move || handle.metrics()).await.unwrap();
    ///     assert_eq!(metrics.tasks, 0);
    /// });
    /// ```
    ///
    /// # Panics
    /// On a thread that is running tasks of another runtime.
    #[track_caller]
    pub fn metrics(&self) -> Option<Metrics> {
        self.ask("Handle::metrics", Metrics::of)
    }

    /// What home answers, if it is there.
    #[track_caller]
    fn ask<T: Send + 'static>(&self, name: &str, what: fn(&Executor) -> T) -> Option<T> {
        if let Some(executor) = context::current_of(self.home()) {
            return Some(what(&executor));
        }
        context::assert_may_block(name);
        let (answer, answered) = mpsc::channel();
        // Refused, or dropped unanswered, means that the runtime has ended.
        let question = Question { home: self.home().clone(), what, answer };
        drop(self.home().send(Arc::new(question)));
        answered.recv().ok()
    }
}

/// Asks home about what only home may look at.
struct Question<T> {
    home: Arc<Home>,
    what: fn(&Executor) -> T,
    answer: mpsc::Sender<T>,
}

impl<T: Send> Deliver for Question<T> {
    fn deliver(self: Arc<Self>) {
        if let Some(executor) = context::current_of(&self.home) {
            // Whoever has asked waits.
            let _ = self.answer.send((self.what)(&executor));
        }
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("core", &self.core()).finish_non_exhaustive()
    }
}

/// Wakes a thread that is parked.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}
