//! When a group is over: once all that was spawned into it is, and the kernel is done with that.

use std::cell::Cell;
use std::future::{pending, poll_fn};
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::rc::Rc;

use futures_util::{FutureExt, poll, select};
use wakering_ring_driver::testing::patience;
use wakering_runtime::spawn;
use wakering_runtime::task::{group, yield_now};
use wakering_runtime::time::{Instant, sleep};

use crate::{
    MS, OnDrop, Witness, after, against, assert_waits, counting, give_back, message, parked,
    receive, stubborn, within_bounds,
};

/// Given children that take 20 and 10 ms, when the body returns at once, then the group ends with the
/// slower one, and their values can be read from their handles.
#[test]
fn case_j01_a_group_ends_with_its_last_child() {
    within_bounds(async {
        let start = Instant::now();
        let handles = group(async |group| {
            Ok::<_, ()>([20, 10].map(|ms| group.spawn(async move { Ok(after(ms * MS, ms).await) })))
        });
        let [slow, quick] = handles.await.unwrap();
        assert!(start.elapsed() >= 20 * MS && start.elapsed() < patience(10_000 * MS));
        assert!(slow.is_finished() && quick.is_finished());
        assert_eq!((slow.await, quick.await), (Ok(20), Ok(10)));
    });
}

/// Given a child that spawns a sibling after the body has returned, when the group ends, then that
/// sibling has ended too.
#[test]
fn case_j08_grandchildren_are_waited_for() {
    let done = Rc::new(Cell::new(false));
    let inner = done.clone();
    within_bounds(async {
        group(async |group| {
            let own = group.clone();
            group.spawn(async move {
                sleep(2 * MS).await;
                own.spawn(async move {
                    sleep(2 * MS).await;
                    inner.set(true);
                    Ok(())
                });
                Ok::<_, ()>(())
            });
            Ok(())
        })
        .await
        .unwrap();
        assert!(done.get());
    });
}

/// Given a group that ends because of an error, when the drop of a child spawns another, then that one
/// has one turn at most, and is dropped before the group is over.
#[test]
fn case_j10_what_is_spawned_by_a_drop_does_not_leak() {
    let witness = Witness::default();
    let guard = witness.guard();
    let turns = Rc::new(Cell::new(0));
    let inner = turns.clone();
    within_bounds(async {
        let error = group(async |group| {
            let own = group.clone();
            let spawns = OnDrop(Some(move || drop(own.spawn(counting(inner, guard)))));
            group.spawn(parked::<Result<(), _>>(spawns));
            yield_now().await;
            Err::<(), _>("over")
        });
        assert_eq!(error.await.unwrap_err().first, "over");
        assert_eq!((witness.drops(), turns.get()), (1, 1));
    });
}

/// Given siblings that have something in the kernel, when a child panics, then the panic comes out after
/// the kernel has given everything back.
#[test]
fn case_j16_a_panic_resumes_after_the_siblings_were_drained() {
    let (runtime, kernel, _) = stubborn();
    runtime.block_on(against(&kernel, async {
        let ended = group(async |group| {
            for _ in 0..3 {
                let kernel = kernel.clone();
                group.spawn(async move {
                    let _: () = receive(&kernel).await;
                    Ok::<_, ()>(())
                });
            }
            group.spawn(async {
                yield_now().await;
                panic!("out");
                #[expect(unreachable_code)]
                Ok(())
            });
            pending::<Result<(), ()>>().await
        });
        let mut ended = pin!(AssertUnwindSafe(ended).catch_unwind());
        for left in (0..3).rev() {
            for _ in 0..3 {
                assert!(poll!(ended.as_mut()).is_pending(), "the kernel has {} buffers", left + 1);
                sleep(MS).await;
            }
            assert_eq!(kernel.in_flight(), left + 1);
            kernel.next_request().unwrap().receive(b"late");
        }
        assert_eq!(message(ended.await.unwrap_err()), "out");
    }));
}

/// Given a task in which a group is dropped by `select!`, when the task returns, then it is over only
/// when the children are, and the kernel is done with them.
#[test]
fn case_j17_whoever_drops_a_group_waits_for_its_children() {
    let (runtime, kernel, _) = stubborn();
    let witness = Witness::default();
    let guard = witness.guard();
    runtime.block_on(against(&kernel, async {
        let inner = kernel.clone();
        let mut task = spawn(async move {
            let group = group(async move |group| {
                group.spawn(async move {
                    let _guard = guard;
                    receive(&inner).await;
                    Ok::<_, ()>(())
                });
                pending::<Result<(), ()>>().await
            });
            let mut group = pin!(group.fuse());
            let mut other = pin!(sleep(patience(20 * MS)).fuse());
            select! {
                _ = group => unreachable!("it has no end"),
                () = other => "returned",
            }
        });
        while witness.drops() == 0 {
            sleep(MS).await;
        }
        assert_waits(&mut task).await;
        give_back(&kernel);
        assert_eq!(task.await.unwrap(), "returned");
    }));
}

/// Given a group that was forgotten with children in the kernel, when its task ends, then the children
/// are cancelled and waited for, and none is polled again; nor does one that a drop of theirs spawns
/// begin.
#[test]
fn case_j18_a_forgotten_group_ends_with_its_task() {
    let (runtime, kernel, _) = stubborn();
    let witness = Witness::default();
    let guard = witness.guard();
    runtime.block_on(against(&kernel, async {
        let (turns, polls) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
        let (inner, late, counted) = (kernel.clone(), turns.clone(), polls.clone());
        let mut task = spawn(async move {
            let mut forgotten = Box::pin(group(async move |group| {
                let own = group.clone();
                group.spawn(async move {
                    let spawn = move || {
                        assert!(own.spawn(counting::<()>(late, guard)).is_finished(), "refused");
                    };
                    let _spawns = OnDrop(Some(spawn));
                    let mut receiving = pin!(receive(&inner));
                    poll_fn(|cx| {
                        counted.update(|polls| polls + 1);
                        receiving.as_mut().poll(cx)
                    })
                    .await;
                    Ok(())
                });
                pending::<Result<(), ()>>().await
            }));
            assert!(poll!(forgotten.as_mut()).is_pending());
            std::mem::forget(forgotten);
            yield_now().await;
        });
        while kernel.in_flight() == 0 {
            yield_now().await;
        }
        assert_waits(&mut task).await;
        give_back(&kernel);
        task.await.unwrap();
        assert_eq!((kernel.in_flight(), polls.get()), (0, 1));
        assert_eq!((witness.drops(), turns.get()), (1, 0));
    }));
}
