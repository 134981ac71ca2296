//! Two contestants in turn.

use std::rc::Rc;
use std::time::{Duration, Instant};

use super::generators::Nginx;
use super::program::{Done, Latency, Program};

/// Whose turn it is: in each round both go first once, so that a drift of the machine within a
/// round cancels itself.
pub const ORDER: [usize; 4] = [0, 1, 1, 0];

/// Rounds of a warm-up at most.
const WARM_UP_ROUNDS: usize = 12;

/// Rounds at least: of fewer than six pairs nothing can be said with 95 % probability.
const ROUNDS: usize = 3;

/// Less than this part of a slice may be lost to whatever takes the client's processor away.
const LATE: u64 = 200;

/// How long a warm-up takes at least.
const WARM_UP: Duration = Duration::from_millis(300);

/// One contestant, alive.
pub struct Side {
    pub program: Program,
    pub source: Source,
}

/// Where its work comes from.
pub enum Source {
    Own,
    Client(Program),
    /// It is a load generator, and stands still while it is not its turn.
    Generator(Rc<Nginx>),
}

/// One turn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Slice {
    pub operations: u64,
    pub time_ns: u64,
    /// Processor time of the contestant.
    pub cpu_ns: u64,
    /// Of a paced slice.
    pub latency: Option<Latency>,
}

impl Slice {
    /// Whether the client had lost its processor for so long that the slowest hundredth of the
    /// messages may be its own fault.
    fn is_late(&self) -> bool {
        self.latency.is_some_and(|latency| latency.away_ns > self.time_ns / LATE)
    }
}

/// Something that takes turns.
pub trait Turn {
    fn turn(&mut self, order: &str) -> Result<Slice, String>;
}

impl Turn for Side {
    fn turn(&mut self, order: &str) -> Result<Slice, String> {
        let before = self.program.cpu_ns()?;
        let Done { operations, time_ns, latency } = match &mut self.source {
            Source::Own => self.program.slice(order)?,
            Source::Client(client) => client.slice(order)?,
            Source::Generator(nginx) => nginx.slice(&mut self.program, order)?,
        };
        let cpu_ns = self.program.cpu_ns()?.saturating_sub(before);
        Ok(Slice { operations, time_ns, cpu_ns, latency })
    }
}

/// Has both work until they are warm: long enough, and in slices of about the length asked for.
pub fn warm_up<T: Turn>(sides: &mut [T; 2], slice: Duration) -> Result<(), String> {
    let start = Instant::now();
    let half_ns = slice.as_nanos() as u64 / 2;
    for _ in 0..WARM_UP_ROUNDS {
        let mut full = true;
        for side in ORDER {
            let begun = Instant::now();
            sides[side].turn(&format!("slice {}", slice.as_millis()))?;
            full &= begun.elapsed().as_nanos() as u64 >= half_ns;
        }
        if full && start.elapsed() >= WARM_UP {
            break;
        }
    }
    Ok(())
}

/// Pairs of neighbouring slices, for `time` and three rounds at least.
pub fn pairs<T: Turn>(
    sides: &mut [T; 2],
    order: &str,
    time: Duration,
) -> Result<Vec<[Slice; 2]>, String> {
    let mut pairs = Vec::new();
    let start = Instant::now();
    while pairs.len() < 2 * ROUNDS || start.elapsed() < time {
        for half in ORDER.chunks(2) {
            let first = sides[half[0]].turn(order)?;
            let second = sides[half[1]].turn(order)?;
            pairs.push(if half[0] == 0 { [first, second] } else { [second, first] });
        }
    }
    Ok(pairs)
}

/// Pairs of paced slices, but for those in which a client was late, and how many these are. If few
/// others come, it takes up to twice as long.
///
/// Turns go A B A B. A slice that follows one of the same side has a burst of the kernel's timers in
/// it, which all connections have started together 40 ms before, and a slowest hundredth of its own.
pub fn timely_pairs<T: Turn>(
    sides: &mut [T; 2],
    order: &str,
    time: Duration,
) -> Result<(Vec<[Slice; 2]>, u32), String> {
    let (mut pairs, mut late) = (Vec::new(), 0);
    let start = Instant::now();
    for played in 1.. {
        let pair = [sides[0].turn(order)?, sides[1].turn(order)?];
        match pair.iter().any(Slice::is_late) {
            true => late += 1,
            false => pairs.push(pair),
        }
        let enough = start.elapsed() >= time && pairs.len() >= 2 * ROUNDS;
        if played >= 2 * ROUNDS && (enough || start.elapsed() >= 2 * time) {
            break;
        }
    }
    Ok((pairs, late))
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use super::*;

    /// Notes whose turn it is.
    struct Player(u64, Rc<RefCell<Vec<u64>>>);

    impl Turn for Player {
        fn turn(&mut self, _order: &str) -> Result<Slice, String> {
            let mut turns = self.1.borrow_mut();
            turns.push(self.0);
            if turns.len() > 1_000 {
                return Err("it never ends".into());
            }
            Ok(Slice { operations: self.0, time_ns: turns.len() as u64, cpu_ns: 1, latency: None })
        }
    }

    fn players() -> ([Player; 2], Rc<RefCell<Vec<u64>>>) {
        let turns = Rc::new(RefCell::new(Vec::new()));
        ([Player(10, turns.clone()), Player(20, turns.clone())], turns)
    }

    #[test]
    fn turns_go_a_b_b_a_and_pairs_are_neighbours() {
        // Given two players
        let (mut players, turns) = players();

        // When the fewest rounds that there can be are played
        let pairs = pairs(&mut players, "slice 50", Duration::ZERO).unwrap();

        // Then both were first once, and each pair is A before B, whoever was first
        assert_eq!(*turns.borrow(), [10, 20, 20, 10].repeat(ROUNDS));
        let figures =
            pairs.iter().map(|[a, b]| [(a.operations, a.time_ns), (b.operations, b.time_ns)]);
        let first: Vec<_> = figures.take(2).collect();
        assert_eq!(first, [[(10, 1), (20, 2)], [(10, 4), (20, 3)]]);
        assert_eq!(pairs.len(), 2 * ROUNDS);
    }

    #[test]
    fn a_warm_up_ends_although_slices_stay_short() {
        let (mut players, turns) = players();
        warm_up(&mut players, Duration::from_secs(10)).unwrap();
        assert_eq!(turns.borrow().len(), WARM_UP_ROUNDS * ORDER.len());
    }

    /// Says that its client was away for so long, of a millisecond.
    struct Late(u64);

    impl Turn for Late {
        fn turn(&mut self, _order: &str) -> Result<Slice, String> {
            let latency = Some(Latency { median_ns: 1, p99_ns: 2, away_ns: self.0 });
            Ok(Slice { operations: 1, time_ns: 1_000_000, cpu_ns: 1, latency })
        }
    }

    #[test]
    fn pairs_in_which_the_client_was_late_do_not_count() {
        for (away_ns, timely, late) in [(4_000, 2 * ROUNDS, 0), (6_000, 0, 2 * ROUNDS as u32)] {
            let mut sides = [Late(0), Late(away_ns)];
            let (pairs, left_out) = timely_pairs(&mut sides, "paced", Duration::ZERO).unwrap();
            assert_eq!((pairs.len(), left_out), (timely, late), "{away_ns}");
        }
    }

    #[test]
    fn who_fails_ends_the_duel() {
        let (mut players, _) = players();
        let endless = Duration::from_secs(600);
        assert_eq!(pairs(&mut players, "slice 50", endless).unwrap_err(), "it never ends");
    }
}
