//! Cancelling a child, or its scope.

use std::cell::Cell;
use std::future::pending;
use std::rc::Rc;

use wakering_ring_driver::{Driver, op};
use wakering_runtime::task::{ChildError, TryScope, scope, try_scope, yield_now};
use wakering_runtime::time::sleep;

use crate::{
    MS, OnDrop, Witness, after, against, counting, give_back, parked, stubborn, within_bounds,
};

/// Given three children, when one of them is cancelled alone, then its handle says so, and the others
/// and the scope are well.
#[test]
fn case_j02_a_child_is_cancelled_alone() {
    let witness = Witness::default();
    within_bounds(async {
        let output = try_scope(async |scope| {
            let one = scope.spawn(async { Ok(after(2 * MS, 1).await) });
            let ended = scope.spawn(parked::<Result<(), ()>>(witness.guard()));
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
            let child = scope.spawn(parked(early));
            yield_now().await;
            scope.cancel();
            scope.cancel();
            assert_eq!(child.await, Err::<(), _>(ChildError::Cancelled));
            let child = scope.spawn(counting(turns, late));
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

/// Given a child that is parked, when it is cancelled, then its handle says so once its future was
/// dropped, and a second request is refused.
#[test]
fn case_x01_a_parked_child_is_cancelled_once() {
    let witness = Witness::default();
    within_bounds(scope(async |scope| {
        let mut child = scope.spawn(parked::<()>(witness.guard()));
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
        let child = scope.spawn(counting::<()>(turns.clone(), ()));
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
                inner.spawn(parked::<()>(OnDrop(Some(|| inner.cancel()))));
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
