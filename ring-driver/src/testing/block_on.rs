//! The smallest loop: one future, one driver, nothing beside them.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use crate::config::Config;
use crate::driver::{Driver, Wait};

/// Runs `future` to its end on a driver of its own, for examples and tests of single operations.
/// Programs have a runtime.
///
/// ```
/// use wakering_ring_driver::{op, testing::block_on};
///
/// block_on(async { op::nop().await })?;
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Panics
///
/// If no driver can be had.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let driver = Driver::new(&Config::default()).unwrap_or_else(|error| panic!("{error}"));
    let _entered = driver.enter();
    let woken = Arc::new(Woken(AtomicBool::new(true)));
    let waker = Waker::from(woken.clone());
    let mut future = pin!(future);
    loop {
        if woken.0.swap(false, Ordering::AcqRel)
            && let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker))
        {
            return output;
        }
        driver.turn(Wait::Until(None));
    }
}

struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Release);
    }
}
