//! Scopes: children that borrow, and are over when the scope is.

mod over;
mod left;
mod errors;
mod cancel;

use std::cell::{Cell, RefCell};
use std::future::{pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use futures_util::poll;
use wakering_runtime::task::{scope, yield_now};
use wakering_runtime::time::sleep;
use wakering_runtime::{Builder, spawn};

use crate::{MS, message, within_bounds};

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
