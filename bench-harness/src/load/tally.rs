//! What one thread has seen, in memory that does not grow with the number of requests.
//!
//! Every thread records into a tally of its own, and the tallies are added when all threads have
//! ended; nothing is shared while the load runs. Responses that came within the measured time are
//! kept apart from those of the drain after it: totals and latencies cover both, so that slow
//! survivors are not dropped, while rates a second cover the measured time alone.

use super::failure::{Class, Failure, Failures};
use super::histogram::Histogram;

/// Counts, latencies, statuses and failures.
#[derive(Debug)]
pub struct Tally {
    /// Requests begun, those included whose connection failed.
    pub sent: u64,
    /// Exchanges that ended within the measured time.
    pub inside: Volume,
    /// Exchanges that ended after it.
    pub after: Volume,
    /// From the actual send to the last byte of the response, of good responses.
    pub service: Histogram,
    /// What only the open loop knows.
    pub open: Option<OpenLoop>,
    /// The end of the last exchange, in nanoseconds since the start of the warm-up.
    pub last_ns: u64,
    /// What went wrong.
    pub failures: Failures,
    statuses: Box<[u64; 500]>,
}

/// Latencies against the schedule.
#[derive(Debug)]
pub struct OpenLoop {
    /// From the scheduled send to the last byte of the response, of good responses.
    pub intended: Histogram,
    /// From when a request was due and a connection free to when the generator turned to it: the
    /// delay that is its own fault.
    pub lag: Histogram,
}

/// An amount of finished exchanges.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Volume {
    /// Good responses.
    pub ok: u64,
    /// Failures of any kind.
    pub failed: u64,
    /// Bytes received in these exchanges, heads and framing included.
    pub bytes_in: u64,
    /// Bytes of requests sent in these exchanges.
    pub bytes_out: u64,
}

/// The times of one finished exchange, in nanoseconds since the start of the warm-up.
#[derive(Debug, Clone, Copy)]
pub struct Times {
    /// When it was scheduled, in the open loop.
    pub due_ns: Option<u64>,
    /// When a connection was first free for it.
    pub free_ns: u64,
    /// When the generator turned to it: a new connection, if one is needed, comes after this.
    pub begun_ns: u64,
    /// When its request was given to the connection.
    pub sent_ns: u64,
    /// When the last byte of its response had been read.
    pub done_ns: u64,
}

impl Tally {
    /// An empty tally, of an open or a closed loop.
    pub fn new(open_loop: bool) -> Tally {
        Tally {
            sent: 0,
            inside: Volume::default(),
            after: Volume::default(),
            service: Histogram::new(),
            open: open_loop.then(|| OpenLoop { intended: Histogram::new(), lag: Histogram::new() }),
            last_ns: 0,
            failures: Failures::default(),
            statuses: Box::new([0; 500]),
        }
    }

    /// The tally of a run that did not reach its target: every attempt counts as a request.
    pub fn unreachable(failures: Failures) -> Tally {
        let mut tally = Tally::new(false);
        tally.sent = failures.total();
        tally.inside.failed = failures.total();
        tally.failures = failures;
        tally
    }

    /// Records a whole response, whose status is from 100 to 599.
    pub fn response(&mut self, times: Times, end_ns: u64, status: u16, bytes: (u64, u64)) {
        let count = self.statuses.get_mut(usize::from(status) - 100);
        *count.expect("the parser refuses other statuses") += 1;
        if let (Some(open), Some(due_ns)) = (&mut self.open, times.due_ns) {
            open.lag.record(times.begun_ns.saturating_sub(due_ns.max(times.free_ns)));
        }
        let class = Class::of_status(status);
        self.ended(times.done_ns, end_ns, class.is_none(), bytes);
        if let Some(class) = class {
            self.failures.record(class, || format!("a whole response with status {status}"));
            return;
        }
        self.service.record(times.done_ns.saturating_sub(times.sent_ns));
        if let (Some(open), Some(due_ns)) = (&mut self.open, times.due_ns) {
            open.intended.record(times.done_ns.saturating_sub(due_ns));
        }
    }

    /// Records an exchange that failed at `now_ns`.
    pub fn failure(&mut self, now_ns: u64, end_ns: u64, failure: &Failure, bytes: (u64, u64)) {
        self.ended(now_ns, end_ns, false, bytes);
        self.failures.record(failure.class, || failure.to_string());
    }

    fn ended(&mut self, now_ns: u64, end_ns: u64, ok: bool, (bytes_in, bytes_out): (u64, u64)) {
        self.sent += 1;
        self.last_ns = self.last_ns.max(now_ns);
        let volume = if now_ns <= end_ns { &mut self.inside } else { &mut self.after };
        volume.ok += u64::from(ok);
        volume.failed += u64::from(!ok);
        volume.bytes_in += bytes_in;
        volume.bytes_out += bytes_out;
    }

    /// Adds the tally of another thread of the same run.
    pub fn merge(&mut self, other: Tally) {
        self.sent += other.sent;
        self.inside = self.inside.plus(other.inside);
        self.after = self.after.plus(other.after);
        self.service.merge(&other.service);
        if let (Some(mine), Some(theirs)) = (&mut self.open, &other.open) {
            mine.intended.merge(&theirs.intended);
            mine.lag.merge(&theirs.lag);
        }
        self.last_ns = self.last_ns.max(other.last_ns);
        self.failures.merge(other.failures);
        for (mine, theirs) in self.statuses.iter_mut().zip(other.statuses.iter()) {
            *mine += theirs;
        }
    }

    /// Everything that was exchanged, in the measured time and after it.
    pub fn total(&self) -> Volume {
        self.inside.plus(self.after)
    }

    /// The statuses that occurred, ascending, and how often.
    pub fn statuses(&self) -> impl Iterator<Item = (u16, u64)> {
        (100..).zip(self.statuses.iter().copied()).filter(|&(_, count)| count > 0)
    }
}

impl Volume {
    fn plus(self, other: Volume) -> Volume {
        Volume {
            ok: self.ok + other.ok,
            failed: self.failed + other.failed,
            bytes_in: self.bytes_in + other.bytes_in,
            bytes_out: self.bytes_out + other.bytes_out,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(due_ns: Option<u64>, free_ns: u64, sent_ns: u64, done_ns: u64) -> Times {
        Times { due_ns, free_ns, begun_ns: sent_ns, sent_ns, done_ns }
    }

    #[test]
    fn good_responses_enter_the_latencies_and_others_do_not() {
        let mut tally = Tally::new(false);
        tally.response(times(None, 0, 10, 110), 1_000, 200, (50, 20));
        tally.response(times(None, 0, 10, 400), 1_000, 503, (50, 20));
        tally.failure(500, 1_000, &Failure::new(Class::Parse, "x"), (7, 20));
        assert_eq!((tally.service.count(), tally.service.max()), (1, 100));
        assert_eq!(tally.sent, 3);
        let volume = Volume { ok: 1, failed: 2, bytes_in: 107, bytes_out: 60 };
        assert_eq!(tally.total(), volume);
        assert_eq!(tally.statuses().collect::<Vec<_>>(), [(200, 1), (503, 1)]);
        assert_eq!(tally.failures.total(), 2);
    }

    #[test]
    fn intended_latency_counts_from_the_schedule_and_lag_is_the_generators_own() {
        let mut tally = Tally::new(true);
        // Due at 100, but every connection was busy until 900; sent 5 later, answered at 1000.
        tally.response(times(Some(100), 900, 905, 1_000), 2_000, 200, (1, 1));
        let open = tally.open.as_ref().unwrap();
        assert_eq!(tally.service.max(), 95);
        assert_eq!(open.intended.max(), 900);
        assert_eq!(open.lag.max(), 5);
        // Free long before it was due at 1500, turned to 20 late, sent on a new connection.
        let late = Times { begun_ns: 1_520, ..times(Some(1_500), 1_000, 1_590, 1_600) };
        tally.response(late, 2_000, 200, (1, 1));
        assert_eq!(tally.open.unwrap().lag.max(), 20);
    }

    #[test]
    fn the_drain_is_kept_apart_from_the_measured_time() {
        let mut tally = Tally::new(false);
        tally.response(times(None, 0, 10, 1_000), 1_000, 200, (3, 2));
        tally.response(times(None, 0, 10, 1_001), 1_000, 200, (3, 2));
        assert_eq!((tally.inside.ok, tally.after.ok), (1, 1));
        assert_eq!(tally.last_ns, 1_001);
    }

    #[test]
    fn merging_adds_everything() {
        let (mut one, mut two) = (Tally::new(true), Tally::new(true));
        one.response(times(Some(0), 0, 1, 2), 10, 204, (3, 2));
        two.response(times(Some(0), 0, 1, 20), 10, 204, (3, 2));
        two.failure(5, 10, &Failure::new(Class::Dns, "x"), (0, 0));
        one.merge(two);
        assert_eq!((one.sent, one.total().ok, one.total().failed), (3, 2, 1));
        assert_eq!(one.statuses().collect::<Vec<_>>(), [(204, 2)]);
        assert_eq!(one.open.unwrap().intended.count(), 2);
        assert_eq!(one.last_ns, 20);
    }
}
