//! The states of a slot. Transitions are pure: they say what follows and leave the doing to the
//! driver.
//!
//! ```text
//!            submit                     completion, final
//!   (vacant) ──────► Waiting ────────────────────────────► Done ──── taken ───► (vacant)
//!                      │ ▲ completion, more to come          │
//!                      │ └── (on the side's shelf, lent)      └ dropped: discard ► (vacant)
//!                      │ future dropped
//!                      ▼               completion, final: discard or put back
//!                   Abandoned ──────────────────────────────────────────────────► (vacant)
//!
//!   Done ── somebody else needed what the side's holder has not fetched ──► Robbed ── taken: starts again
//! ```

use crate::completion::Outcome;

/// Where a flight stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// The kernel has it, and a future wants the outcome.
    Waiting,
    /// The kernel has it, and nobody waits: the future is gone, or never was (prefetch,
    /// write-behind).
    Abandoned,
    /// The final completion is here; the future will fetch it.
    Done,
    /// As `Done`, but what the kernel handed over has been given to another reader of the same
    /// side. The future, if it still exists, gets its buffer back and queues again.
    Robbed,
}

/// What a completion asks the driver to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnCompletion {
    /// Leave the item on the side's shelf and tell the future.
    Deliver,
    /// Store the outcome and tell the future.
    Finish,
    /// Put back or drop this item; the operation goes on.
    DiscardItem,
    /// Put back or drop the outcome and free the slot.
    DiscardAll,
    /// Nothing more can come after the final completion: the backend broke its promise.
    Protocol,
}

/// What dropping the future asks the driver to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnDrop {
    /// The kernel still has it: remember that nobody waits.
    Abandon,
    /// The outcome is here: put back or drop it and free the slot.
    Discard,
    /// Only the operation itself is left to drop.
    Free,
}

impl State {
    /// Whether the kernel may still touch what the operation keeps.
    pub(crate) fn is_flying(self) -> bool {
        matches!(self, State::Waiting | State::Abandoned)
    }

    /// A completion arrived. A terminal test never looks at the result: the last one may carry
    /// data.
    pub(crate) fn on_completion(self, outcome: Outcome) -> (State, OnCompletion) {
        match (self, outcome.more_to_come()) {
            (State::Waiting, true) => (State::Waiting, OnCompletion::Deliver),
            (State::Waiting, false) => (State::Done, OnCompletion::Finish),
            (State::Abandoned, true) => (State::Abandoned, OnCompletion::DiscardItem),
            (State::Abandoned, false) => (State::Done, OnCompletion::DiscardAll),
            (State::Done | State::Robbed, _) => (self, OnCompletion::Protocol),
        }
    }

    /// The future was dropped.
    pub(crate) fn on_drop(self) -> (State, OnDrop) {
        match self {
            State::Waiting | State::Abandoned => (State::Abandoned, OnDrop::Abandon),
            State::Done => (State::Done, OnDrop::Discard),
            State::Robbed => (State::Robbed, OnDrop::Free),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MORE: Outcome = Outcome::plain(1).with_more();
    const LAST: Outcome = Outcome::plain(1);

    #[test]
    fn a_slot_is_given_up_only_by_a_completion_without_more() {
        for state in [State::Waiting, State::Abandoned] {
            let (next, _) = state.on_completion(MORE);
            assert!(next.is_flying());
            let (next, _) = state.on_completion(LAST);
            assert!(!next.is_flying());
            let (next, action) = state.on_drop();
            assert!(next.is_flying());
            assert_eq!(action, OnDrop::Abandon);
        }
    }

    #[test]
    fn an_error_ends_a_multishot_exactly_as_data_does() {
        let error = Outcome::plain(-libc::ENOBUFS);
        assert_eq!(State::Waiting.on_completion(error), (State::Done, OnCompletion::Finish));
        assert_eq!(State::Abandoned.on_completion(error).1, OnCompletion::DiscardAll);
    }

    #[test]
    fn nothing_follows_the_final_completion() {
        for state in [State::Done, State::Robbed] {
            assert_eq!(state.on_completion(LAST).1, OnCompletion::Protocol);
            assert!(!state.on_drop().0.is_flying());
        }
    }
}
