//! Cleaning up with `await`, also after a cancellation.

use std::cell::{Cell, RefCell};
use std::future::pending;
use std::rc::Rc;
use std::sync::mpsc;

use wakering_ring_driver::op;
use wakering_ring_driver::testing::patience;
use wakering_runtime::task::{Exit, JoinError, group, race, with_cleanup, yield_now};
use wakering_runtime::time::{Instant, sleep, timeout};
use wakering_runtime::{Builder, spawn};

use crate::{MS, Witness, against, bounded, message, parked, stubborn, within_bounds};

/// Given bodies that return, fail, panic and are dropped, when they are over, then their cleanups have
/// run to their ends and were told how.
#[test]
fn a_cleanup_is_told_how_its_body_ended() {
    within_bounds(async {
        let log = Rc::new(RefCell::new(Vec::new()));
        let cleanup = |log: &Rc<RefCell<Vec<Exit>>>| {
            let log = log.clone();
            async move |exit| {
                sleep(MS).await;
                log.borrow_mut().push(exit);
            }
        };
        assert_eq!(with_cleanup(async { 42 }, cleanup(&log)).await, 42);
        let panicking = spawn(with_cleanup(async { panic!("out") }, cleanup(&log)));
        let error = panicking.await.unwrap_err();
        assert_eq!(message(error.into_panic().unwrap()), "out");
        let dropped = with_cleanup(pending::<()>(), cleanup(&log));
        assert!(timeout(MS, dropped).await.is_err());
        assert_eq!(*log.borrow(), [Exit::Returned, Exit::Panicked, Exit::Cancelled]);
        drop(with_cleanup(pending::<()>(), cleanup(&log)));
        sleep(5 * MS).await;
        assert_eq!(log.borrow().len(), 3, "what was never polled needs no cleanup");
    });
}

/// Given a task whose cleanup waits for 20 ms, when it is cancelled, then its body is dropped first, and
/// the handle says that it was cancelled once the cleanup has ended.
#[test]
fn case_x10_a_cleanup_ends_before_its_task() {
    let witness = Witness::default();
    within_bounds(async {
        let start = Instant::now();
        let seen = witness.clone();
        let body = parked::<()>(witness.guard());
        let task = spawn(with_cleanup(body, async move |exit| {
            assert_eq!((exit, seen.drops()), (Exit::Cancelled, 1));
            sleep(20 * MS).await;
        }));
        yield_now().await;
        assert!(task.cancel());
        assert!(task.await.unwrap_err().is_cancelled());
        assert!(start.elapsed() >= 20 * MS && start.elapsed() < patience(10_000 * MS));
    });
}

/// Given a cleanup that goes on reading after its task was cancelled, when a grace of 20 ms is over, then
/// the cleanup is dropped in its tracks: no read of it begins any more, the one in flight is taken back,
/// and the task is over.
#[test]
fn case_x04_a_cleanup_that_is_out_of_time_begins_nothing() {
    let (driver, kernel) = wakering_ring_driver::Driver::memory().unwrap();
    let own = kernel.descriptor(&driver);
    let fd = own.clone();
    let runtime = Builder::new().grace(patience(200 * MS)).build_on(driver.clone());
    let reads = Rc::new(Cell::new(0));
    let counted = reads.clone();
    runtime.block_on(against(&kernel, async {
        let task = spawn(with_cleanup(pending::<()>(), async move |_| {
            loop {
                counted.update(|reads| reads + 1);
                let _ = op::recv(&own, vec![0; 8]).await;
            }
        }));
        yield_now().await;
        task.cancel();
        for _ in 0..3 {
            let request = loop {
                sleep(MS).await;
                if let Some(request) = kernel.next_request() {
                    break request;
                }
            };
            request.receive(b"more");
        }
        assert!(task.await.unwrap_err().is_cancelled());
        let begun = reads.get();
        assert!(begun >= 3);
        sleep(5 * MS).await;
        assert_eq!((reads.get(), kernel.in_flight()), (begun, 0));
        assert_eq!(driver.counters().cancels, 1);
    }));
    drop(fd);
}

/// Given a cleanup that is always ready, when its task is cancelled, then others have their turns and
/// the grace ends it.
#[test]
fn case_x05_a_cleanup_without_end_ends_with_the_grace() {
    let runtime = Builder::new().grace(20 * MS).build().unwrap();
    runtime.block_on(bounded(async {
        let start = Instant::now();
        let task = spawn(with_cleanup(pending::<()>(), async |_| {
            loop {
                yield_now().await;
            }
        }));
        yield_now().await;
        task.cancel();
        sleep(MS).await;
        assert!(!task.is_finished(), "others run meanwhile");
        assert!(task.await.unwrap_err().is_cancelled());
        assert!(start.elapsed() >= 20 * MS && start.elapsed() < patience(10_000 * MS));
    }));
}

/// Given a cleanup that takes 20 ms, when a timeout of 5 ms expires, then it returns after both, and
/// nothing of the body or the cleanup runs any more.
#[test]
fn case_o06_a_timeout_waits_for_the_cleanup() {
    within_bounds(async {
        let start = Instant::now();
        let done = Rc::new(Cell::new(false));
        let inner = done.clone();
        let limited = with_cleanup(pending::<()>(), async move |_| {
            sleep(20 * MS).await;
            inner.set(true);
        });
        assert!(timeout(5 * MS, limited).await.is_err());
        assert!(start.elapsed() >= 25 * MS && start.elapsed() < patience(10_000 * MS));
        assert!(done.get());
    });
}

/// Given a cleanup that panics after a timeout has dropped its body, when the timeout returns, then the
/// panic was told to the hook for what nobody awaits.
#[test]
fn case_o08_a_cleanup_that_fails_is_told() {
    let (sender, reports) = mpsc::channel();
    let hook = move |error: &JoinError| sender.send(error.to_string()).unwrap();
    let runtime = Builder::new().on_unhandled(hook).build().unwrap();
    runtime.block_on(bounded(async {
        let limited = with_cleanup(pending::<()>(), async |_| {
            sleep(MS).await;
            panic!("no rollback");
        });
        assert!(timeout(MS, limited).await.is_err());
        let report = reports.try_recv().expect("it was told before the timeout returned");
        assert!(report.ends_with("panicked: no rollback"), "{report}");
        assert!(report.contains("cleanup.rs"), "it tells where: {report}");
    }));
}

/// Given a cleanup that panics after its body returned, when it is awaited, then the panic comes out.
#[test]
fn a_cleanup_that_fails_after_its_body_returned_panics() {
    within_bounds(async {
        let task = spawn(with_cleanup(async { 42 }, async |_| panic!("no commit")));
        assert_eq!(message(task.await.unwrap_err().into_panic().unwrap()), "no commit");
    });
}

/// Given a body that has returned, when its task is cancelled during the cleanup, then the cleanup goes
/// on and runs once.
#[test]
fn a_cleanup_is_not_cut_short_nor_run_twice() {
    within_bounds(async {
        let runs = Rc::new(Cell::new((0, 0)));
        let inner = runs.clone();
        let task = spawn(with_cleanup(async {}, async move |_| {
            inner.update(|(begun, ended)| (begun + 1, ended));
            sleep(5 * MS).await;
            inner.update(|(begun, ended)| (begun, ended + 1));
        }));
        sleep(MS).await;
        assert_eq!(runs.get(), (1, 0));
        assert!(task.cancel());
        assert!(task.await.unwrap_err().is_cancelled());
        assert_eq!(runs.get(), (1, 1));
    });
}

/// Given a race and a group whose losers have cleanups, when they are over, then the cleanups are.
#[test]
fn a_race_and_a_group_wait_for_the_cleanups_of_losers() {
    within_bounds(async {
        let cleaned = Rc::new(Cell::new(0));
        let loser = |cleaned: &Rc<Cell<u32>>| {
            let cleaned = cleaned.clone();
            with_cleanup(pending::<Result<u32, u32>>(), async move |_| {
                sleep(2 * MS).await;
                cleaned.update(|cleaned| cleaned + 1);
            })
        };
        let winner = async {
            yield_now().await;
            Ok(1)
        };
        use futures_util::FutureExt;
        assert_eq!(race([loser(&cleaned).boxed_local(), winner.boxed_local()]).await, Ok(1));
        assert_eq!(cleaned.get(), 1);
        let failed = group(async |group| {
            group.spawn(loser(&cleaned));
            yield_now().await;
            Err::<(), _>(2)
        });
        assert_eq!(failed.await.unwrap_err().first, 2);
        assert_eq!(cleaned.get(), 2);
    });
}

/// Given a kernel that keeps the buffer of a cancelled body, when its task is cancelled, then the cleanup
/// runs meanwhile, and the task is over when both are.
#[test]
fn a_cleanup_does_not_wait_for_what_its_body_left() {
    let (runtime, kernel, fd) = stubborn();
    let cleaned = Rc::new(Cell::new(false));
    let inner = cleaned.clone();
    runtime.block_on(against(&kernel, async {
        let body = async move { drop(op::recv(&fd, vec![0; 8]).await) };
        let task = spawn(with_cleanup(body, async move |_| {
            sleep(MS).await;
            inner.set(true);
        }));
        yield_now().await;
        task.cancel();
        while !cleaned.get() {
            sleep(MS).await;
        }
        sleep(MS).await;
        assert!(!task.is_finished(), "the kernel has the buffer");
        crate::give_back(&kernel);
        assert!(task.await.unwrap_err().is_cancelled());
    }));
}
