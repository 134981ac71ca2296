//! The timers of one runtime: who is to be woken when.
//!
//! Deadlines are kept in whole microseconds since the runtime began, rounded up, so that a timer is
//! never early and late by less than the kernel's own slack. A timer fires only here, after the
//! loop has reaped completions; no future decides by the clock that it has expired while it waits.
//! So a completion that is there in time wins.
//!
//! To wake up for a timer costs several times as much as the timer. Where one follows the other
//! within microseconds, those that have waited long do not mind a little more, at most a hundredth
//! of it: the loop sleeps until some are due. Whenever it is up, it fires all that are.

use std::cell::RefCell;
use std::task::Waker;
use std::time::Duration;

use wakering_ring_driver::{AccountId, Instant};

use super::heap::{self, Heap};

/// Timers that last so long, in microseconds, are patient.
const LONG: u64 = 20_000;
/// So long after others have fired the loop gets up for patient ones.
const PATIENCE: u64 = LONG / 100;

pub(crate) struct Timers {
    epoch: Instant,
    agenda: RefCell<Agenda>,
}

struct Agenda {
    prompt: Heap<Timer>,
    patient: Heap<Timer>,
    /// Counts the timers of both, in circles.
    begun: u32,
    /// When timers fired last.
    fired: Option<u64>,
}

struct Timer {
    waker: Waker,
    /// Who was polled when it began.
    payer: AccountId,
}

/// The right to one timer, which must come back to [`Timers::remove`].
#[derive(Debug)]
pub(crate) struct Ticket {
    ticket: heap::Ticket,
    is_patient: bool,
}

impl Timers {
    pub(crate) fn new(epoch: Instant) -> Timers {
        Timers { epoch, agenda: RefCell::new(Agenda::new()) }
    }

    /// How many have neither fired nor been removed.
    pub(crate) fn len(&self) -> usize {
        let agenda = self.agenda.borrow();
        agenda.prompt.len() + agenda.patient.len()
    }

    /// Wakes `waker`, which is that of `payer`, at `deadline`.
    pub(crate) fn insert(
        &self,
        now: Instant,
        deadline: Instant,
        payer: AccountId,
        waker: &Waker,
    ) -> Ticket {
        let timer = Timer { waker: waker.clone(), payer };
        let (now, deadline) = (self.micros_until(now), self.micros_until(deadline));
        self.agenda.borrow_mut().insert(now, deadline, timer)
    }

    /// Who sleeps, and until when.
    pub(crate) fn sleepers(&self) -> Vec<(AccountId, Instant)> {
        let agenda = self.agenda.borrow();
        let all = agenda.prompt.iter().chain(agenda.patient.iter());
        all.map(|(deadline, timer)| (timer.payer, self.instant_of(deadline))).collect()
    }

    /// The time at which a timer with this deadline fires.
    pub(crate) fn rounded(&self, deadline: Instant) -> Instant {
        self.instant_of(self.micros_until(deadline))
    }

    /// Whether a timer has fired; if not, it will wake `waker`.
    pub(crate) fn has_fired(&self, ticket: &Ticket, waker: &Waker) -> bool {
        let is_current = match self.agenda.borrow_mut().get_mut(ticket) {
            None => return true,
            Some(timer) => timer.waker.will_wake(waker),
        };
        if !is_current {
            // Cloned and dropped outside the borrow: either may run foreign code.
            let mut waker = waker.clone();
            if let Some(timer) = self.agenda.borrow_mut().get_mut(ticket) {
                std::mem::swap(&mut timer.waker, &mut waker);
            }
        }
        false
    }

    /// Ends a timer, whether it has fired or not.
    pub(crate) fn remove(&self, ticket: Ticket) {
        let timer = self.agenda.borrow_mut().remove(ticket);
        drop(timer);
    }

    /// The first deadline.
    #[cfg(any(feature = "testing", test))]
    pub(crate) fn first(&self) -> Option<Instant> {
        let first = self.agenda.borrow().first()?;
        self.epoch.checked_add(Duration::from_micros(first))
    }

    /// Until when the loop may sleep.
    pub(crate) fn next(&self) -> Option<Instant> {
        let next = self.agenda.borrow().next()?;
        self.epoch.checked_add(Duration::from_micros(next))
    }

    /// Wakes everybody whose deadline is `now` or before, in the order of deadlines.
    pub(crate) fn fire(&self, now: Instant) {
        let until = now.duration_since(self.epoch).as_micros() as u64;
        while let Some(timer) = self.pop(until) {
            timer.waker.wake();
        }
    }

    fn pop(&self, until: u64) -> Option<Timer> {
        self.agenda.borrow_mut().pop(until)
    }

    fn instant_of(&self, micros: u64) -> Instant {
        let far = self.epoch + Duration::from_secs(u32::MAX.into());
        self.epoch.checked_add(Duration::from_micros(micros)).unwrap_or(far)
    }

    /// From the epoch to `deadline` in microseconds, rounded up. What lies before the epoch is due
    /// at once.
    fn micros_until(&self, deadline: Instant) -> u64 {
        let since = deadline.duration_since(self.epoch);
        let micros = u64::from(since.subsec_nanos().div_ceil(1000));
        since.as_secs().saturating_mul(1_000_000).saturating_add(micros)
    }
}

impl Agenda {
    fn new() -> Agenda {
        Agenda { prompt: Heap::new(), patient: Heap::new(), begun: 0, fired: None }
    }

    fn heap(&mut self, is_patient: bool) -> &mut Heap<Timer> {
        if is_patient { &mut self.patient } else { &mut self.prompt }
    }

    fn insert(&mut self, now: u64, deadline: u64, timer: Timer) -> Ticket {
        self.begun = self.begun.wrapping_add(1);
        let (begun, is_patient) = (self.begun, deadline.saturating_sub(now) >= LONG);
        Ticket { ticket: self.heap(is_patient).insert(deadline, begun, timer), is_patient }
    }

    fn get_mut(&mut self, ticket: &Ticket) -> Option<&mut Timer> {
        self.heap(ticket.is_patient).get_mut(&ticket.ticket)
    }

    fn remove(&mut self, Ticket { ticket, is_patient }: Ticket) -> Option<Timer> {
        self.heap(is_patient).remove(ticket)
    }

    #[cfg(any(feature = "testing", test))]
    fn first(&self) -> Option<u64> {
        let firsts = [self.prompt.first(), self.patient.first()];
        firsts.into_iter().flatten().map(|entry| entry.deadline).min()
    }

    fn next(&self) -> Option<u64> {
        let prompt = self.prompt.first().map(|entry| entry.deadline);
        let rested = self.fired.map_or(0, |fired| fired + PATIENCE);
        let patient = self.patient.first().map(|entry| entry.deadline.max(rested));
        prompt.into_iter().chain(patient).min()
    }

    /// Takes out who is first if that is due.
    fn pop(&mut self, until: u64) -> Option<Timer> {
        let is_patient = match (self.prompt.first(), self.patient.first()) {
            (Some(prompt), Some(patient)) => patient.is_before(prompt),
            (prompt, _) => prompt.is_none(),
        };
        let timer = self.heap(is_patient).pop(until)?;
        self.fired = Some(until);
        Some(timer)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::sync::Arc;
    use std::sync::Mutex;
    use std::task::Wake;

    use super::*;

    fn begin(timers: &Timers, now: Instant, deadline: Instant) -> Ticket {
        timers.insert(now, deadline, AccountId::ROOT, Waker::noop())
    }

    fn micros(micros: u64) -> Duration {
        Duration::from_micros(micros)
    }

    /// Given long sleeps that end 10 µs after each other, and a short one in between; when the
    /// first has ended; then the loop sleeps no longer than until the short one is due, and
    /// otherwise until the patience of the others is at its end; by then all of them are fired.
    #[test]
    fn those_that_have_waited_long_end_together_and_a_short_one_in_time() {
        let epoch = Instant::now();
        let timers = Timers::new(epoch);
        let long: Vec<_> =
            (0..20).map(|n| begin(&timers, epoch, epoch + micros(LONG + 10 * n))).collect();
        let started = epoch + micros(LONG - 100);
        let short = begin(&timers, started, started + micros(125));
        let has_fired = |ticket| timers.has_fired(ticket, Waker::noop());

        let first = epoch + micros(LONG);
        assert_eq!(timers.next(), Some(first), "nobody has fired, so nobody waits for others");
        timers.fire(first);
        assert_eq!(timers.next(), Some(started + micros(125)));
        timers.fire(started + micros(125));
        let fired = long.iter().filter(|ticket| has_fired(ticket)).count();
        assert_eq!((fired, has_fired(&short)), (3, true), "whoever is due is fired");
        let together = started + micros(125 + PATIENCE);
        assert_eq!(timers.next(), Some(together));
        timers.fire(together);
        assert!(long.iter().all(has_fired));
        assert_eq!(timers.next(), None);
    }

    /// Given a long and a short sleep, and a long one after them, with the same deadline; when it
    /// has come; then they are woken in the order in which they began.
    #[test]
    fn equal_deadlines_of_long_and_short_ones_are_in_order() {
        struct Told(u32, Arc<Mutex<Vec<u32>>>);
        impl Wake for Told {
            fn wake(self: Arc<Self>) {
                self.1.lock().unwrap().push(self.0);
            }
        }
        let epoch = Instant::now();
        let (timers, told) = (Timers::new(epoch), Arc::new(Mutex::new(Vec::new())));
        let deadline = epoch + micros(2 * LONG);
        let now = [epoch, deadline - micros(1), epoch + micros(LONG), deadline - micros(LONG - 1)];
        for (number, now) in (0..).zip(now) {
            let waker = Waker::from(Arc::new(Told(number, told.clone())));
            timers.insert(now, deadline, AccountId::ROOT, &waker);
        }
        timers.fire(deadline);
        assert_eq!(*told.lock().unwrap(), [0, 1, 2, 3]);
    }

    #[test]
    fn deadlines_are_rounded_up_to_a_microsecond() {
        let epoch = Instant::now();
        let timers = Timers::new(epoch);
        let ticket = begin(&timers, epoch, epoch + Duration::from_nanos(1001));
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
        let past = begin(&timers, epoch, epoch - Duration::from_secs(1));
        let never = begin(&timers, epoch, epoch + Duration::from_secs(u32::MAX.into()));
        assert_eq!(timers.next(), Some(epoch));
        timers.fire(epoch);
        assert!(timers.has_fired(&past, Waker::noop()));
        assert!(!timers.has_fired(&never, Waker::noop()));
        timers.remove(never);
        timers.remove(past);
        assert_eq!(timers.len(), 0);
    }
}
