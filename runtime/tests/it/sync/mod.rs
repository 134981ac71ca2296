//! What tasks share and wait for.

mod barrier;
mod broadcast;
mod channel;
mod condvar;
mod costs;
mod event;
mod mutex;
mod notify;
mod once_cell;
mod oneshot;
mod rwlock;
mod semaphore;
mod threads;
mod watch;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

/// A future that a test polls itself, to stop between a wake and the poll that would follow.
struct Probe<F: Future> {
    future: Pin<Box<F>>,
    wakes: Arc<Wakes>,
}

#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl<F: Future> Probe<F> {
    fn new(future: F) -> Probe<F> {
        Probe { future: Box::pin(future), wakes: Arc::default() }
    }

    /// A future that waits already.
    fn parked(future: F) -> Probe<F> {
        let mut probe = Probe::new(future);
        assert!(probe.poll().is_pending(), "it does not wait");
        probe
    }

    fn poll(&mut self) -> Poll<F::Output> {
        let waker = Waker::from(self.wakes.clone());
        self.future.as_mut().poll(&mut Context::from_waker(&waker))
    }

    /// The output, which has to be there.
    #[track_caller]
    fn ready(mut self) -> F::Output {
        match self.poll() {
            Poll::Ready(output) => output,
            Poll::Pending => panic!("it waits"),
        }
    }

    fn wakes(&self) -> usize {
        self.wakes.0.load(Ordering::Relaxed)
    }

    /// Whether nobody but the test keeps its waker.
    fn is_forgotten(wakes: &Arc<Wakes>) -> bool {
        Arc::strong_count(wakes) == 1
    }
}
