//! Flights that wait for a time: because that is all they ask for, or because nothing tells when to
//! try again.

use std::time::Duration;

use super::Poll;
use super::flights::Flight;
use crate::completion::Outcome;
use crate::request::Request;
use crate::time::Instant;

/// The first and the longest pause of a request that nothing tells when to try again.
const PAUSES: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(32));

pub(super) const TIME_IS_OVER: Outcome = Outcome::plain(-libc::ETIME);

impl Poll {
    /// Has a flight wait that nothing tells when to try again.
    #[cold]
    pub(super) fn wait_a_while(&mut self, flight: Flight) -> Option<Outcome> {
        let pause = PAUSES.0.saturating_mul(1 << flight.waits.min(16)).min(PAUSES.1);
        self.wait_for_time(flight, pause)
    }

    #[cold]
    pub(super) fn wait_for_time(&mut self, mut flight: Flight, time: Duration) -> Option<Outcome> {
        // Whoever asks for more than the clock counts waits for ever.
        let due = Instant::now().checked_add(time);
        flight.due = due.or_else(|| Instant::now().checked_add(Duration::from_secs(1 << 40)));
        flight.waits += 1;
        let due = flight.due;
        let slot = self.flights.insert(flight);
        self.deadlines.extend(due.map(|due| (due, slot)));
        None
    }

    pub(super) fn time_left(&self) -> Option<Duration> {
        let (due, _) = self.deadlines.first()?;
        Some(due.saturating_duration_since(Instant::now()))
    }

    /// Goes on with the flights whose time has come.
    pub(super) fn expire(&mut self) {
        while self.time_left() == Some(Duration::ZERO) {
            let Some((_, slot)) = self.deadlines.pop_first() else { return };
            let Some(mut flight) = self.flights.take(slot) else { continue };
            flight.due = None;
            match flight.attempt.request() {
                Request::Timeout { .. } => self.complete(flight.user_data, TIME_IS_OVER),
                _ => self.go_on(flight),
            }
        }
    }
}
