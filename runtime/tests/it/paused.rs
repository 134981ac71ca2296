//! Time that stands still: what moves it, and what keeps it from running away.

use std::cell::RefCell;
use std::future::pending;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use wakering_ring_driver::testing::patience;
use wakering_ring_driver::{Driver, Fd, Sharing, op};
use wakering_runtime::blocking::unblock;
use wakering_runtime::task::yield_now;
use wakering_runtime::time::{self, Instant, interval, sleep, sleep_until, timeout, timeout_at};
use wakering_runtime::{Builder, Runtime, run, select, spawn};

use crate::{MS, Witness, message};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

fn paused() -> Runtime {
    Builder::new().paused_time().build().unwrap()
}

/// Runs a test in paused time, which must not take long in real time.
fn in_no_time(body: impl AsyncFnOnce() + Send + 'static) {
    in_bounds(move || paused().block_on(body()));
}

/// Runs a test that must not take long, and does not wait for it if it does.
fn in_bounds(body: impl FnOnce() + Send + 'static) {
    let (tell, told) = mpsc::channel();
    let began = std::time::Instant::now();
    let running = thread::spawn(move || {
        let _dropped_at_the_end: mpsc::Sender<()> = tell;
        body();
    });
    let waited = told.recv_timeout(patience(30 * SECOND));
    assert_eq!(waited, Err(RecvTimeoutError::Disconnected), "time does not go on");
    running.join().unwrap_or_else(|panic| resume_unwind(panic));
    assert!(began.elapsed() < patience(SECOND), "{:?}", began.elapsed());
}

/// Given sleeps of 450 s in all, in tasks and one after the other, when they run in paused time, then
/// that takes less than a second, they end in the order of their deadlines as in real time, and the
/// clock shows exactly when each was due.
#[test]
fn case_z05_450_seconds_of_sleeps_take_no_time() {
    in_no_time(async || {
        let order = Rc::new(RefCell::new(Vec::new()));
        let start = Instant::now();
        let lengths = [90, 30, 60, 60, 10, 50];
        let tasks: Vec<_> = lengths
            .into_iter()
            .enumerate()
            .map(|(task, seconds)| {
                let order = order.clone();
                spawn(async move {
                    sleep(seconds * SECOND).await;
                    assert_eq!(start.elapsed(), seconds * SECOND);
                    order.borrow_mut().push(task);
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(start.elapsed(), 90 * SECOND, "they ran beside each other");
        for _ in 0..150 {
            sleep(SECOND).await;
        }
        assert_eq!(start.elapsed(), 240 * SECOND);
        // The sleep of 10, then 30, 50, the two of 60 as they began, and 90.
        assert_eq!(*order.borrow(), [4, 1, 5, 2, 3, 0]);
    });
}

#[test]
fn timeouts_intervals_and_deadlines_are_paused_too() {
    in_no_time(async || {
        let start = Instant::now();
        assert_eq!(timeout(HOUR, pending::<()>()).await.ok(), None);
        assert_eq!(start.elapsed(), HOUR);
        let mut ticks = interval(SECOND);
        for _ in 0..=3600 {
            ticks.tick().await;
        }
        assert_eq!(start.elapsed(), 2 * HOUR);
        sleep_until(start + 3 * HOUR).await;
        assert_eq!(timeout_at(start + 5 * HOUR, sleep(HOUR)).await, Ok(()));
        assert_eq!(start.elapsed(), 4 * HOUR);
    });
}

/// Given a read in flight beside a sleep of an hour, when the bytes come from elsewhere after a
/// while, then the read ends first, and the clock has gone on by about that while.
#[test]
fn an_operation_in_flight_keeps_time_from_jumping() {
    in_no_time(async || {
        let start = Instant::now();
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let fd = Fd::adopt(&Driver::current().unwrap(), ours.into(), Sharing::Private).unwrap();
        let writer = thread::spawn(move || {
            thread::sleep(20 * MS);
            theirs.write_all(b"at last").unwrap();
            theirs
        });
        let read = op::recv(&fd, Vec::with_capacity(16));
        let (n, _) = timeout(HOUR, read).await.expect("time has run away").unwrap();
        assert_eq!(n, 7);
        assert!(start.elapsed() < HOUR);
        let theirs = writer.join().unwrap();
        // Without bytes, time passes as it does, up to the deadline and not beyond.
        let began = std::time::Instant::now();
        let read = op::recv(&fd, Vec::with_capacity(16));
        assert!(timeout(5 * MS, read).await.is_err());
        assert!(began.elapsed() >= 5 * MS, "nobody could know that nothing would come");
        // And with nothing in flight it jumps again.
        sleep(HOUR).await;
        assert!(start.elapsed() > HOUR);
        drop(theirs);
    });
}

/// Given an operation that is over as soon as the kernel has it, when it stands beside a timer, then
/// it comes before the jump, also where the timer is looked at first.
#[test]
fn what_is_there_at_once_comes_before_a_jump() {
    in_no_time(async || {
        for _ in 0..100 {
            let start = Instant::now();
            select! {
                biased;
                () = sleep(HOUR) => panic!("time has jumped over a completion"),
                done = op::nop() => done.unwrap(),
            }
            assert!(start.elapsed() < HOUR);
        }
    });
}

#[test]
fn a_closure_on_the_pool_keeps_time_from_jumping() {
    in_no_time(async || {
        let start = Instant::now();
        let hour = spawn(sleep(HOUR));
        unblock(|| thread::sleep(20 * MS)).await;
        assert!(start.elapsed() < HOUR && !hour.is_finished());
        unblock(|| thread::sleep(20 * MS)).abandon_on_cancel().await;
        assert!(start.elapsed() < HOUR && !hour.is_finished());
        hour.await.unwrap();
        assert_eq!(timeout(MS, unblock(|| thread::sleep(20 * MS))).await.ok(), None);
        sleep(HOUR).await;
    });
}

/// Given tasks that sleep, when time is moved by hand, then those and only those go on whose time has
/// come, before `advance` returns.
#[test]
fn time_is_moved_by_hand() {
    in_no_time(async || {
        let start = Instant::now();
        let tasks = [1, 2, 2, 3].map(|hours| spawn(sleep(hours * HOUR)));
        yield_now().await;
        let finished = || tasks.iter().map(|task| task.is_finished()).collect::<Vec<_>>();
        time::advance(HOUR - MS).await;
        assert_eq!(finished(), [false; 4]);
        time::advance(MS).await;
        assert_eq!(finished(), [true, false, false, false]);
        time::advance(HOUR).await;
        assert_eq!(finished(), [true, true, true, false]);
        assert_eq!(start.elapsed(), 2 * HOUR);
        time::advance(Duration::ZERO).await;
        assert_eq!(start.elapsed(), 2 * HOUR);
    });
}

#[test]
fn time_may_run_in_between() {
    in_no_time(async || {
        let start = Instant::now();
        sleep(HOUR).await;
        time::resume();
        let began = std::time::Instant::now();
        sleep(5 * MS).await;
        assert!(began.elapsed() >= 5 * MS);
        time::pause();
        let shown = start.elapsed();
        assert!((HOUR + 5 * MS..HOUR + patience(SECOND)).contains(&shown), "{shown:?}");
        thread::sleep(2 * MS);
        assert_eq!(start.elapsed(), shown);
        sleep(HOUR).await;
        // Rounded up to a microsecond, because time was stopped anywhere.
        let late = start.elapsed() - shown - HOUR;
        assert!(late < Duration::from_micros(1), "{late:?}");
    });
}

/// Given left-over tasks, a sleeper among them and one that reads, when the runtime ends in paused
/// time, then they are over, and the thread's clock is the real one again.
#[test]
fn the_end_of_the_runtime_is_the_end_of_paused_time() {
    in_bounds(end_a_paused_runtime);
}

fn end_a_paused_runtime() {
    let witness = Witness::default();
    let began = std::time::Instant::now();
    let runtime = paused();
    let (ours, _theirs) = UnixStream::pair().unwrap();
    runtime.block_on(async {
        let (sleeps, reads) = (witness.guard(), witness.guard());
        spawn(async move {
            let _guard = sleeps;
            sleep(Duration::MAX).await;
        });
        spawn(async move {
            let _guard = reads;
            let fd = Fd::adopt(&Driver::current().unwrap(), ours.into(), Sharing::Private).unwrap();
            let _ = op::recv(&fd, Vec::with_capacity(16)).await;
        });
        sleep(MS).await;
        time::advance(HOUR).await;
    });
    let report = runtime.close();
    assert!(report.is_clean(), "{report}");
    assert_eq!(witness.drops(), 2);
    assert!(Instant::now().into_std().duration_since(began) < HOUR / 2, "it is still ahead");
    let now = Instant::now();
    thread::sleep(MS);
    assert!(now.elapsed() >= MS, "it still stands");
}

#[test]
fn misuse_is_told() {
    let _first = paused();
    let second = catch_unwind(paused).map(drop);
    assert!(message(second.unwrap_err()).contains("stopped by somebody else"));
    let elsewhere = thread::spawn(|| {
        let told = |misuse: fn()| message(catch_unwind(|| run(async { misuse() })).unwrap_err());
        for text in [told(time::pause), told(time::resume)] {
            assert!(text.contains("`Builder::paused_time`"), "{text}");
        }
        let advancing = AssertUnwindSafe(|| run(time::advance(SECOND)));
        let text = message(catch_unwind(advancing).unwrap_err());
        assert!(text.contains("cannot advance time that is not paused"), "{text}");
    });
    elsewhere.join().unwrap();
}
