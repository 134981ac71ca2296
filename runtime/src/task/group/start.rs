//! Children that are waited for until they say that they are ready.

use std::cell::Cell;
use std::error::Error;
use std::fmt;
use std::future::{Future, poll_fn};
use std::panic::Location;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use super::handle::CancelOnDrop;
use super::{Shared, TaskGroup, TaskHandle};
use crate::task::TaskInfo;

impl<E: 'static> TaskGroup<E> {
    /// Makes a child of `child` and waits until it says that it is [ready](Ready); what it says
    /// then, and its handle. The child goes on.
    ///
    /// ```
    /// use std::{io, time::Duration};
    /// use wakering_runtime::{run, task, time::sleep};
    ///
    /// run(task::group(async |group| {
    ///     let (port, server) = group
    ///         .start(async |ready: task::Ready<u16>| {
    ///             ready.set(8080);
    ///             sleep(Duration::from_millis(1)).await;
    ///             Ok("served")
    ///         })
    ///         .await
    ///         .unwrap();
    ///     assert_eq!((port, server.await?), (8080, "served"));
    ///     Ok::<_, io::Error>(())
    /// }))
    /// .unwrap();
    /// ```
    ///
    /// # Errors
    /// [`StartError`] if the child ends before it is ready. Its error is told here, and does not
    /// end the group.
    ///
    /// # Cancellation
    /// **Weak.** A child that is not ready is cancelled.
    #[track_caller]
    pub fn start<V, T, C>(
        &self,
        child: C,
    ) -> impl Future<Output = Result<(V, TaskHandle<T>), StartError<E>>>
    where
        V: 'static,
        T: 'static,
        C: AsyncFnOnce(Ready<V>) -> Result<T, E> + 'static,
    {
        let info = TaskInfo::new(None, Location::caller());
        async move {
            let start = Rc::new(Start::default());
            let error = Rc::new(Cell::new(None));
            let ready = Ready(start.clone());
            let (waited_for, kept) = (start.clone(), error.clone());
            let on_error = move |group: &Shared<E>, error| match waited_for.settled.get() {
                true => group.failed(error),
                false => kept.set(Some(error)),
            };
            let child = async move { child(ready).await };
            let handle = self.spawn_as(info, child, on_error, false);
            let mut handle = CancelOnDrop(Some(handle));
            let value = poll_fn(|cx| start.poll(cx)).await;
            start.settled.set(true);
            match (value, error.take()) {
                (_, Some(error)) => Err(StartError::Failed(error)),
                (None, None) => Err(StartError::NotReady),
                (Some(value), None) => Ok((value, handle.0.take().expect("it is taken once"))),
            }
        }
    }
}

/// What a child that is being [started](super::TaskGroup::start) says it with.
///
/// ```
/// use std::io;
/// use wakering_runtime::{run, task::{self, Ready}};
///
/// run(task::group(async |group| {
///     let (said, _child) = group
///         .start(async |ready: Ready<&str>| Ok::<_, io::Error>(ready.set("listening")))
///         .await
///         .unwrap();
///     assert_eq!(said, "listening");
///     Ok(())
/// }))
/// .unwrap();
/// ```
#[must_use = "whoever starts the child waits for it"]
pub struct Ready<V>(Rc<Start<V>>);

/// What a child that is being started and whoever waits for it share.
struct Start<V> {
    value: Cell<Option<V>>,
    /// Whether the child has no way any more to say that it is ready.
    silent: Cell<bool>,
    /// Whether nobody waits any more.
    settled: Cell<bool>,
    waiter: Cell<Option<Waker>>,
}

impl<V> Default for Start<V> {
    fn default() -> Start<V> {
        Start {
            value: Cell::new(None),
            silent: Cell::new(false),
            settled: Cell::new(false),
            waiter: Cell::new(None),
        }
    }
}

impl<V> Start<V> {
    fn poll(&self, cx: &Context<'_>) -> Poll<Option<V>> {
        if self.silent.get() {
            return Poll::Ready(self.value.take());
        }
        self.waiter.set(Some(cx.waker().clone()));
        Poll::Pending
    }
}

impl<V> Ready<V> {
    /// Says that the child is ready; whoever started it gets `value`.
    ///
    /// ```
    /// use std::io;
    /// use wakering_runtime::{run, task::{self, Ready}};
    ///
    /// run(task::group(async |group| {
    ///     let child = async |ready: Ready<u32>| Ok::<_, io::Error>(ready.set(42));
    ///     assert_eq!(group.start(child).await.unwrap().0, 42);
    ///     Ok(())
    /// }))
    /// .unwrap();
    /// ```
    pub fn set(self, value: V) {
        self.0.value.set(Some(value));
    }
}

impl<V> Drop for Ready<V> {
    fn drop(&mut self) {
        self.0.silent.set(true);
        if let Some(waiter) = self.0.waiter.take() {
            waiter.wake();
        }
    }
}

impl<V> fmt::Debug for Ready<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ready").finish_non_exhaustive()
    }
}

/// Why a child did not [start](super::TaskGroup::start).
///
/// ```
/// use std::io;
/// use wakering_runtime::{run, task::{self, Ready, StartError}};
///
/// run(task::group(async |group| {
///     let silent = async |_: Ready<u32>| Ok::<_, io::Error>(());
///     assert!(matches!(group.start(silent).await, Err(StartError::NotReady)));
///     Ok(())
/// }))
/// .unwrap();
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartError<E> {
    /// It failed before it was ready.
    Failed(E),
    /// It returned, panicked or was cancelled before it was ready.
    NotReady,
}

impl<E: fmt::Display> fmt::Display for StartError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::Failed(error) => error.fmt(f),
            StartError::NotReady => f.write_str("the child ended before it was ready"),
        }
    }
}

impl<E: Error + 'static> Error for StartError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            StartError::Failed(error) => Some(error),
            StartError::NotReady => None,
        }
    }
}
