//! Groups with children on other cores.

use std::future::{Future, pending};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use wakering_ring_driver::testing::patience;
use wakering_runtime::spawn;
use wakering_runtime::sync::{self, oneshot};
use wakering_runtime::task::{
    self, ChildError, ScopeError, group, shield, with_cleanup, yield_now,
};
use wakering_runtime::time::{Instant, sleep, timeout};

use super::{Count, on_cores, receive_nothing};
use crate::{MS, OnDrop, message};

/// Hard pattern 1: given children on all cores with operations in flight; when one of them fails;
/// then those of all cores are cancelled and drained before its error comes out.
#[test]
fn the_first_error_of_any_core_cancels_the_children_of_all() {
    on_cores(async {
        for failing in 0..3 {
            let dropped = Count::default();
            let began = Arc::new(AtomicUsize::new(0));
            let outcome = group(async |group| {
                for core in 0..3 {
                    let (guard, began) = (dropped.guard(), began.clone());
                    group.spawn_on(core, move || async move {
                        let _guard = guard;
                        began.fetch_add(1, Ordering::SeqCst);
                        receive_nothing().await
                    });
                }
                let began = began.clone();
                group.spawn_on(failing, move || async move {
                    while began.load(Ordering::SeqCst) < 3 {
                        sleep(MS).await;
                    }
                    Err::<(), _>("failed")
                });
                pending::<Result<(), &str>>().await
            });
            assert_eq!(outcome.await, Err(ScopeError { first: "failed", suppressed: vec![] }));
            assert_eq!(dropped.get(), 3, "no child outlives the group");
        }
    });
}

/// Hard pattern 2: given a group with children on other cores under a timeout; when it expires; then
/// by the time that it says so nothing of them runs or is in flight anywhere.
#[test]
fn a_timeout_waits_for_children_on_other_cores() {
    on_cores(async {
        let dropped = Count::default();
        let children = group(async |group| {
            for core in [1, 2, 1] {
                let guard = dropped.guard();
                group.spawn_on(core, move || async move {
                    let _guard = guard;
                    receive_nothing().await
                });
            }
            pending::<Result<(), &str>>().await
        });
        assert!(timeout(20 * MS, children).await.is_err());
        assert_eq!(dropped.get(), 3);
    });
}

/// Hard pattern 3: given a child on another core that cleans up with awaits, and one that commits
/// under a shield; when the group is cancelled; then it waits until both have done so.
#[test]
fn a_cleanup_and_a_shield_over_there_are_waited_for() {
    on_cores(async {
        let done = Arc::new(AtomicUsize::new(0));
        let outcome = group(async |group| {
            let (cleaned, committed) = (done.clone(), done.clone());
            let (begun, has_begun) = sync::channel(2);
            let other = begun.clone();
            group.spawn_on(1, move || async move {
                let body = async move {
                    begun.send(()).await.unwrap();
                    pending::<Result<(), &str>>().await
                };
                with_cleanup(body, async move |_| {
                    sleep(10 * MS).await;
                    cleaned.fetch_add(1, Ordering::SeqCst);
                })
                .await
            });
            group.spawn_on(2, move || async move {
                shield(async move {
                    other.send(()).await.unwrap();
                    sleep(10 * MS).await;
                    committed.fetch_add(1, Ordering::SeqCst);
                })
                .await;
                pending::<Result<(), &str>>().await
            });
            let mut has_begun = has_begun;
            has_begun.recv().await.unwrap();
            has_begun.recv().await.unwrap();
            group.cancel();
            Ok::<_, &str>(())
        });
        assert_eq!(outcome.await, Ok(()));
        assert_eq!(done.load(Ordering::SeqCst), 2);
    });
}

/// Hard pattern 4: given groups within groups, each child on the next core; when the outermost task
/// is cancelled; then all levels have ended, the innermost first.
#[test]
fn groups_within_groups_across_cores_end_from_the_inside() {
    async fn level(depth: usize, order: Arc<std::sync::Mutex<Vec<usize>>>) -> Result<(), String> {
        let own = order.clone();
        let _guard = OnDrop(Some(move || own.lock().unwrap().push(depth)));
        if depth == 5 {
            return pending().await;
        }
        let below = group(async |group| {
            let order = order.clone();
            let make = move || -> std::pin::Pin<Box<dyn Future<Output = Result<(), String>>>> {
                Box::pin(level(depth + 1, order))
            };
            group.spawn_on((depth + 1) % 3, make);
            pending::<Result<(), String>>().await
        });
        below.await.map_err(|error| error.to_string())
    }
    on_cores(async {
        let order = Arc::new(std::sync::Mutex::new(Vec::new()));
        let task = spawn(level(0, order.clone()));
        sleep(patience(50 * MS)).await;
        assert!(task.cancel());
        assert!(task.await.unwrap_err().is_cancelled());
        let mut ended = order.lock().unwrap().clone();
        ended.sort();
        assert_eq!(ended, [0, 1, 2, 3, 4, 5], "every level has ended before the handle resolves");
    });
}

/// Hard pattern 5: given a child on another core that returns just as it is cancelled; when that
/// happens many times; then it gives its value or was cancelled, nothing hangs, and each happens.
#[test]
fn a_value_and_a_cancellation_that_cross_end_in_one_of_them() {
    on_cores(async {
        let (mut values, mut cancelled) = (0, 0);
        let mut spins = 0u32;
        let until = Instant::now() + patience(Duration::from_secs(5));
        while (values < 20 || cancelled < 20) && Instant::now() < until {
            let outcome = group(async |group| {
                let (begun, has_begun) = oneshot::channel();
                let child = group.spawn_on(1, move || async move {
                    let _ = begun.send(());
                    yield_now().await;
                    Ok::<_, ()>(42)
                });
                let _ = has_begun.await;
                for _ in 0..spins {
                    std::hint::spin_loop();
                }
                group.cancel();
                Ok(child.await)
            });
            match outcome.await.unwrap() {
                Ok(value) => {
                    assert_eq!(value, 42);
                    values += 1;
                    spins = spins.saturating_sub(1 + spins / 2);
                }
                Err(error) => {
                    assert_eq!(error, ChildError::Cancelled);
                    cancelled += 1;
                    spins = (2 * spins + 50).min(1_000_000);
                }
            }
        }
        println!("{values} values, {cancelled} cancelled");
        assert!(values > 0 && cancelled > 0, "a race that never races");
    });
}

/// Given a child on another core; when it panics, or its drop does, then the panic comes out of the
/// group.
#[test]
fn a_panic_of_a_child_on_another_core_comes_out_of_the_group() {
    on_cores(async {
        let panics = AssertUnwindSafe(group(async |group| {
            group.spawn_on::<(), _>(1, || async { panic!("in its body") });
            pending::<Result<(), ()>>().await
        }));
        let panic = futures_util::FutureExt::catch_unwind(panics).await.unwrap_err();
        assert_eq!(message(panic), "in its body");

        let panics = AssertUnwindSafe(group(async |group| {
            let (begun, has_begun) = oneshot::channel();
            group.spawn_on(2, || async {
                let _bad = OnDrop(Some(|| panic!("in its drop")));
                begun.send(()).unwrap();
                pending::<Result<(), ()>>().await
            });
            has_begun.await.unwrap();
            group.cancel();
            Ok::<_, ()>(())
        }));
        let panic = futures_util::FutureExt::catch_unwind(panics).await.unwrap_err();
        assert_eq!(message(panic), "in its drop");
    });
}

/// Given a child on another core; when it is cancelled alone through its handle; then it is over
/// there when the handle says so, and group and siblings go on.
#[test]
fn a_child_on_another_core_is_cancelled_alone() {
    on_cores(async {
        let dropped = Count::default();
        let guard = dropped.guard();
        let outcome = group(async |group| {
            let child = group.spawn_on(1, move || async move {
                let _guard = guard;
                receive_nothing().await
            });
            let sibling = group.spawn_on(2, || async {
                sleep(20 * MS).await;
                Ok::<_, &str>(task::current().map(|task| task.id()))
            });
            sleep(5 * MS).await;
            assert!(child.cancel());
            assert_eq!(child.await, Err(ChildError::Cancelled));
            assert_eq!(dropped.get(), 1);
            let id = sibling.id();
            assert_eq!(sibling.await, Ok(Some(id)), "it is the same task on both sides");
            Ok(())
        });
        assert_eq!(outcome.await, Ok(()));
    });
}
