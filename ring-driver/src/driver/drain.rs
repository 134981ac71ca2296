//! The end of a driver: nothing is freed under the kernel's hands.
//!
//! Operations are asked to end and waited for. Closing the ring does not wait for them (a disk read keeps writing into
//! its buffer after the ring is gone), so what has not ended by the deadline is leaked, and counted.

use std::time::Duration;

use super::{Driver, Wait};
use crate::backend::Backend;
use crate::op::Lane;
use crate::time::Instant;

/// What the end of a driver came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Drained {
    /// Operations that had not ended by the deadline. What they were lent is never freed.
    pub leaked: usize,
}

impl Driver {
    /// Ends all operations and closes the backend. Sends that were submitted may finish first, within `deadline`.
    ///
    /// Afterwards operations fail with [`RuntimeError::RuntimeGone`](crate::RuntimeError::RuntimeGone); descriptors stay
    /// open until their handles are dropped. Calling it again does nothing.
    pub fn shutdown(&self, deadline: Duration) -> Drained {
        if self.with(|core| core.closed) {
            return Drained { leaked: 0 };
        }
        let entered = self.enter();
        self.with(|core| core.closed = true);
        let end = Instant::now() + deadline;
        // Half of the time belongs to peers that are slow to take what was sent to them.
        let patience = Instant::now() + deadline / 2;
        self.with(|core| core.cancel_flights(|lane| lane != Lane::Write));
        self.drain_until(patience);
        self.with(|core| core.cancel_flights(|_| true));
        self.drain_until(end);
        let messages = self.0.remote.close();
        let leaked = self.with(|core| {
            let leaked = core.slots.leak();
            if leaked > 0 {
                core.tally.leaked += leaked as u64;
                core.leak_buf_pool();
            }
            leaked
        });
        drop(messages);
        let backend = self.with(|core| std::mem::replace(&mut core.backend, Backend::Gone));
        drop(backend);
        drop(entered);
        Drained { leaked }
    }

    fn drain_until(&self, end: Instant) {
        while self.with(|core| core.is_busy()) && Instant::now() < end {
            self.turn(Wait::Until(Some(end)));
        }
    }
}

impl super::core::Core {
    /// Whether the kernel has anything that is ours, or bytes wait to be sent.
    fn is_busy(&self) -> bool {
        self.slots.flying().next().is_some() || !self.closing.is_empty() || !self.dirty.is_empty()
    }

    fn cancel_flights(&mut self, wanted: impl Fn(Lane) -> bool) {
        let keys: Vec<_> = self.slots.flying().collect();
        for key in keys {
            let lane = match self.slots.get(key).map(|slot| slot.home) {
                Some(crate::in_flight::Home::Side { lane, .. }) => lane,
                _ => Lane::Free,
            };
            if wanted(lane) {
                self.cancel(key);
            }
        }
    }
}
