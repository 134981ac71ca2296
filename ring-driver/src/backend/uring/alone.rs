//! What is carried out by a plain call on the spot, because nothing goes along with it.
//!
//! A ring carries out a send, or a read that the page cache answers, while it is handed over; the
//! loop then spends a turn, and the task a second poll, on being told so. Several at once share the
//! way there and back, and cost less than a call each.

use std::task::Poll;

use super::Uring;
use crate::backend::ANSWERS_A_TURN;
use crate::call::{self, Attempt, Mode};
use crate::completion::Outcome;
use crate::request::{Request, UserData};

/// A longer send finds no room for all of it, as a rule, and then a ring goes on with it best.
const ALONE_MAX: u32 = 64 * 1024;

/// So many bytes count as one more request of those that a turn may answer, since copying them takes
/// as long.
const BYTES_AN_ANSWER: u32 = 16 * 1024;

impl Uring {
    /// What a request comes to on the spot; pending, if it waits for readiness by now. `None` hands it
    /// to the ring.
    pub(super) fn answer(
        &mut self,
        request: &Request,
        user_data: UserData,
    ) -> Option<Poll<Outcome>> {
        match request {
            Request::Read { offset: Some(_), .. } if self.answers_left > 0 && self.is_quiet() => {
                let read = self.cached.read(request)?;
                self.count(read);
                self.counters.cached_reads += 1;
                Some(Poll::Ready(Outcome::plain(read)))
            }
            Request::Send { len: ..=ALONE_MAX, .. } if self.is_alone() => {
                Some(self.send(request, user_data))
            }
            _ => None,
        }
    }

    fn send(&mut self, request: &Request, user_data: UserData) -> Poll<Outcome> {
        self.answers_left -= 1;
        let mut attempt = Attempt::new(*request, Mode::Waiting);
        let Some(sent) = attempt.proceed() else {
            self.await_readiness(attempt, user_data);
            return Poll::Pending;
        };
        self.counters.sent_at_once += 1;
        Poll::Ready(Outcome::plain(sent))
    }

    /// Carries out what hardly ever waits, if that need not wait.
    pub(crate) fn try_now(&mut self, request: &Request) -> Option<Outcome> {
        if self.answers_left == 0 {
            return None;
        }
        let result = call::call_without_blocking(request, Mode::Waiting);
        self.count(result);
        if result == -libc::EAGAIN {
            return None;
        }
        self.counters.sent_at_once += 1;
        Some(Outcome::plain(result))
    }

    /// Something was tried on the spot, and came to `result`.
    fn count(&mut self, result: i32) {
        let answers = 1 + result.max(0) as u32 / BYTES_AN_ANSWER;
        self.answers_left = self.answers_left.saturating_sub(answers);
    }

    /// Whether a request is likely to be handed over alone: nothing else has been asked for in this
    /// turn so far, and little in the last one.
    fn is_quiet(&self) -> bool {
        self.handed_over <= 2 && self.local.is_empty() && !self.has_output()
    }

    /// Whether a request would be all that this turn hands over and answers, after one completion.
    fn is_alone(&self) -> bool {
        self.brought <= 1
            && self.answers_left == ANSWERS_A_TURN
            && self.local.is_empty()
            && !self.has_output()
    }
}
