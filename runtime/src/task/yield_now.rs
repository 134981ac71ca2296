//! Letting the others go first.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Goes to the end of the run queue: everything that is ready now runs before this task goes on.
///
/// ```
/// use std::{cell::RefCell, rc::Rc};
/// use wakering_runtime::{run, spawn, task::yield_now};
///
/// run(async {
///     let order = Rc::new(RefCell::new(Vec::new()));
///     let other = order.clone();
///     let handle = spawn(async move { other.borrow_mut().push("the other task") });
///     yield_now().await;
///     order.borrow_mut().push("this one");
///     handle.await.unwrap();
///     assert_eq!(*order.borrow(), ["the other task", "this one"]);
/// });
/// ```
///
/// # Cancellation
/// **Strict.** There is nothing to lose.
pub fn yield_now() -> YieldNow {
    YieldNow { yielded: false }
}

/// The future of [`yield_now`]: pending once, ready from then on.
///
/// ```
/// use std::{future::Future, pin::Pin, task::{Context, Waker}};
/// use wakering_runtime::task::{YieldNow, yield_now};
///
/// let mut yielding: YieldNow = yield_now();
/// let mut cx = Context::from_waker(Waker::noop());
/// assert!(Pin::new(&mut yielding).poll(&mut cx).is_pending());
/// assert!(Pin::new(&mut yielding).poll(&mut cx).is_ready());
/// ```
#[derive(Debug)]
#[must_use = "a future does nothing until it is awaited"]
pub struct YieldNow {
    yielded: bool,
}

impl Future for YieldNow {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}
