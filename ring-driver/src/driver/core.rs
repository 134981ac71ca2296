//! The state of a driver, and how requests leave it.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::rc::Rc;
use std::time::Duration;

use slab::Slab;

use super::after::After;
use super::listing::Flight;
use super::missed::Missed;
use crate::account::{AccountId, Accounts};
use crate::backend::Backend;
use crate::buffer::{BufPool, Traffic};
use crate::completion::{Completion, Outcome};
use crate::counters::{BATCH_SIZES, Counters};
use crate::fd::{Descriptor, Empties, Sharing, Spares};
use crate::in_flight::{Cells, Home, Key, Slots};
use crate::request::{Number, Request};
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
    pub(super) buf_pools: [Option<BufPool>; Traffic::COUNT],
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
    pub(super) fn count_recalled(&mut self, outcome: Outcome) {
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
