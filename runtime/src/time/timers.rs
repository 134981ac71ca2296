//! The timers of one runtime: who is to be woken when.
//!
//! Deadlines are kept in whole microseconds since the runtime began, rounded up, so that a timer is
//! never early and late by less than the kernel's own slack. A timer fires only here, after the
//! loop has reaped completions; no future decides by the clock that it has expired while it waits.
//! So a completion that is there in time wins.

use std::cell::RefCell;
use std::task::Waker;
use std::time::Duration;

use wakering_ring_driver::{AccountId, Instant};

use super::heap::{Heap, Ticket};

pub(crate) struct Timers {
    epoch: Instant,
    heap: RefCell<Heap<Timer>>,
}

struct Timer {
    waker: Waker,
    /// Who was polled when it began.
    payer: AccountId,
}

impl Timers {
    pub(crate) fn new(epoch: Instant) -> Timers {
        Timers { epoch, heap: RefCell::new(Heap::new()) }
    }

    /// How many have neither fired nor been removed.
    pub(crate) fn len(&self) -> usize {
        self.heap.borrow().len()
    }

    /// Wakes `waker`, which is that of `payer`, at `deadline`.
    pub(crate) fn insert(&self, deadline: Instant, payer: AccountId, waker: &Waker) -> Ticket {
        let timer = Timer { waker: waker.clone(), payer };
        self.heap.borrow_mut().insert(self.micros_until(deadline), timer)
    }

    /// Who sleeps, and until when.
    pub(crate) fn sleepers(&self) -> Vec<(AccountId, Instant)> {
        let heap = self.heap.borrow();
        heap.iter().map(|(deadline, timer)| (timer.payer, self.instant_of(deadline))).collect()
    }

    /// The time at which a timer with this deadline fires.
    pub(crate) fn rounded(&self, deadline: Instant) -> Instant {
        self.instant_of(self.micros_until(deadline))
    }

    /// Whether a timer has fired; if not, it will wake `waker`.
    pub(crate) fn has_fired(&self, ticket: &Ticket, waker: &Waker) -> bool {
        let is_current = match self.heap.borrow_mut().get_mut(ticket) {
            None => return true,
            Some(timer) => timer.waker.will_wake(waker),
        };
        if !is_current {
            // Cloned and dropped outside the borrow: either may run foreign code.
            let mut waker = waker.clone();
            if let Some(timer) = self.heap.borrow_mut().get_mut(ticket) {
                std::mem::swap(&mut timer.waker, &mut waker);
            }
        }
        false
    }

    /// Ends a timer, whether it has fired or not.
    pub(crate) fn remove(&self, ticket: Ticket) {
        let timer = self.heap.borrow_mut().remove(ticket);
        drop(timer);
    }

    /// When the next one fires.
    pub(crate) fn next(&self) -> Option<Instant> {
        let first = self.heap.borrow().first()?;
        self.epoch.checked_add(Duration::from_micros(first))
    }

    /// Wakes everybody whose deadline is `now` or before, in the order of deadlines.
    pub(crate) fn fire(&self, now: Instant) {
        let until = now.duration_since(self.epoch).as_micros() as u64;
        while let Some(timer) = self.pop(until) {
            timer.waker.wake();
        }
    }

    fn pop(&self, until: u64) -> Option<Timer> {
        self.heap.borrow_mut().pop(until)
    }

    fn instant_of(&self, micros: u64) -> Instant {
        let far = self.epoch + Duration::from_secs(u32::MAX.into());
        self.epoch.checked_add(Duration::from_micros(micros)).unwrap_or(far)
    }

    /// From the epoch to `deadline` in microseconds, rounded up. What lies before the epoch is due
    /// at once.
    fn micros_until(&self, deadline: Instant) -> u64 {
        let nanos = deadline.duration_since(self.epoch).as_nanos();
        u64::try_from(nanos.div_ceil(1000)).unwrap_or(u64::MAX)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn deadlines_are_rounded_up_to_a_microsecond() {
        let epoch = Instant::now();
        let timers = Timers::new(epoch);
        let ticket =
            timers.insert(epoch + Duration::from_nanos(1001), AccountId::ROOT, Waker::noop());
        assert_eq!(timers.next(), Some(epoch + Duration::from_micros(2)));
        timers.fire(epoch + Duration::from_nanos(1999));
        assert!(!timers.has_fired(&ticket, Waker::noop()), "fired early");
        timers.fire(epoch + Duration::from_nanos(2000));
        assert!(timers.has_fired(&ticket, Waker::noop()));
        timers.remove(ticket);
        assert_eq!(timers.next(), None);
    }

    #[test]
    fn deadlines_far_apart_and_in_the_past_are_kept_in_order() {
        let epoch = Instant::now() + Duration::from_secs(1);
        let timers = Timers::new(epoch);
        let past = timers.insert(epoch - Duration::from_secs(1), AccountId::ROOT, Waker::noop());
        let never = timers.insert(
            epoch + Duration::from_secs(u32::MAX.into()),
            AccountId::ROOT,
            Waker::noop(),
        );
        assert_eq!(timers.next(), Some(epoch));
        timers.fire(epoch);
        assert!(timers.has_fired(&past, Waker::noop()));
        assert!(!timers.has_fired(&never, Waker::noop()));
        timers.remove(never);
        timers.remove(past);
        assert_eq!(timers.len(), 0);
    }
}
