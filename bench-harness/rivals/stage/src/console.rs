//! The conversation with whoever compares: lines on standard input, answers on standard output.
//!
//! `slice MS` is answered, after about that time, by `done OPERATIONS NANOSECONDS`; `allocations`
//! by their number so far. The end of standard input ends the program, so that it does not outlive
//! its parent. Who compares reads processor time and memory from outside.

use std::io::{self, BufRead, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::allocations;

/// Says where a server listens, and answers from now on, on a thread of its own that sleeps
/// meanwhile.
pub fn listening(address: SocketAddr) {
    say(&format!("listening on {address}"));
    std::thread::spawn(|| while command().is_some() {});
}

/// The console of a program that works in slices.
pub struct Console {
    unit: u64,
    start: Instant,
    /// How long an operation has taken lately, in nanoseconds.
    pace: f64,
}

impl Console {
    /// Says that the program is ready; `unit` operations are done together.
    pub fn ready(unit: u64) -> Console {
        say("ready");
        Console { unit, start: Instant::now(), pace: f64::INFINITY }
    }

    /// Waits to be told to go on; returns how many operations to do. The clock starts.
    pub fn next_slice(&mut self) -> Option<u64> {
        let line = command()?;
        let Some(ms) = line.strip_prefix("slice ").and_then(|ms| ms.parse::<f64>().ok()) else {
            eprintln!("`{line}` is no command: slice MS and allocations are");
            std::process::exit(2);
        };
        let units = (ms * 1e6 / self.pace / self.unit as f64).round().clamp(1.0, 1e12);
        self.start = Instant::now();
        Some(units as u64 * self.unit)
    }

    /// Tells that so many operations have been done.
    pub fn done(&mut self, operations: u64) {
        let time = self.start.elapsed();
        self.done_in(operations, time);
    }

    /// The same, where not all of the time is to count.
    pub fn done_in(&mut self, operations: u64, time: Duration) {
        let all = self.start.elapsed();
        say(&format!("done {operations} {}", time.as_nanos()));
        // The first slices are the shortest that there can be, so the pace is found soon; at most
        // sixteen times as many follow, because a few operations say little about many.
        let pace = all.as_nanos() as f64 / operations as f64;
        self.pace = match self.pace.is_finite() {
            true => pace.max(self.pace / 16.0),
            false => pace.max(50e6 / 16.0 / operations as f64),
        };
    }
}

/// The next line that is not answered here; ends the program when there is none.
pub fn command() -> Option<String> {
    let mut line = String::new();
    loop {
        line.clear();
        match io::stdin().lock().read_line(&mut line) {
            Ok(0) | Err(_) => std::process::exit(0),
            Ok(_) => {}
        }
        match line.trim() {
            "allocations" => say(&allocations::count().to_string()),
            line => return Some(line.to_owned()),
        }
    }
}

/// Prints a line at once.
pub fn say(line: &str) {
    let mut out = io::stdout().lock();
    if writeln!(out, "{line}").and_then(|()| out.flush()).is_err() {
        // Nobody listens any more.
        std::process::exit(0);
    }
}
