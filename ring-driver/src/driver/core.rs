//! The state of a driver, and what happens to it when something is launched or completes.

use std::any::Any;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::task::Waker;
use std::time::Duration;

use slab::Slab;

use super::Driver;
use super::flight::keeps_something;
use super::listing::Flight;
use super::missed::Missed;
use crate::account::{AccountId, Accounts};
use crate::backend::Backend;
use crate::buffer::{BufPool, Traffic};
use crate::completion::{Completion, Outcome};
use crate::counters::{BATCH_SIZES, Counters};
use crate::fd::{Descriptor, Empties, Phase, Sharing, Shelf, Spares};
use crate::in_flight::{Cells, EmptyCell, Home, Kept, Key, OnCompletion, Slots};
use crate::op::Lane;
use crate::request::{Number, Request, UserData};
use crate::time::Instant;

/// Everything that one thread shares with its kernel.
pub(crate) struct Core {
    pub(crate) backend: Backend,
    pub(super) slots: Slots,
    pub(super) cells: Cells,
    pub(crate) descriptors: Slab<Descriptor>,
    /// The far ends of flights that name two descriptors: rarely any, so slots have no room for
    /// them.
    pub(crate) far_ends: Vec<(Key, u32)>,
    pub(crate) accounts: Accounts,
    /// Who pays for what is submitted now.
    pub(crate) paying: AccountId,
    /// Whether nothing may start.
    pub(super) holding: bool,
    /// Abandoned flights whose cancellation waits for the end of the turn: a `select!` loop that
    /// asks for the same thing again adopts them for free.
    pub(super) orphans: Vec<Key>,
    /// Multishots that have brought more than anybody fetched by then: cancelled at the end of the
    /// turn if that is so still.
    pub(super) flooding: Vec<Key>,
    pub(super) missed: Missed,
    /// Descriptors whose sink has bytes to send.
    pub(crate) dirty: Vec<u32>,
    /// Empty buffers of sinks.
    pub(crate) spares: Rc<Spares>,
    pub(crate) empties: Empties,
    /// Descriptors that are being closed, and until when their output may take: the earliest first.
    pub(crate) closing: Vec<(Instant, u32)>,
    buf_pools: [Option<BufPool>; Traffic::COUNT],
    /// A completion queue's worth, copied out before anybody is told.
    batch: Vec<Completion>,
    pub(crate) after: After,
    spare_after: After,
    /// Whether the driver has been shut down: nothing starts any more.
    pub(super) closed: bool,
    /// Flights that somebody awaited when their descriptor was closed, if somebody wants to know.
    pub(crate) closed_in_use: Option<Vec<Flight>>,
    /// Since when flights are dated.
    epoch: Instant,
    pub(super) tally: Tally,
}

/// Counts that only the core can keep.
#[derive(Clone, Copy, Default)]
pub(super) struct Tally {
    pub(super) completions: u64,
    pub(super) stale: u64,
    pub(super) cancels: u64,
    cancels_won: u64,
    cancels_lost: u64,
    pub(super) adopted: u64,
    pub(super) leaked: u64,
    batch_sizes: [u64; BATCH_SIZES],
}

impl Tally {
    fn count_batch(&mut self, completions: usize) {
        if let Some(power) = completions.checked_ilog2() {
            self.batch_sizes[(power as usize).min(BATCH_SIZES - 1)] += 1;
        }
    }

    /// The backend was asked to end an operation, which has come to `outcome`.
    #[cold]
    fn count_recalled(&mut self, outcome: Outcome) {
        match outcome.errno() {
            Some(libc::ECANCELED | libc::EINTR) => self.cancels_won += 1,
            _ => self.cancels_lost += 1,
        }
    }
}

impl Core {
    pub(super) fn new(backend: Backend) -> Core {
        Core {
            backend,
            slots: Slots::new(),
            cells: Cells::new(),
            descriptors: Slab::new(),
            far_ends: Vec::new(),
            accounts: Accounts::new(),
            paying: AccountId::ROOT,
            holding: false,
            orphans: Vec::new(),
            flooding: Vec::new(),
            missed: Missed::default(),
            dirty: Vec::new(),
            spares: Rc::default(),
            empties: Empties::default(),
            closing: Vec::new(),
            buf_pools: Default::default(),
            batch: Vec::new(),
            after: After::default(),
            spare_after: After::default(),
            closed: false,
            closed_in_use: None,
            epoch: Instant::now(),
            tally: Tally::default(),
        }
    }

    /// Takes over a descriptor from elsewhere; its index.
    pub(crate) fn adopt_descriptor(&mut self, fd: &OwnedFd, sharing: Sharing) -> io::Result<u32> {
        let number = Number(fd.as_raw_fd());
        self.backend.adopt(number, sharing)?;
        Ok(self.descriptors.insert(Descriptor::new(number)) as u32)
    }

    /// Takes over a descriptor that the backend has made; its index.
    pub(crate) fn insert_descriptor(&mut self, number: Number) -> u32 {
        self.backend.made(number);
        self.descriptors.insert(Descriptor::new(number)) as u32
    }

    pub(crate) fn buf_pool(&mut self, traffic: Traffic) -> io::Result<BufPool> {
        if let Some(pool) = &self.buf_pools[traffic as usize] {
            return Ok(pool.clone());
        }
        let pool = self.backend.make_buf_pool(traffic)?;
        Ok(self.buf_pools[traffic as usize].insert(pool).clone())
    }

    pub(super) fn leak_buf_pools(&mut self) {
        std::mem::forget(self.buf_pools.clone());
    }

    pub(super) fn counters(&self) -> Counters {
        let mut counters = self.backend.counters();
        counters.completions = self.tally.completions;
        counters.stale = self.tally.stale;
        counters.cancels = self.tally.cancels;
        counters.cancels_won = self.tally.cancels_won;
        counters.cancels_lost = self.tally.cancels_lost;
        counters.batch_sizes = self.tally.batch_sizes;
        counters.adopted = self.tally.adopted;
        counters.leaked = self.tally.leaked;
        counters.in_flight = self.slots.flying().count() as u64;
        counters.descriptors = self.descriptors.len() as u64;
        counters
    }

    /// Dates what begins from now on.
    pub(super) fn date(&mut self, now: Instant) {
        self.slots.date = self.date_of(now);
    }

    pub(super) fn date_of(&self, instant: Instant) -> u32 {
        instant.duration_since(self.epoch).as_millis() as u32
    }

    /// Hands a request to the backend: the name of its flight, for which a slot is to be taken now,
    /// or the outcome, if it is over and never flies.
    pub(super) fn launch(&mut self, request: &Request) -> Result<Key, Outcome> {
        let key = self.slots.name();
        match self.backend.push(request, key.user_data()) {
            None => Ok(key),
            Some(outcome) => {
                self.tally.completions += 1;
                Err(outcome)
            }
        }
    }

    /// Whether completions wait, or something must be done outside the core before anybody may
    /// sleep.
    pub(super) fn has_news(&self) -> bool {
        !self.after.is_empty() || self.backend.has_news()
    }

    /// Whether a turn has something to hand to the backend, or the backend something to do.
    pub(super) fn needs_turn(&self) -> bool {
        !self.dirty.is_empty()
            || !self.orphans.is_empty()
            || self.backend.needs_enter()
            || self.next_due().is_some_and(|due| due <= Instant::now())
    }

    /// How long the backend may sleep: until `deadline`, until a closing descriptor runs out of
    /// time, or until something is to be cancelled once more.
    pub(super) fn time_left(&self, deadline: Option<Instant>) -> Option<Duration> {
        let next = deadline.into_iter().chain(self.next_due()).min()?;
        Some(next.saturating_duration_since(Instant::now()))
    }

    fn next_due(&self) -> Option<Instant> {
        let closing = self.closing.first().map(|&(until, _)| until);
        closing.into_iter().chain(self.missed.next()).min()
    }

    /// What a turn does before it enters: sends go out, orphans that nobody has adopted are
    /// cancelled.
    pub(super) fn flush(&mut self) {
        while let Some(index) = self.dirty.pop() {
            self.flush_sink(index);
        }
        self.expire_closing();
        self.cancel_missed();
        for at in 0..self.orphans.len() {
            let key = self.orphans[at];
            if self.is_orphan(key) {
                self.cancel(key);
            }
        }
        self.orphans.clear();
        while let Some(key) = self.flooding.pop() {
            self.stem(key);
        }
    }

    /// Takes in what has completed. The kernel may hold more back. Where streams are concerned, the
    /// next turn gets it: those who have been told come first, while what they were told of is in
    /// the cache, and the pool has buffers. Files do better with all at once: their next operations
    /// then go to the device together.
    pub(super) fn reap(&mut self) {
        let mut batch = std::mem::take(&mut self.batch);
        loop {
            self.backend.reap(&mut batch);
            self.tally.count_batch(batch.len());
            let mut asks_for_more = !batch.is_empty();
            for completion in batch.drain(..) {
                asks_for_more &= !self.on_completion(completion);
            }
            if !asks_for_more || !self.backend.enter_again() {
                break;
            }
        }
        self.batch = batch;
    }

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
    fn stem(&mut self, key: Key) {
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

    pub(crate) fn mark_dirty(&mut self, descriptor: u32) {
        let state = &mut self.descriptors[descriptor as usize];
        if !state.dirty {
            state.dirty = true;
            self.dirty.push(descriptor);
        }
    }

    /// Asks the backend to end `key`. Never lost: a full queue is submitted first.
    pub(crate) fn cancel(&mut self, key: Key) {
        let Some(slot) = self.slots.get(key) else { return };
        if slot.state.is_flying() && slot.home != Home::Lent {
            slot.recalls = slot.recalls.saturating_add(1);
            self.tally.cancels += 1;
            self.backend.cancel(key.user_data());
        }
    }

    pub(super) fn take_after(&mut self) -> After {
        std::mem::replace(&mut self.after, std::mem::take(&mut self.spare_after))
    }

    pub(super) fn give_back_after(&mut self, mut after: After) {
        for empty in after.empty.drain(..) {
            self.cells.recycle(empty);
        }
        // Running foreign code may have needed a second one; keep whichever has grown.
        self.spare_after = after;
    }
}

/// What must be done once nobody borrows the core: all of it may run foreign code, which may call
/// the driver again.
#[derive(Default)]
pub(crate) struct After {
    /// Told in the order of completion.
    pub(crate) wakers: Vec<Waker>,
    /// Dropped without being told.
    pub(crate) silent: Vec<Waker>,
    /// Completed for nobody: descriptors are closed, buffers dropped.
    pub(super) discard: Vec<(Kept, Outcome)>,
    /// Dropped: what they brought has been put back.
    pub(super) free: Vec<Kept>,
    /// Boxed as they come, so that putting one here moves a pointer.
    #[allow(clippy::vec_box)]
    pub(crate) shelves: Vec<Box<Shelf>>,
    pub(super) empty: Vec<EmptyCell>,
}

impl After {
    pub(crate) fn is_empty(&self) -> bool {
        self.wakers.is_empty()
            && self.silent.is_empty()
            && self.discard.is_empty()
            && self.free.is_empty()
            && self.shelves.is_empty()
    }

    pub(super) fn run(&mut self, driver: &Driver) {
        let mut panic = None;
        for waker in self.wakers.drain(..) {
            isolate(&mut panic, || waker.wake());
        }
        for (kept, outcome) in self.discard.drain(..) {
            self.empty.extend(isolate(&mut panic, || kept.discard(outcome, driver)));
        }
        for kept in self.free.drain(..) {
            self.empty.extend(isolate(&mut panic, || kept.free()));
        }
        for shelf in self.shelves.drain(..) {
            isolate(&mut panic, || drop(shelf));
        }
        for waker in self.silent.drain(..) {
            isolate(&mut panic, || drop(waker));
        }
        if let Some(panic) = panic {
            resume_unwind(panic);
        }
    }
}

/// Runs foreign code whose panic must not keep the others from being told. The first panic is kept
/// for afterwards.
pub(super) fn isolate<R>(
    panic: &mut Option<Box<dyn Any + Send>>,
    step: impl FnOnce() -> R,
) -> Option<R> {
    match catch_unwind(AssertUnwindSafe(step)) {
        Ok(result) => Some(result),
        Err(payload) => {
            panic.get_or_insert(payload);
            None
        }
    }
}

impl UserData {
    /// The lowest pattern that a backend may use for requests of its own.
    pub(crate) const RESERVED: u64 = u64::MAX - 15;
    /// Makes of the name of a flight that of its cancellation. Generations leave the upper eight
    /// bits free.
    const CANCELLATION: u64 = 1 << 62;
    /// What another driver posts to end a sleep.
    pub(crate) const NUDGE: UserData = UserData(UserData::RESERVED + 2);

    /// Makes of the number of a descriptor the name of the news that it may be readable.
    const READABLE: u64 = 1 << 61;

    /// Names the news that the readers of `descriptor` may try. No flight stands behind it.
    pub(crate) const fn readable(descriptor: u32) -> UserData {
        UserData(UserData::READABLE | descriptor as u64)
    }

    /// Whose readers may try, if that is what it says.
    fn readers(self) -> Option<u32> {
        (self.0 >> 32 == UserData::READABLE >> 32).then_some(self.0 as u32)
    }

    /// Names the cancellation of this flight.
    pub(crate) fn cancellation(self) -> UserData {
        UserData(self.0 ^ UserData::CANCELLATION)
    }

    /// The flight that the cancellation of this name was to end.
    fn cancelled(self) -> Option<UserData> {
        let target = self.0 ^ UserData::CANCELLATION;
        (target >> 56 == 0).then_some(UserData(target))
    }
}
