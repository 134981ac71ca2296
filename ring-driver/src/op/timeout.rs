//! A timer of the kernel, one completion each.
//!
//! The loop has its own timers and tells the kernel only the next deadline; this one is for those
//! who have no loop.

#![allow(unsafe_code)]

use std::io;
use std::time::Duration;

use super::{Op, Operation};
use crate::completion::Outcome;
use crate::driver::Driver;
use crate::request::{Number, Request};

/// The operation of [`timeout`].
#[derive(Debug)]
pub struct Timeout {
    spec: libc::timespec,
}

/// Completes once `duration` is over, on the monotonic clock and never early.
///
/// ```
/// use std::time::{Duration, Instant};
/// use wakering_ring_driver::op;
///
/// # wakering_ring_driver::testing::block_on(async {
/// let start = Instant::now();
/// op::timeout(Duration::from_millis(2)).await?;
/// assert!(start.elapsed() >= Duration::from_millis(2));
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
///
/// # Cancellation
/// **Strict**: there is nothing to lose.
///
/// # Kernel
/// `IORING_OP_TIMEOUT`, 5.4.
pub fn timeout(duration: Duration) -> Op<Timeout> {
    let spec = libc::timespec {
        tv_sec: duration.as_secs().try_into().unwrap_or(libc::time_t::MAX),
        tv_nsec: duration.subsec_nanos().into(),
    };
    Op::here(Timeout { spec })
}

// SAFETY: the time lies in `self`, which does not move while in flight.
unsafe impl Operation for Timeout {
    type Output = io::Result<()>;

    const NAME: &'static str = "timeout";

    fn request(&mut self, _fd: Number) -> Request {
        Request::Timeout { spec: &raw const self.spec }
    }

    fn complete(self, _outcome: Outcome, _driver: &Driver) -> io::Result<()> {
        Ok(())
    }

    /// The end of the time is an error only to the kernel.
    fn fail(self, error: io::Error) -> io::Result<()> {
        match error.raw_os_error() {
            Some(libc::ETIME) => Ok(()),
            _ => Err(error),
        }
    }
}
