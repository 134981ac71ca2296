//! Tests of what threads share, in all orders or in some.
//!
//! With `RUSTFLAGS="--cfg loom" cargo test -p wakering-runtime --lib --release races` they are run
//! in all orders, otherwise some times with whatever comes about; the latter is also for Miri,
//! which knows more about memory than loom.

use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

#[cfg(loom)]
pub(crate) use loom::{sync::atomic, thread};
#[cfg(not(loom))]
pub(crate) use std::{sync::atomic, thread};

use atomic::{AtomicUsize, Ordering};

#[cfg(loom)]
pub(crate) fn model(body: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(4);
    builder.check(body);
}

#[cfg(not(loom))]
pub(crate) fn model(body: impl Fn() + Send + Sync + 'static) {
    for _ in 0..if cfg!(miri) { 20 } else { 200 } {
        body();
    }
}

/// A waker that counts.
#[derive(Default)]
pub(crate) struct Woken(AtomicUsize);

impl Woken {
    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Polls until there is an output, after each wake, giving the others their turn in between. What
/// is not woken hangs, which loom reports.
pub(crate) fn finish<T>(mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>) -> T {
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(woken.clone());
    let mut polls = 0;
    loop {
        match poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => polls += 1,
        }
        while woken.count() < polls {
            thread::yield_now();
        }
    }
}
