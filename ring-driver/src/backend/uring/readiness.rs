//! Requests that the running ring has no operation for, or that have begun without it: the ring tells
//! when their descriptor is ready, and plain calls do the rest.

use io_uring::squeue::Flags;

use super::Uring;
use crate::call::{Attempt, Class};
use crate::request::{Request, UserData};

/// A request whose descriptor is not ready.
pub(super) struct Awaiting {
    pub(super) attempt: Attempt,
    /// Whether somebody has asked for its end.
    pub(super) cancelled: bool,
}

impl Uring {
    /// Makes the system call of a request that the ring lacks, or waits until it would not block.
    /// No longer if somebody has asked for its end: at that moment the ring may have had nothing to
    /// cancel.
    pub(super) fn try_call(&mut self, mut attempt: Attempt, user_data: UserData, cancelled: bool) {
        if let Some(result) = attempt.proceed() {
            self.counters.readiness_calls += 1;
            return self.complete_locally(user_data, result);
        }
        if cancelled {
            return self.complete_locally(user_data, attempt.ended_by(-libc::ECANCELED));
        }
        self.await_readiness(attempt, user_data);
    }

    /// Goes on with it once its descriptor is ready.
    pub(super) fn await_readiness(&mut self, attempt: Attempt, user_data: UserData) {
        let request = *attempt.request();
        let Class::Readiness(events) = request.class() else {
            return self.complete_locally(user_data, attempt.ended_by(-libc::EAGAIN));
        };
        self.awaiting_readiness.insert(user_data, Awaiting { attempt, cancelled: false });
        let poll = Request::Poll { fd: request.fd(), events };
        self.submit(&poll, user_data, Flags::empty());
    }
}
