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
    /// Those that are woken otherwise than by their account, and the tickets of their timers.
    others: Vec<Other>,
    /// Counts the timers of both, in circles.
    begun: u32,
    /// When timers fired last.
    fired: Option<u64>,
}

struct Timer {
    sleeper: Known,
    /// Who was polled when it began.
    payer: AccountId,
}

/// There may be millions.
const _: () = assert!(size_of::<Timer>() == 12);

/// Whom a timer wakes, where it is kept.
#[derive(Clone, Copy)]
enum Known {
    Task(AccountId),
    /// By its place among the others.
    Other(u32),
}

struct Other {
    waker: Waker,
    /// The number of its ticket.
    ticket: u32,
    is_patient: bool,
}

/// Whom a timer wakes: `W` is a waker.
///
/// Most sleep in a task of their own runtime, by the very waker with which that is polled. They are
/// known by its account, which takes less room, and is not counted. Should the task be over before
/// the timer is, which it has given to somebody else then, its account may be that of another one,
/// which is woken for nothing.
#[derive(Clone, Copy)]
pub(crate) enum Sleeper<W> {
    Task(AccountId),
    Other(W),
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

    /// Wakes `sleeper`, who is polled for `payer`, at `deadline`.
    pub(crate) fn insert(
        &self,
        now: Instant,
        deadline: Instant,
        payer: AccountId,
        sleeper: Sleeper<&Waker>,
    ) -> Ticket {
        let sleeper = sleeper.cloned();
        let (now, deadline) = (self.micros_until(now), self.micros_until(deadline));
        self.agenda.borrow_mut().insert(now, deadline, payer, sleeper)
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

    /// Whether a timer has fired; if not, it will wake `sleeper`.
    pub(crate) fn has_fired(&self, ticket: &Ticket, sleeper: Sleeper<&Waker>) -> bool {
        let wakes = self.agenda.borrow_mut().wakes(ticket, sleeper);
        if wakes == Some(false) {
            // Cloned and dropped outside the borrow: either may run foreign code.
            let sleeper = sleeper.cloned();
            let former = self.agenda.borrow_mut().replace(ticket, sleeper);
            drop(former);
            return self.agenda.borrow_mut().get_mut(ticket).is_none();
        }
        wakes.is_none()
    }

    /// Ends a timer, whether it has fired or not.
    pub(crate) fn remove(&self, ticket: Ticket) {
        let sleeper = self.agenda.borrow_mut().remove(ticket);
        drop(sleeper);
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

    /// Wakes everybody whose deadline is `now` or before, in the order of deadlines; a task by
    /// `wake`.
    pub(crate) fn fire(&self, now: Instant, wake: impl Fn(AccountId)) {
        let until = now.duration_since(self.epoch).as_micros() as u64;
        while let Some(sleeper) = self.pop(until) {
            match sleeper {
                Sleeper::Task(account) => wake(account),
                Sleeper::Other(waker) => waker.wake(),
            }
        }
    }

    fn pop(&self, until: u64) -> Option<Sleeper<Waker>> {
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

impl Sleeper<&Waker> {
    fn cloned(self) -> Sleeper<Waker> {
        match self {
            Sleeper::Task(account) => Sleeper::Task(account),
            Sleeper::Other(waker) => Sleeper::Other(waker.clone()),
        }
    }
}

impl Agenda {
    /// Room for so few others is not worth giving back.
    const SMALL: usize = 64;

    fn new() -> Agenda {
        let (prompt, patient) = (Heap::new(), Heap::new());
        Agenda { prompt, patient, others: Vec::new(), begun: 0, fired: None }
    }

    fn heap(&mut self, is_patient: bool) -> &mut Heap<Timer> {
        if is_patient { &mut self.patient } else { &mut self.prompt }
    }

    fn insert(
        &mut self,
        now: u64,
        deadline: u64,
        payer: AccountId,
        sleeper: Sleeper<Waker>,
    ) -> Ticket {
        self.begun = self.begun.wrapping_add(1);
        let (begun, is_patient) = (self.begun, deadline.saturating_sub(now) >= LONG);
        let timer = Timer { sleeper: self.known(&sleeper), payer };
        let ticket = self.heap(is_patient).insert(deadline, begun, timer);
        let ticket = Ticket { ticket, is_patient };
        self.keep(&ticket, sleeper);
        ticket
    }

    /// Whether a timer that has not fired wakes `sleeper`.
    fn wakes(&mut self, ticket: &Ticket, sleeper: Sleeper<&Waker>) -> Option<bool> {
        let known = self.get_mut(ticket)?.sleeper;
        Some(match (known, sleeper) {
            (Known::Task(known), Sleeper::Task(account)) => known == account,
            (Known::Other(at), Sleeper::Other(waker)) => {
                self.others[at as usize].waker.will_wake(waker)
            }
            _ => false,
        })
    }

    /// Has a timer wake `sleeper` from now on; whom it woke before, or who comes too late.
    fn replace(&mut self, ticket: &Ticket, sleeper: Sleeper<Waker>) -> Sleeper<Waker> {
        let known = self.known(&sleeper);
        let Some(timer) = self.get_mut(ticket) else { return sleeper };
        let former = std::mem::replace(&mut timer.sleeper, known);
        self.keep(ticket, sleeper);
        self.release(former)
    }

    /// As what the next one is known that is [kept](Agenda::keep).
    fn known(&self, sleeper: &Sleeper<Waker>) -> Known {
        match sleeper {
            Sleeper::Task(account) => Known::Task(*account),
            Sleeper::Other(_) => Known::Other(self.others.len() as u32),
        }
    }

    fn keep(&mut self, ticket: &Ticket, sleeper: Sleeper<Waker>) {
        if let Sleeper::Other(waker) = sleeper {
            let (ticket, is_patient) = (ticket.ticket.number(), ticket.is_patient);
            self.others.push(Other { waker, ticket, is_patient });
        }
    }

    /// Whom a timer that is gone has woken.
    #[inline]
    fn release(&mut self, known: Known) -> Sleeper<Waker> {
        match known {
            Known::Task(account) => Sleeper::Task(account),
            Known::Other(at) => Sleeper::Other(self.release_other(at)),
        }
    }

    fn release_other(&mut self, at: u32) -> Waker {
        let Other { waker, .. } = self.others.swap_remove(at as usize);
        if let Some(&Other { ticket, is_patient, .. }) = self.others.get(at as usize)
            && let Some(moved) = self.heap(is_patient).numbered(ticket)
        {
            moved.sleeper = Known::Other(at);
        }
        let (len, capacity) = (self.others.len(), self.others.capacity());
        if len < capacity / 4 && capacity > Agenda::SMALL {
            self.others.shrink_to(len * 2);
        }
        waker
    }

    fn get_mut(&mut self, ticket: &Ticket) -> Option<&mut Timer> {
        self.heap(ticket.is_patient).get_mut(&ticket.ticket)
    }

    fn remove(&mut self, Ticket { ticket, is_patient }: Ticket) -> Option<Sleeper<Waker>> {
        let timer = self.heap(is_patient).remove(ticket)?;
        Some(self.release(timer.sleeper))
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
    fn pop(&mut self, until: u64) -> Option<Sleeper<Waker>> {
        let is_patient = match (self.prompt.first(), self.patient.first()) {
            (Some(prompt), Some(patient)) => patient.is_before(prompt),
            (prompt, _) => prompt.is_none(),
        };
        let timer = self.heap(is_patient).pop(until)?;
        self.fired = Some(until);
        Some(self.release(timer.sleeper))
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::sync::Arc;
    use std::sync::Mutex;
    use std::task::Wake;

    use super::*;

    /// Tells its number when it is woken.
    struct Told(u32, Arc<Mutex<Vec<u32>>>);

    impl Wake for Told {
        fn wake(self: Arc<Self>) {
            self.1.lock().unwrap().push(self.0);
        }
    }

    const NOBODY: Sleeper<&Waker> = Sleeper::Other(Waker::noop());

    fn fire(timers: &Timers, now: Instant) {
        timers.fire(now, |_| unreachable!("there is no task"));
    }

    fn begin(timers: &Timers, now: Instant, deadline: Instant) -> Ticket {
        timers.insert(now, deadline, AccountId::ROOT, NOBODY)
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
        let has_fired = |ticket| timers.has_fired(ticket, NOBODY);

        let first = epoch + micros(LONG);
        assert_eq!(timers.next(), Some(first), "nobody has fired, so nobody waits for others");
        fire(&timers, first);
        assert_eq!(timers.next(), Some(started + micros(125)));
        fire(&timers, started + micros(125));
        let fired = long.iter().filter(|ticket| has_fired(ticket)).count();
        assert_eq!((fired, has_fired(&short)), (3, true), "whoever is due is fired");
        let together = started + micros(125 + PATIENCE);
        assert_eq!(timers.next(), Some(together));
        fire(&timers, together);
        assert!(long.iter().all(has_fired));
        assert_eq!(timers.next(), None);
    }

    /// Given a long and a short sleep, and a long one after them, with the same deadline; when it
    /// has come; then they are woken in the order in which they began.
    #[test]
    fn equal_deadlines_of_long_and_short_ones_are_in_order() {
        let epoch = Instant::now();
        let (timers, told) = (Timers::new(epoch), Arc::new(Mutex::new(Vec::new())));
        let deadline = epoch + micros(2 * LONG);
        let now = [epoch, deadline - micros(1), epoch + micros(LONG), deadline - micros(LONG - 1)];
        for (number, now) in (0..).zip(now) {
            let waker = Waker::from(Arc::new(Told(number, told.clone())));
            timers.insert(now, deadline, AccountId::ROOT, Sleeper::Other(&waker));
        }
        fire(&timers, deadline);
        assert_eq!(*told.lock().unwrap(), [0, 1, 2, 3]);
    }

    /// Given many timers, each with a waker of its own; when some end, some wake somebody else and
    /// some a task from then on; then each of the others wakes whom it is to wake, and nobody is
    /// kept who is not woken.
    #[test]
    fn whoever_is_woken_is_found_wherever_others_have_gone() {
        const COUNT: u32 = 1000;
        let epoch = Instant::now();
        let (timers, told) = (Timers::new(epoch), Arc::new(Mutex::new(Vec::new())));
        let waker = |number| Waker::from(Arc::new(Told(number, told.clone())));
        let begin = |number: u32| {
            let long = u64::from(number % 2) * LONG;
            let deadline = epoch + micros(1 + long + u64::from(number));
            timers.insert(epoch, deadline, AccountId::ROOT, Sleeper::Other(&waker(number)))
        };
        let mut tickets: Vec<_> = (0..COUNT).map(|number| Some(begin(number))).collect();
        let mut expected = Vec::new();
        let mut tasks = Vec::new();
        for (number, ticket) in (0..COUNT).zip(&mut tickets) {
            let has_fired = |sleeper| timers.has_fired(ticket.as_ref().unwrap(), sleeper);
            match number.wrapping_mul(2_654_435_761) >> 30 {
                0 => timers.remove(ticket.take().unwrap()),
                1 => {
                    assert!(!has_fired(Sleeper::Other(&waker(COUNT + number))));
                    expected.push(COUNT + number);
                }
                2 => {
                    assert!(!has_fired(Sleeper::Task(AccountId::at(number as usize))));
                    tasks.push(number);
                }
                _ => expected.push(number),
            }
        }
        assert_eq!(timers.agenda.borrow().others.len(), expected.len());
        let woken = RefCell::new(Vec::new());
        timers.fire(epoch + micros(2 * LONG), |task| woken.borrow_mut().push(task.index() as u32));
        let mut woken = woken.take();
        woken.sort_unstable();
        assert_eq!(woken, tasks);
        let mut told = std::mem::take(&mut *told.lock().unwrap());
        told.sort_unstable();
        expected.sort_unstable();
        assert_eq!(told, expected);
        assert!(timers.agenda.borrow().others.is_empty());
        tickets.into_iter().flatten().for_each(|ticket| timers.remove(ticket));
    }

    #[test]
    fn deadlines_are_rounded_up_to_a_microsecond() {
        let epoch = Instant::now();
        let timers = Timers::new(epoch);
        let ticket = begin(&timers, epoch, epoch + Duration::from_nanos(1001));
        assert_eq!(timers.next(), Some(epoch + Duration::from_micros(2)));
        fire(&timers, epoch + Duration::from_nanos(1999));
        assert!(!timers.has_fired(&ticket, NOBODY), "fired early");
        fire(&timers, epoch + Duration::from_nanos(2000));
        assert!(timers.has_fired(&ticket, NOBODY));
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
        fire(&timers, epoch);
        assert!(timers.has_fired(&past, NOBODY));
        assert!(!timers.has_fired(&never, NOBODY));
        timers.remove(never);
        timers.remove(past);
        assert_eq!(timers.len(), 0);
    }
}
