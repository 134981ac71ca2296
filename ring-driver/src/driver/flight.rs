//! The life of one flight as its future sees it: begin, poll, abandon.

use std::io;

use super::caller::Caller;
use super::core::Core;
use super::{Begun, Polled};
use crate::account::{AccountId, Recall};
use crate::completion::Outcome;
use crate::error::RuntimeError;
use crate::fd::Fd;
use crate::in_flight::{Home, Kept, Key, OnDrop, Slot, State};
use crate::op::{Lane, MultiOperation, Operation};
use crate::request::Number;

impl Core {
    pub(super) fn begin<O: Operation>(
        &mut self,
        operation: O,
        fd: Option<&Fd>,
        queued: bool,
        caller: &mut Caller<'_>,
    ) -> Begun<O> {
        if self.closed {
            return Begun::Refused(operation, RuntimeError::RuntimeGone.into());
        }
        let number = match fd.map(|fd| self.usable(fd.index())) {
            None => Number::NONE,
            Some(Some(number)) => number,
            Some(None) => return Begun::Refused(operation, RuntimeError::Closed.into()),
        };
        let far_end = operation.far_end().map(Fd::index);
        if far_end.is_some_and(|far_end| self.usable(far_end).is_none()) {
            return Begun::Refused(operation, RuntimeError::Closed.into());
        }
        match (O::LANE, fd) {
            (Lane::Free, _) if self.holding => Begun::Held(operation),
            (Lane::Free, fd) => {
                let (kept, request) = Kept::new(operation, number, &mut self.cells);
                let key = match self.launch(&request) {
                    Ok(key) => key,
                    Err(outcome) => return Begun::Served(self.unpack(kept), outcome),
                };
                let account = self.paying;
                self.accounts.submitted(account);
                let descriptor = match fd {
                    Some(fd) => {
                        self.descriptors[fd.index()].free_flights += 1;
                        fd.index() as u32
                    }
                    None => Home::NO_DESCRIPTOR,
                };
                let recall = match self.backend.can_cancel(&request) {
                    true => Recall::Cancellable,
                    false => Recall::Futile,
                };
                if let Some(far_end) = far_end {
                    self.descriptors[far_end].free_flights += 1;
                    self.far_ends.push((key, far_end as u32));
                }
                let home = Home::Account { account, recall, orphan: false, descriptor };
                self.take_off(key, kept, home, caller)
            }
            (Lane::Read, Some(fd)) => {
                self.begin_read(operation, fd.index(), number, queued, caller)
            }
            (Lane::Write, Some(fd)) => self.begin_write(operation, fd.index(), number, caller),
            (_, None) => Begun::Refused(
                operation,
                io::Error::new(io::ErrorKind::InvalidInput, "this operation needs a descriptor"),
            ),
        }
    }

    /// Takes the slot of a flight that has a future.
    pub(super) fn take_off<O>(
        &mut self,
        key: Key,
        kept: Kept,
        home: Home,
        caller: &mut Caller<'_>,
    ) -> Begun<O> {
        self.slots.insert(key, kept, home, State::Waiting, caller.own());
        Begun::InFlight(key)
    }

    pub(super) fn poll_slot<O: Operation>(
        &mut self,
        key: Key,
        caller: &mut Caller<'_>,
    ) -> Polled<O> {
        // A slot that is not there has been leaked at the end of the driver: its operation will
        // never come back.
        let Some(slot) = self.slots.get(key) else { return Polled::Pending };
        match slot.state {
            State::Waiting | State::Abandoned => {
                caller.stay_in(&mut slot.waker);
                Polled::Pending
            }
            State::Done => {
                let slot = self.fetch(key);
                let outcome = slot.outcome;
                Polled::Done(self.unpack(slot.kept), outcome)
            }
            State::Robbed => {
                let slot = self.slots.remove(key);
                Polled::Robbed(self.unpack(slot.kept))
            }
        }
    }

    /// What was sent by a flight of which the kernel still reads what it was lent.
    pub(super) fn lent(&mut self, key: Key) -> Option<Outcome> {
        let slot = self.slots.get(key)?;
        (slot.home == Home::Lent && slot.state.is_flying()).then_some(slot.outcome)
    }

    /// What lies on the shelf of `descriptor` for a multishot.
    pub(super) fn take_item<O: MultiOperation>(&mut self, descriptor: usize) -> Option<O::Taken> {
        self.usable(descriptor).filter(|_| !self.closed)?;
        O::take(self.descriptors[descriptor].read.shelf.as_mut()?)
    }

    /// Takes a slot with its outcome; a read side is free again.
    #[inline]
    fn fetch(&mut self, key: Key) -> Slot {
        let slot = self.slots.remove(key);
        if let Home::Side { descriptor, lane: Lane::Read } = slot.home {
            self.free_side(descriptor, Lane::Read);
        }
        slot
    }

    #[allow(unsafe_code)]
    pub(super) fn unpack<O: Operation>(&mut self, kept: Kept) -> O {
        // SAFETY: a key is made by `begin::<O>` and held by the one `Op<O>` or `Multi<O>` that
        // began; slots check that it is not stale.
        unsafe { kept.into_operation(&mut self.cells) }
    }

    /// `key`, which is charged to an account, counts as an orphan there from now on. Whether it did
    /// not before: an orphan is asked to end once.
    fn orphan_flight(&mut self, key: Key) -> bool {
        let Some(slot) = self.slots.get(key) else { return false };
        if let Home::Account { account, recall, orphan, .. } = &mut slot.home
            && !std::mem::replace(orphan, true)
        {
            self.accounts.orphaned(*account, *recall);
            return true;
        }
        false
    }

    /// Wakes whoever waits for what is charged to open accounts below `account`, which has ended:
    /// those who live elsewhere show it by polling.
    pub(super) fn remind_below(&mut self, account: AccountId) {
        for key in self.flying_below(account) {
            if let Some(slot) = self.slots.get(key) {
                self.after.wakers.extend(slot.waker.take());
            }
        }
    }

    /// Takes back what is charged to open accounts below `account`, which has ended: they were
    /// forgotten, or nobody has polled them since they were moved elsewhere.
    pub(super) fn recall_below(&mut self, account: AccountId) {
        for key in self.flying_below(account) {
            let is_new = match self.slots.get(key).map(|slot| slot.home) {
                Some(Home::Account { .. }) => self.orphan_flight(key),
                Some(Home::Side { descriptor, .. }) => {
                    let state = &mut self.descriptors[descriptor as usize];
                    let is_wanted =
                        state.read.queued > 0 || std::mem::replace(&mut state.orphan, true);
                    if !is_wanted {
                        self.accounts.orphaned(state.read.payer, Recall::Cancellable);
                    }
                    !is_wanted
                }
                Some(Home::Lent) | None => false,
            };
            if is_new {
                self.cancel(key);
            }
        }
    }

    /// What is charged to open accounts below `account`. A submitted send belongs to its side.
    fn flying_below(&mut self, account: AccountId) -> Vec<Key> {
        if !self.accounts.has_open_below(account) {
            return Vec::new();
        }
        let mut flying: Vec<Key> = self.slots.flying().collect();
        flying.retain(|&key| {
            let payer = match self.slots.get(key).map(|slot| slot.home) {
                Some(Home::Account { account, .. }) => account,
                Some(Home::Side { descriptor, lane: Lane::Read }) => {
                    self.descriptors[descriptor as usize].read.payer
                }
                _ => return false,
            };
            self.accounts.is_open_below(payer, account)
        });
        flying
    }

    /// The future of `key` is gone.
    pub(super) fn abandon(&mut self, key: Key) {
        let Some(slot) = self.slots.get(key) else { return };
        let (state, action) = slot.state.on_drop();
        slot.state = state;
        self.after.silent.extend(slot.waker.take());
        let home = slot.home;
        match action {
            OnDrop::Abandon => match home {
                Home::Account { .. } => {
                    if self.orphan_flight(key) {
                        self.orphans.push(key);
                    }
                }
                Home::Side { descriptor, lane: Lane::Read } => {
                    let side = &mut self.descriptors[descriptor as usize].read;
                    if side.queued == 0 {
                        self.orphan_side(key, descriptor);
                    }
                }
                // A submitted send belongs to the side and finishes.
                Home::Side { .. } | Home::Lent => {}
            },
            OnDrop::Discard => match home {
                Home::Account { .. } | Home::Lent => {
                    let slot = self.slots.remove(key);
                    self.after.discard.push((slot.kept, slot.outcome));
                }
                Home::Side { descriptor, lane } => {
                    let mut slot = self.fetch(key);
                    self.put_back(&mut slot, descriptor, lane);
                    self.after.free.push(slot.kept);
                }
            },
            OnDrop::Free => {
                let slot = self.slots.remove(key);
                self.after.free.push(slot.kept);
            }
        }
    }
}

/// What put-back means for one completed slot.
pub(super) fn keeps_something(lane: Lane, outcome: Outcome) -> bool {
    match lane {
        // Whoever sent has not seen the error, and the kernel tells it once.
        Lane::Write => outcome.result() < 0,
        // A cancelled receive brought nothing.
        _ => outcome.result() != -libc::ECANCELED,
    }
}
