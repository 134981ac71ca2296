//! The crew under load: limits, order, idling, ending, and jobs that panic.

use std::cell::RefCell;
use std::panic;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

use super::*;
use crate::testing::patience;

/// Long enough for anything that must happen, on the slowest machine.
const LONG: Duration = Duration::from_secs(60);

/// A job that says that it runs and stays until it is let go.
struct Gate {
    running: Receiver<usize>,
    tell: Sender<usize>,
    release: Vec<Sender<()>>,
}

impl Gate {
    fn new() -> Gate {
        let (tell, running) = mpsc::channel();
        Gate { running, tell, release: Vec::new() }
    }

    /// The next job; its number is how many there were before.
    fn job(&mut self) -> Box<dyn FnOnce() + Send> {
        let (release, released) = mpsc::channel();
        let (number, tell) = (self.release.len(), self.tell.clone());
        self.release.push(release);
        Box::new(move || {
            tell.send(number).unwrap();
            let _ = released.recv_timeout(LONG);
        })
    }

    fn next_running(&self) -> usize {
        self.running.recv_timeout(LONG).expect("no job runs")
    }

    fn let_go(&self, number: usize) {
        self.release[number].send(()).unwrap();
    }
}

fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let since = Instant::now();
    while !is_so() {
        assert!(since.elapsed() < LONG, "never so: {what}");
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn jobs_beyond_the_limit_wait_and_run_in_the_order_in_which_they_came() {
    let pool = Pool::new(1, 2, LONG);
    let mut gate = Gate::new();
    for _ in 0..6 {
        pool.submit(Class::User, gate.job()).unwrap();
    }
    let mut first = [gate.next_running(), gate.next_running()];
    first.sort_unstable();
    assert_eq!(first, [0, 1]);
    let counters = pool.counters(Class::User);
    assert_eq!(counters, CrewCounters { threads: 2, idle: 0, queued: 4 });
    for number in 2..6 {
        gate.let_go(number - 2);
        assert_eq!(gate.next_running(), number);
        assert_eq!(pool.counters(Class::User).threads, 2);
    }
    gate.let_go(4);
    gate.let_go(5);
}

#[test]
fn a_saturated_class_does_not_delay_the_other() {
    let pool = Pool::new(1, 2, LONG);
    let mut gate = Gate::new();
    for _ in 0..10 {
        pool.submit(Class::User, gate.job()).unwrap();
    }
    gate.next_running();
    gate.next_running();
    let mut kernel = Gate::new();
    pool.submit(Class::Kernel, kernel.job()).unwrap();
    assert_eq!(kernel.next_running(), 0);
    assert_eq!(pool.counters(Class::User).queued, 8);
    kernel.let_go(0);
    (0..10).for_each(|number| gate.let_go(number));
}

#[test]
fn an_idle_thread_is_used_again_and_ends_when_its_patience_is_over() {
    let pool = Pool::new(1, 4, Duration::from_millis(300));
    let mut gate = Gate::new();
    for number in 0..3 {
        pool.submit(Class::User, gate.job()).unwrap();
        gate.next_running();
        gate.let_go(number);
        eventually("idle", || pool.counters(Class::User).idle == 1);
        assert_eq!(pool.counters(Class::User).threads, 1, "one was idle");
    }
    eventually("gone", || pool.counters(Class::User) == CrewCounters::default());
    pool.submit(Class::User, gate.job()).unwrap();
    assert_eq!(gate.next_running(), 3);
    gate.let_go(3);
}

#[test]
fn a_crew_shrinks_to_what_a_steady_trickle_needs() {
    let pool = Pool::new(1, 8, Duration::from_millis(300));
    let mut gate = Gate::new();
    for _ in 0..8 {
        pool.submit(Class::User, gate.job()).unwrap();
    }
    (0..8).for_each(|_| assert!(gate.next_running() < 8));
    (0..8).for_each(|number| gate.let_go(number));
    eventually("idle", || pool.counters(Class::User).idle == 8);
    eventually("shrunk", || {
        // One job each 10 ms, which round robin would spread over all of them.
        let (tell, told) = mpsc::channel();
        pool.submit(Class::User, Box::new(move || tell.send(()).unwrap())).unwrap();
        told.recv_timeout(LONG).unwrap();
        thread::sleep(Duration::from_millis(10));
        pool.counters(Class::User).threads <= 2
    });
}

#[test]
fn a_job_that_panics_ends_alone() {
    struct PanicsWhenDropped;
    impl Drop for PanicsWhenDropped {
        fn drop(&mut self) {
            panic!("and once more");
        }
    }
    let pool = Pool::new(1, 1, LONG);
    let mut gate = Gate::new();
    let (tell, told) = mpsc::channel();
    let job = move || {
        tell.send(thread::current().id()).unwrap();
        panic::resume_unwind(Box::new(PanicsWhenDropped));
    };
    pool.submit(Class::User, Box::new(job)).unwrap();
    let before = told.recv_timeout(LONG).unwrap();
    let (tell, told) = mpsc::channel();
    let job = move || tell.send(thread::current().id()).unwrap();
    pool.submit(Class::User, Box::new(job)).unwrap();
    assert_eq!(told.recv_timeout(LONG).unwrap(), before, "the thread did not survive");
    pool.submit(Class::User, gate.job()).unwrap();
    gate.next_running();
    assert_eq!(pool.counters(Class::User).threads, 1);
    gate.let_go(0);
}

#[test]
fn the_end_drops_what_waits_and_joins_what_runs() {
    static ENDED: AtomicUsize = AtomicUsize::new(0);
    struct EndsLate;
    impl Drop for EndsLate {
        fn drop(&mut self) {
            // Thread-local values are dropped after the pool's own code, so only a join waits for
            // this.
            thread::sleep(Duration::from_millis(50));
            ENDED.fetch_add(1, Ordering::Relaxed);
        }
    }
    thread_local! {
        static LATE: RefCell<Option<EndsLate>> = const { RefCell::new(None) };
    }
    let mut pool = Pool::new(1, 3, LONG);
    let (begun, has_begun) = mpsc::channel();
    for _ in 0..3 {
        let begun = begun.clone();
        let job = move || {
            LATE.set(Some(EndsLate));
            begun.send(()).unwrap();
            // They run until the end has begun.
            thread::sleep(patience(Duration::from_millis(100)));
        };
        pool.submit(Class::User, Box::new(job)).unwrap();
    }
    (0..3).for_each(|_| has_begun.recv_timeout(LONG).unwrap());
    let waiting = Arc::new(AtomicBool::new(false));
    let job = {
        let waiting = waiting.clone();
        move || waiting.store(true, Ordering::Relaxed)
    };
    pool.submit(Class::User, Box::new(job)).unwrap();
    assert_eq!(pool.counters(Class::User).queued, 1);
    assert_eq!(pool.end(LONG), 0);
    assert_eq!(ENDED.load(Ordering::Relaxed), 3, "not all threads were joined");
    assert_eq!(Arc::strong_count(&waiting), 1, "the job that waited was not dropped");
    assert!(!waiting.load(Ordering::Relaxed), "the job that waited has run");
}

#[test]
fn threads_that_ended_of_boredom_are_joined_too() {
    static ENDED: AtomicUsize = AtomicUsize::new(0);
    struct EndsAfter(Duration);
    impl Drop for EndsAfter {
        fn drop(&mut self) {
            thread::sleep(self.0);
            ENDED.fetch_add(1, Ordering::Relaxed);
        }
    }
    thread_local! {
        static LATE: RefCell<Option<EndsAfter>> = const { RefCell::new(None) };
    }
    let mut pool = Pool::new(1, 3, Duration::from_millis(1));
    // The first to leave is the last to be gone.
    for (leaves, gone) in [(20, 300), (60, 0), (100, 0)].map(|(a, b)| (millis(a), millis(b))) {
        let job = move || {
            LATE.set(Some(EndsAfter(gone)));
            thread::sleep(leaves);
        };
        pool.submit(Class::User, Box::new(job)).unwrap();
    }
    eventually("gone", || pool.counters(Class::User).threads == 0);
    assert_eq!(pool.end(LONG), 0);
    assert_eq!(ENDED.load(Ordering::Relaxed), 3);
}

fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}

#[test]
fn the_end_leaves_a_job_that_does_not_end() {
    let mut pool = Pool::new(1, 2, LONG);
    let mut gate = Gate::new();
    pool.submit(Class::User, gate.job()).unwrap();
    pool.submit(Class::Kernel, gate.job()).unwrap();
    gate.next_running();
    gate.next_running();
    let since = Instant::now();
    assert_eq!(pool.end(Duration::from_millis(50)), 2);
    assert!(since.elapsed() >= Duration::from_millis(50));
    let since = Instant::now();
    drop(pool);
    assert!(since.elapsed() < GRACE / 2, "the grace was given twice");
    gate.let_go(0);
    gate.let_go(1);
}

#[test]
fn a_job_may_be_the_last_to_hold_the_pool() {
    let pool = Arc::new(Pool::new(1, 2, LONG));
    let mut gate = Gate::new();
    let (tell, told) = mpsc::channel();
    let hold = gate.job();
    let held = pool.clone();
    let job = move || {
        hold();
        let since = Instant::now();
        // What is left is the thread that asks.
        let left = Pool::leave(held, LONG);
        tell.send((left, since.elapsed())).unwrap();
    };
    pool.submit(Class::User, Box::new(job)).unwrap();
    gate.next_running();
    assert_eq!(Pool::leave(pool, LONG), 0, "others hold it");
    gate.let_go(0);
    let (left, took) = told.recv_timeout(LONG).expect("it waits for itself");
    assert_eq!(left, 1);
    assert!(took < LONG / 2);
}

#[test]
fn the_shared_pool_is_one_while_somebody_holds_it() {
    let pool = Pool::shared();
    assert!(Arc::ptr_eq(&pool, &Pool::shared()));
    let weak = Arc::downgrade(&pool);
    drop(pool);
    // Other tests of this process may hold it at the same time.
    assert!(weak.upgrade().is_none_or(|pool| Arc::ptr_eq(&pool, &Pool::shared())));
}

#[test]
#[allow(unsafe_code)]
fn signals_stay_away_from_kernel_jobs_and_nobody_elses_mask_changes() {
    fn blocked() -> [bool; 3] {
        // SAFETY: a signal set is plain bits, and this one is only filled and read.
        unsafe {
            let mut mask = std::mem::zeroed();
            libc::pthread_sigmask(libc::SIG_BLOCK, std::ptr::null(), &mut mask);
            [libc::SIGINT, libc::SIGCHLD, libc::SIGSEGV]
                .map(|signal| libc::sigismember(&mask, signal) == 1)
        }
    }
    let here = blocked();
    let pool = Pool::new(1, 1, LONG);
    let ask = |class| {
        let (tell, told) = mpsc::channel();
        pool.submit(class, Box::new(move || tell.send(blocked()).unwrap())).unwrap();
        told.recv_timeout(LONG).unwrap()
    };
    assert_eq!(ask(Class::Kernel), [true, true, false]);
    assert_eq!(ask(Class::User), here);
    assert_eq!(blocked(), here);
}

#[test]
fn an_idle_thread_uses_no_processor() {
    let pool = Pool::new(1, 1, LONG);
    let (tell, told) = mpsc::channel();
    // SAFETY: takes nothing, cannot fail.
    #[allow(unsafe_code)]
    let job = move || tell.send(unsafe { libc::gettid() }).unwrap();
    pool.submit(Class::User, Box::new(job)).unwrap();
    let thread = told.recv_timeout(LONG).unwrap();
    eventually("idle", || pool.counters(Class::User).idle == 1);
    let before = cpu_ticks(thread);
    thread::sleep(Duration::from_millis(500));
    let ticks = cpu_ticks(thread) - before;
    assert!(ticks <= 2, "{ticks} of 50 ticks of 10 ms");
}

/// What a thread of this process has used of the processor.
fn cpu_ticks(thread: i32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/self/task/{thread}/stat")).unwrap();
    let after_name = stat.rsplit(')').next().unwrap();
    let mut fields = after_name.split_whitespace();
    // utime and stime, the 14th and 15th field of the line; the first two lie before the bracket.
    let mut field = |skip| fields.nth(skip).unwrap().parse::<u64>().unwrap();
    field(11) + field(0)
}
