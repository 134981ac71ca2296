//! The loop: polls what is ready, fires timers, and is the only place that sleeps.
//!
//! A *generation* is the tasks that are queued at its start; what they wake comes after. The
//! driver, the inbox and the clock are looked at when nothing is ready, and otherwise after a
//! *slice* of 256 polls or 100 µs, within a generation or across several, so that tasks which are
//! always ready starve nothing. A look reaps completions first and fires timers second: a
//! completion that is there when its timeout expires has won.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use wakering_ring_driver::{Deliver, Instant, Wait};

use crate::executor::Executor;
use crate::home::Home;
use crate::{context, debug};

/// Polls `main`, and all tasks beside it, until `main` is ready. The executor is current.
pub(crate) fn run<F: Future>(executor: &Executor, main: F) -> F::Output {
    let mut main = pin!(main);
    let woken = Arc::new(MainWaker::new(executor.home()));
    let waker = Waker::from(woken.clone());
    let mut slice = Slice::begin(executor);
    loop {
        if woken.take() {
            let begun = executor.watch().map(|watch| watch.begin(None));
            let polled = main.as_mut().poll(&mut Context::from_waker(&waker));
            if let (Some(watch), Some(begun)) = (executor.watch(), begun) {
                watch.end_main(begun, executor.on_report());
            }
            if let Poll::Ready(output) = polled {
                return output;
            }
            slice.count(executor);
        }
        for _ in 0..executor.queued() {
            if slice.is_over {
                slice = look(executor, Wait::Now);
            }
            executor.run_next();
            slice.count(executor);
        }
        let is_idle = || executor.queued() == 0 && !woken.is_set();
        if is_idle() {
            slice = look(executor, rest(executor, is_idle));
        } else if slice.is_over {
            slice = look(executor, Wait::Now);
        }
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
    let slice = Slice::begin(executor);
    executor.timers().fire(slice.begun);
    slice
}

/// How long tasks may run before the loop looks up.
struct Slice {
    begun: Instant,
    polls: u32,
    is_over: bool,
}

impl Slice {
    /// More than one look can make ready, which is some forty receives and the sends that the look
    /// before has brought about: else tasks queue up, each with a buffer of the pool in its hands.
    const POLLS: u32 = 256;
    const TIME: Duration = Duration::from_micros(100);
    /// Reading the clock costs about as much as a short poll, so it is read once for a few.
    const POLLS_A_READING: u32 = 4;

    fn begin(executor: &Executor) -> Slice {
        Slice { begun: executor.driver().now(), polls: 0, is_over: false }
    }

    fn count(&mut self, executor: &Executor) {
        self.polls += 1;
        self.is_over = self.polls >= Slice::POLLS
            || self.polls.is_multiple_of(Slice::POLLS_A_READING)
                && executor.driver().now().duration_since(self.begun) >= Slice::TIME;
    }
}

/// Wakes the future that the loop runs for. It is no task: it lives on the stack and is polled once
/// a generation at most.
struct MainWaker {
    woken: AtomicBool,
    home: Arc<Home>,
}

impl MainWaker {
    fn new(home: &Arc<Home>) -> MainWaker {
        MainWaker { woken: AtomicBool::new(true), home: home.clone() }
    }

    fn is_set(&self) -> bool {
        self.woken.load(Ordering::Acquire)
    }

    fn take(&self) -> bool {
        self.is_set() && self.woken.swap(false, Ordering::AcqRel)
    }
}

impl Wake for MainWaker {
    fn wake(self: Arc<Self>) {
        if !self.woken.swap(true, Ordering::AcqRel) && !context::is_current(&self.home) {
            // The flag says it all; the message only ends the loop's sleep.
            let home = self.home.clone();
            let _ = home.send(self);
        }
    }
}

impl Deliver for MainWaker {
    fn deliver(self: Arc<Self>) {}
}
