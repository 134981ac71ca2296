//! What a completion does: it finds its flight, leaves there what it has brought, frees a side, and
//! tells whoever waits.

use super::core::Core;
use super::flight::keeps_something;
use crate::account::AccountId;
use crate::buffer::{BufPool, Traffic};
use crate::completion::{Completion, Outcome};
use crate::fd::Phase;
use crate::in_flight::{Home, Kept, Key, OnCompletion};
use crate::op::Lane;
use crate::request::UserData;

impl Core {
    /// Whether that was for a stream.
    pub(super) fn on_completion(&mut self, completion: Completion) -> bool {
        let Completion { user_data, mut outcome } = completion;
        if outcome.result() < 0 {
            outcome = self.take_back_buffer(outcome);
        }
        let key = Key::from_user_data(user_data);
        let Some(slot) = self.slots.get(key) else {
            self.on_stranger(user_data, outcome);
            return false;
        };
        self.tally.completions += 1;
        let outcome = match outcome.is_notification() {
            true => slot.outcome.ended_by(outcome),
            false => outcome,
        };
        let (state, action) = slot.state.on_completion(outcome);
        slot.state = state;
        let home = slot.home;
        if slot.recalls > 0 && !outcome.more_to_come() {
            self.tally.count_recalled(outcome);
        }
        match action {
            OnCompletion::Deliver => {
                self.after.wakers.extend(slot.waker.take());
                self.on_item(key, home, outcome);
            }
            OnCompletion::Finish => {
                if let Some(waker) = slot.waker.take() {
                    self.after.wakers.push(waker);
                }
                slot.outcome = outcome;
                self.settle(home, key);
                self.wake_read_side(home);
                self.rob_if_closing(home, key);
            }
            OnCompletion::DiscardItem => self.on_item(key, home, outcome),
            OnCompletion::DiscardAll => self.discard_all(key, outcome),
            OnCompletion::Protocol => {
                debug_assert!(false, "a completion after the final one of {}", slot.kept.name());
                self.tally.stale += 1;
            }
        }
        !matches!(home, Home::Account { .. })
    }

    /// A completion with more to come. One of a multishot is left on the shelf, in order, whether or
    /// not the one who began the series is still there.
    fn on_item(&mut self, key: Key, home: Home, outcome: Outcome) {
        let Home::Side { descriptor, lane } = home else { return };
        if lane == Lane::Write {
            return self.on_sent(key, descriptor, outcome);
        }
        let Some(slot) = self.slots.get(key) else { return };
        let side = &mut self.descriptors[descriptor as usize].read;
        let shelf = side.shelf(&mut self.empties);
        slot.kept.put_back(outcome, shelf);
        // Again and again: a cancellation that meets the kernel while it delivers is lost.
        if self.is_ahead(descriptor) && self.flooding.last() != Some(&key) {
            self.flooding.push(key);
        }
        self.wake_read_side(home);
    }

    /// A send is over, of which the kernel has borrowed the bytes: the next one may begin, and the
    /// memory stays where it is. One that has failed has borrowed nothing, and is told when it ends.
    fn on_sent(&mut self, key: Key, descriptor: u32, outcome: Outcome) {
        let Some(slot) = self.slots.get(key) else { return };
        slot.outcome = outcome;
        if outcome.errno().is_none() {
            slot.home = Home::Lent;
            self.free_side(descriptor, Lane::Write);
        }
    }

    /// Stops a multishot whose items nobody fetches, so that the peer is held up and not memory
    /// filled. What it has brought stays, and whoever comes for it starts it again after that.
    pub(super) fn stem(&mut self, key: Key) {
        let Some(Home::Side { descriptor, .. }) = self.slots.get(key).map(|slot| slot.home) else {
            return;
        };
        if self.is_ahead(descriptor) {
            self.cancel(key);
        }
    }

    /// Whether as much lies on the shelf as a multishot may bring while nobody fetches it.
    fn is_ahead(&self, descriptor: u32) -> bool {
        let shelf = &self.descriptors[descriptor as usize].read.shelf;
        let scarce = |traffic: Traffic| {
            self.buf_pools[traffic as usize].as_ref().is_some_and(BufPool::is_scarce)
        };
        shelf.as_ref().is_some_and(|shelf| shelf.is_full(scarce))
    }

    /// A completion that no slot waits for: the answer to a cancellation, or of a leaked flight, or
    /// posted by somebody else. Its buffer goes home.
    fn on_stranger(&mut self, user_data: UserData, outcome: Outcome) {
        if let Some(descriptor) = user_data.readers() {
            return self.wake_readers(descriptor);
        }
        if let Some(target) = user_data.cancelled() {
            return self.on_cancellation(Key::from_user_data(target), outcome);
        }
        self.tally.completions += 1;
        self.tally.stale += 1;
        self.take_back_buffer(outcome);
    }

    /// Nobody looks at the buffer of what has failed, or of what nobody waits for.
    fn take_back_buffer(&self, outcome: Outcome) -> Outcome {
        if let Some(id) = outcome.buffer_id()
            && let Some(pool) = self.buf_pools.iter().flatten().find(|pool| pool.owns(id))
        {
            drop(pool.take(id, 0));
        }
        outcome.without_buffer()
    }

    /// The final completion of an operation that nobody waits for.
    fn discard_all(&mut self, key: Key, outcome: Outcome) {
        let home = self.slots.get(key).map(|slot| slot.home);
        match home {
            Some(Home::Account { account, recall, orphan, descriptor }) => {
                let slot = self.slots.remove(key);
                self.accounts.ended(account, orphan.then_some(recall), &mut self.after.wakers);
                self.after.discard.push((slot.kept, outcome));
                self.free_flight_ended(key, descriptor);
            }
            Some(Home::Side { descriptor, lane }) => {
                let slot = self.slots.remove(key);
                self.leave_to_side(slot.kept, outcome, descriptor, lane);
            }
            Some(Home::Lent) => {
                let slot = self.slots.remove(key);
                self.after.discard.push((slot.kept, outcome));
            }
            None => {}
        }
    }

    /// The side is free again, with what an operation that nobody waits for has brought.
    pub(super) fn leave_to_side(
        &mut self,
        mut kept: Kept,
        outcome: Outcome,
        descriptor: u32,
        lane: Lane,
    ) {
        let state = &mut self.descriptors[descriptor as usize];
        let side = state.side(lane);
        // A send that was cancelled has lost bytes.
        if lane == Lane::Write || keeps_something(lane, outcome) {
            kept.put_back(outcome, side.shelf(&mut self.empties));
        }
        if lane == Lane::Write {
            side.tidy(&mut self.empties);
        }
        self.after.free.push(kept);
        self.free_side(descriptor, lane);
    }

    /// The kernel is done with the operation on this side.
    fn settle(&mut self, home: Home, key: Key) {
        match home {
            Home::Account { account, recall, orphan, descriptor } => {
                self.accounts.ended(account, orphan.then_some(recall), &mut self.after.wakers);
                self.free_flight_ended(key, descriptor);
            }
            Home::Side { descriptor, lane: Lane::Write } => {
                debug_assert_eq!(self.descriptors[descriptor as usize].sending(), Some(key));
                self.free_side(descriptor, Lane::Write);
            }
            // The side stays taken until its holder, or a rival, has fetched what came.
            Home::Side { descriptor, .. } => {
                let state = &mut self.descriptors[descriptor as usize];
                let (payer, orphan) = state.settle(Lane::Read);
                if payer != AccountId::ROOT {
                    self.accounts.ended(payer, orphan, &mut self.after.wakers);
                }
            }
            Home::Lent => {}
        }
    }

    /// An operation that occupied no side names `descriptor` no longer, nor its far end.
    fn free_flight_ended(&mut self, key: Key, descriptor: u32) {
        self.no_longer_named(descriptor);
        if let Some(at) = self.far_ends.iter().position(|&(flight, _)| flight == key) {
            let (_, far_end) = self.far_ends.swap_remove(at);
            self.no_longer_named(far_end);
        }
    }

    fn no_longer_named(&mut self, descriptor: u32) {
        if let Some(state) = self.descriptors.get_mut(descriptor as usize) {
            state.free_flights -= 1;
            if state.phase != Phase::Open {
                self.on_quieter(descriptor);
            }
        }
    }

    /// Nothing occupies this side any more: whoever waits for it may try.
    pub(super) fn free_side(&mut self, descriptor: u32, lane: Lane) {
        let state = &mut self.descriptors[descriptor as usize];
        state.own &= lane == Lane::Write;
        let (payer, orphan) = state.settle(lane);
        let side = state.side(lane);
        side.in_flight = None;
        side.waiters.leave_to(&mut self.after.wakers);
        if payer != AccountId::ROOT {
            self.accounts.ended(payer, orphan, &mut self.after.wakers);
        }
        if lane == Lane::Write {
            let state = &mut self.descriptors[descriptor as usize];
            if state.cut_short {
                state.discard_output();
            }
            state.tidy_write(&mut self.empties);
            if state.has_output() {
                self.mark_dirty(descriptor);
            }
            self.end_if_sent(descriptor);
        }
        self.on_quieter(descriptor);
    }

    fn wake_read_side(&mut self, home: Home) {
        if let Home::Side { descriptor, lane: Lane::Read } = home {
            self.wake_readers(descriptor);
        }
    }

    /// Whoever waits for the read side of a descriptor, which may have been closed by now, may try.
    fn wake_readers(&mut self, descriptor: u32) {
        if let Some(state) = self.descriptors.get_mut(descriptor as usize) {
            state.read.waiters.leave_to(&mut self.after.wakers);
        }
    }
}
