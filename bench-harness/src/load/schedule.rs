//! Who sends when: the one place that all connections of all threads ask for their next request.
//!
//! In the closed loop the answer is "now", until the time or the budget is used up. In the open
//! loop arrival `i` is due `i / rate` seconds after the start whatever the server does; free
//! connections take arrivals in order and wait for them, so a due arrival waits only while *every*
//! connection is busy, and its latency counts from when it was due. That is what keeps a stalled
//! server visible (coordinated omission). Arrivals that fell due in time are sent even after the
//! end, for as long as one request may take; what is still waiting then is reported as unsent.
//!
//! All times are nanoseconds since the start of the warm-up.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The plan of sends that all connections share.
#[derive(Debug)]
pub struct Schedule {
    pace: Pace,
    /// The warm-up ends and the measurement starts.
    start_ns: u64,
    /// No arrival is due from here on.
    end_ns: AtomicU64,
    /// No request is begun from here on.
    cut_ns: AtomicU64,
    /// Requests to measure.
    budget: u64,
    /// Closed loop: measured requests handed out. Open loop: arrivals handed out.
    next: AtomicU64,
}

#[derive(Debug, Clone, Copy)]
enum Pace {
    Closed,
    Open { per_s: u64 },
}

/// Permission to send one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn {
    /// When the request is due, in the open loop.
    pub due_ns: Option<u64>,
    /// Whether it belongs to the measurement, and not to the warm-up.
    pub measured: bool,
}

impl Schedule {
    /// A schedule with a total `rate` (open loop) or none (closed loop), ended by time or number.
    ///
    /// `patience_ns` is how long after the end arrivals that were due before it may still be sent.
    pub fn new(
        rate: Option<u64>,
        warmup_ns: u64,
        duration_ns: Option<u64>,
        requests: Option<u64>,
        patience_ns: u64,
    ) -> Schedule {
        let end_ns = duration_ns.map_or(u64::MAX, |duration| warmup_ns.saturating_add(duration));
        Schedule {
            pace: rate.map_or(Pace::Closed, |per_s| Pace::Open { per_s }),
            start_ns: warmup_ns,
            end_ns: AtomicU64::new(end_ns),
            cut_ns: AtomicU64::new(match rate {
                Some(_) => end_ns.saturating_add(patience_ns),
                None => end_ns,
            }),
            budget: requests.unwrap_or(u64::MAX),
            next: AtomicU64::new(0),
        }
    }

    /// The next request for a connection that is free at `now_ns`; `None` when there is no more.
    pub fn next_turn(&self, now_ns: u64) -> Option<Turn> {
        if now_ns >= self.cut_ns.load(Relaxed) {
            return None;
        }
        match self.pace {
            Pace::Closed => {
                let measured = now_ns >= self.start_ns;
                if measured && self.next.fetch_add(1, Relaxed) >= self.budget {
                    return None;
                }
                Some(Turn { due_ns: None, measured })
            }
            Pace::Open { per_s } => {
                let first = arrivals_before(self.start_ns, per_s);
                if now_ns >= self.start_ns {
                    // What the warm-up has left unsent would only delay what is measured.
                    self.next.fetch_max(first, Relaxed);
                }
                let arrival = self.next.fetch_add(1, Relaxed);
                let due_ns = due_ns(arrival, per_s);
                let spent = arrival >= first.saturating_add(self.budget);
                if due_ns >= self.end_ns.load(Relaxed) || spent {
                    return None;
                }
                Some(Turn { due_ns: Some(due_ns), measured: due_ns >= self.start_ns })
            }
        }
    }

    /// When the measurement starts.
    pub fn start_ns(&self) -> u64 {
        self.start_ns
    }

    /// When it ends; `u64::MAX` while only the number of requests ends it.
    pub fn end_ns(&self) -> u64 {
        self.end_ns.load(Relaxed)
    }

    /// How many requests are measured, if a number ends the run.
    pub fn budget(&self) -> Option<u64> {
        (self.budget != u64::MAX).then_some(self.budget)
    }

    /// How many measured requests had their turn by `now_ns`.
    pub fn begun(&self, now_ns: u64) -> u64 {
        let next = self.next.load(Relaxed);
        let begun = match self.pace {
            Pace::Closed => next,
            // Idle connections hold arrivals of the future.
            Pace::Open { per_s } => next
                .min(arrivals_before(now_ns, per_s))
                .saturating_sub(arrivals_before(self.start_ns, per_s)),
        };
        begun.min(self.budget)
    }

    /// Ends the measurement at `now_ns`, unless it ended earlier.
    pub fn stop(&self, now_ns: u64) {
        self.end_ns.fetch_min(now_ns, Relaxed);
        self.cut_ns.fetch_min(now_ns, Relaxed);
    }

    /// How many arrivals the measurement has, in the open loop.
    pub fn planned(&self) -> Option<u64> {
        let Pace::Open { per_s } = self.pace else { return None };
        let end = arrivals_before(self.end_ns(), per_s);
        Some(end.saturating_sub(arrivals_before(self.start_ns, per_s)).min(self.budget))
    }
}

/// When arrival `arrival` is due; whole seconds apart, so that nothing overflows or drifts.
fn due_ns(arrival: u64, per_s: u64) -> u64 {
    let (s, rest) = (arrival / per_s, arrival % per_s);
    s.saturating_mul(1_000_000_000).saturating_add(rest * 1_000_000_000 / per_s)
}

/// How many arrivals are due before `ns`: the smallest `i` with `due_ns(i) >= ns`.
fn arrivals_before(ns: u64, per_s: u64) -> u64 {
    // due_ns rounds down, so due_ns(i) >= ns just when i * 10^9 / per_s >= ns.
    let before = (u128::from(ns) * u128::from(per_s)).div_ceil(1_000_000_000);
    u64::try_from(before).unwrap_or(u64::MAX / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: u64 = 1_000_000_000;

    #[test]
    fn the_closed_loop_sends_at_once_until_the_end() {
        let schedule = Schedule::new(None, 2 * S, Some(S), None, 5 * S);
        let now = |measured| Some(Turn { due_ns: None, measured });
        assert_eq!(schedule.next_turn(0), now(false));
        assert_eq!(schedule.next_turn(2 * S - 1), now(false));
        assert_eq!(schedule.next_turn(2 * S), now(true));
        assert_eq!(schedule.next_turn(3 * S - 1), now(true));
        assert_eq!(schedule.next_turn(3 * S), None);
        assert_eq!(schedule.planned(), None);
    }

    #[test]
    fn the_budget_counts_measured_requests_only() {
        let schedule = Schedule::new(None, S, None, Some(3), 5 * S);
        for _ in 0..10 {
            assert!(schedule.next_turn(0).is_some());
        }
        let sent = (0..10).filter(|_| schedule.next_turn(S).is_some()).count();
        assert_eq!(sent, 3);
        assert_eq!((schedule.budget(), schedule.begun(2 * S)), (Some(3), 3));
    }

    #[test]
    fn arrivals_of_the_future_have_not_begun() {
        let schedule = Schedule::new(Some(10), S, Some(S), None, 0);
        for _ in 0..15 {
            schedule.next_turn(0);
        }
        assert_eq!(schedule.begun(S / 2), 0);
        assert_eq!(schedule.begun(S + S / 5), 2);
        assert_eq!(schedule.begun(5 * S), 5);
    }

    #[test]
    fn arrivals_are_due_at_a_constant_rate_and_never_drift() {
        let schedule = Schedule::new(Some(3), 0, Some(S), None, 0);
        let due: Vec<_> = std::iter::from_fn(|| schedule.next_turn(0)).map(|t| t.due_ns).collect();
        assert_eq!(due, [Some(0), Some(333_333_333), Some(666_666_666)]);
        assert_eq!(due_ns(3 * 86_400 * 365, 3), 86_400 * 365 * S);
        assert_eq!(due_ns(u64::MAX, 1), u64::MAX);
    }

    #[test]
    fn warm_up_arrivals_are_not_measured_and_not_planned() {
        for (rate, warmup_ns, duration_ns) in
            [(2_000, 2 * S, 6 * S), (7, S / 3, S), (1_000_003, 12_345, 1_000_000), (5, 0, S)]
        {
            let schedule = Schedule::new(Some(rate), warmup_ns, Some(duration_ns), None, 0);
            let turns: Vec<_> = std::iter::from_fn(|| schedule.next_turn(0)).collect();
            for turn in &turns {
                assert_eq!(turn.measured, turn.due_ns.unwrap() >= warmup_ns);
            }
            let measured = turns.iter().filter(|turn| turn.measured).count() as u64;
            assert_eq!(schedule.planned(), Some(measured), "rate {rate}");
            assert!(measured.abs_diff(rate * duration_ns / S) <= 1);
        }
    }

    #[test]
    fn the_open_loop_keeps_to_its_budget() {
        let schedule = Schedule::new(Some(10), S, None, Some(4), 0);
        let turns: Vec<_> = std::iter::from_fn(|| schedule.next_turn(0)).collect();
        assert_eq!(turns.iter().filter(|turn| turn.measured).count(), 4);
        assert_eq!(schedule.planned(), Some(4));
    }

    #[test]
    fn a_late_connection_gets_the_oldest_arrival_until_patience_ends() {
        let schedule = Schedule::new(Some(2), 0, Some(S), None, 5 * S);
        assert_eq!(schedule.next_turn(4 * S).unwrap().due_ns, Some(0));
        assert_eq!(schedule.next_turn(6 * S), None);
    }

    #[test]
    fn what_the_warm_up_has_left_unsent_is_skipped() {
        let schedule = Schedule::new(Some(100), S, Some(S), None, S);
        assert!(!schedule.next_turn(S / 2).unwrap().measured);
        assert_eq!(schedule.next_turn(S + 1).unwrap(), Turn { due_ns: Some(S), measured: true });
    }

    #[test]
    fn stopping_ends_both_loops_at_once() {
        for rate in [None, Some(1_000)] {
            let schedule = Schedule::new(rate, 0, Some(10 * S), None, 5 * S);
            assert!(schedule.next_turn(S).is_some());
            schedule.stop(2 * S);
            assert_eq!(schedule.next_turn(2 * S), None);
            assert_eq!(schedule.end_ns(), 2 * S);
            assert_eq!(schedule.planned(), rate.map(|_| 2_000));
            schedule.stop(3 * S);
            assert_eq!(schedule.end_ns(), 2 * S, "a later stop moves nothing");
        }
    }
}
