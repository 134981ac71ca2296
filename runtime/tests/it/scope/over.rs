//! When a scope is over: once all that was spawned into it is.

use std::cell::{Cell, RefCell};
use std::future::pending;
use std::pin::pin;
use std::rc::Rc;

use futures_util::poll;
use wakering_ring_driver::testing::patience;
use wakering_runtime::task::{scope, try_scope, with_cleanup, yield_now};
use wakering_runtime::time::{Instant, sleep, timeout};

use crate::{
    MS, OnDrop, Witness, against, assert_waits, counting, give_back, parked, receive, stubborn,
    within_bounds,
};

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
            let spawns = OnDrop(Some(move || drop(scope.spawn(counting(turns, guard)))));
            scope.spawn(parked::<Result<(), _>>(spawns));
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
            let spawns = OnDrop(Some(move || {
                let late = scope.spawn(async move {
                    let _guard = guard;
                    begun.set(true);
                });
                assert!(late.is_finished(), "it is refused");
            }));
            scope.spawn(parked::<()>(spawns));
            pending::<()>().await
        }));
        assert!(poll!(dropped.as_mut()).is_pending());
        drop(dropped);
        assert_eq!(witness.drops(), 1);
    });
    assert!(!begun.get());
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
        assert_waits(limited.as_mut()).await;
        give_back(&kernel);
        assert!(limited.await.is_err());
    }));
}
