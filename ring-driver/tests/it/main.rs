//! Operations through the public API, on the real kernel and on the memory backend. One module a
//! behaviour.

use std::future::Future;
use std::os::fd::OwnedFd;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use wakering_ring_driver::testing::patience;
use wakering_ring_driver::{Config, Driver, Fd, Instant, Sharing, Wait};

mod adoption;
mod at_once;
mod backpressure;
mod cached;
mod cancel;
mod datagrams;
mod datagrams_ahead;
mod drop_in_flight;
mod ending;
mod exec;
mod files;
mod foreign;
mod fork;
mod kinds;
mod listing;
mod masks;
mod multishot;
mod options;
mod poll;
mod prefetch;
mod process;
mod registered;
mod registered_files;
mod relay;
mod series;
mod setup;
mod sockets;
mod soundness;
mod splice;
mod waits;
mod wake;
mod workers;
mod world;
mod zero_copy;

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
    let bound = patience(Duration::from_secs(30));
    let end = Instant::now() + bound;
    loop {
        if woken.0.swap(false, Ordering::AcqRel)
            && let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker))
        {
            return output;
        }
        assert!(Instant::now() < end, "the future was not ready within {bound:?}");
        driver.turn(Wait::Until(Some(end)));
    }
}

/// Runs `body` with the operations `without` in the ring, and on a ring that has to do without them.
fn each_way(without: &[&str], body: impl AsyncFn(&Driver) -> std::io::Result<()>) {
    let whole = driver();
    block_on(&whole, body(&whole)).unwrap();
    assert_eq!(whole.shutdown(Duration::from_secs(5)).leaked, 0);

    let lane = std::env::var("WAKERING_CAPS").unwrap_or_default();
    let mask = without.iter().fold(lane, |mask, name| format!("{mask},-{name}"));
    let mut config = Config::default();
    config.mask = Some(mask.parse().expect("names of operations"));
    let masked = Driver::new(&config).expect("this machine offers a ring");
    block_on(&masked, body(&masked)).unwrap();
    let counters = masked.counters();
    for name in without {
        assert_eq!(counters.used(name), 0, "{name} is masked");
    }
    assert_eq!(masked.shutdown(Duration::from_secs(5)).leaked, 0);
}

/// Hands one end of something to `driver`.
fn adopt(driver: &Driver, end: impl Into<OwnedFd>) -> Fd {
    Fd::adopt(driver, end.into(), Sharing::Private).unwrap()
}

/// Turns until the kernel has nothing of ours.
fn settle(driver: &Driver) {
    let end = Instant::now() + patience(Duration::from_secs(20));
    while driver.counters().in_flight > 0 {
        assert!(Instant::now() < end, "operations do not end: {:?}", driver.counters());
        driver.turn(Wait::Until(Some(end)));
    }
}

/// Polls once with a waker that counts.
fn poll_once<F: Future + Unpin>(
    driver: &Driver,
    future: &mut F,
    wakes: &Arc<Wakes>,
) -> Poll<F::Output> {
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
