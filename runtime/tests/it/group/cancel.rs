//! Cancelling a child, or its group.

use std::cell::{Cell, RefCell};
use std::future::{Future, pending};
use std::pin::{Pin, pin};
use std::rc::Rc;

use futures_util::poll;
use wakering_ring_driver::Driver;
use wakering_ring_driver::testing::patience;
use wakering_runtime::spawn;
use wakering_runtime::sync::oneshot;
use wakering_runtime::task::{ChildError, TaskGroup, TaskHandle, group, yield_now};
use wakering_runtime::time::{Instant, deadline, sleep};

use crate::{
    MS, OnDrop, Witness, after, against, assert_waits, counting, give_back, parked, stubborn,
    within_bounds,
};

/// Given three children, when one of them is cancelled alone, then its handle says so, and the others
/// and the group are well.
#[test]
fn case_j02_a_child_is_cancelled_alone() {
    let witness = Witness::default();
    within_bounds(async {
        let output = group(async |group| {
            let one = group.spawn(async { Ok(after(patience(20 * MS), 1).await) });
            let ended = group.spawn(parked::<Result<(), ()>>(witness.guard()));
            let two = group.spawn(async { Ok(after(patience(30 * MS), 2).await) });
            yield_now().await;
            assert!(ended.cancel() && !ended.cancel());
            assert_eq!(witness.drops(), 0, "a future is dropped when its turn comes");
            assert_eq!(ended.await, Err(ChildError::Cancelled));
            assert_eq!((witness.drops(), group.len()), (1, 2));
            assert!(!group.is_cancelled());
            Ok(one.await.unwrap() + two.await.unwrap())
        });
        assert_eq!(output.await, Ok(3));
    });
}

/// Given a group, when it is cancelled, once or twice, and before it has any children, then it ends
/// without an error and with the value of its body.
#[test]
fn case_j14_cancelling_a_group_is_no_error() {
    let witness = Witness::default();
    let guards = [witness.guard(), witness.guard()];
    let turns = Rc::new(Cell::new(0));
    within_bounds(async {
        let [early, late] = guards;
        let output = group(async |group: &TaskGroup<()>| {
            let child = group.spawn(parked(early));
            yield_now().await;
            group.cancel();
            group.cancel();
            group.cancelled().await;
            assert_eq!(child.await, Err::<(), _>(ChildError::Cancelled));
            let child = group.spawn(counting(turns.clone(), late));
            assert_eq!(child.await, Err(ChildError::Cancelled));
            Ok(42)
        });
        assert_eq!(output.await, Ok(42));
        assert_eq!((witness.drops(), turns.get()), (2, 1));
        let output = group(async |group: &TaskGroup<()>| {
            group.cancel();
            group.spawn(pending::<Result<(), _>>());
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
    within_bounds(group(async |group| {
        let mut child = group.spawn(parked::<Result<(), ()>>(witness.guard()));
        yield_now().await;
        assert!(child.cancel() && !child.cancel());
        assert_eq!((&mut child).await, Err(ChildError::Cancelled));
        assert_eq!(witness.drops(), 1);
        assert!(!child.cancel());
        Ok(())
    }))
    .unwrap();
}

/// Given a child whose group is cancelled before its first turn, when that comes, then it runs to where
/// it first waits, and no further.
#[test]
fn case_x02_a_child_cancelled_with_its_group_before_it_begins_has_one_turn() {
    let witness = Witness::default();
    let guard = witness.guard();
    let turns = Rc::new(Cell::new(0));
    within_bounds(group(async |group: &TaskGroup<()>| {
        let child = group.spawn(counting(turns.clone(), guard));
        group.cancel();
        assert_eq!(child.await, Err(ChildError::Cancelled));
        assert_eq!((turns.get(), witness.drops()), (1, 1));
        Ok(())
    }))
    .unwrap();
}

/// Given children that cancel their group, or themselves, and return a value without waiting, when they
/// are awaited, then the values are there.
#[test]
fn case_x03_a_value_returned_by_the_turn_that_cancels_wins() {
    within_bounds(group(async |group: &TaskGroup<()>| {
        let own: Rc<Cell<Option<TaskHandle<u32>>>> = Rc::default();
        let inner = own.clone();
        own.set(Some(group.spawn(async move {
            let handle = inner.take().unwrap();
            assert!(handle.cancel());
            inner.set(Some(handle));
            Ok(1)
        })));
        let all = group.clone();
        let other = group.spawn(async move {
            all.cancel();
            Ok(2)
        });
        assert_eq!(other.await, Ok(2));
        assert_eq!(own.take().unwrap().await, Ok(1));
        Ok(())
    }))
    .unwrap();
}

/// Given a child that has returned a value, when its group is cancelled before that was looked at, then
/// it is not lost.
#[test]
fn case_x06_a_value_that_is_there_outlives_a_cancellation() {
    within_bounds(group(async |group: &TaskGroup<()>| {
        let child = group.spawn(async { Ok(String::from("kept")) });
        yield_now().await;
        assert!(child.is_finished());
        group.cancel();
        assert!(!child.cancel());
        assert_eq!(child.await.as_deref(), Ok("kept"));
        Ok(())
    }))
    .unwrap();
}

/// Given a group in a child of a group, when the outer one fails while the drop of a grandchild cancels
/// the inner one, then the outer one reports, and nothing after the inner one runs.
#[test]
fn case_x08_the_outer_of_two_cancelled_groups_reports() {
    let beyond = Rc::new(Cell::new(false));
    let inner_beyond = beyond.clone();
    within_bounds(async {
        let error = group(async |outer| {
            outer.spawn(async move {
                let _ = group(async |inner| {
                    let own = inner.clone();
                    let cancels = OnDrop(Some(move || own.cancel()));
                    inner.spawn(parked::<Result<(), &str>>(cancels));
                    pending::<Result<(), &str>>().await
                })
                .await;
                inner_beyond.set(true);
                Ok(())
            });
            yield_now().await;
            yield_now().await;
            Err::<(), _>("outer")
        });
        assert_eq!(error.await.unwrap_err().first, "outer");
    });
    assert!(!beyond.get());
}

/// Given a group whose deadline passes, when its body does not wait again, then its value is there, and
/// the deadline that it is under is the past one.
#[test]
fn case_x09_a_group_that_is_over_time_has_the_value_of_its_body() {
    within_bounds(async {
        let output = group(async |group: &TaskGroup<()>| {
            let at = Instant::now() + 2 * MS;
            group.set_deadline(at);
            assert_eq!(deadline::current(), Some(at));
            let child = group.spawn(async move {
                assert_eq!(deadline::current(), Some(at));
                pending::<Result<(), _>>().await
            });
            assert_eq!(child.await, Err(ChildError::Cancelled));
            assert!(group.is_cancelled());
            yield_now().await;
            assert_eq!(deadline::current(), Some(at), "it is over, and stays so");
            Ok(42)
        });
        assert_eq!(output.await, Ok(42));
    });
}

/// Given a receive of a child in the kernel, when child and group are cancelled again and again while
/// the kernel takes its time, then the kernel is asked once.
#[test]
fn case_x14_an_operation_is_asked_to_end_once() {
    let (runtime, kernel, fd) = stubborn();
    let own = fd.clone();
    runtime.block_on(against(&kernel, async {
        let mut ended = pin!(group(async |group| {
            let child = group.spawn(async move {
                let _ = wakering_ring_driver::op::recv(&own, vec![0; 8]).await;
                Ok::<_, ()>(())
            });
            yield_now().await;
            for _ in 0..3 {
                child.cancel();
                group.cancel();
                sleep(MS).await;
            }
            assert!(!child.is_finished());
            Ok(child)
        }));
        assert_waits(ended.as_mut()).await;
        assert_eq!(Driver::current().unwrap().counters().cancels, 1);
        give_back(&kernel);
        assert_eq!(ended.await.unwrap().await, Err(ChildError::Cancelled));
    }));
}

/// Given a child whose output, when it is dropped, spawns a task and drops the group; then the task
/// goes on, although it may have the place that was the child's.
#[test]
fn a_group_that_ends_with_its_child_cancels_no_stranger() {
    type Boxed = Pin<Box<dyn Future<Output = ()>>>;

    within_bounds(async {
        let kept: Rc<RefCell<Option<Boxed>>> = Rc::default();
        let (tell, told) = oneshot::channel();
        let ends = {
            let kept = kept.clone();
            OnDrop(Some(move || {
                tell.send(spawn(async {
                    yield_now().await;
                    7
                }))
                .unwrap();
                drop(kept.take());
            }))
        };
        let mut grouped: Boxed = Box::pin(async {
            let outcome = group(async |group| {
                drop(group.spawn(async { Ok::<_, ()>(ends) }));
                pending::<Result<(), ()>>().await
            });
            outcome.await.unwrap();
        });
        assert!(poll!(&mut grouped).is_pending());
        *kept.borrow_mut() = Some(grouped);
        assert_eq!(told.await.unwrap().await.unwrap(), 7);
    });
}
