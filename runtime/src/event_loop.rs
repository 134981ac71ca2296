//! The loop: polls what is ready, fires timers, and is the only place that sleeps.
//!
//! A *generation* is the tasks that are queued at its start; what they wake comes after. The
//! driver, the inbox and the clock are looked at when nothing is ready, and otherwise after a
//! *slice* of 256 polls or 100 µs, within a generation or across several, so that tasks which are
//! always ready starve nothing. A look reaps completions first and fires timers second: a
//! completion that is there when its timeout expires has won.

use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use wakering_ring_driver::{Instant, Wait};

use crate::debug;
use crate::executor::Executor;
use crate::task::TaskRef;

/// Polls `main`, and all tasks beside it, until `main` is ready. The executor is current.
pub(crate) fn run<F: Future>(executor: &Executor, main: F) -> F::Output {
    let mut main = pin!(main);
    let resident = Resident::of(executor);
    let waker = resident.task.waker();
    let mut cx = Context::from_waker(&waker);
    let mut slice = Slice::begin(executor.driver().now());
    loop {
        let generation = executor.queued();
        if generation == 0 {
            executor.give_back();
            slice = look(executor, rest(executor, || executor.queued() == 0));
        }
        for _ in 0..generation {
            if slice.is_over {
                slice = look_up(executor, &slice);
            }
            let Some(task) = executor.pop() else { break };
            if !task.is_same(&resident.task) {
                executor.run(task);
            } else if let Poll::Ready(output) = poll_main(executor, &task, main.as_mut(), &mut cx) {
                return output;
            }
            slice.count(executor);
        }
    }
}

fn poll_main<F: Future>(
    executor: &Executor,
    resident: &TaskRef,
    main: Pin<&mut F>,
    cx: &mut Context<'_>,
) -> Poll<F::Output> {
    resident.header().begin();
    let begun = executor.watch().map(|watch| watch.begin(None));
    let polled = main.poll(cx);
    if let (Some(watch), Some(begun)) = (executor.watch(), begun) {
        watch.end_main(begun, executor.on_report());
    }
    polled
}

/// Stands for the future that the loop runs for: that is no task, since it lives on the stack, but
/// is woken and waits for its turn like one.
struct Resident<'executor> {
    executor: &'executor Executor,
    task: TaskRef,
}

impl<'executor> Resident<'executor> {
    fn of(executor: &'executor Executor) -> Resident<'executor> {
        Resident { executor, task: executor.settle_down() }
    }
}

impl Drop for Resident<'_> {
    fn drop(&mut self) {
        // Wakers that are left do nothing from now on.
        self.task.clone().complete(self.executor.key());
    }
}

/// How long a loop that has nothing to do may sleep.
fn rest(executor: &Executor, _is_idle: impl Fn() -> bool) -> Wait {
    #[cfg(feature = "testing")]
    if crate::time::jump(executor, _is_idle) {
        return Wait::Now;
    }
    Wait::Until(executor.timers().next())
}

/// Takes in what has happened, after sleeping as long as nothing has and `wait` allows.
fn look(executor: &Executor, wait: Wait) -> Slice {
    if wait != Wait::Now || executor.driver().needs_turn() {
        executor.driver().turn(wait);
        if executor.watch().is_some() {
            debug::report_closed_in_use(executor);
        }
    }
    begin(executor, executor.driver().now())
}

/// The same between tasks. Where nothing has happened, the slice that is over has just read the
/// clock.
fn look_up(executor: &Executor, slice: &Slice) -> Slice {
    match executor.driver().needs_turn() {
        true => look(executor, Wait::Now),
        false => begin(executor, slice.now),
    }
}

fn begin(executor: &Executor, now: Instant) -> Slice {
    executor.fire(now);
    Slice::begin(now)
}

/// How long tasks may run before the loop looks up.
struct Slice {
    begun: Instant,
    /// The last reading of the clock.
    now: Instant,
    polls: u32,
    /// When the clock is read next.
    reading: u32,
    is_over: bool,
}

impl Slice {
    /// More than one look can make ready, which is some forty receives and the sends that the look
    /// before has brought about: else tasks queue up, each with a buffer of the pool in its hands.
    const POLLS: u32 = 256;
    const TIME: Duration = Duration::from_micros(100);
    /// Reading the clock costs more than a short poll, so it is read once for a few.
    const FIRST_READING: u32 = 4;

    fn begin(now: Instant) -> Slice {
        Slice { begun: now, now, polls: 0, reading: Slice::FIRST_READING, is_over: false }
    }

    #[inline]
    fn count(&mut self, executor: &Executor) {
        self.polls += 1;
        if self.polls >= self.reading {
            self.read(executor);
        }
    }

    /// Polls that were short so far may be expected to stay so: three times as many would be well
    /// within a slice.
    #[cold]
    fn read(&mut self, executor: &Executor) {
        self.now = executor.driver().now();
        let took = self.now.duration_since(self.begun);
        self.is_over = self.polls >= Slice::POLLS || took >= Slice::TIME;
        let more = if took < Slice::TIME / 8 { 3 * self.polls } else { Slice::FIRST_READING };
        self.reading = (self.polls + more).min(Slice::POLLS);
    }
}
