//! Slots that the kernel owns until the final completion.
//!
//! *From submission to the final completion the kernel owns what the operation keeps; dropping the
//! future drops only the interest.* This is where that sentence is kept: an operation moves into a
//! [`Kept`] cell before its request is made, the cell is reachable only through its slot, and a
//! slot gives it up only after a completion without more-to-come. Every other file refers to this
//! one instead of arguing again.

use std::num::NonZeroU64;
use std::task::Waker;

use slab::Slab;

use crate::account::{AccountId, Recall};
use crate::completion::Outcome;
use crate::op::Lane;
use crate::request::UserData;

mod cell;
mod state;

pub(crate) use cell::{Cells, EmptyCell, Kept, finish};
pub(crate) use state::{OnCompletion, OnDrop, State};

/// Names one flight of one slot. Stale once the slot has been freed, and then refused.
///
/// One more than the user data, so that there is a word left for none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key(NonZeroU64);

impl Key {
    fn new(index: usize, generation: u32) -> Key {
        Key::from_user_data(UserData(u64::from(index as u32) | u64::from(generation) << 32))
    }

    pub(crate) fn from_user_data(user_data: UserData) -> Key {
        Key(NonZeroU64::MIN.saturating_add(user_data.0))
    }

    pub(crate) fn user_data(self) -> UserData {
        UserData(self.0.get() - 1)
    }

    fn index(self) -> usize {
        self.user_data().slot() as usize
    }

    fn generation(self) -> u32 {
        (self.user_data().0 >> 32) as u32
    }
}

/// Where an operation belongs: to the account that pays for it, or to a side of a descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Home {
    /// `descriptor` is the one that the request names, or [`Home::NO_DESCRIPTOR`].
    Account {
        account: AccountId,
        recall: Recall,
        /// Whether it counts as an orphan there.
        orphan: bool,
        descriptor: u32,
    },
    Side {
        descriptor: u32,
        lane: Lane,
    },
    /// Nowhere any more: it has been sent and its side is free, but the kernel reads what it was
    /// lent until a last completion says so. Nobody can hasten that, and nobody answers for it.
    Lent,
}

impl Home {
    pub(crate) const NO_DESCRIPTOR: u32 = u32::MAX;
}

/// One operation in flight: 64 bytes with slab's own word, so that a completion touches one cache
/// line before the cell.
pub(crate) struct Slot {
    pub(crate) waker: Option<Waker>,
    pub(crate) kept: Kept,
    pub(crate) outcome: Outcome,
    pub(crate) home: Home,
    generation: u32,
    /// When it began; see [`Slots::date`].
    pub(crate) begun: u32,
    pub(crate) state: State,
    /// How often the backend was asked to end it early, as far as one can count.
    pub(crate) recalls: u8,
}

const _: () = assert!(size_of::<Slot>() <= 64);

pub(crate) struct Slots {
    slots: Slab<Slot>,
    /// Each flight has a number of its own, so that a late completion never meets a stranger in the
    /// same slot.
    next_generation: u32,
    /// What flights that begin now are dated with: milliseconds since the driver was made, in
    /// circles of seven weeks.
    pub(crate) date: u32,
}

impl Slots {
    pub(crate) fn new() -> Slots {
        Slots { slots: Slab::with_capacity(64), next_generation: 0, date: 0 }
    }

    /// Names the flight that begins next. Nobody else gets this name: should a panic keep the flight
    /// from having its slot, what the backend knows of it ends no other flight.
    pub(crate) fn name(&mut self) -> Key {
        let generation = self.next_generation;
        // Generations stay below the patterns that backends reserve for themselves.
        self.next_generation = (generation + 1) & 0x00ff_ffff;
        Key::new(self.slots.vacant_key(), generation)
    }

    /// Begins the flight that has just been named `key`.
    #[inline]
    pub(crate) fn insert(
        &mut self,
        key: Key,
        kept: Kept,
        home: Home,
        state: State,
        waker: Option<Waker>,
    ) {
        debug_assert_eq!(key.index(), self.slots.vacant_key(), "nothing begins in between");
        let outcome = Outcome::plain(0);
        let generation = key.generation();
        let begun = self.date;
        let recalls = 0;
        self.slots.insert(Slot { waker, kept, outcome, home, generation, begun, state, recalls });
    }

    pub(crate) fn get(&mut self, key: Key) -> Option<&mut Slot> {
        self.slots.get_mut(key.index()).filter(|slot| slot.generation == key.generation())
    }

    pub(crate) fn remove(&mut self, key: Key) -> Slot {
        debug_assert!(self.get(key).is_some(), "a slot is freed once");
        self.slots.remove(key.index())
    }

    /// Every flight whose final completion has not come.
    pub(crate) fn flying(&self) -> impl Iterator<Item = Key> + '_ {
        self.flights().map(|(key, _)| key)
    }

    /// The same, with their slots.
    pub(crate) fn flights(&self) -> impl Iterator<Item = (Key, &Slot)> + '_ {
        self.slots
            .iter()
            .filter(|(_, slot)| slot.state.is_flying())
            .map(|(index, slot)| (Key::new(index, slot.generation), slot))
    }

    /// Leaks all that is still in flight: what the kernel may yet write to is never freed. What has
    /// had its final completion stays for its future.
    pub(crate) fn leak(&mut self) -> usize {
        let flying: Vec<Key> = self.flying().collect();
        for &key in &flying {
            std::mem::forget(self.remove(key));
        }
        flying.len()
    }
}
