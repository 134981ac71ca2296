//! Deadlines: what is over in time, by whose clock, and what a timeout leaves alone.

use std::cell::Cell;
use std::future::pending;
use std::mem::size_of_val;
use std::pin::pin;
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use futures_util::{FutureExt, poll};
use wakering_ring_driver::testing::patience;
use wakering_ring_driver::{Driver, op};
use wakering_runtime::spawn;
use wakering_runtime::sync::oneshot;
use wakering_runtime::task::{TaskGroup, group, scope, shield, try_scope, yield_now};
use wakering_runtime::time::{Deadline, Elapsed, Instant, deadline, move_on_after, sleep, timeout};

use crate::{MS, Witness, against, assert_waits, stubborn, within_bounds};

/// Given a sleep of a minute, when a timeout of 10 ms expires, then it says so after that time, and what
/// slept is gone.
#[test]
fn case_o01_a_timeout_expires_and_drops_its_body() {
    let witness = Witness::default();
    let guard = witness.guard();
    within_bounds(async {
        let start = Instant::now();
        let slept = timeout(10 * MS, async move {
            let _guard = guard;
            sleep(60_000 * MS).await
        });
        assert_eq!(slept.await.map_err(|error| error.to_string()).unwrap_err(), TEXT);
        assert!(start.elapsed() >= 10 * MS && start.elapsed() < patience(10_000 * MS));
        assert_eq!(witness.drops(), 1);
        let moved_on = move_on_after(MS, pending::<()>()).await;
        assert_eq!(moved_on, None);
    });
}

const TEXT: &str = "the time allowed for it was over; allow more with a longer timeout";

/// Given a timeout in a timeout and a thread that is blocked until both are over, when the inner one is
/// caught, then whoever waits again is cut short by the outer one; a value that does not wait wins.
#[test]
fn case_o05_after_a_blocked_loop_the_outer_timeout_cuts_the_next_wait() {
    within_bounds(async {
        for waits_again in [true, false] {
            let beyond = Rc::new(Cell::new(false));
            let inner = beyond.clone();
            let outer = timeout(40 * MS, async move {
                let caught = timeout(20 * MS, async {
                    yield_now().await;
                    thread::sleep(100 * MS);
                    pending::<()>().await
                });
                assert!(caught.await.is_err());
                if waits_again {
                    yield_now().await;
                    inner.set(true);
                }
                42
            });
            match waits_again {
                true => assert!(outer.await.is_err()),
                false => assert_eq!(outer.await, Ok(42)),
            }
            assert!(!beyond.get());
        }
    });
}

/// Given a body that notices that its time is over and returns 42 in that turn, when the timeout around
/// it is asked, then the 42 is not lost.
#[test]
fn case_o07_a_value_that_comes_with_the_end_of_the_time_is_not_lost() {
    within_bounds(async {
        let unit = patience(5 * MS);
        let at = Instant::now() + 2 * unit;
        let noticed = timeout(2 * unit, async move {
            wakering_runtime::time::sleep_until(at - unit).await;
            thread::sleep(3 * unit);
            assert!(deadline::current().unwrap() < Instant::now());
            42
        });
        assert_eq!(noticed.await, Ok(42));
    });
}

/// Given a task that waits in a timeout, when the task is cancelled, then it is over as cancelled, and
/// nothing says that the time was.
#[test]
fn case_o09_cancelling_a_task_is_no_timeout() {
    within_bounds(async {
        let elapsed = Rc::new(Cell::new(false));
        let inner = elapsed.clone();
        let task = spawn(async move {
            let limited = timeout(60_000 * MS, pending::<()>()).await;
            inner.set(limited.is_err());
        });
        yield_now().await;
        assert!(task.cancel());
        assert!(task.await.unwrap_err().is_cancelled());
        assert!(!elapsed.get());
    });
}

/// Given a deadline that is moved to later, and one that is taken away, by the body or by somebody else,
/// when the old time is over, then nothing happens; one that is moved to earlier ends the body.
#[test]
fn case_o10_a_deadline_that_was_moved_has_no_effect_any_more() {
    within_bounds(async {
        let outer = deadline::current();
        let time = patience(20 * MS);
        for clears in [true, false] {
            let limit = Deadline::after(time);
            let expected = || limit.instant().into_iter().chain(outer).min();
            let move_it = || match clears {
                true => limit.clear(),
                false => limit.reset(Instant::now() + 60_000 * MS),
            };
            let moved_inside = limit.limit(async {
                assert_eq!(deadline::current(), expected());
                move_it();
                sleep(2 * time).await;
                assert_eq!(deadline::current(), expected());
                "inside"
            });
            assert_eq!(moved_inside.await, Ok("inside"));

            let limit = Rc::new(Deadline::after(time));
            let other = limit.clone();
            let mover = spawn(async move {
                match clears {
                    true => other.clear(),
                    false => other.reset(Instant::now() + 60_000 * MS),
                }
            });
            assert_eq!(limit.limit(async { sleep(2 * time).await }).await, Ok(()));
            mover.await.unwrap();
        }
        let limit = Rc::new(Deadline::never());
        let other = limit.clone();
        let start = Instant::now();
        let mover = spawn(async move {
            sleep(MS).await;
            other.reset(Instant::now());
        });
        assert!(limit.limit(pending::<()>()).await.is_err());
        assert!(start.elapsed() >= MS && start.elapsed() < patience(10_000 * MS));
        mover.await.unwrap();
    });
}

/// Given a receive that the kernel has completed and a timeout that is over, both in one turn, when the
/// task looks, then what was received wins.
#[test]
fn case_o11_a_result_wins_against_the_deadline_of_the_same_turn() {
    let (runtime, kernel, fd) = stubborn();
    runtime.block_on(against(&kernel, async {
        let time = patience(20 * MS);
        let mut limited = pin!(timeout(time, op::recv(&fd, vec![0; 8])));
        assert!(poll!(limited.as_mut()).is_pending());
        yield_now().await;
        thread::sleep(2 * time);
        kernel.next_request().unwrap().receive(b"in time");
        assert_eq!(limited.await.expect("a result wins").unwrap().0, 7);
    }));
}

/// Given deadlines of 10 and 5 ms around each other and a shield around a third, when they are asked for,
/// then the first one counts, that of the shield alone under the shield, and the past one afterwards.
#[test]
fn case_o12_the_first_deadline_up_to_a_shield_counts() {
    wakering_runtime::run(async {
        let start = Instant::now();
        let within = |ms: u64| {
            let left = deadline::current().unwrap().duration_since(start);
            left >= Duration::from_millis(ms) && left < Duration::from_millis(ms + 5000)
        };
        assert_eq!(deadline::current(), None);
        timeout(60_000 * MS, async {
            assert!(within(60_000));
            timeout(50_000 * MS, async {
                assert!(within(50_000));
                timeout(70_000 * MS, async { assert!(within(50_000)) }).await.unwrap();
                scope(async |scope| {
                    scope.spawn(async { assert!(within(50_000)) }).await.unwrap();
                })
                .await;
                shield(async { assert_eq!(deadline::current(), None) }).await;
                shield(async move {
                    let limited = timeout(80_000 * MS, async { deadline::current() });
                    let left = limited.await.unwrap().unwrap().duration_since(start);
                    assert!(left >= 80_000 * MS);
                })
                .await;
            })
            .await
            .unwrap();
            assert!(within(60_000));
            let tasks = spawn(async { deadline::current() });
            assert_eq!(tasks.await.unwrap(), None, "a task is the runtime's");
            group(async |group: &TaskGroup<()>| {
                let child = group.spawn(async { Ok(deadline::current()) });
                assert_eq!(child.await.unwrap(), deadline::current(), "a child is the group's");
                Ok(())
            })
            .await
            .unwrap();
        })
        .await
        .unwrap();
        assert_eq!(deadline::current(), None);
        timeout(MS, async {
            thread::sleep(2 * MS);
            assert!(deadline::current().unwrap() < Instant::now());
        })
        .await
        .unwrap();
    });
}

/// Given a receive of which a timeout awaits a reference, when the timeout expires, then it does so at
/// once, the kernel is not asked to end it, and whoever awaits it later gets what came.
#[test]
fn a_timeout_around_a_reference_leaves_the_future_alone() {
    let (runtime, kernel, fd) = stubborn();
    runtime.block_on(against(&kernel, async {
        // Under load all of the sleeps here may end at once.
        let (over, both_over) = oneshot::channel();
        let task = spawn(async move {
            let mut receiving = op::recv(&fd, vec![0; 8]);
            let start = Instant::now();
            assert!(timeout(MS, &mut receiving).await.is_err());
            assert!(start.elapsed() < patience(3000 * MS), "the kernel gives nothing back");
            // Also under another timeout, which ends before it.
            assert!(timeout(MS, &mut receiving).await.is_err());
            assert_eq!(Driver::current().unwrap().counters().cancels, 0);
            over.send(()).unwrap();
            receiving.await.unwrap().0
        });
        both_over.await.unwrap();
        assert_eq!(kernel.in_flight(), 1);
        kernel.next_request().unwrap().receive(b"bytes");
        assert_eq!(task.await.unwrap(), 5);
    }));
}

/// Given a reference in a timeout, when the future behind it is dropped after the timeout is over, then
/// the task waits for what it left.
#[test]
fn what_outlives_a_timeout_counts_for_its_task() {
    let (runtime, kernel, fd) = stubborn();
    runtime.block_on(against(&kernel, async {
        let mut task = spawn(async move {
            let mut receiving = op::recv(&fd, vec![0; 8]);
            assert!(timeout(MS, &mut receiving).await.is_err());
        });
        assert_waits(&mut task).await;
        crate::give_back(&kernel);
        task.await.unwrap();
    }));
}

/// Given a set of receives, when timeouts wait for the next one, then one returns at the first member's
/// completion, one expires, and the others are left alone all the time.
#[test]
fn a_timeout_around_the_next_of_a_set_leaves_the_others_alone() {
    let (runtime, kernel, _) = stubborn();
    let driver_kernel = kernel.clone();
    runtime.block_on(against(&kernel, async {
        let driver = Driver::current().unwrap();
        let fds: Vec<_> = (0..3).map(|_| driver_kernel.descriptor(&driver)).collect();
        let task = spawn(async move {
            let mut set: FuturesUnordered<_> =
                fds.iter().map(|fd| op::recv(fd, vec![0; 8]).map(|got| got.unwrap().0)).collect();
            assert_eq!(timeout(60_000 * MS, set.next()).await, Ok(Some(5)));
            assert!(timeout(MS, set.next()).await.is_err());
            assert_eq!(set.len(), 2);
            let rest = [set.next().await, set.next().await, set.next().await];
            assert_eq!(rest, [Some(1), Some(2), None]);
        });
        sleep(2 * MS).await;
        kernel.next_request().unwrap().receive(b"first");
        sleep(10 * MS).await;
        assert_eq!((kernel.in_flight(), driver.counters().cancels), (2, 0));
        for bytes in [&b"1"[..], b"22"] {
            kernel.next_request().unwrap().receive(bytes);
            sleep(MS).await;
        }
        task.await.unwrap();
        assert_eq!(driver.counters().cancels, 0);
    }));
}

/// Given a body that panics under a deadline, when it is awaited, then the panic comes out.
#[test]
fn a_panic_comes_out_of_a_deadline() {
    within_bounds(async {
        let body = async { panic!("out") };
        let limited = std::panic::AssertUnwindSafe(timeout(60_000 * MS, body)).catch_unwind().await;
        let panic = limited.map(|_: Result<(), Elapsed>| ()).unwrap_err();
        assert_eq!(crate::message(panic), "out");
    });
}

/// Given a future of a kilobyte, when it is put into a timeout, a scope or a group, then these have room
/// for it twice at most, where it comes in and where it is pinned.
#[test]
fn what_is_nested_does_not_grow_with_every_layer() {
    async fn large() -> Result<(), ()> {
        let bytes = [1_u8; 1000];
        yield_now().await;
        assert_eq!(bytes[0], 1);
        Ok(())
    }
    let once = size_of_val(&large());
    let sizes = [
        size_of_val(&timeout(MS, large())),
        size_of_val(&move_on_after(MS, large())),
        size_of_val(&Deadline::never().limit(large())),
        size_of_val(&try_scope(async |_| large().await)),
        size_of_val(&group(async |_| large().await)),
    ];
    assert!(sizes.iter().all(|&size| size < 3 * once), "{sizes:?} for {once}");
}
