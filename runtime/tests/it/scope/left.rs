//! What a scope leaves in the kernel, and who waits for that.

use std::cell::Cell;
use std::future::{pending, poll_fn};
use std::pin::pin;
use std::rc::Rc;

use futures_util::{FutureExt, poll, select};
use wakering_ring_driver::{Driver, op};
use wakering_runtime::spawn;
use wakering_runtime::task::{group, scope, yield_now};
use wakering_runtime::time::{sleep, timeout};

use crate::{MS, Witness, against, assert_waits, give_back, receive, stubborn};

/// Given a task in which a scope is dropped by `select!`, when the task returns, then it is over only
/// when the kernel is done with the children, which were dropped at once.
#[test]
fn case_j17_whoever_drops_a_scope_waits_for_what_it_left() {
    let (runtime, kernel, _) = stubborn();
    let witness = Witness::default();
    let guard = witness.guard();
    runtime.block_on(against(&kernel, async {
        let (inner, seen) = (kernel.clone(), witness.clone());
        let mut task = spawn(async move {
            let scope = scope(async |scope| {
                let inner = &inner;
                scope.spawn(async move {
                    let _guard = guard;
                    receive(inner).await
                });
                receive(inner).await
            });
            {
                let mut scope = pin!(scope.fuse());
                let mut other = pin!(sleep(MS).fuse());
                select! {
                    () = scope => unreachable!("the kernel gives nothing back"),
                    () = other => {}
                }
            }
            assert_eq!(seen.drops(), 1);
            "returned"
        });
        while witness.drops() == 0 {
            sleep(MS).await;
        }
        for left in (0..2).rev() {
            assert_eq!(kernel.in_flight(), left + 1);
            sleep(MS).await;
            assert!(poll!(&mut task).is_pending());
            kernel.next_request().unwrap().receive(b"late");
        }
        assert_eq!(task.await.unwrap(), "returned");
    }));
}

/// Given a scope that was forgotten with children in the kernel, when its task ends, then that asks for
/// the operations once each and waits for them, and no child is polled again.
#[test]
fn case_j18_a_forgotten_scope_ends_with_its_task() {
    let (runtime, kernel, _) = stubborn();
    runtime.block_on(against(&kernel, async {
        let polls = Rc::new(Cell::new(0));
        let (inner, counted) = (kernel.clone(), polls.clone());
        let mut task = spawn(async move {
            let inner = Rc::new(inner);
            let mut forgotten = Box::pin(scope(async move |scope| {
                for _ in 0..2 {
                    let (inner, counted) = (inner.clone(), counted.clone());
                    scope.spawn(async move {
                        let mut receiving = pin!(receive(&inner));
                        poll_fn(|cx| {
                            counted.update(|polls| polls + 1);
                            receiving.as_mut().poll(cx)
                        })
                        .await
                    });
                }
                pending::<()>().await
            }));
            assert!(poll!(forgotten.as_mut()).is_pending());
            std::mem::forget(forgotten);
        });
        yield_now().await;
        assert_eq!((kernel.in_flight(), polls.get()), (2, 2));
        let driver = Driver::current().unwrap();
        assert_waits(&mut task).await;
        assert_eq!(driver.counters().cancels, 2);
        give_back(&kernel);
        task.await.unwrap();
        assert_eq!((kernel.in_flight(), polls.get()), (0, 2));
    }));
}

/// Given a forgotten scope of which a child has dropped its receive, when the task ends, then the kernel
/// is not asked a second time.
#[test]
fn what_a_forgotten_child_has_dropped_is_not_taken_back_again() {
    let (runtime, kernel, fd) = stubborn();
    let own = fd.clone();
    runtime.block_on(against(&kernel, async {
        let mut task = spawn(async move {
            let mut forgotten = Box::pin(scope(async |scope| {
                scope.spawn(async {
                    let _ = timeout(MS, op::recv(&own, vec![0; 8])).await;
                });
                pending::<()>().await
            }));
            assert!(poll!(forgotten.as_mut()).is_pending());
            sleep(3 * MS).await;
            assert!(poll!(forgotten.as_mut()).is_pending());
            sleep(3 * MS).await;
            std::mem::forget(forgotten);
        });
        assert_waits(&mut task).await;
        assert_waits(&mut task).await;
        assert_eq!(Driver::current().unwrap().counters().cancels, 1);
        give_back(&kernel);
        task.await.unwrap();
    }));
    drop(fd);
}

/// Given a scope that a task has given away, when the task ends, its receive is taken back, and the scope
/// is dropped while the kernel takes its time, then the task is over when the kernel is.
#[test]
fn what_was_taken_back_may_be_dropped_later() {
    let (runtime, kernel, fd) = stubborn();
    let own = fd.clone();
    runtime.block_on(against(&kernel, async {
        let given = Rc::new(Cell::new(None));
        let inner = given.clone();
        let mut task = spawn(async move {
            let mut scope = Box::pin(scope(async move |scope| {
                scope.spawn(async move { drop(op::recv(&own, vec![0; 8]).await) });
                pending::<()>().await
            }));
            assert!(poll!(scope.as_mut()).is_pending());
            inner.set(Some(scope));
        });
        while Driver::current().unwrap().counters().cancels == 0 {
            assert!(poll!(&mut task).is_pending());
            sleep(MS).await;
        }
        drop(given.take());
        sleep(MS).await;
        assert!(poll!(&mut task).is_pending(), "the kernel has the buffer");
        assert_eq!(Driver::current().unwrap().counters().cancels, 1);
        give_back(&kernel);
        task.await.unwrap();
    }));
    drop(fd);
}

/// Given a scope and a group whose bodies leave something in the kernel, when the bodies have returned,
/// then these wait for it.
#[test]
fn what_a_body_leaves_is_waited_for() {
    for is_group in [false, true] {
        let (runtime, kernel, fd) = stubborn();
        runtime.block_on(against(&kernel, async {
            let leave = async || {
                let mut receiving = op::recv(&fd, vec![0; 8]);
                assert!(poll!(&mut receiving).is_pending());
            };
            let ended = async {
                match is_group {
                    false => scope(async |_| leave().await).await,
                    true => group(async |_| {
                        leave().await;
                        Ok::<_, ()>(())
                    })
                    .await
                    .unwrap(),
                }
            };
            let mut ended = pin!(ended);
            assert_waits(ended.as_mut()).await;
            give_back(&kernel);
            ended.await;
        }));
    }
}

/// Given a future that two tasks share and in which a timeout waits for the kernel, when the task that
/// polled it last ends, then the other one goes on waiting and gets the value.
#[test]
fn a_shared_future_outlives_the_task_that_polled_it() {
    let (runtime, kernel, fd) = stubborn();
    kernel.set_cancel_wins(true);
    runtime.block_on(against(&kernel, async {
        let shared = async move {
            let received = timeout(60_000 * MS, op::recv(&fd, vec![0; 8])).await;
            received.map(|received| received.map_err(|error| error.to_string()).map(|(n, _)| n))
        }
        .boxed_local()
        .shared();
        let staying = spawn(shared.clone());
        yield_now().await;
        let leaving = spawn(async move {
            let mut shared = shared;
            assert!(poll!(&mut shared).is_pending());
            yield_now().await;
        });
        leaving.await.unwrap();
        sleep(2 * MS).await;
        kernel.next_request().expect("it was not taken back").receive(b"bytes");
        assert_eq!(staying.await.unwrap(), Ok(Ok(5)));
    }));
}
