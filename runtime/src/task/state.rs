//! The life of a task: who has to do what, decided in single steps.
//!
//! Three parties meet here. *Home*, the executor's thread, polls the future and stores its output.
//! *Wakers*, anywhere, put the task into the run queue. *The handle*, possibly on another thread,
//! waits for the output, takes it, asks for the end, or goes away. Each transition is one step that
//! returns what its caller now has to do, so that every race is decided in this file and acted upon
//! elsewhere.
//!
//! Steps are atomic where two threads may meet, and plain where both parties are on one: whether
//! the task is in the queue is home's own business, to which a wake from afar adds a mark of its
//! own; and a handle that is used at home meets nobody there but home.
//!
//! ```text
//!                 begin                 Ready, nothing left behind
//!   queued ───────────────► polled ──────────────────────────────────► done
//!     ▲                       │ │                                       ▲
//!     └─────── wake ──────────┘ └─ Ready, or cancelled ─► draining ─────┘
//! ```

use crate::primitive::{AtomicU8, AtomicU16, Ordering};

/// At home: the task is in the run queue.
///
/// Whoever wakes the task there sets it, and only who found it clear may push the task; so it is
/// never queued twice. Cleared right before the poll: a wake during the poll queues the task again.
const QUEUED: u8 = 1 << 0;

/// At home: somebody has the right to touch the future.
const OPEN: u8 = 1 << 1;

/// At home: the task was made there, and refers to its home as a lodger. Never changes.
const LODGER: u8 = 1 << 2;

/// From afar: somebody has woken the task, and a message to home is on its way.
const CALLED: u8 = 1 << 0;

/// Somebody asked for the end of the task.
///
/// Set at most once, and never once the future has ended. Home looks at it when the task comes out
/// of the run queue, so a future is never dropped inside its own poll, and a value that this very
/// poll returns wins.
const CANCELLED: u16 = 1 << 1;

/// The future is gone and its output is stored, but operations that it left behind are still in the
/// kernel.
///
/// Set by home. Wakes still queue the task: they tell that the last such operation has ended.
const DRAINING: u16 = 1 << 2;

/// Everything is over.
///
/// Set by home as the last thing it does. From here on the output belongs to the handle, or, where
/// there was none any more, to home, which drops it. Wakes do nothing.
const DONE: u16 = 1 << 3;

/// A handle exists. Cleared by the handle as it is dropped.
const HANDLE: u16 = 1 << 4;

/// The handle has left a waker in its place.
///
/// The place belongs to the handle while this is clear, and to home from the moment at which `DONE`
/// is set beside it. In between nobody touches it: a handle that wants to change its waker takes
/// the place back first.
const WAITING: u16 = 1 << 5;

/// The task was made on another thread and has not arrived at home; its future can still be dropped
/// anywhere.
///
/// Cleared once, by whoever decides its fate: home as it takes the task in, or the parcel that was
/// not delivered.
const PARCEL: u16 = 1 << 6;

/// The handle has left callbacks for the time when everything is over.
///
/// Set by the handle, each time that it has left one. If it finds `DONE` it has them called, else
/// home does, which sets `DONE`.
const WATCHED: u16 = 1 << 7;

/// The handle has taken the output.
const TAKEN: u16 = 1 << 8;

/// Home has left the cell to the handle.
///
/// Set beside `DONE` if nobody else had a reference and there was nothing more to be done: home
/// does not look at the cell again.
const GIVEN_AWAY: u16 = 1 << 9;

/// Three words, in the space of one. See the flags above.
pub(crate) struct State {
    /// Home's own: read and written there only, and so in plain steps.
    here: AtomicU8,
    /// What others say to home.
    afar: AtomicU8,
    /// What all sides decide together.
    life: AtomicU16,
}

/// Whether whoever calls is at home, and the task is home's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Here,
    Afar,
}

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
    /// It is the handle's, and so is the cell.
    GiveAway,
    /// There is no handle: home drops it.
    Discard,
}

/// Whether a request to end the task was the first one.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Cancel {
    /// The task is to be woken, so that it notices.
    Wake,
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
        State::with(LODGER | QUEUED, HANDLE)
    }

    /// A task made on another thread: on its way, with a handle.
    pub(crate) fn parcel() -> State {
        State::with(0, HANDLE | PARCEL)
    }

    /// Who is woken like a task, without being one for others.
    pub(crate) fn resident() -> State {
        State::with(LODGER, 0)
    }

    fn with(here: u8, life: u16) -> State {
        State { here: AtomicU8::new(here), afar: AtomicU8::new(0), life: AtomicU16::new(life) }
    }

    /// Whether the task was made at home, and refers to it as a lodger.
    pub(super) fn is_lodger(&self) -> bool {
        self.has_here(LODGER)
    }

    fn has_here(&self, flag: u8) -> bool {
        self.here.load(Ordering::Relaxed) & flag != 0
    }

    fn set_here(&self, flag: u8) {
        self.here.store(self.here.load(Ordering::Relaxed) | flag, Ordering::Relaxed);
    }

    fn clear_here(&self, flag: u8) {
        self.here.store(self.here.load(Ordering::Relaxed) & !flag, Ordering::Relaxed);
    }

    /// Somebody's waker was used at home. Home only.
    pub(crate) fn wake(&self) -> Wake {
        if self.has_here(QUEUED) || self.is_done() {
            return Wake::Nothing;
        }
        self.set_here(QUEUED);
        Wake::Push
    }

    /// Somebody's waker was used elsewhere: whether home is to be called. Also publishes what that
    /// somebody has written, to the poll that follows.
    pub(crate) fn call(&self) -> bool {
        // Atomic also where it changes nothing, so that it takes its place among the calls.
        self.afar.swap(CALLED, Ordering::AcqRel) == 0 && !self.is_done()
    }

    /// A call from afar has arrived. Home only.
    pub(crate) fn arrive(&self) -> Wake {
        self.afar.swap(0, Ordering::AcqRel);
        self.wake()
    }

    /// Home has taken the task out of the run queue and begins to touch the future, unless somebody
    /// does. Home only.
    #[inline]
    pub(crate) fn open(&self) -> Option<Begin> {
        let here = self.here.load(Ordering::Relaxed);
        if here & OPEN != 0 {
            return None;
        }
        self.here.store((here | OPEN) & !QUEUED, Ordering::Relaxed);
        Some(self.next())
    }

    /// Home is done with the future, for now. Home only.
    pub(crate) fn close(&self) {
        self.clear_here(OPEN);
    }

    /// Whether the future has ended and left operations behind. For home.
    pub(crate) fn is_draining(&self) -> bool {
        self.life.load(Ordering::Acquire) & (DRAINING | DONE) == DRAINING
    }

    /// Home has taken the task out of the run queue.
    pub(crate) fn begin(&self) -> Begin {
        self.clear_here(QUEUED);
        self.next()
    }

    #[inline]
    fn next(&self) -> Begin {
        let life = self.life.load(Ordering::Acquire);
        if life & (CANCELLED | DRAINING | DONE | PARCEL) == 0 {
            Begin::Poll
        } else if life & (DONE | PARCEL) != 0 {
            Begin::Nothing
        } else if life & DRAINING != 0 {
            Begin::Drain
        } else {
            Begin::DropFuture
        }
    }

    /// The future has ended and left operations behind. Home only.
    pub(crate) fn drain(&self) {
        self.life.fetch_or(DRAINING, Ordering::AcqRel);
    }

    /// Everything is over. Home, or the parcel that was not delivered, which tells whether it would
    /// leave the handle alone.
    #[inline]
    pub(crate) fn complete(&self, is_alone: bool) -> Complete {
        let mut now = self.life.load(Ordering::Acquire);
        // Memory safety depends on it: whoever completes a task settles its references.
        assert!(now & DONE == 0, "a task is completed once");
        loop {
            let (complete, then) = match now & (HANDLE | WAITING) {
                HANDLE if is_alone && now & WATCHED == 0 => (Complete::GiveAway, DONE | GIVEN_AWAY),
                HANDLE => (Complete::Leave, DONE),
                0 => {
                    // Nobody else writes.
                    self.life.store(now | DONE, Ordering::Release);
                    return Complete::Discard;
                }
                _ => (Complete::LeaveAndWake, DONE),
            };
            let (success, failure) = (Ordering::AcqRel, Ordering::Acquire);
            match self.life.compare_exchange_weak(now, now | then, success, failure) {
                Ok(_) => return complete,
                Err(newer) => now = newer,
            }
        }
    }

    /// Asks for the end.
    pub(crate) fn cancel(&self) -> Cancel {
        let mut now = self.life.load(Ordering::Acquire);
        loop {
            if now & (CANCELLED | DRAINING | DONE) != 0 {
                return Cancel::TooLate;
            }
            let then = now | CANCELLED;
            match self.life.compare_exchange_weak(now, then, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return Cancel::Wake,
                Err(newer) => now = newer,
            }
        }
    }

    /// Changes what the handle that calls says of itself. Where home is the same thread, or has
    /// said its last word, nobody else writes.
    fn say(&self, side: Side, change: impl Fn(u16) -> u16) -> u16 {
        let mut now = self.life.load(Ordering::Acquire);
        if side == Side::Here || now & DONE != 0 {
            self.life.store(change(now), Ordering::Release);
            return now;
        }
        loop {
            let then = change(now);
            match self.life.compare_exchange_weak(now, then, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return now,
                Err(newer) => now = newer,
            }
        }
    }

    /// The handle takes the place of its waker back.
    pub(super) fn take_back(&self, side: Side) -> Join {
        let now = self.life.load(Ordering::Acquire);
        if now & (DONE | WAITING) != WAITING {
            return self.join(now);
        }
        self.join(self.say(side, |life| life & !WAITING))
    }

    /// The handle leaves its waker. If the task is done the waker has come too late, and the place
    /// stays the handle's.
    pub(super) fn leave_waker(&self, side: Side) -> Join {
        self.join(self.say(side, |life| life | WAITING))
    }

    fn join(&self, before: u16) -> Join {
        if before & DONE != 0 { Join::Done } else { Join::Pending }
    }

    /// The handle has found the task done, and takes the output: whether it is there still.
    pub(super) fn take(&self) -> bool {
        let before = self.say(Side::Here, |life| life | TAKEN);
        debug_assert!(before & DONE != 0, "an output is taken from a task that is done");
        before & TAKEN == 0
    }

    /// The handle has left a callback. On `Done` nobody else will have it called.
    pub(crate) fn watch(&self) -> Join {
        self.join(self.life.fetch_or(WATCHED, Ordering::AcqRel))
    }

    /// Whether the handle had left callbacks before the task was done. For whoever made it done.
    pub(crate) fn is_watched(&self) -> bool {
        self.life.load(Ordering::Acquire) & WATCHED != 0
    }

    /// The handle goes away. On `Done` the output is its own if that was not
    /// [taken](State::take), else the place of its waker.
    pub(super) fn drop_handle(&self, side: Side) -> Join {
        if self.is_done() {
            return Join::Done;
        }
        self.join(self.say(side, |life| life & !(HANDLE | WAITING)))
    }

    /// Decides the fate of a task made on another thread: whether the caller is the first to do so.
    pub(crate) fn claim_parcel(&self) -> bool {
        self.life.load(Ordering::Acquire) & PARCEL != 0
            && self.life.fetch_and(!PARCEL, Ordering::AcqRel) & PARCEL != 0
    }

    /// Whether home has left the cell to the handle that asks.
    #[inline]
    pub(super) fn is_given_away(&self) -> bool {
        self.life.load(Ordering::Acquire) & GIVEN_AWAY != 0
    }

    /// Whether somebody has asked for the end of the task.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.life.load(Ordering::Relaxed) & CANCELLED != 0
    }

    /// Whether everything is over.
    pub(crate) fn is_done(&self) -> bool {
        self.life.load(Ordering::Acquire) & DONE != 0
    }
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let bits = self.life.load(Ordering::Relaxed);
        let names = [
            (CANCELLED, "cancelled"),
            (DRAINING, "draining"),
            (DONE, "done"),
            (HANDLE, "handle"),
            (WAITING, "waiting"),
            (PARCEL, "parcel"),
            (WATCHED, "watched"),
            (TAKEN, "taken"),
            (GIVEN_AWAY, "given away"),
        ];
        f.debug_set()
            .entries(names.iter().filter(|(flag, _)| bits & flag != 0).map(|n| n.1))
            .finish()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::Side::{Afar, Here};
    use super::*;

    #[test]
    fn a_task_is_pushed_once_however_often_it_is_woken() {
        let state = State::new();
        assert_eq!(state.wake(), Wake::Nothing, "it is born in the queue");
        assert_eq!(state.begin(), Begin::Poll);
        assert_eq!(state.wake(), Wake::Push);
        assert_eq!(state.wake(), Wake::Nothing);
        assert!(state.call(), "from afar nobody knows that");
        assert!(!state.call(), "but one message is enough");
        assert_eq!(state.arrive(), Wake::Nothing);
        assert_eq!(state.begin(), Begin::Poll);
        assert!(state.call());
        assert_eq!(state.arrive(), Wake::Push);
    }

    #[test]
    fn cancelling_takes_effect_when_the_task_leaves_the_queue() {
        let state = State::new();
        assert_eq!(state.begin(), Begin::Poll);
        assert_eq!(state.cancel(), Cancel::Wake);
        assert_eq!(state.cancel(), Cancel::TooLate);
        assert_eq!(state.begin(), Begin::DropFuture);
    }

    #[test]
    fn a_value_returned_by_the_cancelled_poll_wins() {
        let state = State::new();
        assert_eq!(state.begin(), Begin::Poll);
        assert_eq!(state.cancel(), Cancel::Wake);
        assert_eq!(state.wake(), Wake::Push);
        assert_eq!(state.complete(false), Complete::Leave);
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
        assert_eq!(state.complete(false), Complete::Leave);
        assert_eq!(state.wake(), Wake::Nothing);
        assert!(!state.call());
    }

    #[test]
    #[should_panic = "a task is completed once"]
    fn a_task_is_not_completed_again_even_if_nobody_has_a_handle() {
        let state = State::new();
        assert_eq!(state.drop_handle(Here), Join::Pending);
        assert_eq!(state.complete(false), Complete::Discard);
        state.complete(false);
    }

    #[test]
    fn output_and_waker_change_hands_as_the_flags_say() {
        for side in [Here, Afar] {
            let state = State::new();
            assert_eq!(state.begin(), Begin::Poll);
            assert_eq!(state.take_back(side), Join::Pending);
            assert_eq!(state.leave_waker(side), Join::Pending);
            assert_eq!(state.complete(false), Complete::LeaveAndWake);
            assert_eq!(state.take_back(side), Join::Done);
            assert!(state.take());
            assert!(!state.take(), "there is one output");
            assert_eq!(state.drop_handle(side), Join::Done);

            let detached = State::new();
            assert_eq!(detached.begin(), Begin::Poll);
            assert_eq!(detached.drop_handle(side), Join::Pending);
            assert_eq!(detached.complete(false), Complete::Discard);
        }
    }

    #[test]
    fn a_handle_that_is_alone_and_does_not_wait_gets_the_cell() {
        for (is_alone, is_waiting, complete) in [
            (true, false, Complete::GiveAway),
            (true, true, Complete::LeaveAndWake),
            (false, false, Complete::Leave),
        ] {
            let state = State::new();
            assert_eq!(state.begin(), Begin::Poll);
            if is_waiting {
                assert_eq!(state.leave_waker(Here), Join::Pending);
            }
            assert_eq!(state.complete(is_alone), complete);
            assert_eq!(state.is_given_away(), complete == Complete::GiveAway);
        }
        let watched = State::new();
        assert_eq!(watched.watch(), Join::Pending);
        assert_eq!(watched.complete(true), Complete::Leave, "home has callbacks to see to");
        let detached = State::new();
        assert_eq!(detached.drop_handle(Here), Join::Pending);
        assert_eq!(detached.complete(true), Complete::Discard);
    }

    #[test]
    fn a_future_is_touched_by_one_at_a_time() {
        let state = State::new();
        assert_eq!(state.open(), Some(Begin::Poll));
        assert_eq!(state.open(), None);
        assert_eq!(state.wake(), Wake::Push, "it may be woken meanwhile");
        state.close();
        assert_eq!(state.open(), Some(Begin::Poll));
    }

    #[test]
    fn the_fate_of_a_parcel_is_decided_once() {
        let state = State::parcel();
        assert!(state.claim_parcel());
        assert!(!state.claim_parcel());
        assert!(!State::new().claim_parcel());
    }

    #[test]
    fn how_a_task_refers_to_its_home_never_changes() {
        for (state, is_lodger) in [(State::new(), true), (State::parcel(), false)] {
            state.claim_parcel();
            state.wake();
            assert_eq!(state.open(), Some(Begin::Poll));
            state.wake();
            state.close();
            state.begin();
            state.complete(true);
            assert_eq!(state.is_lodger(), is_lodger);
        }
        assert!(State::resident().is_lodger());
    }

    #[test]
    fn callbacks_are_the_business_of_whoever_comes_second() {
        let state = State::new();
        assert_eq!(state.begin(), Begin::Poll);
        assert!(!state.is_watched());
        assert_eq!(state.watch(), Join::Pending);
        assert_eq!(state.complete(false), Complete::Leave);
        assert!(state.is_watched(), "home has them called");
        assert_eq!(state.watch(), Join::Done, "the handle has them called");
    }

    #[test]
    fn debug_spells_out_the_flags() {
        assert_eq!(format!("{:?}", State::parcel()), r#"{"handle", "parcel"}"#);
    }
}
