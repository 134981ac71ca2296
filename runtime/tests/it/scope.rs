//! Scopes: children that borrow, and are over when the scope is.

use std::cell::{Cell, RefCell};
use std::future::{Future, pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::{FutureExt, poll, select};
use wakering_ring_driver::testing::{CheckingBuf, patience};
use wakering_ring_driver::{Driver, op};
use wakering_runtime::task::{
    ChildError, ScopeError, TryScope, group, scope, try_scope, with_cleanup, yield_now,
};
use wakering_runtime::time::{Instant, sleep, timeout};
use wakering_runtime::{Builder, spawn};

use crate::{OnDrop, Witness, against, give_back, message, receive, stubborn, within_bounds};

const MS: Duration = Duration::from_millis(1);

/// Given children that take 10 and 20 ms, when the body returns at once, then the scope ends with the
/// slower one, and both have left their results.
#[test]
fn case_j01_a_scope_ends_with_its_last_child() {
    within_bounds(async {
        let start = Instant::now();
        let done = RefCell::new(Vec::new());
        let output = scope(async |scope| {
            for ms in [20, 10] {
                let done = &done;
                scope.spawn(async move {
                    sleep(ms * MS).await;
                    done.borrow_mut().push(ms);
                });
            }
            "the body"
        })
        .await;
        assert_eq!(output, "the body");
        assert!(start.elapsed() >= 20 * MS && start.elapsed() < patience(10_000 * MS));
        assert_eq!(*done.borrow(), [10, 20]);
    });
}

/// Given three children, when one of them is cancelled alone, then its handle says so, and the others
/// and the scope are well.
#[test]
fn case_j02_a_child_is_cancelled_alone() {
    let witness = Witness::default();
    let guard = witness.guard();
    within_bounds(async {
        let output = try_scope(async |scope| {
            let one = scope.spawn(async { Ok(after(2 * MS, 1).await) });
            let ended = scope.spawn(async move {
                let _guard = guard;
                pending::<Result<(), ()>>().await
            });
            let two = scope.spawn(async { Ok(after(3 * MS, 2).await) });
            yield_now().await;
            assert!(ended.cancel());
            assert!(!ended.cancel(), "it was asked before");
            assert_eq!(witness.drops(), 0, "a future is dropped when its turn comes");
            assert_eq!(ended.await, Err(ChildError::Cancelled));
            assert_eq!(witness.drops(), 1);
            assert!(!scope.is_cancelled());
            Ok(one.await.unwrap() + two.await.unwrap())
        })
        .await;
        assert_eq!(output, Ok(3));
    });
}

/// Given a body and a sibling that are parked, when a child fails, then both are dropped, and its error
/// comes out.
#[test]
fn case_j03_a_child_that_fails_ends_siblings_and_body() {
    let witness = Witness::default();
    let guards = [witness.guard(), witness.guard()];
    within_bounds(async {
        let [body, sibling] = guards;
        let beyond = Cell::new(false);
        let error = try_scope(async |scope| {
            let _body = body;
            scope.spawn(async move {
                let _sibling = sibling;
                pending::<Result<(), &str>>().await
            });
            scope.spawn(async { Err::<(), _>(after(MS, "failed").await) });
            pending::<()>().await;
            beyond.set(true);
            Ok(())
        })
        .await
        .unwrap_err();
        assert_eq!(error, ScopeError { first: "failed", suppressed: vec![] });
        assert_eq!(witness.drops(), 2);
        assert!(!beyond.get());
    });
}

/// Given three children, when all fail in the same turn, then the first error comes out with the two
/// others.
#[test]
fn case_j05_the_first_error_comes_with_the_others() {
    within_bounds(async {
        let error = try_scope(async |scope| {
            for index in 0..3 {
                scope.spawn(async move { Err::<(), _>(index) });
            }
            pending().await
        })
        .await;
        assert_eq!(error, Err::<(), _>(ScopeError { first: 0, suppressed: vec![1, 2] }));
    });
}

/// Given a child whose drop panics, when a sibling's error cancels it, then that panic comes out, and
/// not that it was cancelled; the other children are drained all the same.
#[test]
fn case_j06_what_goes_wrong_while_a_child_is_cancelled_comes_out() {
    let witness = Witness::default();
    let guard = witness.guard();
    let (runtime, kernel, _) = stubborn();
    runtime.block_on(against(&kernel, async {
        let mut ended = pin!(
            AssertUnwindSafe(try_scope(async |scope| {
                scope.spawn(async {
                    let _bad = PanicsOnDrop("while it was dropped");
                    pending::<Result<(), &str>>().await
                });
                let (kernel, guard) = (&kernel, guard);
                scope.spawn(async move {
                    let _guard = guard;
                    receive(kernel).await;
                    Ok(())
                });
                yield_now().await;
                Err::<(), _>("the body")
            }))
            .catch_unwind()
        );
        while witness.drops() == 0 {
            assert!(poll!(ended.as_mut()).is_pending());
            yield_now().await;
        }
        sleep(MS).await;
        assert!(poll!(ended.as_mut()).is_pending(), "the kernel has the buffer of the other");
        give_back(&kernel);
        assert_eq!(message(ended.await.unwrap_err()), "while it was dropped");
    }));
}

/// Given a scope in a scope, when the errors of the inner one are handled and a child of the outer one
/// fails, then each reports its own.
#[test]
fn case_j07_inner_and_outer_scope_report_their_own_errors() {
    within_bounds(async {
        let outer = try_scope(async |outer| {
            let inner = try_scope(async |inner| {
                inner.spawn(async { Err::<(), _>("inner") });
                pending::<Result<(), _>>().await
            })
            .await;
            assert_eq!(inner.unwrap_err().first, "inner");
            outer.spawn(async { Err::<(), _>("outer") });
            pending::<Result<(), _>>().await
        })
        .await;
        assert_eq!(outer.unwrap_err(), ScopeError { first: "outer", suppressed: vec![] });
    });
}

/// Given a child that spawns a sibling after the body has returned, when the scope ends, then that
/// sibling has ended too.
#[test]
fn case_j08_grandchildren_are_waited_for() {
    within_bounds(async {
        let done = Cell::new(false);
        scope(async |scope| {
            let done = &done;
            scope.spawn(async move {
                sleep(2 * MS).await;
                scope.spawn(async move {
                    sleep(2 * MS).await;
                    done.set(true);
                });
            });
        })
        .await;
        assert!(done.get());
    });
}

/// Given a scope that ends because of an error, when the drop of a child spawns another, then that one
/// is cancelled after its first turn at the latest, and dropped before the scope is over.
#[test]
fn case_j10_what_is_spawned_by_a_drop_does_not_leak() {
    let witness = Witness::default();
    let guard = witness.guard();
    let turns = Cell::new(0);
    within_bounds(async {
        let turns = &turns;
        let error = try_scope(async |scope| {
            scope.spawn(async move {
                let spawn = move || {
                    let late = scope.spawn(async move {
                        let _guard = guard;
                        loop {
                            turns.set(turns.get() + 1);
                            yield_now().await;
                        }
                        #[expect(unreachable_code)]
                        Ok(())
                    });
                    drop(late);
                };
                let _spawns = OnDrop(Some(spawn));
                pending::<Result<(), _>>().await
            });
            yield_now().await;
            Err::<(), _>("over")
        })
        .await
        .unwrap_err();
        assert_eq!(error.first, "over");
        assert_eq!(witness.drops(), 1);
    });
    assert_eq!(turns.get(), 1, "it is cancelled after its first turn");
}

/// Given a scope whose future is dropped, when the drop of a child spawns another, then that one never
/// begins, and is dropped.
#[test]
fn what_is_spawned_while_a_scope_is_torn_down_never_begins() {
    let witness = Witness::default();
    let guard = witness.guard();
    let begun = Cell::new(false);
    within_bounds(async {
        let mut dropped = Box::pin(scope(async |scope| {
            let begun = &begun;
            scope.spawn(async move {
                let _spawns = OnDrop(Some(move || {
                    let late = scope.spawn(async move {
                        let _guard = guard;
                        begun.set(true);
                    });
                    assert!(late.is_finished(), "it is refused");
                }));
                pending::<()>().await
            });
            pending::<()>().await
        }));
        assert!(poll!(dropped.as_mut()).is_pending());
        drop(dropped);
        assert_eq!(witness.drops(), 1);
    });
    assert!(!begun.get());
}

/// Given a scope, when it is cancelled, once or twice, and before it has any children, then it ends
/// without an error, its children are dropped, and one that comes later has its first turn only.
#[test]
fn case_j14_cancelling_a_scope_is_no_error() {
    let witness = Witness::default();
    let guards = [witness.guard(), witness.guard()];
    within_bounds(async {
        let [early, late] = guards;
        let turns = Cell::new(0);
        let output = try_scope(async |scope: &TryScope<'_, '_, ()>| {
            let turns = &turns;
            let child = scope.spawn(async move {
                let _guard = early;
                pending().await
            });
            yield_now().await;
            scope.cancel();
            scope.cancel();
            assert_eq!(child.await, Err::<(), _>(ChildError::Cancelled));
            let child = scope.spawn(async move {
                let _guard = late;
                turns.set(1);
                yield_now().await;
                turns.set(2);
                Ok(())
            });
            assert_eq!(child.await, Err(ChildError::Cancelled));
            Ok(42)
        })
        .await;
        assert_eq!(output, Ok(42));
        assert_eq!((witness.drops(), turns.get()), (2, 1));

        let output = try_scope(async |scope: &TryScope<'_, '_, ()>| {
            scope.cancel();
            scope.spawn(pending::<Result<(), _>>());
            Ok(43)
        });
        assert_eq!(output.await, Ok(43));
    });
}

/// Given siblings that have something in the kernel, when a child panics, then the panic comes out after
/// the kernel has given everything back.
#[test]
fn case_j16_a_panic_resumes_after_the_siblings_were_drained() {
    let (runtime, kernel, fd) = stubborn();
    let (buf, lent) = CheckingBuf::new(8);
    runtime.block_on(against(&kernel, async {
        let mut ended = pin!(
            AssertUnwindSafe(scope(async |scope| {
                let (kernel, fd) = (&kernel, &fd);
                scope.spawn(async move { drop(op::recv(fd, buf).await) });
                for _ in 0..3 {
                    scope.spawn(receive(kernel));
                }
                scope.spawn(async {
                    yield_now().await;
                    panic!("out")
                });
                pending::<()>().await
            }))
            .catch_unwind()
        );
        for _ in 0..5 {
            sleep(MS).await;
            assert!(poll!(ended.as_mut()).is_pending());
        }
        for left in (0..4).rev() {
            assert_eq!(kernel.in_flight(), left + 1);
            assert!(poll!(ended.as_mut()).is_pending(), "the kernel has {} buffers", left + 1);
            kernel.next_request().unwrap().receive(b"late");
            sleep(MS).await;
        }
        assert_eq!(message(ended.await.unwrap_err()), "out");
        assert!(lent.is_dropped());
    }));
}

/// Given a task in which a scope is dropped by `select!`, when the task returns, then it is over only
/// when the kernel is done with the children, which were dropped at once.
#[test]
fn case_j17_whoever_drops_a_scope_waits_for_what_it_left() {
    let (runtime, kernel, _) = stubborn();
    let witness = Witness::default();
    let guard = witness.guard();
    runtime.block_on(against(&kernel, async {
        let (inner, seen) = (kernel.clone(), witness.clone());
        let mut task = spawn(async move {
            let scope = scope(async |scope| {
                let inner = &inner;
                scope.spawn(async move {
                    let _guard = guard;
                    receive(inner).await
                });
                receive(inner).await
            });
            {
                let mut scope = pin!(scope.fuse());
                let mut other = pin!(sleep(MS).fuse());
                select! {
                    () = scope => unreachable!("the kernel gives nothing back"),
                    () = other => {}
                }
            }
            assert_eq!(seen.drops(), 1);
            "returned"
        });
        while witness.drops() == 0 {
            sleep(MS).await;
        }
        for left in (0..2).rev() {
            assert_eq!(kernel.in_flight(), left + 1);
            sleep(MS).await;
            assert!(poll!(&mut task).is_pending());
            kernel.next_request().unwrap().receive(b"late");
        }
        assert_eq!(task.await.unwrap(), "returned");
    }));
}

/// Given a scope that was forgotten with children in the kernel, when its task ends, then that asks for
/// the operations once each and waits for them, and no child is polled again.
#[test]
fn case_j18_a_forgotten_scope_ends_with_its_task() {
    let (runtime, kernel, _) = stubborn();
    runtime.block_on(against(&kernel, async {
        let polls = Rc::new(Cell::new(0));
        let (inner, counted) = (kernel.clone(), polls.clone());
        let mut task = spawn(async move {
            let inner = Rc::new(inner);
            let mut forgotten = Box::pin(scope(async move |scope| {
                for _ in 0..2 {
                    let (inner, counted) = (inner.clone(), counted.clone());
                    scope.spawn(async move {
                        let mut receiving = pin!(receive(&inner));
                        poll_fn(|cx| {
                            counted.update(|polls| polls + 1);
                            receiving.as_mut().poll(cx)
                        })
                        .await
                    });
                }
                pending::<()>().await
            }));
            assert!(poll!(forgotten.as_mut()).is_pending());
            std::mem::forget(forgotten);
        });
        yield_now().await;
        assert_eq!((kernel.in_flight(), polls.get()), (2, 2));
        let driver = Driver::current().unwrap();
        for _ in 0..3 {
            sleep(MS).await;
            assert!(poll!(&mut task).is_pending(), "the kernel has buffers");
        }
        assert_eq!(driver.counters().cancels, 2);
        give_back(&kernel);
        task.await.unwrap();
        assert_eq!((kernel.in_flight(), polls.get()), (0, 2));
    }));
}

/// Given a forgotten scope of which a child has dropped its receive, when the task ends, then the kernel
/// is not asked a second time.
#[test]
fn what_a_forgotten_child_has_dropped_is_not_taken_back_again() {
    let (runtime, kernel, fd) = stubborn();
    let own = fd.clone();
    runtime.block_on(against(&kernel, async {
        let mut task = spawn(async move {
            let mut forgotten = Box::pin(scope(async |scope| {
                scope.spawn(async {
                    let _ = timeout(MS, op::recv(&own, vec![0; 8])).await;
                });
                pending::<()>().await
            }));
            assert!(poll!(forgotten.as_mut()).is_pending());
            sleep(3 * MS).await;
            assert!(poll!(forgotten.as_mut()).is_pending());
            sleep(3 * MS).await;
            std::mem::forget(forgotten);
        });
        for _ in 0..15 {
            assert!(poll!(&mut task).is_pending(), "the kernel has the buffer");
            sleep(MS).await;
        }
        assert_eq!(Driver::current().unwrap().counters().cancels, 1);
        give_back(&kernel);
        task.await.unwrap();
    }));
    drop(fd);
}

/// Given a scope that a task has given away, when the task ends, its receive is taken back, and the scope
/// is dropped while the kernel takes its time, then the task is over when the kernel is.
#[test]
fn what_was_taken_back_may_be_dropped_later() {
    let (runtime, kernel, fd) = stubborn();
    let own = fd.clone();
    runtime.block_on(against(&kernel, async {
        let given = Rc::new(Cell::new(None));
        let inner = given.clone();
        let mut task = spawn(async move {
            let mut scope = Box::pin(scope(async move |scope| {
                scope.spawn(async move { drop(op::recv(&own, vec![0; 8]).await) });
                pending::<()>().await
            }));
            assert!(poll!(scope.as_mut()).is_pending());
            inner.set(Some(scope));
        });
        while Driver::current().unwrap().counters().cancels == 0 {
            assert!(poll!(&mut task).is_pending());
            sleep(MS).await;
        }
        drop(given.take());
        sleep(MS).await;
        assert!(poll!(&mut task).is_pending(), "the kernel has the buffer");
        assert_eq!(Driver::current().unwrap().counters().cancels, 1);
        give_back(&kernel);
        task.await.unwrap();
    }));
    drop(fd);
}

/// Given a scope and a group whose bodies leave something in the kernel, when the bodies have returned,
/// then these wait for it.
#[test]
fn what_a_body_leaves_is_waited_for() {
    for is_group in [false, true] {
        let (runtime, kernel, fd) = stubborn();
        runtime.block_on(against(&kernel, async {
            let leave = async || {
                let mut receiving = op::recv(&fd, vec![0; 8]);
                assert!(poll!(&mut receiving).is_pending());
            };
            let ended = async {
                match is_group {
                    false => scope(async |_| leave().await).await,
                    true => group(async |_| {
                        leave().await;
                        Ok::<_, ()>(())
                    })
                    .await
                    .unwrap(),
                }
            };
            let mut ended = pin!(ended);
            for _ in 0..3 {
                assert!(poll!(ended.as_mut()).is_pending(), "the kernel has the buffer");
                sleep(MS).await;
            }
            give_back(&kernel);
            ended.await;
        }));
    }
}

/// Given a child that is parked, when it is cancelled, then its handle says so once its future was
/// dropped, and a second request is refused.
#[test]
fn case_x01_a_parked_child_is_cancelled_once() {
    let witness = Witness::default();
    let guard = witness.guard();
    within_bounds(scope(async |scope| {
        let mut child = scope.spawn(async move {
            let _guard = guard;
            pending::<()>().await
        });
        yield_now().await;
        assert!(child.cancel() && !child.cancel());
        assert_eq!((&mut child).await, Err(ChildError::Cancelled));
        assert_eq!(witness.drops(), 1);
        assert!(!child.cancel());
    }));
}

/// Given a child that was cancelled before its first turn, when that comes, then it runs to where it
/// first waits, and no further.
#[test]
fn case_x02_a_child_cancelled_before_it_begins_has_one_turn() {
    within_bounds(scope(async |scope| {
        let turns = Rc::new(Cell::new(0));
        let inner = turns.clone();
        let child = scope.spawn(async move {
            inner.set(1);
            yield_now().await;
            inner.set(2);
        });
        assert!(child.cancel());
        assert_eq!(child.await, Err(ChildError::Cancelled));
        assert_eq!(turns.get(), 1);
    }));
}

/// Given a child that cancels its scope and returns a value without waiting, when it is awaited, then
/// the value is there.
#[test]
fn case_x03_a_value_returned_by_the_turn_that_cancels_wins() {
    within_bounds(scope(async |scope| {
        let child = scope.spawn(async {
            scope.cancel();
            42
        });
        assert_eq!(child.await, Ok(42));
    }));
}

/// Given a child that has returned a value, when the scope is cancelled before its handle was awaited,
/// then the value is not lost.
#[test]
fn case_x06_a_value_that_is_there_outlives_a_cancellation() {
    within_bounds(scope(async |scope| {
        let child = scope.spawn(async { String::from("kept") });
        yield_now().await;
        assert!(child.is_finished());
        scope.cancel();
        assert!(!child.cancel());
        assert_eq!(child.await.as_deref(), Ok("kept"));
    }));
}

/// Given a scope in a scope, when the outer one fails and then the inner one is cancelled, then the outer
/// one reports, and nothing after the inner one runs.
#[test]
fn case_x08_the_outer_of_two_cancelled_scopes_reports() {
    within_bounds(async {
        let beyond = Cell::new(false);
        let error = try_scope(async |outer| {
            outer.spawn(async {
                yield_now().await;
                Err::<(), _>("outer")
            });
            scope(async |inner| {
                inner.spawn(async {
                    let _cancels = OnDrop(Some(|| inner.cancel()));
                    pending::<()>().await
                });
                pending::<()>().await
            })
            .await;
            beyond.set(true);
            Ok(())
        })
        .await;
        assert_eq!(error.unwrap_err().first, "outer");
        assert!(!beyond.get());
    });
}

/// Given a scope that is cancelled by its body, when the body returns without waiting again, then
/// nothing was cut short and the value is there.
#[test]
fn case_x09_a_body_that_does_not_wait_again_is_not_cut_short() {
    within_bounds(async {
        let output = try_scope(async |scope| {
            scope.spawn(async { Err::<(), _>("never told: it returns before it fails") });
            scope.cancel();
            Ok::<_, &str>(42)
        });
        // The child has its first turn, in which it fails.
        assert!(output.await.is_err());
        let output = try_scope(async |scope: &TryScope<'_, '_, ()>| {
            let child = scope.spawn(async { Ok(41) });
            scope.cancel();
            Ok(child.await.unwrap() + 1)
        });
        assert_eq!(output.await, Ok(42));
    });
}

/// Given a receive in the kernel, when its child is cancelled twice while the kernel takes its time,
/// and the scope as well, then the kernel is asked once.
#[test]
fn case_x14_an_operation_is_asked_to_end_once() {
    let (runtime, kernel, fd) = stubborn();
    runtime.block_on(against(
        &kernel,
        scope(async |scope| {
            let fd = &fd;
            let child = scope.spawn(async move { drop(op::recv(fd, vec![0; 8]).await) });
            yield_now().await;
            child.cancel();
            sleep(MS).await;
            child.cancel();
            scope.cancel();
            sleep(MS).await;
            scope.cancel();
            sleep(MS).await;
            assert_eq!(Driver::current().unwrap().counters().cancels, 1);
            assert!(!child.is_finished());
            give_back(&kernel);
            assert_eq!(child.await, Err(ChildError::Cancelled));
        }),
    ));
}

/// Given a child with a cleanup that waits for 5 ms, when the scope fails, then the cleanup has run to
/// its end before the error comes out.
#[test]
fn case_x10_a_cleanup_ends_before_its_scope() {
    within_bounds(async {
        let clean = Rc::new(Cell::new(false));
        let inner = clean.clone();
        let error = try_scope(async |scope| {
            let child = with_cleanup(pending::<Result<(), _>>(), async move |_| {
                sleep(5 * MS).await;
                inner.set(true);
            });
            scope.spawn(child);
            yield_now().await;
            Err::<(), _>("over")
        })
        .await;
        assert_eq!(error.unwrap_err().first, "over");
        assert!(clean.get());
    });
}

/// Given a scope in a scope in a timeout, when that expires, then everything in it is dropped, and the
/// kernel has nothing of it.
#[test]
fn a_timeout_ends_all_scopes_inside() {
    let (runtime, kernel, _) = stubborn();
    let witness = Witness::default();
    let guards = [witness.guard(), witness.guard()];
    runtime.block_on(against(&kernel, async {
        let [outer_guard, inner_guard] = guards;
        let mut limited = pin!(timeout(
            patience(50 * MS),
            scope(async |outer| {
                let kernel = &kernel;
                outer.spawn(async move {
                    let _guard = outer_guard;
                    scope(async |inner| {
                        inner.spawn(async move {
                            let _guard = inner_guard;
                            receive(kernel).await
                        });
                    })
                    .await
                });
                pending::<()>().await
            })
        ));
        while witness.drops() < 2 {
            assert!(poll!(limited.as_mut()).is_pending());
            sleep(MS).await;
        }
        for _ in 0..3 {
            assert!(poll!(limited.as_mut()).is_pending(), "the kernel has the buffer");
            sleep(MS).await;
        }
        give_back(&kernel);
        assert!(limited.await.is_err());
    }));
}

/// Given a scope without an end, when its children wake themselves or spawn siblings for ever, then
/// other tasks and timers have their turns.
#[test]
fn children_that_are_always_ready_starve_nobody() {
    fn again<'scope>(
        scope: &'scope wakering_runtime::task::Scope<'scope, '_>,
        left: &'scope Cell<bool>,
    ) {
        if left.get() {
            scope.spawn(async move { again(scope, left) });
        }
    }
    within_bounds(async {
        for spawns in [false, true] {
            let going = Rc::new(Cell::new(true));
            let inner = going.clone();
            let stopper = spawn(async move {
                sleep(5 * MS).await;
                inner.set(false);
            });
            scope(async |scope| {
                let going = &*going;
                if spawns {
                    again(scope, going);
                } else {
                    for _ in 0..3 {
                        scope.spawn(async move {
                            while going.get() {
                                yield_now().await;
                            }
                        });
                    }
                }
            })
            .await;
            stopper.await.unwrap();
        }
    });
}

/// Given two children whose drops panic, when the scope is dropped, then one panic comes out, every
/// other child is dropped, and the process lives.
#[test]
fn drops_that_panic_while_a_scope_is_torn_down_are_one_panic() {
    let witness = Witness::default();
    let guard = witness.guard();
    within_bounds(async {
        let mut dropped = Box::pin(scope(async |scope| {
            for _ in 0..2 {
                scope.spawn(async {
                    let _bad = PanicsOnDrop("dropped");
                    pending::<()>().await
                });
            }
            scope.spawn(async move {
                let _guard = guard;
                pending::<()>().await
            });
            pending::<()>().await
        }));
        assert!(poll!(dropped.as_mut()).is_pending());
        let panic = catch_unwind(AssertUnwindSafe(|| drop(dropped))).unwrap_err();
        assert_eq!(message(panic), "dropped");
        assert_eq!(witness.drops(), 1);
    });
}

/// Given a future that two tasks share and in which a timeout waits for the kernel, when the task that
/// polled it last ends, then the other one goes on waiting and gets the value.
#[test]
fn a_shared_future_outlives_the_task_that_polled_it() {
    let (runtime, kernel, fd) = stubborn();
    kernel.set_cancel_wins(true);
    runtime.block_on(against(&kernel, async {
        let shared = async move {
            let received = timeout(60_000 * MS, op::recv(&fd, vec![0; 8])).await;
            received.map(|received| received.map_err(|error| error.to_string()).map(|(n, _)| n))
        }
        .boxed_local()
        .shared();
        let staying = spawn(shared.clone());
        yield_now().await;
        let leaving = spawn(async move {
            let mut shared = shared;
            assert!(poll!(&mut shared).is_pending());
            yield_now().await;
        });
        leaving.await.unwrap();
        sleep(2 * MS).await;
        kernel.next_request().expect("it was not taken back").receive(b"bytes");
        assert_eq!(staying.await.unwrap(), Ok(Ok(5)));
    }));
}

/// Given a runtime that has ended, and another one, when a scope that began in the first is polled in
/// the second, then that is refused in words.
#[test]
fn a_scope_is_polled_by_its_own_runtime_only() {
    let first = Builder::new().build().unwrap();
    let mut homesick = Box::pin(scope(async |scope| {
        scope.spawn(pending::<()>());
        pending::<()>().await
    }));
    first.block_on(async { assert!(poll!(homesick.as_mut()).is_pending()) });
    let second = Builder::new().build().unwrap();
    let panic = catch_unwind(AssertUnwindSafe(|| second.block_on(homesick.as_mut())));
    let text = message(panic.unwrap_err());
    assert!(text.contains("another runtime"), "{text}");
    drop(homesick);
}

/// Given ten thousand children that wait, when one is woken, then that one is polled.
#[test]
fn a_child_is_polled_when_it_was_woken_only() {
    let polls = Arc::new(AtomicUsize::new(0));
    within_bounds(async {
        let going = Cell::new(true);
        let waker = RefCell::new(None);
        scope(async |scope| {
            let (going, waker, polls) = (&going, &waker, &polls);
            for index in 0..10_000 {
                scope.spawn(poll_fn(move |cx: &mut Context<'_>| {
                    polls.fetch_add(1, Ordering::Relaxed);
                    if index == 5000 {
                        *waker.borrow_mut() = Some(cx.waker().clone());
                    }
                    if going.get() { Poll::Pending } else { Poll::Ready(()) }
                }));
            }
            yield_now().await;
            assert_eq!(polls.load(Ordering::Relaxed), 10_000);
            for _ in 0..5 {
                waker.borrow_mut().take().unwrap().wake();
                yield_now().await;
            }
            assert_eq!(polls.load(Ordering::Relaxed), 10_005);
            going.set(false);
            scope.cancel();
        })
        .await;
    });
}

async fn after<T>(delay: Duration, value: T) -> T {
    sleep(delay).await;
    value
}

struct PanicsOnDrop(&'static str);

impl Drop for PanicsOnDrop {
    fn drop(&mut self) {
        panic!("{}", self.0);
    }
}
