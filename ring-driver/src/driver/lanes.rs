//! The two sides of a descriptor in action: serve, adopt, rob, queue.
//!
//! Reading: first what was left on the shelf; then whatever is in flight, whoever began it; only
//! then a receive of one's own. Writing: one at a time; those that wait are told in the order in
//! which they came, and whoever comes while the side is free goes ahead.

use super::Begun;
use super::caller::Caller;
use super::core::Core;
use super::flight::keeps_something;
use crate::account::{AccountId, Recall};
use crate::backend::Backend;
use crate::completion::Outcome;
use crate::fd::Phase;
use crate::in_flight::{Home, Kept, Key, Slot, State};
use crate::op::{Lane, Operation};
use crate::request::{Number, Request};

impl Core {
    /// The number of a descriptor on which operations may start.
    pub(crate) fn usable(&self, descriptor: usize) -> Option<Number> {
        let state = &self.descriptors[descriptor];
        (state.phase == Phase::Open && state.number != Number::NONE).then_some(state.number)
    }

    pub(super) fn begin_read<O: Operation>(
        &mut self,
        mut operation: O,
        descriptor: usize,
        number: Number,
        queued: bool,
        caller: &mut Caller<'_>,
    ) -> Begun<O> {
        if queued {
            self.descriptors[descriptor].read.queued -= 1;
        }
        loop {
            let side = &mut self.descriptors[descriptor].read;
            if let Some(shelf) = &mut side.shelf {
                let served = operation.serve(shelf);
                if let Some(outcome) = served.or_else(|| shelf.error.take().map(failed)) {
                    return Begun::Served(operation, outcome);
                }
            }
            let Some(key) = side.in_flight else { break };
            match self.slots.get(key).map(|slot| slot.state) {
                // Its future has not come for it, perhaps never will: take what the kernel handed
                // over.
                Some(State::Done) => self.rob(key, descriptor as u32),
                Some(State::Waiting | State::Abandoned) => {
                    self.adopt(descriptor);
                    let side = &mut self.descriptors[descriptor].read;
                    side.queued += 1;
                    caller.stay_among(&mut side.waiters);
                    return Begun::Queued(operation);
                }
                Some(State::Robbed) | None => side.in_flight = None,
            }
        }
        if self.holding {
            return Begun::Held(operation);
        }
        self.descriptors[descriptor].read.tidy(&mut self.empties);
        let (kept, request) = Kept::new(operation, number, &mut self.cells);
        let home = Home::Side { descriptor: descriptor as u32, lane: Lane::Read };
        match self.launch(&request) {
            Ok(key) => {
                self.occupy_read(descriptor, key);
                self.take_off(key, kept, home, caller)
            }
            Err(outcome) => Begun::Served(self.unpack(kept), outcome),
        }
    }

    /// Carries out by a plain call what may be tried [at once](Operation::AT_ONCE), where it lies:
    /// `None` if it has to wait, or something is before it.
    pub(crate) fn try_write(
        &mut self,
        descriptor: usize,
        request: impl FnOnce(Number) -> Request,
    ) -> Option<Outcome> {
        let number = self.usable(descriptor).filter(|_| !self.closed && !self.holding)?;
        let state = &mut self.descriptors[descriptor];
        let has_news = state.write_shelf().is_some_and(|shelf| shelf.error.is_some());
        if state.sending().is_some() || state.has_output() || has_news {
            return None;
        }
        let outcome = self.backend.try_now(&request(number))?;
        self.tally.completions += 1;
        Some(outcome)
    }

    pub(super) fn begin_write<O: Operation>(
        &mut self,
        operation: O,
        descriptor: usize,
        number: Number,
        caller: &mut Caller<'_>,
    ) -> Begun<O> {
        let state = &mut self.descriptors[descriptor];
        if let Some(errno) = state.take_write_error() {
            return Begun::Served(operation, failed(errno));
        }
        if state.sending().is_some() || state.has_output() {
            caller.stay_among(&mut state.write(&mut self.empties).waiters);
            return Begun::Queued(operation);
        }
        if self.holding {
            return Begun::Held(operation);
        }
        let (kept, request) = Kept::new(operation, number, &mut self.cells);
        let home = Home::Side { descriptor: descriptor as u32, lane: Lane::Write };
        match self.launch(&request) {
            Ok(key) => {
                self.occupy_write(descriptor, key);
                self.take_off(key, kept, home, caller)
            }
            Err(outcome) => Begun::Served(self.unpack(kept), outcome),
        }
    }

    /// `key` is the side's receive from now on, paid by whoever is polled.
    fn occupy_read(&mut self, descriptor: usize, key: Key) {
        let payer = self.paying;
        let side = &mut self.descriptors[descriptor].read;
        side.in_flight = Some(key);
        side.payer = payer;
        if payer != AccountId::ROOT {
            self.accounts.submitted(payer);
        }
    }

    /// `key` is the side's send from now on, paid by whoever is polled. It is never an orphan: the
    /// side finishes it.
    fn occupy_write(&mut self, descriptor: usize, key: Key) {
        let payer = self.paying;
        let side = self.descriptors[descriptor].write(&mut self.empties);
        side.in_flight = Some(key);
        side.payer = payer;
        if payer != AccountId::ROOT {
            self.accounts.submitted(payer);
        }
    }

    /// Whoever is polled wants what the abandoned receive brings: it is theirs now, and is not
    /// cancelled.
    pub(crate) fn adopt(&mut self, descriptor: usize) {
        let payer = self.paying;
        let state = &mut self.descriptors[descriptor];
        if !state.orphan {
            return;
        }
        self.tally.adopted += 1;
        state.orphan = false;
        let former = std::mem::replace(&mut state.read.payer, payer);
        if payer != AccountId::ROOT {
            self.accounts.submitted(payer);
        }
        if former != AccountId::ROOT {
            self.accounts.ended(former, Some(Recall::Cancellable), &mut self.after.wakers);
        }
    }

    /// Nobody waits for the side's receive any more.
    pub(super) fn orphan_side(&mut self, key: Key, descriptor: u32) {
        let state = &mut self.descriptors[descriptor as usize];
        if std::mem::replace(&mut state.orphan, true) {
            // It was taken back before its future was dropped.
            return;
        }
        if state.read.payer != AccountId::ROOT {
            self.accounts.orphaned(state.read.payer, Recall::Cancellable);
        }
        self.orphans.push(key);
    }

    /// Whether `key` is still in flight with nobody to wait for it.
    pub(super) fn is_orphan(&mut self, key: Key) -> bool {
        let Some(slot) = self.slots.get(key) else { return false };
        match (slot.state, slot.home) {
            (State::Abandoned, Home::Side { descriptor, lane: Lane::Read }) => {
                self.descriptors[descriptor as usize].orphan
            }
            (State::Abandoned, Home::Account { .. }) => true,
            _ => false,
        }
    }

    /// Gives what the final completion brought to the side; the operation itself stays for its
    /// future, if there is one.
    fn rob(&mut self, key: Key, descriptor: u32) {
        let Some(slot) = self.slots.get(key) else { return };
        slot.state = State::Robbed;
        self.after.wakers.extend(slot.waker.take());
        let outcome = slot.outcome;
        if keeps_something(Lane::Read, outcome) {
            let side = &mut self.descriptors[descriptor as usize].read;
            slot.kept.put_back(outcome, side.shelf(&mut self.empties));
        }
        self.free_side(descriptor, Lane::Read);
    }

    /// A closing descriptor does not wait until the holder of a completed receive comes for it.
    pub(super) fn rob_if_closing(&mut self, home: Home, key: Key) {
        if let Home::Side { descriptor, lane: Lane::Read } = home
            && self.descriptors[descriptor as usize].phase != Phase::Open
        {
            self.rob(key, descriptor);
        }
    }

    /// A receive that its future has not fetched would keep a closing side taken for ever.
    pub(crate) fn rob_if_done(&mut self, key: Key, descriptor: u32) -> bool {
        let done = self.slots.get(key).is_some_and(|slot| slot.state == State::Done);
        if done {
            self.rob(key, descriptor);
        }
        done
    }

    /// Whether nothing may start now.
    pub(crate) fn is_holding(&self) -> bool {
        self.holding
    }

    /// Whether the driver has been told to end: nothing new starts.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Whether the driver has ended: nothing completes any more.
    pub(crate) fn is_gone(&self) -> bool {
        matches!(self.backend, Backend::Gone)
    }

    /// Starts `operation` on a free side for nobody in particular: what it brings goes on the
    /// side's shelf, perhaps at once.
    pub(crate) fn begin_detached<O: Operation>(&mut self, operation: O, descriptor: u32) {
        let state = &mut self.descriptors[descriptor as usize];
        let number = state.number;
        let (kept, request) = Kept::new(operation, number, &mut self.cells);
        let key = match self.launch(&request) {
            Ok(key) => key,
            Err(outcome) => return self.leave_to_side(kept, outcome, descriptor, O::LANE),
        };
        let home = Home::Side { descriptor, lane: O::LANE };
        self.slots.insert(key, kept, home, State::Abandoned, None);
        let state = &mut self.descriptors[descriptor as usize];
        state.own |= O::LANE != Lane::Write;
        let side = match O::LANE {
            Lane::Write => state.write(&mut self.empties),
            _ => &mut state.read,
        };
        debug_assert!(side.in_flight.is_none(), "a side holds one operation");
        side.in_flight = Some(key);
    }

    /// Puts the outcome of a taken slot on the shelf of its side.
    pub(super) fn put_back(&mut self, slot: &mut Slot, descriptor: u32, lane: Lane) {
        if !keeps_something(lane, slot.outcome) {
            return;
        }
        let state = &mut self.descriptors[descriptor as usize];
        let side = state.side(lane);
        slot.kept.put_back(slot.outcome, side.shelf(&mut self.empties));
    }

    /// A future that stood in the queue of a side is gone.
    pub(super) fn leave_queue(&mut self, descriptor: usize, lane: Lane) {
        if lane == Lane::Write {
            return;
        }
        let state = &mut self.descriptors[descriptor];
        state.read.queued -= 1;
        // What is the side's own goes on for whoever comes next.
        let is_last = state.read.queued == 0 && !state.own;
        let Some(key) = state.read.in_flight.filter(|_| is_last) else { return };
        let abandoned = self.slots.get(key).is_some_and(|slot| slot.state == State::Abandoned);
        if abandoned {
            self.orphan_side(key, descriptor as u32);
        }
    }
}

fn failed(errno: i32) -> Outcome {
    Outcome::plain(-errno)
}
