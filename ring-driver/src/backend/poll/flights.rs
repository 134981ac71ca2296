//! The requests that wait: for an edge of their descriptor, or for a time.
//!
//! Each lies under the number of its slot, so that it is found by its `UserData` without a search,
//! and those of one descriptor form a list through the table. Nothing is allocated for a wait.

use crate::call::{Attempt, Class};
use crate::request::{Number, UserData};
use crate::time::Instant;

/// The end of a list.
pub(super) const NO_FLIGHT: u32 = u32::MAX;

pub(super) struct Flight {
    pub(super) user_data: UserData,
    pub(super) attempt: Attempt,
    /// The descriptor that it is about, if it is about one.
    pub(super) fd: Number,
    pub(super) class: Class,
    /// When it is due, if it waits for a time and not for its descriptor.
    pub(super) due: Option<Instant>,
    /// How often it has waited for a time.
    pub(super) waits: u32,
    next: u32,
}

impl Flight {
    pub(super) fn new(user_data: UserData, attempt: Attempt, fd: Number, class: Class) -> Flight {
        Flight { user_data, attempt, fd, class, due: None, waits: 0, next: NO_FLIGHT }
    }
}

#[derive(Default)]
pub(super) struct Flights {
    by_slot: Vec<Option<Flight>>,
    count: usize,
}

impl Flights {
    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Keeps `flight`; its number.
    #[inline(always)]
    pub(super) fn insert(&mut self, flight: Flight) -> u32 {
        let slot = flight.user_data.slot();
        if slot as usize >= self.by_slot.len() {
            self.grow(slot as usize);
        }
        let place = &mut self.by_slot[slot as usize];
        debug_assert!(place.is_none(), "one flight a slot");
        *place = Some(flight);
        self.count += 1;
        slot
    }

    #[cold]
    fn grow(&mut self, slot: usize) {
        self.by_slot.resize_with(slot + 1, || None);
    }

    pub(super) fn take(&mut self, slot: u32) -> Option<Flight> {
        let flight = self.by_slot.get_mut(slot as usize)?.take()?;
        self.count -= 1;
        Some(flight)
    }

    /// The flight of `user_data`, if it waits here.
    pub(super) fn find(&self, user_data: UserData) -> Option<&Flight> {
        let flight = self.by_slot.get(user_data.slot() as usize)?.as_ref()?;
        (flight.user_data == user_data).then_some(flight)
    }

    /// Puts `slot` at the end of the list that begins at `first`.
    pub(super) fn append(&mut self, first: &mut u32, slot: u32) {
        *self.next(slot) = NO_FLIGHT;
        match self.before(*first, NO_FLIGHT) {
            None => *first = slot,
            Some(last) => *self.next(last) = slot,
        }
    }

    /// Takes `slot` out of the list that begins at `first`.
    pub(super) fn unlink(&mut self, first: &mut u32, slot: u32) {
        let behind = *self.next(slot);
        match self.before(*first, slot) {
            None => *first = behind,
            Some(before) => *self.next(before) = behind,
        }
    }

    /// Who stands before `slot` in the list that begins at `first`, if it is not the first.
    fn before(&mut self, first: u32, slot: u32) -> Option<u32> {
        let (mut before, mut at) = (None, first);
        while at != slot {
            before = Some(at);
            at = *self.next(at);
        }
        before
    }

    /// The link behind `slot`.
    pub(super) fn next(&mut self, slot: u32) -> &mut u32 {
        let flight = self.by_slot[slot as usize].as_mut();
        &mut flight.expect("what is in a list waits").next
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::Mode;
    use crate::request::Request;

    fn flight(slot: u32, generation: u64) -> Flight {
        let user_data = UserData(u64::from(slot) | generation << 32);
        Flight::new(user_data, Attempt::new(Request::Nop, Mode::Shared), Number::NONE, Class::None)
    }

    fn list(flights: &mut Flights, first: u32) -> Vec<u32> {
        let mut list = Vec::new();
        let mut at = first;
        while at != NO_FLIGHT {
            list.push(at);
            at = *flights.next(at);
        }
        list
    }

    #[test]
    fn lists_keep_their_order_and_let_go_anywhere() {
        let (mut flights, mut first) = (Flights::default(), NO_FLIGHT);
        for slot in [5, 0, 9] {
            let slot = flights.insert(flight(slot, 1));
            flights.append(&mut first, slot);
        }
        assert_eq!(list(&mut flights, first), [5, 0, 9]);
        flights.unlink(&mut first, 0);
        assert_eq!(list(&mut flights, first), [5, 9]);
        flights.unlink(&mut first, 5);
        flights.unlink(&mut first, 9);
        assert_eq!(first, NO_FLIGHT);
    }

    #[test]
    fn a_flight_is_found_by_all_of_its_name() {
        let mut flights = Flights::default();
        flights.insert(flight(3, 7));
        assert!(flights.find(UserData(3 | 7 << 32)).is_some());
        assert!(flights.find(UserData(3 | 8 << 32)).is_none());
        assert!(flights.find(UserData(4 | 7 << 32)).is_none());
        assert!(flights.take(3).is_some() && flights.take(3).is_none());
        assert!(flights.is_empty());
    }
}
