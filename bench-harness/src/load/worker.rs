//! One thread's part of the load: a runtime of its own, its share of the connections, its tally.
//!
//! A thread first brings its connections up and reports that, then waits for the common start; the
//! two halves are two `block_on` of one runtime, so that no task ever blocks. Each connection is a
//! task that asks the schedule for its next request until there is none.

use std::cell::{Cell, RefCell};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvError, Sender};
use std::time::Duration;

use futures_util::future::{Either, select};
use wakering::driver::SetupError;
use wakering::task::JoinHandle;
use wakering::time::{Instant, sleep, sleep_until};
use wakering::{Builder, Runtime};

use super::connection::Connection;
use super::failure::{Class, Failure, Failures};
use super::plan::Plan;
use super::schedule::{Schedule, Turn};
use super::stop::Stop;
use super::tally::{Tally, Times};
use crate::machine::affinity;

/// Connections that one thread establishes at a time: more would overrun short accept queues.
const CONNECTING_MAX: usize = 64;
/// Pauses after a connection could not be established, doubled from the first to the last.
const PAUSE_MIN: Duration = Duration::from_millis(1);
const PAUSE_MAX: Duration = Duration::from_millis(100);
/// With `--batch`: so many completions wait for no more, or two for each connection if that is less:
/// one of its request and one of its response.
const GATHERED: u32 = 64;
/// How long an interrupted run waits for what is under way.
const GRACE: Duration = Duration::from_millis(250);

/// A thread's connections are up, as far as that was possible.
pub struct Ready {
    /// How many are.
    pub up: usize,
    /// Why the others are not.
    pub failures: Failures,
}

/// The common start of all threads.
#[derive(Clone)]
pub struct Go {
    /// The beginning of the warm-up, from which all times count.
    pub origin: Instant,
    /// Who sends when.
    pub schedule: Arc<Schedule>,
    /// Asked for when the run shall end early.
    pub stop: Arc<Stop>,
    /// Held by every thread until it ends.
    pub running: Sender<()>,
}

/// Runs thread `index`; returns what it has seen, or why it could not run.
pub fn run(
    plan: Arc<Plan>,
    index: usize,
    ready: Sender<Ready>,
    go: Receiver<Go>,
) -> Result<Option<Tally>, String> {
    if let Some(cpus) = &plan.cpus {
        affinity::pin(cpus).map_err(|error| format!("pinning a thread to {cpus:?}: {error}"))?;
    }
    let runtime = runtime(&plan, plan.share(index))
        .map_err(|error| format!("starting a runtime: {error}"))?;
    let (connections, failures) = runtime.block_on(connect(plan.clone(), plan.share(index)));
    // Nobody listens any more, or no start comes, when the run has been given up.
    let reported = ready.send(Ready { up: connections.len(), failures });
    drop(ready);
    let Ok(go) = reported.map_err(|_| RecvError).and_then(|()| go.recv()) else { return Ok(None) };
    let Go { origin, schedule, stop, running } = go;
    let share = plan.share(index);
    let worker = Rc::new(Worker {
        tally: RefCell::new(Tally::new(plan.rate.is_some())),
        under_way: Cell::new(0),
        plan,
        origin,
        schedule,
    });
    let tally = runtime.block_on(drive(worker, connections, share, &stop));
    drop(running);
    tally.map(Some)
}

/// With `--batch` one whose loop sleeps until several responses are there.
fn runtime(plan: &Plan, share: usize) -> Result<Runtime, SetupError> {
    let builder = Builder::new();
    match plan.batch {
        Some(gather) => builder.min_wait(gather, GATHERED.min(2 * share as u32)).build(),
        None => builder.build(),
    }
}

async fn connect(plan: Arc<Plan>, share: usize) -> (Vec<Connection>, Failures) {
    let mut connections = Vec::with_capacity(share);
    let mut failures = Failures::default();
    let mut left = share;
    while left > 0 {
        let batch: Vec<_> = (0..left.min(CONNECTING_MAX))
            .map(|_| {
                let plan = plan.clone();
                wakering::spawn(async move { Connection::open(&plan).await })
            })
            .collect();
        left -= batch.len();
        for attempt in batch {
            let opened = attempt
                .await
                .unwrap_or_else(|error| Err(Failure::new(Class::ConnectOther, error.to_string())));
            match opened {
                Ok(connection) => connections.push(connection),
                Err(failure) => failures.record(failure.class, || failure.to_string()),
            }
        }
    }
    (connections, failures)
}

/// Runs all connections of the thread until the schedule has no more for them.
async fn drive(
    worker: Rc<Worker>,
    connections: Vec<Connection>,
    share: usize,
    stop: &Stop,
) -> Result<Tally, String> {
    let mut connections = connections.into_iter();
    let mut tasks: Vec<JoinHandle<()>> =
        (0..share).map(|_| wakering::spawn(Rc::clone(&worker).run(connections.next()))).collect();
    let interrupted = {
        let all = pin!(all(&mut tasks));
        match select(all, pin!(stop.asked())).await {
            Either::Left((result, _)) => {
                result?;
                false
            }
            Either::Right(((), _)) => true,
        }
    };
    if interrupted {
        let end = Instant::now() + GRACE;
        while worker.under_way.get() > 0 && Instant::now() < end {
            sleep(Duration::from_millis(1)).await;
        }
        for task in &tasks {
            task.cancel();
        }
        for task in tasks {
            // Its error says that it was cancelled, unless it had just ended.
            let _ = task.await;
        }
        worker.give_up();
    }
    Ok(worker.tally.replace(Tally::new(false)))
}

/// Waits for all tasks; those whose end has been seen are gone from the list.
async fn all(tasks: &mut Vec<JoinHandle<()>>) -> Result<(), String> {
    while let Some(task) = tasks.last_mut() {
        let result = task.await;
        tasks.pop();
        result.map_err(|error| format!("a connection's task: {error}"))?;
    }
    Ok(())
}

/// What the connections of one thread share.
struct Worker {
    plan: Arc<Plan>,
    /// The beginning of the warm-up, from which all times count.
    origin: Instant,
    schedule: Arc<Schedule>,
    tally: RefCell<Tally>,
    /// Measured requests that have begun and not ended.
    under_way: Cell<u64>,
}

impl Worker {
    /// One connection, replaced whenever it breaks.
    async fn run(self: Rc<Self>, mut connection: Option<Connection>) {
        let mut pause = PAUSE_MIN;
        let mut free_ns = self.now_ns();
        while let Some(turn) = self.schedule.next_turn(free_ns) {
            let begun_ns = self.wait(turn, free_ns, &mut connection).await;
            self.begin(turn);
            let (opened, sent_ns) = match connection.take() {
                Some(open) => (Ok(open), begun_ns),
                None => (Connection::open(&self.plan).await, self.now_ns()),
            };
            free_ns = match opened {
                Ok(mut open) => {
                    pause = PAUSE_MIN;
                    let request = &self.plan.request.bytes;
                    let result = open.exchange(request, self.at(sent_ns)).await;
                    let done_ns = self.now_ns();
                    let times = Times { due_ns: turn.due_ns, free_ns, begun_ns, sent_ns, done_ns };
                    let reusable = result.is_ok() && open.is_reusable() && self.plan.keep_alive;
                    self.end(turn, times, result, (open.received(), request.len() as u64));
                    connection = reusable.then_some(open);
                    done_ns
                }
                Err(failure) => {
                    let times =
                        Times { due_ns: turn.due_ns, free_ns, begun_ns, sent_ns, done_ns: sent_ns };
                    self.end(turn, times, Err(failure), (0, 0));
                    sleep(pause).await;
                    pause = (pause * 2).min(PAUSE_MAX);
                    self.now_ns()
                }
            };
        }
    }

    /// Waits until `turn` is due and says when that was over. A connection that has ended meanwhile
    /// is given up here, where that harms no request.
    async fn wait(&self, turn: Turn, free_ns: u64, connection: &mut Option<Connection>) -> u64 {
        let Some(due_ns) = turn.due_ns else { return free_ns };
        let due = self.at(due_ns);
        if let Some(open) = connection
            && !open.idle_until(due).await
        {
            *connection = None;
        }
        if due_ns <= free_ns {
            return free_ns;
        }
        if connection.is_none() {
            sleep_until(due).await;
        }
        self.now_ns()
    }

    fn begin(&self, turn: Turn) {
        if turn.measured {
            self.under_way.set(self.under_way.get() + 1);
        }
    }

    fn end(&self, turn: Turn, times: Times, result: Result<u16, Failure>, bytes: (u64, u64)) {
        if turn.measured {
            self.under_way.set(self.under_way.get() - 1);
            let end_ns = self.schedule.end_ns();
            let mut tally = self.tally.borrow_mut();
            match result {
                Ok(status) => tally.response(times, end_ns, status, bytes),
                Err(failure) => tally.failure(times.done_ns, end_ns, &failure, bytes),
            }
        }
    }

    /// Records what an interruption left under way.
    fn give_up(&self) {
        let failure = Failure::new(Class::CancelledAtEnd, "interrupted before its response came");
        let (now_ns, end_ns) = (self.now_ns(), self.schedule.end_ns());
        for _ in 0..self.under_way.take() {
            self.tally.borrow_mut().failure(now_ns, end_ns, &failure, (0, 0));
        }
    }

    fn now_ns(&self) -> u64 {
        (Instant::now() - self.origin).as_nanos() as u64
    }

    fn at(&self, ns: u64) -> Instant {
        self.origin + Duration::from_nanos(ns)
    }
}
