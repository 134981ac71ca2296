//! Operations through the public API, on the real kernel and on the memory backend. One module a behaviour.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use wakering_ring_driver::{Config, Driver, Instant, Wait};

mod adoption;

/// A driver with default settings.
fn driver() -> Driver {
    Driver::new(&Config::default()).expect("this machine offers a ring")
}

/// Runs `future` on `driver`: a loop as small as can be, bounded in time.
fn block_on<F: Future>(driver: &Driver, future: F) -> F::Output {
    struct Flag(AtomicBool);
    impl Wake for Flag {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::Release);
        }
    }
    let _entered = driver.enter();
    let woken = Arc::new(Flag(AtomicBool::new(true)));
    let waker = Waker::from(woken.clone());
    let mut future = pin!(future);
    let end = Instant::now() + Duration::from_secs(30);
    loop {
        if woken.0.swap(false, Ordering::AcqRel)
            && let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker))
        {
            return output;
        }
        assert!(Instant::now() < end, "the future was not ready within 30 s");
        driver.turn(Wait::Until(Some(end)));
    }
}

/// Polls once with a waker that counts.
fn poll_once<F: Future + Unpin>(driver: &Driver, future: &mut F, wakes: &Arc<Wakes>) -> Poll<F::Output> {
    let _entered = driver.enter();
    let waker = Waker::from(wakes.clone());
    std::pin::Pin::new(future).poll(&mut Context::from_waker(&waker))
}

/// Counts how often it was woken.
#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wakes {
    fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}
