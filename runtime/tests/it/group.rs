//! Groups: children that are tasks, and are over when the group is.

use std::cell::{Cell, RefCell};
use std::future::{pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::sync::mpsc;
use std::time::Duration;

use futures_util::{FutureExt, poll, select};
use wakering_ring_driver::Driver;
use wakering_ring_driver::testing::patience;
use wakering_runtime::task::{
    ChildError, Ready, ScopeError, StartError, TaskGroup, TaskHandle, group, shield, yield_now,
};
use wakering_runtime::time::{Instant, deadline, sleep, timeout};
use wakering_runtime::{Builder, spawn};

use crate::{
    OnDrop, Witness, against, bounded, give_back, message, receive, runtime, stubborn,
    within_bounds,
};

const MS: Duration = Duration::from_millis(1);

async fn after<T>(delay: Duration, value: T) -> T {
    sleep(delay).await;
    value
}

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

/// Given three children, when one of them is cancelled alone, then its handle says so, and the others
/// and the group are well.
#[test]
fn case_j02_a_child_is_cancelled_alone() {
    let witness = Witness::default();
    let guard = witness.guard();
    within_bounds(async {
        let output = group(async |group| {
            let one = group.spawn(async { Ok(after(patience(20 * MS), 1).await) });
            let ended = group.spawn(async move {
                let _guard = guard;
                pending::<Result<(), ()>>().await
            });
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
            group.spawn(async move {
                let _sibling = sibling;
                pending::<Result<(), &str>>().await
            });
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
    let bad = |text: &'static str| async move {
        let _bad = OnDrop(Some(move || panic!("{text}")));
        pending::<Result<(), ()>>().await
    };
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
            group.spawn(async {
                let _bad = OnDrop(Some(|| panic!("while it was dropped")));
                pending::<Result<(), ()>>().await
            });
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
            group.spawn(async move {
                let _spawns = OnDrop(Some(move || drop(own.spawn(counting(inner, guard)))));
                pending::<Result<(), _>>().await
            });
            yield_now().await;
            Err::<(), _>("over")
        });
        assert_eq!(error.await.unwrap_err().first, "over");
        assert_eq!((witness.drops(), turns.get()), (1, 1));
    });
}

/// Counts its turns for ever.
async fn counting<E>(turns: Rc<Cell<u32>>, guard: crate::Guard) -> Result<(), E> {
    let _guard = guard;
    loop {
        turns.update(|turns| turns + 1);
        yield_now().await;
    }
}

/// Given a child that says that it is ready after 5 ms and lives for 10 ms more, when it is started,
/// then the start is over with the first and the group with the second.
#[test]
fn case_j12_a_start_waits_until_the_child_is_ready() {
    within_bounds(async {
        let begun = Instant::now();
        group(async |group| {
            let server = async |ready: Ready<u16>| {
                sleep(5 * MS).await;
                ready.set(8080);
                sleep(10 * MS).await;
                Ok::<_, ()>("served")
            };
            let (port, server) = group.start(server).await.unwrap();
            assert_eq!(port, 8080);
            assert!(begun.elapsed() >= 5 * MS && !server.is_finished());
            Ok(())
        })
        .await
        .unwrap();
        assert!(begun.elapsed() >= 15 * MS && begun.elapsed() < patience(10_000 * MS));
    });
}

/// Given children that fail, return or panic before they are ready, when they are started, then the
/// start tells, and the group lives, except after a panic. One that fails later fails the group.
#[test]
fn case_j13_a_child_that_does_not_start_fails_its_start_only() {
    within_bounds(async {
        let ended = group(async |group| {
            let fails = async |_: Ready<()>| Err::<(), _>("early");
            let error = group.start(fails).await.unwrap_err();
            assert_eq!(error, StartError::Failed("early"));
            let silent = async |_: Ready<()>| Ok(());
            assert_eq!(group.start(silent).await.unwrap_err(), StartError::NotReady);
            assert!(!group.is_cancelled() && group.is_empty());
            let late = async |ready: Ready<()>| {
                ready.set(());
                yield_now().await;
                Err::<(), _>("late")
            };
            assert!(group.start(late).await.is_ok());
            pending::<Result<(), _>>().await
        });
        assert_eq!(ended.await, Err(ScopeError { first: "late", suppressed: vec![] }));
    });
}

#[test]
fn a_start_that_is_dropped_cancels_its_child() {
    let witness = Witness::default();
    let guard = witness.guard();
    within_bounds(group(async |group| {
        let child = async |_ready: Ready<()>| {
            let _guard = guard;
            pending::<Result<(), ()>>().await
        };
        assert!(timeout(MS, group.start(child)).await.is_err());
        while !group.is_empty() {
            yield_now().await;
        }
        assert_eq!(witness.drops(), 1);
        assert!(!group.is_cancelled());
        Ok::<_, ()>(())
    }))
    .unwrap();
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
            let child = group.spawn(async move {
                let _guard = early;
                pending().await
            });
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
        for _ in 0..3 {
            sleep(MS).await;
            assert!(poll!(&mut task).is_pending(), "the kernel has the buffer of the child");
        }
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
        for _ in 0..3 {
            sleep(MS).await;
            assert!(poll!(&mut task).is_pending(), "the kernel has the buffer");
        }
        give_back(&kernel);
        task.await.unwrap();
        assert_eq!((kernel.in_flight(), polls.get()), (0, 1));
        assert_eq!((witness.drops(), turns.get()), (1, 0));
    }));
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

/// Given a child that is parked, when it is cancelled, then its handle says so once its future was
/// dropped, and a second request is refused.
#[test]
fn case_x01_a_parked_child_is_cancelled_once() {
    let witness = Witness::default();
    let guard = witness.guard();
    within_bounds(group(async |group| {
        let mut child = group.spawn(async move {
            let _guard = guard;
            pending::<Result<(), ()>>().await
        });
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
                    inner.spawn(async move {
                        let _cancels = OnDrop(Some(move || own.cancel()));
                        pending::<Result<(), &str>>().await
                    });
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
        for _ in 0..8 {
            assert!(poll!(ended.as_mut()).is_pending());
            sleep(MS).await;
        }
        assert_eq!(Driver::current().unwrap().counters().cancels, 1);
        give_back(&kernel);
        assert_eq!(ended.await.unwrap().await, Err(ChildError::Cancelled));
    }));
}

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

/// Given children that are always ready, when they share a group with one that sleeps, then that one is
/// not kept waiting.
#[test]
fn children_that_are_always_ready_starve_nobody() {
    within_bounds(async {
        let output = group(async |group: &TaskGroup<()>| {
            for _ in 0..3 {
                group.spawn(async {
                    loop {
                        yield_now().await;
                    }
                    #[expect(unreachable_code)]
                    Ok(())
                });
            }
            let sleeper = group.spawn(async { Ok(after(5 * MS, 42).await) });
            let value = sleeper.await;
            group.cancel();
            Ok(value)
        });
        assert_eq!(output.await, Ok(Ok(42)));
    });
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

/// Given several children, when somebody asks for the next one again and again, from several places,
/// then each is told once.
#[test]
fn each_child_that_ends_is_told_once() {
    within_bounds(group(async |group: &TaskGroup<()>| {
        let ids: Vec<_> = [3, 1, 2]
            .map(|ms| {
                group
                    .spawn(async move {
                        let _: () = after(ms * MS, ()).await;
                        Ok(())
                    })
                    .id()
            })
            .into();
        let mut told = Vec::new();
        loop {
            // Waits that are dropped lose nothing.
            let next = timeout(Duration::from_micros(300), group.next()).await;
            match next {
                Ok(Some(task)) => told.push(task.id()),
                Ok(None) => break,
                Err(_) => {}
            }
        }
        told.sort();
        let mut ids = ids;
        ids.sort();
        assert_eq!(told, ids);
        Ok(())
    }))
    .unwrap();
}

/// Given a group in which ten may run; when a thousand are spawned, each once there is room or all
/// at once; then never more than ten run, those that wait do so in order, and all are done.
#[test]
fn case_j21_no_more_run_than_the_group_allows() {
    for waits in [true, false] {
        within_bounds(async move {
            let (running, most) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
            let order = Rc::new(RefCell::new(Vec::new()));
            let outcome = group(async |group| {
                group.max_tasks(10);
                for number in 0..1000 {
                    if waits {
                        group.room().await;
                        assert!(group.len() < 11, "the spawner did not wait");
                    }
                    let (running, most) = (running.clone(), most.clone());
                    let order = order.clone();
                    group.spawn(async move {
                        order.borrow_mut().push(number);
                        running.set(running.get() + 1);
                        most.set(most.get().max(running.get()));
                        yield_now().await;
                        running.set(running.get() - 1);
                        Ok::<_, ()>(())
                    });
                }
                Ok(())
            });
            outcome.await.unwrap();
            assert_eq!((most.get(), running.get()), (10, 0));
            assert!(order.borrow().iter().copied().eq(0..1000));
        });
    }
}

/// Given children that wait for their turn in a limited group; when the group is cancelled or one
/// that waits is; then none of them begins, and no turn is lost.
#[test]
fn children_that_wait_for_their_turn_may_be_cancelled() {
    within_bounds(async {
        let begun = Rc::new(Cell::new(0));
        let outcome = group(async |group| {
            group.max_tasks(1);
            let child = || {
                let begun = begun.clone();
                async move {
                    begun.set(begun.get() + 1);
                    sleep(MS).await;
                    Ok::<_, ()>(())
                }
            };
            let first = group.spawn(child());
            let second = group.spawn(child());
            let third = group.spawn(child());
            yield_now().await;
            assert!(second.cancel());
            assert_eq!(second.await, Err(ChildError::Cancelled));
            assert_eq!((first.await, third.await), (Ok(()), Ok(())));
            assert_eq!(begun.get(), 2);
            group.spawn(pending::<Result<(), ()>>());
            let waiting = group.spawn(child());
            yield_now().await;
            group.cancel();
            assert_eq!(waiting.await, Err(ChildError::Cancelled));
            Ok(())
        });
        outcome.await.unwrap();
        assert_eq!(begun.get(), 2);
    });
}

#[test]
fn a_group_for_no_tasks_is_refused() {
    let refused = catch_unwind(|| {
        within_bounds(group(async |group| {
            group.max_tasks(0);
            Ok::<_, ()>(())
        }))
    });
    assert!(message(refused.unwrap_err()).contains("allow at least one"));
}
