//! One turn: what was queued goes out, what has completed comes in.

use std::panic::resume_unwind;
use std::time::Duration;

use super::Driver;
use super::after::isolate;
use crate::remote::Message;
use crate::time::{Instant, asleep};

/// How long a turn may sleep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Not at all: there is something to do.
    Now,
    /// Until something happens, or until that time.
    Until(Option<Instant>),
}

/// How often a loop that is busy looking looks before it reads the clock again.
const LOOKS_A_READING: u32 = 16;

impl Driver {
    /// One turn: submits what was queued, sleeps as long as `wait` allows and nothing has happened,
    /// takes in what has completed, and tells whoever waits for it.
    pub fn turn(&self, wait: Wait) {
        let wait = match wait {
            Wait::Until(deadline) if self.finds_news(deadline) => Wait::Now,
            wait => wait,
        };
        self.with(|core| {
            core.flush();
            let timeout = match wait {
                Wait::Now => None,
                Wait::Until(_) if core.has_news() || !self.0.remote.prepare_to_sleep() => None,
                Wait::Until(deadline) => Some(core.time_left(deadline)),
            };
            match timeout {
                None => core.backend.enter(None),
                Some(_) => {
                    asleep(|| core.backend.enter(timeout));
                    self.0.remote.awake();
                }
            }
            core.reap();
        });
        self.empty_inbox();
    }

    /// Hands over what was queued, and looks for something to take in until that is there, the
    /// time for it is over or `deadline` has come. False if there is time left to sleep. What has
    /// gone at once is news too: whoever waited for it is told before anybody looks.
    fn finds_news(&self, deadline: Option<Instant>) -> bool {
        if self.0.busy_poll.is_zero() {
            return false;
        }
        let (left, has_news) = self.with(|core| {
            core.flush();
            core.backend.enter(None);
            (core.time_left(deadline), core.has_news())
        });
        if has_news {
            return true;
        }
        let most = left.unwrap_or(Duration::MAX).min(self.0.busy_poll);
        let begun = std::time::Instant::now();
        loop {
            for _ in 0..LOOKS_A_READING {
                if self.0.remote.has_messages() || self.with(|core| core.has_news()) {
                    return true;
                }
                std::hint::spin_loop();
            }
            if begun.elapsed() >= most {
                return left == Some(most);
            }
        }
    }

    /// Whether a turn would do something: hand over what was queued, or take in what has come, as
    /// far as memory shared with the kernel and with other threads tells. Costs no system call.
    pub fn needs_turn(&self) -> bool {
        self.0.remote.has_messages() || self.with(|core| core.has_news() || core.needs_turn())
    }

    fn empty_inbox(&self) {
        if !self.0.remote.has_messages() {
            return;
        }
        let mut messages = self.0.messages.take();
        self.0.remote.take(&mut messages);
        let mut panic = None;
        for message in messages.drain(..) {
            isolate(&mut panic, || match message {
                Message::Completed(completion) => {
                    self.with(|core| core.on_completion(completion));
                }
                Message::Deliver(deliver) => deliver.deliver(),
            });
        }
        self.0.messages.set(messages);
        if let Some(panic) = panic {
            resume_unwind(panic);
        }
    }
}
