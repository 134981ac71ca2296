//! The time limit of one connection's current request, without a timer for each request.
//!
//! The limit moves with every request; the timer does not. It fires where the limit once was, finds
//! that the limit has moved on, and is set anew: one timer in `--timeout`, however many requests
//! were answered meanwhile.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use wakering::time::{Instant, Sleep, sleep_until};

/// A limit that only moves forward.
pub struct Deadline {
    at: Instant,
    timer: Sleep,
}

impl Deadline {
    /// A limit at `at`.
    pub fn new(at: Instant) -> Deadline {
        Deadline { at, timer: sleep_until(at) }
    }

    /// Moves the limit to `at`, which is no earlier than where it was.
    pub fn move_to(&mut self, at: Instant) {
        self.at = at;
    }

    /// Ready when the limit has passed.
    pub fn poll_passed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            ready!(Pin::new(&mut self.timer).poll(cx));
            if Instant::now() >= self.at {
                return Poll::Ready(());
            }
            self.timer.reset(self.at);
        }
    }
}
