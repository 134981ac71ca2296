//! What there is, for those who look in: reports, dumps, metrics. Nothing here changes anything,
//! and nothing is counted before somebody asks.

use std::time::Duration;

use super::{Core, Driver};
use crate::account::AccountId;
use crate::in_flight::{Home, Slot, State};
use crate::op::Lane;
use crate::request::Number;
use crate::time::Instant;

/// An operation in flight, as [`Driver::flights`] lists it.
///
/// ```
/// use std::{future::Future, pin::pin, task::{Context, Waker}, time::Duration};
/// use wakering_ring_driver::{AccountId, Config, Driver, op};
///
/// let driver = Driver::new(&Config::default())?;
/// let _entered = driver.enter();
/// let mut timeout = pin!(op::timeout(Duration::from_millis(1)));
/// assert!(timeout.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
/// let flights = driver.flights();
/// assert_eq!((flights[0].operation, flights[0].descriptor), ("timeout", None));
/// assert_eq!(flights[0].account, AccountId::ROOT);
/// # Ok::<(), wakering_ring_driver::SetupError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Flight {
    /// The kernel's word for it: `"recv"`.
    pub operation: &'static str,
    /// The number of the descriptor that it was made on, if there is one and it is open.
    pub descriptor: Option<i32>,
    /// Who pays for it; the root, where nobody does.
    pub account: AccountId,
    /// Since when it is in flight, to the millisecond or to the last [`Driver::now`] before it
    /// began; in circles of seven weeks.
    pub age: Duration,
    /// Whether its future is gone, or never was.
    pub is_abandoned: bool,
}

impl Driver {
    /// All that is in flight, in no order.
    pub fn flights(&self) -> Vec<Flight> {
        self.with(|core| {
            let date = core.date_of(Instant::now());
            core.slots.flights().map(|(_, slot)| core.describe(slot, date)).collect()
        })
    }

    /// All accounts that are open, or have something in flight.
    pub fn accounts(&self) -> Vec<AccountId> {
        self.with(|core| core.accounts.ids().collect())
    }

    /// The numbers of all descriptors that are open.
    pub fn open_numbers(&self) -> Vec<i32> {
        self.with(|core| {
            let numbers = core.descriptors.iter().map(|(_, state)| state.number);
            numbers.filter(|&number| number != Number::NONE).map(|number| number.0).collect()
        })
    }

    /// From now on remembers what is in flight on a descriptor, and awaited, when that is closed.
    pub fn watch_closing(&self) {
        self.with(|core| core.closed_in_use = Some(Vec::new()));
    }

    /// What [`watch_closing`](Driver::watch_closing) has seen since this was last asked.
    pub fn take_closed_in_use(&self) -> Vec<Flight> {
        self.with(|core| core.closed_in_use.as_mut().map(std::mem::take).unwrap_or_default())
    }
}

impl Core {
    fn describe(&self, slot: &Slot, date: u32) -> Flight {
        let (account, descriptor) = match slot.home {
            Home::Account { account, descriptor, .. } => (account, descriptor),
            Home::Side { descriptor, lane } => {
                let state = &self.descriptors[descriptor as usize];
                let side =
                    if lane == Lane::Write { state.write.as_deref() } else { Some(&state.read) };
                (side.map_or(AccountId::ROOT, |side| side.payer), descriptor)
            }
            Home::Lent => (AccountId::ROOT, Home::NO_DESCRIPTOR),
        };
        let number = self.descriptors.get(descriptor as usize).map(|state| state.number);
        Flight {
            operation: slot.kept.name(),
            descriptor: number.filter(|&number| number != Number::NONE).map(|number| number.0),
            account,
            age: Duration::from_millis(date.wrapping_sub(slot.begun).into()),
            is_abandoned: slot.state == State::Abandoned,
        }
    }

    /// Remembers who awaits what on a descriptor that is being closed under them. Sends are not
    /// among that: they are waited for.
    pub(crate) fn note_closing(&mut self, index: usize) {
        if self.closed_in_use.is_none() {
            return;
        }
        let date = self.date_of(Instant::now());
        let is_concerned = |slot: &Slot| match slot.home {
            Home::Account { descriptor, .. } => descriptor as usize == index,
            Home::Side { descriptor, lane } => descriptor as usize == index && lane != Lane::Write,
            Home::Lent => false,
        };
        let concerned = (self.slots.flights())
            .filter(|(_, slot)| slot.state == State::Waiting && is_concerned(slot))
            .map(|(_, slot)| self.describe(slot, date));
        let noted: Vec<Flight> = concerned.collect();
        self.closed_in_use.get_or_insert_default().extend(noted);
    }
}
