//! A group and what it belongs to: its task, its runtime.

use std::cell::{Cell, RefCell};
use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use futures_util::{FutureExt, poll};
use wakering_runtime::spawn;
use wakering_runtime::task::{ChildError, TaskGroup, group, shield, yield_now};
use wakering_runtime::time::sleep;

use crate::{MS, Witness, after, bounded, counting, message, runtime, within_bounds};

/// Given a group that has ended, when somebody spawns into a clone of it, also after its runtime has
/// ended, then the future is dropped and the handle says why.
#[test]
fn a_group_that_has_ended_takes_no_children() {
    let runtime = runtime();
    let witness = Witness::default();
    let guards = [witness.guard(), witness.guard()];
    let ended = runtime.block_on(group(async |group| Ok::<_, ()>(group.clone()))).unwrap();
    let [first, second] = guards;
    runtime.block_on(bounded(async {
        let refused = ended.spawn(counting(Rc::default(), first));
        assert_eq!(witness.drops(), 1);
        assert!(!refused.cancel() && refused.is_finished());
        assert_eq!(refused.await, Err(ChildError::Refused));
    }));
    drop(runtime);
    assert!(ended.spawn(counting(Rc::default(), second)).is_finished());
    assert_eq!(witness.drops(), 2);
}

/// Given a group that was forgotten, when its runtime has ended, then it takes no children either.
#[test]
fn a_group_outlived_by_its_clone_takes_no_children_after_its_runtime() {
    let runtime = runtime();
    let witness = Witness::default();
    let guard = witness.guard();
    let clone = Rc::new(Cell::new(None));
    let inner = clone.clone();
    runtime.block_on(async move {
        let mut forgotten = Box::pin(group(async move |group: &TaskGroup<()>| {
            inner.set(Some(group.clone()));
            pending::<Result<(), ()>>().await
        }));
        assert!(poll!(forgotten.as_mut()).is_pending());
        std::mem::forget(forgotten);
    });
    drop(runtime);
    let refused = clone.take().unwrap().spawn(counting(Rc::default(), guard));
    assert!(refused.is_finished());
    assert_eq!(witness.drops(), 1);
}

/// Given a group that began in one runtime, when it is polled in another, then that is refused in words.
#[test]
fn a_group_is_polled_by_its_own_runtime_only() {
    let (first, second) = (runtime(), runtime());
    let mut homesick = Box::pin(group(async |group| {
        group.spawn(pending::<Result<(), ()>>());
        pending::<Result<(), ()>>().await
    }));
    first.block_on(async { assert!(poll!(homesick.as_mut()).is_pending()) });
    let panic = catch_unwind(AssertUnwindSafe(|| second.block_on(homesick.as_mut()))).unwrap_err();
    let text = message(panic);
    assert!(text.contains("another runtime"), "{text}");
    drop(homesick);
    assert!(first.close().is_clean());
}

/// Given a group that two tasks share, when the one that polled it last ends, then its children live.
#[test]
fn a_shared_group_outlives_the_task_that_polled_it() {
    within_bounds(async {
        let shared = async {
            let sum = group(async |group: &TaskGroup<()>| {
                let child = group.spawn(async { Ok(after(10 * MS, 42).await) });
                Ok(child.await)
            });
            sum.await.unwrap()
        }
        .boxed_local()
        .shared();
        let staying = spawn(shared.clone());
        yield_now().await;
        spawn(async move {
            let mut shared = shared;
            assert!(poll!(&mut shared).is_pending());
            yield_now().await;
        })
        .await
        .unwrap();
        assert_eq!(staying.await.unwrap(), Ok(42));
    });
}

/// Given a shielded future that works with a group, when its runtime ends, then the group's children go
/// on as the shielded future does.
#[test]
fn a_group_in_a_shield_is_shielded_from_the_end_of_the_runtime() {
    let runtime = runtime();
    let done = Rc::new(RefCell::new(Vec::new()));
    let inner = done.clone();
    runtime.block_on(async {
        drop(spawn(shield(async move {
            let sum = group(async |group: &TaskGroup<()>| {
                let early = group.spawn(async { Ok(after(5 * MS, 1).await) });
                sleep(10 * MS).await;
                let late = group.spawn(async { Ok(after(5 * MS, 2).await) });
                Ok([early.await, late.await])
            });
            let sum = sum.await.unwrap();
            inner.borrow_mut().extend(sum);
        })));
        yield_now().await;
        yield_now().await;
    });
    assert!(runtime.close().is_clean());
    assert_eq!(*done.borrow(), [Ok(1), Ok(2)]);
}
