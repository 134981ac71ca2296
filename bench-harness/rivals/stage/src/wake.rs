//! A wake-up from another thread, timed: from just before the call of `wake` to the poll of the
//! task.
//!
//! The other thread spins, on another processor if it is allowed to, so that only the woken side
//! sleeps. It lets the runtime go to sleep first.

use std::future::poll_fn;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Release};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// How long the runtime has to go to sleep.
const SETTLE: Duration = Duration::from_micros(30);

struct Shared {
    waker: Mutex<Option<Waker>>,
    /// When the task was woken, in nanoseconds after `epoch`; zero until then.
    woken_ns: AtomicU64,
    epoch: Instant,
}

/// The other thread.
pub struct Caller(Arc<Shared>);

impl Caller {
    /// Starts the other thread; it ends with the program.
    pub fn new() -> Caller {
        let shared = Arc::new(Shared {
            waker: Mutex::new(None),
            woken_ns: AtomicU64::new(0),
            epoch: Instant::now(),
        });
        let theirs = shared.clone();
        std::thread::spawn(move || {
            leave_this_processor();
            loop {
                let Some(waker) = theirs.waker.lock().unwrap().take() else {
                    std::hint::spin_loop();
                    continue;
                };
                let start = Instant::now();
                while start.elapsed() < SETTLE {
                    std::hint::spin_loop();
                }
                theirs.woken_ns.store(theirs.epoch.elapsed().as_nanos() as u64, Release);
                waker.wake();
            }
        });
        Caller(shared)
    }

    /// Waits to be woken; returns how long that took.
    pub async fn wake(&self) -> Duration {
        let shared = &self.0;
        let mut asked = false;
        let woken_ns = poll_fn(|cx| {
            if !std::mem::replace(&mut asked, true) {
                *shared.waker.lock().unwrap() = Some(cx.waker().clone());
                return Poll::Pending;
            }
            match shared.woken_ns.swap(0, Acquire) {
                // Somebody else woke the task.
                0 => Poll::Pending,
                ns => Poll::Ready(ns),
            }
        });
        let woken_ns = woken_ns.await;
        Duration::from_nanos(shared.epoch.elapsed().as_nanos() as u64 - woken_ns)
    }
}

/// Moves this thread to a processor that is not the program's, if there is one.
fn leave_this_processor() {
    let Ok(mine) = sched_getaffinity(None) else { return };
    for cpu in (0..CpuSet::MAX_CPU).filter(|&cpu| !mine.is_set(cpu)) {
        let mut other = CpuSet::new();
        other.set(cpu);
        if sched_setaffinity(None, &other).is_ok() {
            return;
        }
    }
}
