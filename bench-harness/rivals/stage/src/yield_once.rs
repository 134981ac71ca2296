//! A future that is pending once and wakes itself: giving way, the same on every runtime.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Gives way once.
pub fn yield_once() -> impl Future<Output = ()> + Send {
    YieldOnce { yielded: false }
}

struct YieldOnce {
    yielded: bool,
}

impl Future for YieldOnce {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}
