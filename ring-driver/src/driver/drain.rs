//! The end of a driver: nothing is freed under the kernel's hands.
//!
//! Operations are asked to end and waited for. Closing the ring does not wait for them (a disk read
//! keeps writing into its buffer after the ring is gone), so what has not ended by the deadline is
//! leaked, and counted.

use std::time::Duration;

use super::{Core, Driver, Wait};
use crate::backend::Backend;
use crate::in_flight::Home;
use crate::op::Lane;
use crate::pool::Pool;
use crate::time::Instant;

/// What the end of a driver came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Drained {
    /// Operations that had not ended by the deadline. What they were lent is never freed.
    pub leaked: usize,
    /// Threads of the pool that had not ended by then, if this was the last driver of the process:
    /// their jobs go on.
    pub threads: usize,
}

impl Driver {
    /// Ends all operations and closes the backend. Sends that were submitted may finish first, within
    /// half of `deadline`; buffers that the kernel [still reads](crate::op::Lent) are waited for as
    /// long.
    ///
    /// Afterwards operations fail with
    /// [`RuntimeError::RuntimeGone`](crate::RuntimeError::RuntimeGone); descriptors stay open until
    /// their handles are dropped. Calling it again does nothing.
    ///
    /// # Panics
    /// With the feature `testing`, if the ring was used beyond its capabilities: what a mask took
    /// away was not really gone, and every test under that mask has shown nothing.
    pub fn shutdown(&self, deadline: Duration) -> Drained {
        if self.with(|core| core.closed) {
            return Drained::default();
        }
        let entered = self.enter();
        self.with(|core| core.closed = true);
        let start = Instant::now();
        // Half of the time belongs to peers that are slow to take what was sent to them.
        let (patience, end) = (start.checked_add(deadline / 2), start.checked_add(deadline));
        self.with(|core| core.cancel_flights(|home| !is_write(home)));
        self.drain_until(patience, |core| core.is_busy());
        self.with(|core| core.cut_all_short());
        self.drain_until(end, |core| core.has_what_ends());
        let messages = self.0.remote.close();
        let leaked = self.with(|core| {
            let leaked = core.slots.leak();
            if leaked > 0 {
                core.tally.leaked += leaked as u64;
                core.leak_buf_pools();
            }
            leaked
        });
        drop(messages);
        let beyond = self.counters().beyond(&self.capabilities());
        let backend = self.with(|core| std::mem::replace(&mut core.backend, Backend::Gone));
        drop(backend);
        drop(entered);
        // Idle threads need a moment to leave, however little is left.
        let grace = deadline.saturating_sub(start.elapsed()).max(Duration::from_millis(100));
        let threads = self.0.pool.take().map_or(0, |pool| Pool::leave(pool, grace));
        assert!(
            cfg!(not(feature = "testing")) || beyond.is_empty() || std::thread::panicking(),
            "the ring was used beyond its capabilities: {beyond:?}"
        );
        Drained { leaked, threads }
    }

    fn drain_until(&self, end: Option<Instant>, is_busy: impl Fn(&Core) -> bool) {
        while self.with(|core| is_busy(core)) && end.is_none_or(|end| Instant::now() < end) {
            self.turn(Wait::Until(end));
        }
    }
}

impl Core {
    /// Whether the kernel has anything that is ours, or bytes wait to be sent.
    fn is_busy(&self) -> bool {
        self.slots.flying().next().is_some() || !self.closing.is_empty() || !self.dirty.is_empty()
    }

    /// The same, but for what only a peer could end.
    fn has_what_ends(&self) -> bool {
        let mut flights = self.slots.flights();
        flights.any(|(_, slot)| slot.home != Home::Lent)
            || !self.closing.is_empty()
            || !self.dirty.is_empty()
    }

    /// Asks all operations in flight to end whose home is `wanted`.
    pub(crate) fn cancel_flights(&mut self, wanted: impl Fn(Home) -> bool) {
        let keys: Vec<_> = self.slots.flying().collect();
        for key in keys {
            if self.slots.get(key).is_some_and(|slot| wanted(slot.home)) {
                self.cancel(key);
            }
        }
    }

    /// What has not been sent by now is not sent any more.
    fn cut_all_short(&mut self) {
        let indices: Vec<usize> = self.descriptors.iter().map(|(index, _)| index).collect();
        for index in indices {
            self.cut_short(index);
            self.on_quieter(index as u32);
        }
    }
}

fn is_write(home: Home) -> bool {
    matches!(home, Home::Side { lane: Lane::Write, .. })
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;
    use crate::Config;
    use crate::testing::ring_or_skip;

    /// Given a ring without an operation; when it was used all the same; then the end of the driver
    /// tells, whoever ends it.
    #[test]
    fn a_mask_that_is_not_heeded_is_found_out() {
        if !ring_or_skip("driver::drain::tests::a_mask_that_is_not_heeded_is_found_out") {
            return;
        }
        let mut config = Config { mask: Some("-nop".parse().unwrap()), ..Config::default() };
        config.backend = crate::Backend::Uring;
        let driver = Driver::new(&config).expect("this machine offers a ring");
        driver.with(|core| match &mut core.backend {
            Backend::Uring(uring) => uring.counters.count_entry(0, 0, 0),
            _ => unreachable!("a ring was asked for"),
        });
        let panic = catch_unwind(AssertUnwindSafe(|| drop(driver))).unwrap_err();
        let text = panic.downcast_ref::<String>().unwrap();
        assert!(text.contains("used beyond its capabilities: [\"nop\"]"), "{text}");
    }
}
