//! The life of a task in one word, which any thread may read and change.
//!
//! Three parties meet here. *Home*, the executor's thread, polls the future and stores its output.
//! *Wakers*, anywhere, put the task into the run queue. *The handle*, possibly on another thread,
//! waits for the output, takes it, asks for the end, or goes away. Each transition is one atomic
//! step that returns what its caller now has to do, so that every race is decided in this file and
//! acted upon elsewhere.
//!
//! ```text
//!                 begin                 Ready, nothing left behind
//!   queued ───────────────► polled ──────────────────────────────────► done
//!     ▲                       │ │                                       ▲
//!     └─────── wake ──────────┘ └─ Ready, or cancelled ─► draining ─────┘
//! ```

use crate::primitive::{AtomicU32, Ordering};

/// The task is in the run queue, or in the inbox on its way there.
///
/// Whoever wakes the task sets it, and only who found it clear may push the task; so it is never
/// queued twice. Home clears it right before the poll: a wake during the poll queues the task
/// again.
const QUEUED: u32 = 1 << 0;

/// Somebody asked for the end of the task.
///
/// Set at most once, and never once the future has ended. Home looks at it when the task comes out
/// of the run queue, so a future is never dropped inside its own poll, and a value that this very
/// poll returns wins.
const CANCELLED: u32 = 1 << 1;

/// The future is gone and its output is stored, but operations that it left behind are still in the
/// kernel.
///
/// Set by home. Wakes still queue the task: they tell that the last such operation has ended.
const DRAINING: u32 = 1 << 2;

/// Everything is over.
///
/// Set by home as the last thing it does. From here on the output belongs to the handle, or, where
/// there was none any more, to home, which drops it. Wakes do nothing.
const DONE: u32 = 1 << 3;

/// A handle exists. Cleared by the handle as it is dropped.
const HANDLE: u32 = 1 << 4;

/// The handle has left a waker in its place.
///
/// The place belongs to the handle while this is clear, and to home from the moment at which `DONE`
/// is set beside it. In between nobody touches it: a handle that wants to change its waker takes
/// the place back first.
const WAITING: u32 = 1 << 5;

/// The task was made on another thread and has not arrived at home; its future can still be dropped
/// anywhere.
///
/// Cleared once, by whoever decides its fate: home as it takes the task in, or the parcel that was
/// not delivered.
const PARCEL: u32 = 1 << 6;

/// The handle has left callbacks for the time when everything is over.
///
/// Set by the handle, each time that it has left one. If it finds `DONE` it has them called, else
/// home does, which sets `DONE`.
const WATCHED: u32 = 1 << 7;

/// The word. See the flags above.
pub(crate) struct State(AtomicU32);

/// What a waker has to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Wake {
    Push,
    Nothing,
}

/// What home has to do with a task that came out of the run queue.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Begin {
    Poll,
    DropFuture,
    Drain,
    Nothing,
}

/// What home has to do with the output of a task that is over.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Complete {
    /// It is the handle's; nobody waits.
    Leave,
    /// It is the handle's, whose waker is to be taken and woken.
    LeaveAndWake,
    /// There is no handle: home drops it.
    Discard,
}

/// Whether a request to end the task was the first one, and what its caller has to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Cancel {
    Push,
    AlreadyQueued,
    /// The future has ended, or its end was asked for before.
    TooLate,
}

/// What a handle that wants to wait finds.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Join {
    /// The output is the handle's.
    Done,
    /// Not yet. After [`State::take_back`] the waker's place is the handle's, after
    /// [`State::leave_waker`] it is not.
    Pending,
}

impl State {
    /// A task made at home: queued, with a handle.
    pub(crate) fn new() -> State {
        State(AtomicU32::new(QUEUED | HANDLE))
    }

    /// A task made on another thread: queued as a message, with a handle.
    pub(crate) fn parcel() -> State {
        State(AtomicU32::new(QUEUED | HANDLE | PARCEL))
    }

    /// Somebody's waker was used. Also publishes what that somebody has written, to the poll that
    /// follows.
    pub(crate) fn wake(&self) -> Wake {
        let before = self.0.fetch_or(QUEUED, Ordering::AcqRel);
        if before & (QUEUED | DONE) == 0 { Wake::Push } else { Wake::Nothing }
    }

    /// Whether the future has ended and left operations behind. For home.
    pub(crate) fn is_draining(&self) -> bool {
        self.0.load(Ordering::Acquire) & (DRAINING | DONE) == DRAINING
    }

    /// Home has taken the task out of the run queue.
    pub(crate) fn begin(&self) -> Begin {
        let before = self.0.fetch_and(!QUEUED, Ordering::AcqRel);
        if before & (DONE | PARCEL) != 0 {
            Begin::Nothing
        } else if before & DRAINING != 0 {
            Begin::Drain
        } else if before & CANCELLED != 0 {
            Begin::DropFuture
        } else {
            Begin::Poll
        }
    }

    /// The future has ended and left operations behind. Home only.
    pub(crate) fn drain(&self) {
        self.0.fetch_or(DRAINING, Ordering::AcqRel);
    }

    /// Everything is over. Home, or the parcel that was not delivered.
    pub(crate) fn complete(&self) -> Complete {
        let before = self.0.fetch_or(DONE, Ordering::AcqRel);
        debug_assert!(before & DONE == 0, "a task is completed once");
        match before & (DONE | HANDLE | WAITING) {
            0 => Complete::Discard,
            flags if flags == HANDLE | WAITING => Complete::LeaveAndWake,
            _ => Complete::Leave,
        }
    }

    /// Asks for the end.
    pub(crate) fn cancel(&self) -> Cancel {
        let mut now = self.0.load(Ordering::Acquire);
        loop {
            if now & (CANCELLED | DRAINING | DONE) != 0 {
                return Cancel::TooLate;
            }
            let then = now | CANCELLED | QUEUED;
            match self.0.compare_exchange_weak(now, then, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) if now & QUEUED == 0 => return Cancel::Push,
                Ok(_) => return Cancel::AlreadyQueued,
                Err(newer) => now = newer,
            }
        }
    }

    /// The handle takes the place of its waker back.
    pub(crate) fn take_back(&self) -> Join {
        self.join(self.0.fetch_and(!WAITING, Ordering::AcqRel))
    }

    /// The handle leaves its waker. If the task is done the waker has come too late, and the place
    /// stays the handle's.
    pub(crate) fn leave_waker(&self) -> Join {
        self.join(self.0.fetch_or(WAITING, Ordering::AcqRel))
    }

    fn join(&self, before: u32) -> Join {
        if before & DONE != 0 { Join::Done } else { Join::Pending }
    }

    /// The handle has left a callback. On `Done` nobody else will have it called.
    pub(crate) fn watch(&self) -> Join {
        self.join(self.0.fetch_or(WATCHED, Ordering::AcqRel))
    }

    /// Whether the handle had left callbacks before the task was done. For whoever made it done.
    pub(crate) fn is_watched(&self) -> bool {
        self.0.load(Ordering::Acquire) & WATCHED != 0
    }

    /// The handle goes away. On `Done` the output is its own, else the place of its waker.
    pub(crate) fn drop_handle(&self) -> Join {
        self.join(self.0.fetch_and(!(HANDLE | WAITING), Ordering::AcqRel))
    }

    /// Decides the fate of a task made on another thread: whether the caller is the first to do so.
    pub(crate) fn claim_parcel(&self) -> bool {
        self.0.fetch_and(!PARCEL, Ordering::AcqRel) & PARCEL != 0
    }

    /// Whether somebody has asked for the end of the task.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed) & CANCELLED != 0
    }

    /// Whether everything is over.
    pub(crate) fn is_done(&self) -> bool {
        self.0.load(Ordering::Acquire) & DONE != 0
    }
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let bits = self.0.load(Ordering::Relaxed);
        let names = [
            (QUEUED, "queued"),
            (CANCELLED, "cancelled"),
            (DRAINING, "draining"),
            (DONE, "done"),
            (HANDLE, "handle"),
            (WAITING, "waiting"),
            (PARCEL, "parcel"),
            (WATCHED, "watched"),
        ];
        f.debug_set()
            .entries(names.iter().filter(|(flag, _)| bits & flag != 0).map(|n| n.1))
            .finish()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_task_is_pushed_once_however_often_it_is_woken() {
        let state = State::new();
        assert_eq!(state.wake(), Wake::Nothing, "it is born in the queue");
        assert_eq!(state.begin(), Begin::Poll);
        assert_eq!(state.wake(), Wake::Push);
        assert_eq!(state.wake(), Wake::Nothing);
        assert_eq!(state.begin(), Begin::Poll);
    }

    #[test]
    fn cancelling_takes_effect_when_the_task_leaves_the_queue() {
        let state = State::new();
        assert_eq!(state.begin(), Begin::Poll);
        assert_eq!(state.cancel(), Cancel::Push);
        assert_eq!(state.cancel(), Cancel::TooLate);
        assert_eq!(state.begin(), Begin::DropFuture);
    }

    #[test]
    fn a_value_returned_by_the_cancelled_poll_wins() {
        let state = State::new();
        assert_eq!(state.begin(), Begin::Poll);
        assert_eq!(state.cancel(), Cancel::Push);
        assert_eq!(state.complete(), Complete::Leave);
        assert_eq!(
            state.begin(),
            Begin::Nothing,
            "what the cancellation queued finds nothing to do"
        );
    }

    #[test]
    fn a_draining_task_is_woken_but_not_cancelled() {
        let state = State::new();
        assert_eq!(state.begin(), Begin::Poll);
        state.drain();
        assert_eq!(state.cancel(), Cancel::TooLate);
        assert_eq!(state.wake(), Wake::Push);
        assert_eq!(state.begin(), Begin::Drain);
        assert_eq!(state.complete(), Complete::Leave);
        assert_eq!(state.wake(), Wake::Nothing);
    }

    #[test]
    fn output_and_waker_change_hands_as_the_flags_say() {
        let state = State::new();
        assert_eq!(state.begin(), Begin::Poll);
        assert_eq!(state.take_back(), Join::Pending);
        assert_eq!(state.leave_waker(), Join::Pending);
        assert_eq!(state.complete(), Complete::LeaveAndWake);
        assert_eq!(state.take_back(), Join::Done);
        assert_eq!(state.drop_handle(), Join::Done);

        let detached = State::new();
        assert_eq!(detached.begin(), Begin::Poll);
        assert_eq!(detached.drop_handle(), Join::Pending);
        assert_eq!(detached.complete(), Complete::Discard);
    }

    #[test]
    fn the_fate_of_a_parcel_is_decided_once() {
        let state = State::parcel();
        assert!(state.claim_parcel());
        assert!(!state.claim_parcel());
        assert!(!State::new().claim_parcel());
    }

    #[test]
    fn callbacks_are_the_business_of_whoever_comes_second() {
        let state = State::new();
        assert_eq!(state.begin(), Begin::Poll);
        assert!(!state.is_watched());
        assert_eq!(state.watch(), Join::Pending);
        assert_eq!(state.complete(), Complete::Leave);
        assert!(state.is_watched(), "home has them called");
        assert_eq!(state.watch(), Join::Done, "the handle has them called");
    }

    #[test]
    fn debug_spells_out_the_flags() {
        assert_eq!(format!("{:?}", State::new()), r#"{"queued", "handle"}"#);
    }
}
