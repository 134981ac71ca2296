//! Which error, or panic, comes out of a scope.

use std::cell::Cell;
use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;

use futures_util::{FutureExt, poll};
use wakering_ring_driver::op;
use wakering_ring_driver::testing::CheckingBuf;
use wakering_runtime::task::{ScopeError, scope, try_scope, yield_now};
use wakering_runtime::time::sleep;

use crate::{
    MS, OnDrop, Witness, after, against, assert_waits, give_back, message, parked, receive,
    stubborn, within_bounds,
};

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
            scope.spawn(parked::<Result<(), &str>>(sibling));
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
                let bad = OnDrop(Some(|| panic!("while it was dropped")));
                scope.spawn(parked::<Result<(), &str>>(bad));
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
        assert_waits(ended.as_mut()).await;
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

/// Given two children whose drops panic, when the scope is dropped, then one panic comes out, every
/// other child is dropped, and the process lives.
#[test]
fn drops_that_panic_while_a_scope_is_torn_down_are_one_panic() {
    let witness = Witness::default();
    within_bounds(async {
        let mut dropped = Box::pin(scope(async |scope| {
            for _ in 0..2 {
                scope.spawn(parked::<()>(OnDrop(Some(|| panic!("dropped")))));
            }
            scope.spawn(parked::<()>(witness.guard()));
            pending::<()>().await
        }));
        assert!(poll!(dropped.as_mut()).is_pending());
        let panic = catch_unwind(AssertUnwindSafe(|| drop(dropped))).unwrap_err();
        assert_eq!(message(panic), "dropped");
        assert_eq!(witness.drops(), 1);
    });
}
