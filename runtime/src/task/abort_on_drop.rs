//! A task that does not outlive its handle.

use std::fmt;
use std::future::Future;
use std::ops::Deref;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::{JoinError, JoinHandle};

/// A [`JoinHandle`] that cancels its task when it is dropped, instead of detaching it; made by
/// [`JoinHandle::abort_on_drop`].
///
/// ```
/// use std::{cell::Cell, future::pending, rc::Rc};
/// use wakering_runtime::{run, spawn, task::{AbortOnDrop, yield_now}};
///
/// run(async {
///     let held = Rc::new(Cell::new(0));
///     let inner = held.clone();
///     let handle: AbortOnDrop<()> = spawn(async move {
///         let _inner = inner;
///         pending().await
///     })
///     .abort_on_drop();
///     drop(handle);
///     yield_now().await;
///     assert_eq!(Rc::strong_count(&held), 1, "the future has been dropped");
/// });
/// ```
///
/// # Errors
/// Those of the handle.
///
/// # Cancellation
/// **Weak.** Dropping it ends the task; awaiting `&mut handle` does not.
#[must_use = "dropping it cancels the task"]
pub struct AbortOnDrop<T>(JoinHandle<T>);

impl<T> AbortOnDrop<T> {
    pub(super) fn new(handle: JoinHandle<T>) -> AbortOnDrop<T> {
        AbortOnDrop(handle)
    }
}

impl<T> Deref for AbortOnDrop<T> {
    type Target = JoinHandle<T>;

    fn deref(&self) -> &JoinHandle<T> {
        &self.0
    }
}

impl<T> Future for AbortOnDrop<T> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx)
    }
}

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

impl<T> fmt::Debug for AbortOnDrop<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AbortOnDrop").field(&self.0).finish()
    }
}
