//! Children that are waited for until they say that they are ready.

use std::cell::Cell;
use std::error::Error;
use std::fmt;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

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
pub struct Ready<V>(pub(super) Rc<Start<V>>);

/// What a child that is being started and whoever waits for it share.
pub(super) struct Start<V> {
    value: Cell<Option<V>>,
    /// Whether the child has no way any more to say that it is ready.
    silent: Cell<bool>,
    /// Whether nobody waits any more.
    pub(super) settled: Cell<bool>,
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
    pub(super) fn poll(&self, cx: &Context<'_>) -> Poll<Option<V>> {
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
