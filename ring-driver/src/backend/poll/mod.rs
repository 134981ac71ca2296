//! Without io_uring: epoll tells when a descriptor is ready, the plain system call does the rest,
//! and what waits for a disk goes to the pool.
//!
//! A request is tried where it is pushed, unless the last try has shown that this is in vain; then
//! it waits for an edge. What it came to is the answer, or a completion like any other, so that
//! nothing above can tell this backend from a ring. Only
//! who reads by borrowing needs no request (`receive.rs`). Buffers are provided as to a ring too;
//! this backend picks from them itself, when there is data.

#![allow(unsafe_code)]

use std::borrow::Borrow;
use std::collections::BTreeSet;
use std::io;
use std::os::fd::RawFd;
use std::sync::Arc;
use std::time::Duration;

use crate::buffer::{BufPool, Traffic};
use crate::call::{self, Attempt, Class, Mode};
use crate::completion::{Completion, Outcome};
use crate::counters::Counters;
use crate::pool::Pool;
use crate::remote::Remote;
use crate::request::{Number, Request, UserData};
use crate::time::Instant;

use super::ANSWERS_A_TURN;
use super::cached::Cached;
use super::offload::Offload;
use epoll::Epoll;
use flights::{Flight, Flights, NO_FLIGHT};
use time::TIME_IS_OVER;
use watch::{Direction, Owner, Watches};

/// Whose descriptors are, in which mode, and whether they are watched.
mod descriptors;
/// The system calls of an epoll instance.
mod epoll;
/// Requests that wait.
mod flights;
/// Streams that are read without a flight.
mod receive;
/// Flights that wait for a time.
mod time;
/// Descriptors, and what they were ready for.
mod watch;

/// So many turns in a row may live on what has completed without a look at epoll: an answer that
/// was sent at once would else cost a system call more than it does on tokio.
const TURNS_WITHOUT_LOOK: u32 = 4;

/// What comes after the attempt to carry out a request.
enum Step {
    Over(Outcome),
    /// It has to wait.
    Later,
    /// It would make the loop wait.
    OnPool,
}

pub(crate) struct Poll {
    epoll: Epoll,
    offload: Offload,
    /// By which other threads end a sleep. What `offload` holds keeps it open.
    notifier: RawFd,
    watches: Watches,
    flights: Flights,
    /// On how many descriptors readers wait beside them.
    readers: usize,
    /// The flights that wait for a time, by that time.
    deadlines: BTreeSet<(Instant, u32)>,
    completed: Vec<Completion>,
    cached: Cached,
    turns_without_look: u32,
    /// How many requests may still be answered on the spot before the next turn.
    answers_left: u32,
    counters: Counters,
    buf_pool: Option<BufPool>,
}

impl Poll {
    pub(crate) fn new(remote: &Arc<Remote>, pool: &Arc<Pool>) -> io::Result<Poll> {
        let (epoll, notifier) = (Epoll::new()?, remote.notifier_number().0);
        epoll.watch_input(notifier).map_err(io::Error::from_raw_os_error)?;
        Ok(Poll {
            epoll,
            offload: Offload::new(pool, remote),
            notifier,
            watches: Watches::default(),
            flights: Flights::default(),
            readers: 0,
            deadlines: BTreeSet::new(),
            completed: Vec::new(),
            cached: Cached::default(),
            turns_without_look: 0,
            answers_left: ANSWERS_A_TURN,
            counters: Counters::NONE,
            buf_pool: None,
        })
    }

    pub(crate) fn counters(&self) -> Counters {
        self.counters.clone()
    }

    /// Nothing is registered anywhere: this backend itself is who picks from the pool. Of datagrams
    /// it receives one after the other.
    pub(crate) fn make_buf_pool(&mut self, traffic: Traffic) -> io::Result<BufPool> {
        if traffic == Traffic::Datagrams {
            return Ok(BufPool::without_ring(traffic));
        }
        if let Some(pool) = &self.buf_pool {
            return Ok(pool.clone());
        }
        let pool = BufPool::for_calls()?;
        Ok(self.buf_pool.insert(pool).clone())
    }

    #[inline]
    pub(crate) fn push(&mut self, request: &Request, user_data: UserData) -> Option<Outcome> {
        match *request {
            // What streams do all the time: here the compiler sees which way that goes, as far as
            // the call.
            Request::Recv { fd, .. } => self.start(request, user_data, fd, Class::READABLE),
            Request::Send { fd, .. } => self.start(request, user_data, fd, Class::WRITABLE),
            _ => self.start_any(request, user_data),
        }
    }

    /// All the others share one copy.
    #[inline(never)]
    fn start_any(&mut self, request: &Request, user_data: UserData) -> Option<Outcome> {
        self.start(request, user_data, request.fd(), request.class())
    }

    #[inline(always)]
    fn start(
        &mut self,
        request: &Request,
        user_data: UserData,
        fd: Number,
        class: Class,
    ) -> Option<Outcome> {
        self.counters.submitted += 1;
        self.counters.readiness_calls += 1;
        let outcome = match class {
            // Such a number has been lent by somebody, and names nothing.
            Class::Readiness(_) if fd.0 < 0 => Outcome::plain(-libc::EBADF),
            Class::Readiness(_) | Class::Untold => match self.prepare(request, fd) {
                Some(mode) => {
                    let mut attempt = Attempt::new(request, mode);
                    match self.advance(&mut attempt, fd, class) {
                        Step::Over(outcome) => outcome,
                        Step::Later => {
                            let flight = || Flight::new(user_data, attempt.keep(), fd, class);
                            self.wait(fd, class, flight)?
                        }
                        Step::OnPool => self.call_on_pool(*request, user_data)?,
                    }
                }
                None => self.call_on_pool(*request, user_data)?,
            },
            Class::Blocking => match self.cached.read(request) {
                Some(read) => {
                    self.counters.cached_reads += 1;
                    self.counters.readiness_calls -= 1;
                    self.complete(user_data, Outcome::plain(read));
                    return None;
                }
                None => self.call_on_pool(*request, user_data)?,
            },
            Class::None if let Request::Timeout { spec } = *request => {
                // SAFETY: whoever made the request vouches for the time.
                let libc::timespec { tv_sec, tv_nsec } = unsafe { *spec };
                let time = Duration::new(tv_sec as u64, tv_nsec as u32);
                let attempt = Attempt::new(*request, Mode::Shared);
                self.wait_for_time(Flight::new(user_data, attempt, fd, class), time)?
            }
            Class::None => Outcome::plain(call::call(request)),
        };
        if self.answers_left == 0 || Direction::of(class) == Some(Direction::In) {
            self.complete(user_data, outcome);
            return None;
        }
        self.answers_left -= 1;
        Some(outcome)
    }

    /// What waits ends, as what it has come to by now: whoever cancels does not overtake what has
    /// happened already. What the pool is at goes on.
    pub(crate) fn cancel(&mut self, target: UserData) {
        let Some(flight) = self.flights.find(target) else { return };
        let (slot, due, fd) = (target.slot(), flight.due, flight.fd.0);
        match due {
            Some(due) => {
                self.deadlines.remove(&(due, slot));
            }
            None => self.flights.unlink(&mut self.watches.of(fd).first, slot),
        }
        let Some(mut flight) = self.flights.take(slot) else { return };
        let outcome = match flight.attempt.request() {
            Request::Timeout { .. } if due <= Some(Instant::now()) => Some(TIME_IS_OVER),
            // What it would move now nobody would know of.
            Request::Timeout { .. } | Request::Splice { .. } => None,
            // An error of this call is no news of the listener: it may be short of descriptors for
            // a connection that is not there.
            Request::Accept { .. } | Request::AcceptMulti { .. } => {
                let tried = self.proceed(&mut flight.attempt, flight.fd);
                tried.filter(|outcome| outcome.errno().is_none())
            }
            _ => self.proceed(&mut flight.attempt, flight.fd),
        };
        let cancelled = || Outcome::plain(flight.attempt.ended_by(-libc::ECANCELED));
        let outcome = self.end(flight.fd, outcome.unwrap_or_else(cancelled));
        self.complete(flight.user_data, outcome);
    }

    pub(crate) fn enter(&mut self, sleep: Option<Option<Duration>>) {
        self.answers_left = ANSWERS_A_TURN;
        let has_completed = !self.completed.is_empty();
        if has_completed && self.turns_without_look < TURNS_WITHOUT_LOOK {
            self.turns_without_look += 1;
            return;
        }
        let timeout = match sleep {
            Some(limit) if !has_completed => limit.into_iter().chain(self.time_left()).min(),
            _ if !self.has_waiting() => return,
            _ => Some(Duration::ZERO),
        };
        self.counters.enters += 1;
        self.counters.waits += u64::from(timeout != Some(Duration::ZERO));
        let count = self.epoll.look(timeout);
        // What was left over is there at the next turn, and nobody sleeps before that.
        self.turns_without_look = if self.epoll.was_full() { TURNS_WITHOUT_LOOK } else { 0 };
        for index in 0..count {
            let event = self.epoll.event(index);
            if event.fd != self.notifier {
                self.watches.of(event.fd).on_edge(event.events);
                self.tell_reader(event.fd);
                self.try_waiting(event.fd);
            }
        }
        self.expire();
    }

    pub(crate) fn reap(&mut self, batch: &mut Vec<Completion>) {
        batch.append(&mut self.completed);
    }

    pub(crate) fn has_news(&self) -> bool {
        !self.completed.is_empty()
    }

    /// Whether a look may find that something has become ready; only a system call tells.
    pub(crate) fn has_waiting(&self) -> bool {
        !self.flights.is_empty() || self.readers > 0
    }

    pub(crate) fn call_now(&mut self, request: &Request) -> i32 {
        if let Request::Close { fd } = *request {
            self.forget(fd);
        }
        call::call(request)
    }

    /// Makes the call, unless it would be in vain.
    #[inline(always)]
    fn advance<R: Borrow<Request>>(
        &mut self,
        attempt: &mut Attempt<R>,
        fd: Number,
        class: Class,
    ) -> Step {
        // To poll is to ask, so what is remembered is no answer.
        let is_question = matches!(attempt.request(), Request::Poll { .. });
        let direction = Direction::of(class).filter(|_| !is_question);
        if direction.is_some_and(|direction| self.watches.of(fd.0).is_idle(direction)) {
            return Step::Later;
        }
        if self.is_contested(attempt.request()) {
            return Step::OnPool;
        }
        if let Some(outcome) = self.proceed(attempt, fd) {
            return Step::Over(self.end(fd, outcome));
        }
        if let Some(direction) = direction {
            self.watches.of(fd.0).set_idle(direction, true);
        }
        Step::Later
    }

    /// Has a flight wait for its descriptor to become ready: `None`, unless it cannot. It is made
    /// where it waits.
    #[inline(always)]
    fn wait(
        &mut self,
        fd: Number,
        class: Class,
        flight: impl FnOnce() -> Flight,
    ) -> Option<Outcome> {
        if class == Class::Untold {
            return self.wait_a_while(flight());
        }
        match self.watch(fd.0) {
            Ok(()) => {
                let slot = self.flights.insert(flight());
                self.flights.append(&mut self.watches.of(fd.0).first, slot);
                None
            }
            // No more can be watched (`fs.epoll.max_user_watches`): it is slower, but goes on.
            Err(libc::ENOSPC | libc::ENOMEM) => self.wait_a_while(flight()),
            Err(errno) => Some(self.end(fd, Outcome::plain(flight().attempt.ended_by(-errno)))),
        }
    }

    /// Makes the call without waiting; `None` asks to make it again later.
    #[inline(always)]
    fn proceed<R: Borrow<Request>>(
        &mut self,
        attempt: &mut Attempt<R>,
        fd: Number,
    ) -> Option<Outcome> {
        let (outcome, room) = match *attempt.request() {
            Request::RecvPooled { .. } | Request::RecvMulti { .. } => self.receive_pooled(fd)?,
            Request::Recv { len, flags: 0, .. } => (Outcome::plain(attempt.proceed()?), len),
            _ => (Outcome::plain(attempt.proceed()?), 0),
        };
        if (1..room as i32).contains(&outcome.result()) {
            let is_drained = self.is_drained_by(fd);
            self.watches.of(fd.0).set_idle(Direction::In, is_drained);
        }
        Some(outcome)
    }

    /// Receives into the next provided buffer, if there is something to receive; how large that is.
    #[inline(never)]
    fn receive_pooled(&mut self, fd: Number) -> Option<(Outcome, u32)> {
        let selected = self.buf_pool.as_ref().and_then(|pool| Some((pool, pool.select()?)));
        let Some((pool, (id, buf, room))) = selected else {
            return Some((Outcome::plain(-libc::ENOBUFS), 0));
        };
        let len = room as u32;
        let receive = Request::Recv { fd, buf, len, flags: libc::MSG_DONTWAIT };
        match call::call(&receive) {
            received @ 1.. => Some((Outcome::buffered(received, id, false), len)),
            other => {
                pool.unselect();
                (other != -libc::EAGAIN).then_some((Outcome::plain(other), 0))
            }
        }
    }

    /// All flights that wait for edges of `fd` try again.
    fn try_waiting(&mut self, fd: RawFd) {
        let mut slot = std::mem::replace(&mut self.watches.of(fd).first, NO_FLIGHT);
        while slot != NO_FLIGHT {
            let next = *self.flights.next(slot);
            if let Some(flight) = self.flights.take(slot) {
                self.go_on(flight);
            }
            slot = next;
        }
    }

    /// A flight that has waited tries again.
    fn go_on(&mut self, mut flight: Flight) {
        let user_data = flight.user_data;
        let over = match self.advance(&mut flight.attempt, flight.fd, flight.class) {
            Step::Over(outcome) => Some(outcome),
            Step::Later => self.wait(flight.fd, flight.class, || flight),
            Step::OnPool => self.call_on_pool(*flight.attempt.request(), user_data),
        };
        if let Some(outcome) = over {
            self.complete(user_data, outcome);
        }
    }

    #[cold]
    fn call_on_pool(&mut self, request: Request, user_data: UserData) -> Option<Outcome> {
        self.counters.pool_calls += 1;
        self.counters.readiness_calls -= 1;
        self.offload.start(request, user_data).err().map(|errno| Outcome::plain(-errno))
    }

    /// A flight about `fd` has come to `outcome`.
    #[inline]
    fn end(&mut self, fd: Number, outcome: Outcome) -> Outcome {
        if fd != Number::NONE {
            let watch = self.watches.of(fd.0);
            // Its owner may close it as soon as the flight is over.
            if watch.owner == Owner::Lender && watch.first == NO_FLIGHT {
                self.forget(fd);
            }
        }
        outcome
    }

    fn complete(&mut self, user_data: UserData, outcome: Outcome) {
        self.completed.push(Completion { user_data, outcome });
    }
}
