//! Threads for one class of jobs: started on demand up to a limit, gone again when there is nothing
//! to do.
//!
//! Jobs queue only while no thread is idle, and every thread looks at the queue before it goes
//! idle, so a job never waits for a thread that waits for a job. The idle ones form a stack; taking
//! a thread off the stack is what gives it something to do, and whether it still stands there is
//! how it tells a real wake-up from an expired time or a stray one.

#![allow(unsafe_code)]

use std::collections::VecDeque;
use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle, Thread};
use std::time::{Duration, Instant};

use slab::Slab;

use super::CrewCounters;
use crate::affinity;
use crate::error::Failure;

type Job = Box<dyn FnOnce() + Send>;

pub(super) struct Crew {
    limit: usize,
    /// How long a thread waits for a job before it ends.
    patience: Duration,
    /// Whether signals to the process may be handled on its threads.
    takes_signals: bool,
    state: Mutex<State>,
    /// Told when a thread has left.
    left: Condvar,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Job>,
    threads: Slab<JoinHandle<()>>,
    /// The one that went idle last is on top.
    idle: Vec<Thread>,
    /// The thread that left last. It joins the one that left before it, so joining it joins them
    /// all.
    last_left: Option<JoinHandle<()>>,
    closed: bool,
}

const STACK: usize = 2 << 20;

impl Crew {
    pub(super) fn new(limit: usize, patience: Duration, takes_signals: bool) -> Arc<Crew> {
        let (state, left) = (Mutex::default(), Condvar::new());
        Arc::new(Crew { limit, patience, takes_signals, state, left })
    }

    pub(super) fn submit(self: &Arc<Self>, job: Job) -> io::Result<()> {
        let mut state = self.lock();
        if let Some(idle) = state.idle.pop() {
            state.queue.push_back(job);
            drop(state);
            idle.unpark();
            return Ok(());
        }
        let running = state.threads.len();
        if running < self.limit
            && let Err(error) = self.start_thread(&mut state)
            && running == 0
        {
            // The lock goes before the job, whose drop may run anything.
            drop(state);
            return Err(Failure::wrap("clone", "a thread of the pool", error));
        }
        state.queue.push_back(job);
        Ok(())
    }

    pub(super) fn counters(&self) -> CrewCounters {
        let state = self.lock();
        CrewCounters {
            threads: state.threads.len(),
            idle: state.idle.len(),
            queued: state.queue.len(),
        }
    }

    /// Drops the jobs that wait and has every thread leave once it is done with what it is at.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        let queue = std::mem::take(&mut state.queue);
        let idle = std::mem::take(&mut state.idle);
        drop(state);
        idle.iter().for_each(Thread::unpark);
        drop(queue);
    }

    /// Waits until all threads of a closed crew are gone, or `grace` is over; returns how many are
    /// not. The caller does not wait for itself, should it be one of them (a job may run a whole
    /// runtime, and be the last to hold the pool).
    pub(super) fn join(&self, grace: Duration) -> usize {
        let since = Instant::now();
        let me = thread::current().id();
        let mut state = self.lock();
        let own = state.threads.iter().filter(|(_, thread)| thread.thread().id() == me).count();
        while state.threads.len() > own {
            let left = grace.saturating_sub(since.elapsed());
            if left.is_zero() {
                break;
            }
            let woken = self.left.wait_timeout(state, left);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
        let remaining = state.threads.len();
        let last = state.last_left.take();
        drop(state);
        join(last);
        remaining
    }

    fn start_thread(self: &Arc<Self>, state: &mut State) -> io::Result<()> {
        let entry = state.threads.vacant_entry();
        let (crew, number) = (self.clone(), entry.key());
        let builder = thread::Builder::new().name("wakering-pool".to_owned()).stack_size(STACK);
        let masked = (!self.takes_signals).then(SignalsBlocked::new);
        let thread = affinity::unpinned(|| builder.spawn(move || crew.work(number)));
        drop(masked);
        entry.insert(thread?);
        Ok(())
    }

    /// The life of a thread.
    fn work(&self, number: usize) {
        let mut state = self.lock();
        loop {
            if let Some(job) = state.queue.pop_front() {
                drop(state);
                run(job);
                state = self.lock();
                continue;
            }
            if state.closed {
                break;
            }
            let woken;
            (state, woken) = self.idle(state);
            if !woken {
                break;
            }
        }
        let own = state.threads.remove(number);
        let previous = state.last_left.replace(own);
        drop(state);
        self.left.notify_all();
        join(previous);
    }

    /// Waits on the stack of idle threads. False if nobody took the calling one off it in time.
    fn idle<'a>(&'a self, mut state: MutexGuard<'a, State>) -> (MutexGuard<'a, State>, bool) {
        let me = thread::current();
        let since = Instant::now();
        state.idle.push(me.clone());
        loop {
            drop(state);
            thread::park_timeout(self.patience.saturating_sub(since.elapsed()));
            state = self.lock();
            let Some(at) = state.idle.iter().position(|idle| idle.id() == me.id()) else {
                return (state, true);
            };
            if since.elapsed() >= self.patience {
                state.idle.remove(at);
                return (state, false);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Crew {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.counters().fmt(f)
    }
}

fn run(job: Job) {
    if let Err(payload) = panic::catch_unwind(AssertUnwindSafe(job)) {
        // The panic hook has reported it. The payload may be anything, and its drop may panic
        // again.
        std::mem::forget(payload);
    }
}

fn join(thread: Option<JoinHandle<()>>) {
    if let Some(thread) = thread {
        // It cannot have panicked: every job is caught.
        let _ = thread.join();
    }
}

/// Blocks signals for as long as a thread is being started, which inherits that, so that there is
/// no moment at which one could land on it. Those that a thread's own faults raise stay open:
/// blocked, they would kill the process without the report that std's handler gives of an overflown
/// stack.
struct SignalsBlocked {
    before: libc::sigset_t,
}

impl SignalsBlocked {
    fn new() -> SignalsBlocked {
        // SAFETY: a signal set is plain bits; every pointer is to one that lives here.
        unsafe {
            let mut signals = std::mem::zeroed();
            let mut before = std::mem::zeroed();
            libc::sigfillset(&mut signals);
            for fault in [
                libc::SIGSEGV,
                libc::SIGBUS,
                libc::SIGFPE,
                libc::SIGILL,
                libc::SIGTRAP,
                libc::SIGSYS,
            ] {
                libc::sigdelset(&mut signals, fault);
            }
            libc::pthread_sigmask(libc::SIG_BLOCK, &signals, &mut before);
            SignalsBlocked { before }
        }
    }
}

impl Drop for SignalsBlocked {
    fn drop(&mut self) {
        // SAFETY: the set was filled by the call that began this.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &self.before, std::ptr::null_mut()) };
    }
}
