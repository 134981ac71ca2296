//! A child as whoever spawned it sees it.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use crate::task::{ChildError, Id, JoinHandle, TaskInfo};

/// Awaits the value of a child of a group, or ends the child. Dropping it lets the child go on.
///
/// ```
/// use std::{future::pending, io};
/// use wakering_runtime::{run, task::{self, ChildError}};
///
/// run(task::group(async |group| {
///     let mut child = group.spawn(pending::<io::Result<()>>());
///     assert!(child.cancel());
///     assert_eq!((&mut child).await, Err(ChildError::Cancelled));
///     assert!(!child.cancel(), "it is over");
///     Ok(())
/// }))
/// .unwrap();
/// ```
///
/// # Errors
/// [`ChildError`] if there is no value.
///
/// # Panics
/// If it is polled again after it has given the value.
///
/// # Cancellation
/// **Strict.** `&mut handle` may be awaited, dropped and awaited again.
pub struct TaskHandle<T> {
    /// Or who would have been the child that was refused.
    pub(super) child: Result<JoinHandle<Result<T, ChildError>>, TaskInfo>,
}

impl<T> TaskHandle<T> {
    /// Asks for the end of the child, and tells whether this was the first request and in time. The
    /// group and its other children go on.
    ///
    /// ```
    /// use std::{future::pending, io};
    /// use wakering_runtime::{run, task};
    ///
    /// run(task::group(async |group| {
    ///     assert!(group.spawn(pending::<io::Result<()>>()).cancel());
    ///     Ok(())
    /// }))
    /// .unwrap();
    /// ```
    pub fn cancel(&self) -> bool {
        self.child.as_ref().is_ok_and(JoinHandle::cancel)
    }

    /// Whether awaiting it would give an outcome at once.
    ///
    /// ```
    /// use std::io;
    /// use wakering_runtime::{run, task};
    ///
    /// run(task::group(async |group| {
    ///     let child = group.spawn(async { Ok::<_, io::Error>(()) });
    ///     assert!(!child.is_finished());
    ///     Ok(())
    /// }))
    /// .unwrap();
    /// ```
    pub fn is_finished(&self) -> bool {
        self.child.as_ref().map_or(true, JoinHandle::is_finished)
    }

    /// The number of the task, unique in this process.
    ///
    /// ```
    /// use std::io;
    /// use wakering_runtime::{run, task};
    ///
    /// run(task::group(async |group| {
    ///     let child = group.spawn(async { Ok::<_, io::Error>(task::current()) });
    ///     let id = child.id();
    ///     assert_eq!(child.await?.map(|task| task.id()), Some(id));
    ///     Ok(())
    /// }))
    /// .unwrap();
    /// ```
    pub fn id(&self) -> Id {
        self.task().id()
    }

    /// Which task it is.
    ///
    /// ```
    /// use std::io;
    /// use wakering_runtime::{run, task};
    ///
    /// run(task::group(async |group| {
    ///     let child = group.spawn(async { Ok::<_, io::Error>(()) });
    ///     assert_eq!(child.task().id(), child.id());
    ///     Ok(())
    /// }))
    /// .unwrap();
    /// ```
    pub fn task(&self) -> &TaskInfo {
        match &self.child {
            Ok(child) => child.task(),
            Err(refused) => refused,
        }
    }
}

impl<T> Future for TaskHandle<T> {
    type Output = Result<T, ChildError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Ok(child) = &mut self.child else { return Poll::Ready(Err(ChildError::Refused)) };
        Poll::Ready(match ready!(Pin::new(child).poll(cx)) {
            Ok(outcome) => outcome,
            Err(error) if error.is_cancelled() => Err(ChildError::Cancelled),
            Err(_) => Err(ChildError::Failed),
        })
    }
}

impl<T> fmt::Debug for TaskHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskHandle")
            .field("task", self.task())
            .field("is_finished", &self.is_finished())
            .finish()
    }
}

/// Cancels a child whose start nobody waits for any more.
pub(super) struct CancelOnDrop<T>(pub(super) Option<TaskHandle<T>>);

impl<T> Drop for CancelOnDrop<T> {
    fn drop(&mut self) {
        if let Some(handle) = &self.0 {
            handle.cancel();
        }
    }
}
