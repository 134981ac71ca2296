//! The load itself, from the outside in: threads, connections, what they ask and what they keep.
//!
//! [`run`] stays on a thread of its own without a runtime. It brings all threads' connections up,
//! gives the common start, looks at the processor time of both sides exactly when measuring begins
//! and ends, shows progress, and hears Ctrl-C; nothing of that disturbs the threads that load.

/// What every thread must know.
pub mod plan;
/// Who sends when.
pub mod schedule;
/// One thread's part.
mod worker;
/// One connection and its exchanges.
mod connection;
/// The time limit of an exchange.
mod deadline;
/// A way to end early.
mod stop;
/// What one thread has seen.
pub mod tally;
/// Latencies in constant memory.
pub mod histogram;
/// What can go wrong with one request.
pub mod failure;

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use wakering::time::Instant;

use crate::machine::usage::Usage;
use failure::Failures;
use plan::Plan;
use schedule::Schedule;
use stop::Stop;
use tally::Tally;
use worker::{Go, Ready};

/// How often the coordinating thread looks up.
const TICK: Duration = Duration::from_millis(50);

/// What a run has found out.
#[derive(Debug)]
pub struct Outcome {
    /// Counts and latencies of all threads.
    pub tally: Tally,
    /// How long was measured; zero if it did not come to that.
    pub duration_ns: u64,
    /// How many requests the open loop's schedule had.
    pub planned: Option<u64>,
    /// Whether the run was interrupted.
    pub interrupted: bool,
    /// What this process used while it was measured.
    pub client: Option<Usage>,
    /// What the embedded server used.
    pub server: Option<Usage>,
}

impl Outcome {
    /// The outcome of a run that did not reach its target.
    pub fn unreachable(failures: Failures) -> Outcome {
        Outcome {
            tally: Tally::unreachable(failures),
            duration_ns: 0,
            planned: None,
            interrupted: false,
            client: None,
            server: None,
        }
    }

    /// Good responses a second of the measured time.
    pub fn requests_per_s(&self) -> Option<f64> {
        self.per_s(self.tally.inside.ok)
    }

    /// `amount` a second of the measured time, unless that is zero.
    pub fn per_s(&self, amount: u64) -> Option<f64> {
        (self.duration_ns > 0).then(|| amount as f64 * 1e9 / self.duration_ns as f64)
    }
}

/// What the coordinating thread tells and asks while the load runs.
pub trait Watch {
    /// Whether the run shall end now.
    fn is_interrupted(&self) -> bool;
    /// Called every now and then, `now_ns` after the start of the warm-up.
    fn progress(&mut self, now_ns: u64, schedule: &Schedule);
}

/// Runs the load of `plan`; `server` is the process of an embedded server.
pub fn run(plan: Plan, server: Option<u32>, watch: &mut dyn Watch) -> Result<Outcome, String> {
    let plan = Arc::new(plan);
    let (threads, reports) = start(&plan)?;
    let mut up = 0;
    let mut failures = Failures::default();
    // Ends when every thread has reported, or has ended without.
    for report in reports {
        up += report.up;
        failures.merge(report.failures);
    }
    if up == 0 || watch.is_interrupted() {
        // Threads that never hear of a start just end.
        threads.into_iter().try_for_each(|thread| thread.join().map(drop))?;
        let outcome = Outcome::unreachable(failures);
        return Ok(Outcome { interrupted: watch.is_interrupted(), ..outcome });
    }
    let (running, ended) = mpsc::channel();
    let go = Go {
        origin: Instant::now(),
        schedule: Arc::new(plan.schedule()),
        stop: Arc::default(),
        running,
    };
    threads.iter().for_each(|thread| thread.go(&go));
    let schedule = Arc::clone(&go.schedule);
    let mut clock = Clock { origin: go.origin, stop: Arc::clone(&go.stop), ended, watch };
    drop(go);

    let mut outcome = Outcome::unreachable(Failures::default());
    outcome.tally = Tally::new(plan.rate.is_some());
    let usage = || (Usage::of(std::process::id()).ok(), server.and_then(|pid| Usage::of(pid).ok()));
    let since = |now: Option<Usage>, before: Option<Usage>| Some(now?.since(before?));
    if clock.wait_until(schedule.start_ns(), &schedule) {
        let before = usage();
        clock.wait_until(schedule.end_ns(), &schedule);
        let now = usage();
        outcome.client = since(now.0, before.0);
        outcome.server = since(now.1, before.1);
    }
    outcome.interrupted = clock.wait_for_end(&schedule);
    for thread in threads {
        if let Some(tally) = thread.join()? {
            outcome.tally.merge(tally);
        }
    }
    // A run that a number of requests ends has lasted until the last response.
    let end_ns = match schedule.end_ns() {
        u64::MAX => outcome.tally.last_ns,
        end_ns => end_ns,
    };
    outcome.duration_ns = end_ns.saturating_sub(schedule.start_ns());
    outcome.planned = schedule.planned();
    Ok(outcome)
}

/// The coordinating thread's view of a running load.
struct Clock<'a> {
    origin: Instant,
    stop: Arc<Stop>,
    /// Brings nothing, and ends when all threads have.
    ended: Receiver<()>,
    watch: &'a mut dyn Watch,
}

impl Clock<'_> {
    /// Waits until `until_ns`; returns `false` if the load ended or was interrupted before.
    fn wait_until(&mut self, until_ns: u64, schedule: &Schedule) -> bool {
        loop {
            let now_ns = (Instant::now() - self.origin).as_nanos() as u64;
            if now_ns >= until_ns {
                return true;
            }
            if self.watch.is_interrupted() {
                schedule.stop(now_ns);
                self.stop.ask();
                return false;
            }
            self.watch.progress(now_ns, schedule);
            let rest = Duration::from_nanos(until_ns - now_ns);
            if self.ended.recv_timeout(rest.min(TICK)) == Err(RecvTimeoutError::Disconnected) {
                return false;
            }
        }
    }

    /// Waits until all threads have ended; returns whether the run was interrupted.
    fn wait_for_end(&mut self, schedule: &Schedule) -> bool {
        self.wait_until(u64::MAX, schedule);
        self.watch.is_interrupted()
    }
}

/// A thread that loads, seen from the coordinating one.
struct Thread {
    go: Sender<Go>,
    handle: JoinHandle<Result<Option<Tally>, String>>,
}

impl Thread {
    fn go(&self, go: &Go) {
        // A thread that has failed is found when it is joined.
        let _ = self.go.send(go.clone());
    }

    fn join(self) -> Result<Option<Tally>, String> {
        drop(self.go);
        self.handle.join().unwrap_or_else(|_panic| Err("a thread of the load panicked".into()))
    }
}

fn start(plan: &Arc<Plan>) -> Result<(Vec<Thread>, Receiver<Ready>), String> {
    let (report, reports) = mpsc::channel();
    let mut threads = Vec::new();
    for index in 0..plan.threads {
        let (go, started) = mpsc::channel();
        let (plan, report) = (Arc::clone(plan), report.clone());
        let handle = thread::Builder::new()
            .name(format!("load-{index}"))
            .spawn(move || worker::run(plan, index, report, started))
            .map_err(|error| format!("starting thread {index}: {error}"))?;
        threads.push(Thread { go, handle });
    }
    Ok((threads, reports))
}
