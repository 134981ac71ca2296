//! Cancellations that found nothing, although what they were to end goes on.
//!
//! A worker of the kernel that has taken a request off its queue and has not begun it is found
//! neither here nor there; Linux 5.17 closed that gap
//! ([361aee450c6e](https://git.kernel.org/linus/361aee450c6e)), and a splice that waits would last
//! for ever without this. A read that a disk is working on is not found either, nor a call that one
//! of our own threads makes, but these end by themselves: so what still flies is cancelled once
//! more, yet not before some time has passed, and each time after a longer one.

use std::collections::VecDeque;
use std::time::Duration;

use super::core::Core;
use crate::completion::Outcome;
use crate::in_flight::Key;
use crate::time::Instant;

/// Long for the gap in the kernel, short for whoever waits for the end of the operation.
const PAUSE: Duration = Duration::from_millis(5);
/// How often the pause doubles, up to 640 ms: what takes so long is not in that gap.
const DOUBLINGS: u8 = 7;

/// What is to be cancelled once more, and when, the earliest first.
#[derive(Default)]
pub(crate) struct Missed(VecDeque<(Instant, Key)>);

impl Missed {
    /// When the next one is due.
    pub(super) fn next(&self) -> Option<Instant> {
        self.0.front().map(|&(due, _)| due)
    }

    fn put(&mut self, due: Instant, target: Key) {
        let at = self.0.partition_point(|&(earlier, _)| earlier <= due);
        self.0.insert(at, (due, target));
    }
}

impl Core {
    /// What a cancellation came to. Where it found its target, the target tells.
    #[cold]
    pub(super) fn on_cancellation(&mut self, target: Key, outcome: Outcome) {
        if outcome.errno() != Some(libc::ENOENT) {
            return;
        }
        if let Some(slot) = self.slots.get(target).filter(|slot| slot.state.is_flying()) {
            let doublings = slot.recalls.saturating_sub(1).min(DOUBLINGS);
            self.missed.put(Instant::now() + PAUSE * (1 << doublings), target);
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
