//! A child as the task that it is.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};

use pin_project_lite::pin_project;

use super::Shared;
use crate::conduct::{Conduct, Ended, Same};
use crate::sync::generic::{Local, Permit};
use crate::sync::local::Semaphore;
use crate::task::ChildError;
use crate::task::failures::Failure;

pin_project! {
    /// A child as a task.
    pub(super) struct GroupChild<F, H, E> {
        #[pin]
        pub(super) body: Conduct<F>,
        pub(super) on_error: Option<H>,
        pub(super) admission: Option<Admission>,
        pub(super) shared: Rc<Shared<E>>,
        // Whether the body sees to its end itself when the group is cancelled.
        pub(super) is_away: bool,
    }
}

type OwnPermit = Permit<Local, Rc<Semaphore>>;

/// Where the number of children is limited, a child waits for a permit and keeps it.
pub(super) enum Admission {
    Waiting(Pin<Box<dyn Future<Output = Option<OwnPermit>>>>),
    Holding { _permit: Option<OwnPermit> },
}

impl Admission {
    /// Asks where the child is spawned, so that children come in this order and whoever waits for
    /// room sees them.
    pub(super) fn ask(limit: Rc<Semaphore>) -> Admission {
        let mut waiting = Box::pin(async move { Semaphore::acquire_owned(limit).await.ok() });
        // Nobody has to be woken: the first turn of the child is still to come.
        match waiting.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(permit) => Admission::Holding { _permit: permit },
            Poll::Pending => Admission::Waiting(waiting),
        }
    }
}

impl<F, H, T, E> Future for GroupChild<F, H, E>
where
    F: Future<Output = Result<T, E>>,
    H: FnOnce(&Shared<E>, E),
{
    type Output = Result<T, ChildError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let shared = &*this.shared;
        let is_cancelled = || shared.roll.is_cancelled.get();
        if let Some(Admission::Waiting(waiting)) = this.admission {
            match waiting.as_mut().poll(cx) {
                Poll::Ready(permit) => {
                    *this.admission = Some(Admission::Holding { _permit: permit });
                }
                Poll::Pending if is_cancelled() => {
                    return Poll::Ready(Err(ChildError::Cancelled));
                }
                Poll::Pending => return Poll::Pending,
            }
        }
        let is_to_stop = || !*this.is_away && is_cancelled();
        match ready!(this.body.poll_unless(&Same, cx, is_to_stop)) {
            Ended::Returned(Ok(value)) => return Poll::Ready(Ok(value)),
            Ended::Stopped => return Poll::Ready(Err(ChildError::Cancelled)),
            Ended::Panicked(panic) => shared.fail(Failure::Panic(panic)),
            Ended::Returned(Err(error)) => {
                if let Some(on_error) = this.on_error.take() {
                    on_error(shared, error);
                }
            }
        }
        Poll::Ready(Err(ChildError::Failed))
    }
}
