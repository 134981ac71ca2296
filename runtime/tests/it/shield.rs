//! Shields: what goes on although whoever awaited it was cancelled, and is waited for.

use std::cell::{Cell, RefCell};
use std::future::{pending, poll_fn};
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::rc::Rc;
use std::sync::mpsc;
use std::task::{Poll, Waker};
use std::time::Duration;

use futures_util::{FutureExt, poll};
use wakering_ring_driver::testing::patience;
use wakering_ring_driver::{Driver, op};
use wakering_runtime::task::{
    gather, scope, shield, shield_for, shield_until, try_scope, with_cleanup, yield_now,
};
use wakering_runtime::time::{Instant, sleep, timeout};
use wakering_runtime::{Builder, spawn};

use crate::{
    MS, Witness, against, assert_waits, bounded, give_back, message, parked, runtime, stubborn,
    within_bounds,
};

/// Given a task that awaits 10 ms of shielded work, when it is cancelled, then the work is done before
/// the handle says so.
#[test]
fn case_x10_shielded_work_is_done_before_the_task_is_over() {
    within_bounds(async {
        let done = Rc::new(Cell::new(false));
        let inner = done.clone();
        let task = spawn(async move {
            shield(async move {
                sleep(10 * MS).await;
                inner.set(true);
            })
            .await;
            unreachable!("it was cancelled");
        });
        yield_now().await;
        assert!(task.cancel());
        assert!(task.await.unwrap_err().is_cancelled());
        assert!(done.get());
    });
}

/// Given shielded work that hangs and may do so for 5 ms, when its task is cancelled, then it ends after
/// that time, and the task with it.
#[test]
fn case_x11_a_limited_shield_ends_in_time() {
    let witness = Witness::default();
    within_bounds(async {
        let task = spawn(shield_for(5 * MS, parked::<()>(witness.guard())));
        sleep(10 * MS).await;
        assert_eq!(witness.drops(), 0, "the time begins with the cancellation");
        let start = Instant::now();
        assert!(task.cancel());
        assert!(task.await.unwrap_err().is_cancelled());
        assert!(start.elapsed() >= 5 * MS && start.elapsed() < patience(10_000 * MS));
        assert_eq!(witness.drops(), 1);
    });
}

/// Given shielded work that goes on after its task was cancelled, when the shield is taken away, then the
/// work is dropped at once, and the task is over when the kernel has given back what that had.
#[test]
fn case_x12_a_shield_that_is_taken_away_ends_its_work() {
    let (runtime, kernel, fd) = stubborn();
    let (witness, own) = (Witness::default(), fd.clone());
    let guard = witness.guard();
    runtime.block_on(against(&kernel, async {
        let told = Rc::new(Cell::new(None::<Waker>));
        let (inner, is_told) = (told.clone(), Rc::new(Cell::new(false)));
        let seen = is_told.clone();
        let stop = poll_fn(move |cx| {
            inner.set(Some(cx.waker().clone()));
            if seen.get() { Poll::Ready(()) } else { Poll::Pending }
        });
        let mut task = spawn(shield_until(stop, async move {
            let _guard = guard;
            let _ = op::recv(&own, vec![0; 8]).await;
        }));
        yield_now().await;
        assert!(task.cancel());
        for _ in 0..3 {
            sleep(MS).await;
            assert!(poll!(&mut task).is_pending());
            assert_eq!(witness.drops(), 0);
        }
        assert_eq!(Driver::current().unwrap().counters().cancels, 0);
        is_told.set(true);
        told.take().unwrap().wake();
        yield_now().await;
        yield_now().await;
        assert_eq!(witness.drops(), 1);
        sleep(MS).await;
        assert!(poll!(&mut task).is_pending(), "the kernel has the buffer");
        assert_eq!(Driver::current().unwrap().counters().cancels, 1);
        give_back(&kernel);
        assert!(task.await.unwrap_err().is_cancelled());
    }));
    drop(fd);
}

/// Given shielded work that has something in the kernel, when its task, a timeout, a scope or a group is
/// cancelled, then the kernel is not asked to end it, and the work gets what it waits for.
#[test]
fn what_shielded_work_has_in_the_kernel_is_not_taken_back() {
    for how in ["task", "timeout", "scope", "nested"] {
        let (runtime, kernel, fd) = stubborn();
        kernel.set_cancel_wins(true);
        let got = Rc::new(Cell::new(None));
        let inner = got.clone();
        runtime.block_on(against(&kernel, async {
            let work = shield(async move {
                let mut received = op::recv(&fd, vec![0; 8]).await.map_err(drop);
                if let Ok((n, _)) = received {
                    // What it submits later is not taken back either.
                    received = op::recv(&fd, vec![0; 8]).await.map_err(drop);
                    inner.set(received.ok().map(|(more, _)| n + more));
                }
            });
            let mut task = spawn(async move {
                match how {
                    "task" => work.await,
                    "timeout" => drop(timeout(MS, work).await),
                    "nested" => drop(timeout(MS, shield(timeout(MS, work))).await),
                    _ => {
                        let failed = try_scope(async |scope| {
                            scope.spawn(async move {
                                work.await;
                                Ok(())
                            });
                            yield_now().await;
                            Err::<(), _>(())
                        });
                        assert!(failed.await.is_err());
                    }
                }
            });
            yield_now().await;
            task.cancel();
            for bytes in [&b"one"[..], b"three"] {
                for _ in 0..5 {
                    sleep(MS).await;
                    assert!(poll!(&mut task).is_pending(), "{how}");
                }
                let request = kernel.next_request();
                request.unwrap_or_else(|| panic!("{how}: it was taken back")).receive(bytes);
            }
            let _ = task.await;
            assert_eq!(Driver::current().unwrap().counters().cancels, 0, "{how}");
        }));
        assert_eq!(got.get(), Some(8), "{how}");
    }
}

/// Given shielded work, when the code beside it in the same task panics, then the work goes on, and is
/// done before the task is over.
#[test]
fn shielded_work_goes_on_when_its_task_panics() {
    within_bounds(async {
        let done = Rc::new(Cell::new(false));
        let inner = done.clone();
        let task = spawn(async move {
            let mut work = pin!(shield(async move {
                sleep(5 * MS).await;
                inner.set(true);
            }));
            assert!(poll!(work.as_mut()).is_pending());
            panic!("beside it");
        });
        let error = task.await.unwrap_err();
        assert_eq!(message(error.into_panic().unwrap()), "beside it");
        assert!(done.get());
    });
}

/// Given shielded work that panics, when it is awaited, then the panic comes out and the work is polled
/// no more; after the shield was dropped, the panic is reported.
#[test]
fn shielded_work_that_panics_is_told() {
    let (sender, reports) = mpsc::channel();
    let hook = move |error: &wakering_runtime::task::JoinError| {
        sender.send(error.to_string()).unwrap();
    };
    let runtime = Builder::new().on_unhandled(hook).build().unwrap();
    let polls = Rc::new(Cell::new(0));
    let counted = polls.clone();
    runtime.block_on(bounded(async {
        let awaited = shield(poll_fn::<(), _>(move |_| {
            counted.update(|polls| polls + 1);
            panic!("awaited")
        }));
        let panic = AssertUnwindSafe(awaited).catch_unwind().await.unwrap_err();
        assert_eq!(message(panic), "awaited");
        let dropped = shield(async {
            yield_now().await;
            panic!("dropped")
        });
        assert!(timeout(Duration::ZERO, dropped).await.is_err());
    }));
    assert_eq!(polls.get(), 1);
    assert!(reports.try_recv().unwrap().ends_with("panicked: dropped"));
    assert!(reports.try_recv().is_err());
}

/// Given a shield that was never polled, when it is dropped, then its work never begins.
#[test]
fn work_that_has_not_begun_does_not_go_on() {
    let witness = Witness::default();
    let guard = witness.guard();
    within_bounds(async {
        drop(shield(async move {
            let _guard = guard;
            unreachable!("nobody has polled it");
        }));
        assert_eq!(witness.drops(), 1);
    });
}

/// Given a shield that was forgotten, when its task ends, then what its work has in the kernel is taken
/// back, and the work is polled no more.
#[test]
fn a_forgotten_shield_ends_with_its_task() {
    let (runtime, kernel, fd) = stubborn();
    runtime.block_on(against(&kernel, async {
        let mut task = spawn(async move {
            let mut forgotten = Box::pin(shield(async move {
                let _ = op::recv(&fd, vec![0; 8]).await;
                unreachable!("nobody polls it");
            }));
            assert!(poll!(forgotten.as_mut()).is_pending());
            std::mem::forget(forgotten);
        });
        assert_waits(&mut task).await;
        give_back(&kernel);
        task.await.unwrap();
        assert_eq!(kernel.in_flight(), 0);
    }));
}

/// Given gathered futures of which one is shielded, when whoever gathers is cancelled in a scope, then
/// the others are dropped, and the shielded one is done before the scope is over.
#[test]
fn case_g05_a_shielded_future_among_gathered_ones_ends_in_the_scope() {
    let witness = Witness::default();
    let guard = witness.guard();
    within_bounds(async {
        let done = Rc::new(RefCell::new(Vec::new()));
        let inner = done.clone();
        scope(async |scope| {
            let child = scope.spawn(async move {
                let shielded = shield(async move {
                    sleep(5 * MS).await;
                    inner.borrow_mut().push("shielded");
                    Ok::<_, ()>(())
                });
                let plain = parked(guard);
                gather([shielded.boxed_local(), plain.boxed_local()]).await
            });
            yield_now().await;
            child.cancel();
            yield_now().await;
            assert_eq!(witness.drops(), 1);
            assert!(done.borrow().is_empty());
        })
        .await;
        assert_eq!(*done.borrow(), ["shielded"]);
    });
}

/// Given tasks with shielded work and cleanups, when the runtime ends, then all of that is done, within
/// the grace.
#[test]
fn the_end_of_a_runtime_waits_for_shielded_work() {
    let runtime = runtime();
    let done = Rc::new(RefCell::new(Vec::new()));
    let (first, second) = (done.clone(), done.clone());
    runtime.block_on(async {
        drop(spawn(shield(async move {
            sleep(patience(50 * MS)).await;
            first.borrow_mut().push("shielded");
        })));
        drop(spawn(with_cleanup(pending::<()>(), async move |_| {
            sleep(5 * MS).await;
            second.borrow_mut().push("cleaned up");
        })));
        yield_now().await;
        yield_now().await;
    });
    assert!(runtime.close().is_clean());
    assert_eq!(*done.borrow(), ["cleaned up", "shielded"]);
}

/// Given shielded work that hangs, when the runtime ends, then that takes as long as the grace, the work
/// is dropped, and the report names where it was shielded.
#[test]
fn shielded_work_that_hangs_ends_with_the_grace() {
    let runtime = Builder::new().grace(20 * MS).build().unwrap();
    let witness = Witness::default();
    runtime.block_on(async {
        drop(spawn(shield(parked::<()>(witness.guard()))));
        yield_now().await;
        yield_now().await;
    });
    let start = Instant::now();
    let report = runtime.close();
    assert!(start.elapsed() >= 20 * MS && start.elapsed() < patience(10_000 * MS));
    assert_eq!(witness.drops(), 1);
    assert!(report.to_string().contains("shield.rs"), "{report}");
}
