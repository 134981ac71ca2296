//! A task of another core as a part of whoever awaits it.

use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use crate::context;
use crate::task::{JoinError, JoinHandle, go_on};

/// Awaits a task of another core, which does not outlive that: if this is dropped, the task is
/// cancelled, and whoever drops it waits until it is over there, its operations drained.
pub(crate) struct Errand<T: 'static> {
    /// Until it is over.
    task: Option<JoinHandle<T>>,
    location: &'static Location<'static>,
}

impl<T> Errand<T> {
    pub(crate) fn new(task: JoinHandle<T>) -> Errand<T> {
        let location = task.task().location();
        Errand { task: Some(task), location }
    }

    /// Asks for the end of the task, which is waited for by awaiting this.
    pub(crate) fn cancel(&self) {
        if let Some(task) = &self.task {
            task.cancel();
        }
    }
}

impl<T> Future for Errand<T> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let task = self.task.as_mut().expect("an errand is not polled after it is over");
        let outcome = ready!(Pin::new(task).poll(cx));
        self.task = None;
        Poll::Ready(outcome)
    }
}

impl<T> Drop for Errand<T> {
    fn drop(&mut self) {
        let Some(task) = self.task.take() else { return };
        task.cancel();
        // A task here waits for the one there, and is waited for itself.
        let wait = async move {
            if let Err(error) = task.await
                && error.is_panic()
                && let Some(executor) = context::current()
            {
                executor.home().report(&error);
            }
        };
        go_on(None, wait, None, self.location);
    }
}
