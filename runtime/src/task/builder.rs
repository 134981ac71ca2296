//! Spawning: a future of this thread becomes a task of the runtime that is current here.

use std::future::Future;
use std::panic::Location;
use std::sync::Arc;

use super::{JoinHandle, TaskInfo};
use crate::context;

/// Makes `future` a task of this thread's runtime and returns its handle.
///
/// The task belongs to the runtime, not to the task that spawned it: dropping the handle lets it go
/// on, and the end of [`run`](crate::run) cancels and awaits it. Tasks are first polled in the
/// order in which they were spawned.
///
/// ```
/// use wakering_runtime::{run, spawn};
///
/// let sum = run(async {
///     let (a, b) = (spawn(async { 1 }), spawn(async { 2 }));
///     Ok::<_, wakering_runtime::task::JoinError>(a.await? + b.await?)
/// });
/// assert_eq!(sum?, 3);
/// # Ok::<(), wakering_runtime::task::JoinError>(())
/// ```
///
/// # Panics
/// On a thread that is not running a runtime. [`Handle::spawn`](crate::Handle::spawn) works from
/// any thread.
#[track_caller]
pub fn spawn<F: Future + 'static>(future: F) -> JoinHandle<F::Output> {
    Builder::new().spawn(future)
}

/// Makes `future` a task as [`spawn`] does, and polls it at once, before this returns.
///
/// A task that does not have to wait is over by then: its handle is finished, and the run queue has
/// never seen it. One that waits goes on like any other. What it submits, and its panic, are its
/// own from the beginning.
///
/// ```
/// use std::{cell::Cell, rc::Rc};
/// use wakering_runtime::{run, task::{spawn_eager, yield_now}};
///
/// run(async {
///     let cached = spawn_eager(async { 42 });
///     assert!(cached.is_finished());
///
///     let step = Rc::new(Cell::new(0));
///     let inner = step.clone();
///     let waiting = spawn_eager(async move {
///         inner.set(1);
///         yield_now().await;
///         inner.set(2);
///     });
///     assert_eq!(step.get(), 1);
///     waiting.await.unwrap();
///     assert_eq!((step.get(), cached.await.unwrap()), (2, 42));
/// });
/// ```
///
/// # Panics
/// On a thread that is not running a runtime.
#[track_caller]
pub fn spawn_eager<F: Future + 'static>(future: F) -> JoinHandle<F::Output> {
    Builder::new().spawn_eager(future)
}

/// Settings of a task to be spawned.
///
/// ```
/// use wakering_runtime::{run, task};
///
/// run(async {
///     let handle = task::Builder::new().name("ticker").spawn(async {});
///     assert_eq!(handle.name(), Some("ticker"));
/// });
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "a builder spawns nothing until it is told to"]
pub struct Builder {
    name: Option<Arc<String>>,
}

impl Builder {
    /// A task without a name.
    ///
    /// ```
    /// use wakering_runtime::{run, task::Builder};
    ///
    /// assert_eq!(run(async { Builder::new().spawn(async { 1 }).await }).unwrap(), 1);
    /// ```
    pub fn new() -> Builder {
        Builder::default()
    }

    /// The name of the task in errors, reports and dumps.
    ///
    /// ```
    /// use wakering_runtime::{run, task::Builder};
    ///
    /// run(async {
    ///     let client = 7;
    ///     let handle = Builder::new().name(format!("client {client}")).spawn(async {});
    ///     assert_eq!(handle.name(), Some("client 7"));
    /// });
    /// ```
    pub fn name(mut self, name: impl Into<String>) -> Builder {
        self.name = Some(Arc::new(name.into()));
        self
    }

    /// Makes `future` a task of this thread's runtime, as [`spawn`] does.
    ///
    /// ```
    /// use wakering_runtime::{run, task::Builder};
    ///
    /// let name = run(async {
    ///     let handle = Builder::new().name("answer").spawn(async { 42 });
    ///     handle.await
    /// });
    /// assert_eq!(name.unwrap(), 42);
    /// ```
    ///
    /// # Panics
    /// On a thread that is not running a runtime.
    #[track_caller]
    pub fn spawn<F: Future + 'static>(self, future: F) -> JoinHandle<F::Output> {
        let here = Location::caller();
        context::with("spawn a task", |executor| {
            executor.spawn(|| TaskInfo::new(self.name, here), future)
        })
    }

    /// Makes `future` a task of this thread's runtime and polls it at once, as [`spawn_eager`]
    /// does.
    ///
    /// ```
    /// use wakering_runtime::{run, task::{self, Builder}};
    ///
    /// run(async {
    ///     let named = async { task::current().unwrap().name() == Some("eager") };
    ///     assert!(Builder::new().name("eager").spawn_eager(named).await.unwrap());
    /// });
    /// ```
    ///
    /// # Panics
    /// On a thread that is not running a runtime.
    #[track_caller]
    pub fn spawn_eager<F: Future + 'static>(self, future: F) -> JoinHandle<F::Output> {
        let here = Location::caller();
        context::expect("spawn a task").spawn_eager(|| TaskInfo::new(self.name, here), future)
    }
}
