//! Cancellations that found nothing, although what they were to end goes on.
//!
//! A worker of the kernel that has taken a request off its queue and has not begun it is found
//! neither here nor there; Linux 5.17 closed that gap
//! ([361aee450c6e](https://git.kernel.org/linus/361aee450c6e)), and a splice that waits would last
//! for ever without this. A read that a disk is working on is not found either, but ends by itself:
//! so what still flies is cancelled once more, yet not before some time has passed.

use std::collections::VecDeque;
use std::time::Duration;

use super::core::Core;
use crate::completion::Outcome;
use crate::in_flight::Key;
use crate::time::Instant;

/// Long for the gap in the kernel, short for whoever waits for the end of the operation.
const PAUSE: Duration = Duration::from_millis(5);

/// What is to be cancelled once more, and when, the earliest first.
#[derive(Default)]
pub(crate) struct Missed(VecDeque<(Instant, Key)>);

impl Missed {
    /// When the next one is due.
    pub(super) fn next(&self) -> Option<Instant> {
        self.0.front().map(|&(due, _)| due)
    }
}

impl Core {
    /// What a cancellation came to. Where it found its target, the target tells.
    #[cold]
    pub(super) fn on_cancellation(&mut self, target: Key, outcome: Outcome) {
        let is_missed = outcome.errno() == Some(libc::ENOENT);
        if is_missed && self.slots.get(target).is_some_and(|slot| slot.state.is_flying()) {
            self.missed.0.push_back((Instant::now() + PAUSE, target));
        }
    }

    /// Cancels what is due. What has ended in the meantime is not asked for.
    pub(super) fn cancel_missed(&mut self) {
        if self.missed.0.is_empty() {
            return;
        }
        let now = Instant::now();
        while self.missed.next().is_some_and(|due| due <= now) {
            if let Some((_, key)) = self.missed.0.pop_front() {
                self.cancel(key);
            }
        }
    }
}
