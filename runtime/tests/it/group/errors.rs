//! Which error, or panic, comes out of a group.

use std::cell::{Cell, RefCell};
use std::future::pending;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::sync::mpsc;

use futures_util::FutureExt;
use wakering_ring_driver::testing::patience;
use wakering_runtime::task::{ChildError, ScopeError, group, yield_now};
use wakering_runtime::time::sleep;
use wakering_runtime::{Builder, spawn};

use crate::{MS, OnDrop, Witness, after, bounded, message, parked, within_bounds};

/// Given a body and a sibling that are parked, when a child fails, then both are dropped, and its error
/// comes out.
#[test]
fn case_j03_a_child_that_fails_ends_siblings_and_body() {
    let witness = Witness::default();
    let guards = [witness.guard(), witness.guard()];
    within_bounds(async {
        let [body, sibling] = guards;
        let beyond = Cell::new(false);
        let error = group(async |group| {
            let _body = body;
            group.spawn(parked::<Result<(), &str>>(sibling));
            group.spawn(async { Err::<(), _>(after(MS, "failed").await) });
            pending::<()>().await;
            beyond.set(true);
            Ok(())
        });
        assert_eq!(error.await, Err(ScopeError { first: "failed", suppressed: vec![] }));
        assert_eq!(witness.drops(), 2);
        assert!(!beyond.get());
    });
}

/// Given three children, when all fail at once, then the first error comes out with the two others.
#[test]
fn case_j05_the_first_error_comes_with_the_others() {
    within_bounds(async {
        let error = group(async |group| {
            for index in 0..3 {
                group.spawn(async move { Err::<(), _>(index) });
            }
            pending::<Result<(), _>>().await
        });
        assert_eq!(error.await, Err(ScopeError { first: 0, suppressed: vec![1, 2] }));
    });
}

/// Given children whose drops panic, when their group is cancelled from outside, then each of these
/// panics is told, and not that the children were cancelled: to whoever holds the handle, or to the
/// hook for what nobody awaits.
#[test]
fn case_j06_what_goes_wrong_while_children_are_cancelled_is_told() {
    let (sender, reports) = mpsc::channel();
    let hook = move |error: &wakering_runtime::task::JoinError| {
        sender.send(error.to_string()).unwrap();
    };
    let runtime = Builder::new().on_unhandled(hook).build().unwrap();
    let bad = |text: &'static str| parked::<Result<(), ()>>(OnDrop(Some(move || panic!("{text}"))));
    runtime.block_on(bounded(async {
        let kept = Rc::new(RefCell::new(None));
        let inner = kept.clone();
        let outer = spawn(async move {
            group(async |group| {
                group.spawn(bad("nobody awaits this one"));
                inner.replace(Some(group.spawn(bad("somebody awaits this one"))));
                pending::<Result<(), ()>>().await
            })
            .await
        });
        yield_now().await;
        yield_now().await;
        outer.cancel();
        assert!(outer.await.unwrap_err().is_cancelled());
        assert_eq!(kept.take().unwrap().await, Err(ChildError::Failed));
    }));
    let report = reports.try_recv().unwrap();
    assert!(report.ends_with("panicked: nobody awaits this one"), "{report}");
}

/// Given a child whose drop panics, when an error cancels it, then the panic comes out of the group.
#[test]
fn a_panic_while_a_child_is_dropped_comes_out() {
    within_bounds(async {
        let ended = group(async |group| {
            let bad = OnDrop(Some(|| panic!("while it was dropped")));
            group.spawn(parked::<Result<(), ()>>(bad));
            yield_now().await;
            Err::<(), _>(())
        });
        let panic = AssertUnwindSafe(ended).catch_unwind().await.unwrap_err();
        assert_eq!(message(panic), "while it was dropped");
    });
}

/// Given a group in a child of a group, when the errors of the inner one are handled and a child of the
/// outer one fails, then each reports its own.
#[test]
fn case_j07_inner_and_outer_group_report_their_own_errors() {
    within_bounds(async {
        let outer = group(async |outer| {
            let told = outer.spawn(async {
                let inner = group(async |inner| {
                    inner.spawn(async { Err::<(), _>("inner") });
                    pending::<Result<(), _>>().await
                });
                Ok(inner.await.unwrap_err())
            });
            assert_eq!(told.await.unwrap().first, "inner");
            outer.spawn(async { Err::<(), _>("outer") });
            pending::<Result<(), _>>().await
        });
        assert_eq!(outer.await, Err(ScopeError { first: "outer", suppressed: vec![] }));
    });
}

/// Given a supervisor, when one of its children fails, then the others go on and so does the body, and
/// the errors come out at the end, in order.
#[test]
fn case_j20_a_supervisor_goes_on_when_a_child_fails() {
    within_bounds(async {
        let done = Rc::new(Cell::new(0));
        let inner = done.clone();
        let error = group(async |group| {
            group.supervisor();
            for index in [1, 2] {
                group.spawn(async move { Err::<(), _>(after(index * MS, index).await) });
            }
            group.spawn(async move {
                sleep(5 * MS).await;
                inner.set(1);
                Ok(())
            });
            sleep(patience(50 * MS)).await;
            assert!(!group.is_cancelled());
            assert_eq!(group.spawn(async { Ok(42) }).await, Ok(42));
            done.update(|done| done + 1);
            Ok(())
        });
        assert_eq!(error.await, Err(ScopeError { first: 1, suppressed: vec![2] }));
        assert_eq!(done.get(), 2);
    });
}
