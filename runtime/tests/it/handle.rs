//! A runtime as other threads see it, while it runs and after its end.

use std::future::{pending, poll_fn};
use std::panic::catch_unwind;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, mpsc};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use std::{hint, thread};

use wakering_ring_driver::Driver;
use wakering_ring_driver::testing::patience;
use wakering_runtime::task::yield_now;
use wakering_runtime::time::{Instant, sleep};
use wakering_runtime::{Handle, Runtime, run, spawn};

use crate::{bounded, message, runtime, within_bounds};

/// Given a runtime that has ended, when another thread uses its handle, a task's handle, or a waker,
/// then it gets an error or nothing happens; nobody hangs.
#[test]
fn case_r08_after_the_end_a_handle_gives_errors_and_wakers_do_nothing() {
    let (waker_sender, wakers) = mpsc::channel();
    let (handle, task) = run(async {
        let task = spawn(poll_fn(move |cx| {
            waker_sender.send(cx.waker().clone()).unwrap();
            Poll::<()>::Pending
        }));
        yield_now().await;
        (Handle::current(), task)
    });
    thread::spawn(move || {
        let waker = wakers.recv().unwrap();
        waker.wake_by_ref();
        waker.wake();
        assert!(!task.cancel(), "it was cancelled by the end of the runtime");
        assert!(task.is_finished());

        let dropped = Arc::new(());
        let captured = dropped.clone();
        let mut refused = handle.spawn(async move { drop(captured) });
        assert_eq!(Arc::strong_count(&dropped), 1, "the future has been dropped");
        assert!(refused.is_finished() && !refused.cancel());
        let mut cx = Context::from_waker(Waker::noop());
        match pin!(&mut refused).poll(&mut cx) {
            Poll::Ready(outcome) => assert!(outcome.unwrap_err().is_runtime_gone()),
            Poll::Pending => panic!("it would never be ready"),
        }
        let error = handle.block_on(async {}).unwrap_err();
        assert!(error.is_runtime_gone());
        assert!(error.to_string().contains("its runtime has ended"), "{error}");
    })
    .join()
    .unwrap();
}

#[test]
fn a_task_spawned_from_afar_runs_at_home() {
    within_bounds(async {
        let home = thread::current().id();
        let handle = Handle::current();
        let sender = thread::spawn(move || {
            let tasks: Vec<_> = (0..100)
                .map(|n| handle.spawn(async move { (n, thread::current().id()) }))
                .collect();
            tasks
        });
        while !sender.is_finished() {
            sleep(Duration::from_millis(1)).await;
        }
        for (n, task) in sender.join().unwrap().into_iter().enumerate() {
            assert_eq!(task.await.unwrap(), (n, home));
        }
    });
}

#[test]
fn a_task_spawned_from_afar_is_cancelled_from_afar() {
    within_bounds(async {
        let handle = Handle::current();
        let other = thread::spawn(move || {
            let task = handle.spawn(pending::<()>());
            assert!(task.cancel());
            assert!(!task.cancel());
            let inner = handle.clone();
            let outcome = inner.block_on(async move { task.await.unwrap_err().is_cancelled() });
            assert!(outcome.unwrap());
        });
        while !other.is_finished() {
            sleep(Duration::from_millis(1)).await;
        }
        other.join().unwrap();
    });
}

#[test]
fn a_thread_that_blocks_on_a_runtime_gets_values_and_panics() {
    within_bounds(async {
        let handle = Handle::current();
        let other = thread::spawn(move || {
            let value = handle.block_on(async {
                // What is made at home need not be `Send`.
                let task = spawn(async {
                    sleep(Duration::from_millis(1)).await;
                    42
                });
                task.await.unwrap()
            });
            assert_eq!(value.unwrap(), 42);
            assert!(handle.block_on(async { panic!("over there") }).unwrap_err().is_panic());
        });
        while !other.is_finished() {
            sleep(Duration::from_millis(1)).await;
        }
        other.join().unwrap();
    });
}

/// Given a thread that waits for a task of a runtime, when that ends, then the thread gets an error.
#[test]
fn case_h07_a_thread_that_waits_is_told_when_the_runtime_ends() {
    for turns in 0..50 {
        let runtime = runtime();
        let handle = runtime.handle();
        let waiting = thread::spawn(move || handle.block_on(pending::<()>()).unwrap_err());
        // The task has arrived, or is on its way, or is not yet sent when the runtime ends.
        for _ in 0..turns {
            runtime.block_on(yield_now());
        }
        assert!(runtime.close().is_clean());
        let error = waiting.join().unwrap();
        assert!(error.is_cancelled() || error.is_runtime_gone());
    }
}

#[test]
fn a_thread_knows_whether_a_runtime_runs_on_it() {
    assert!(Handle::try_current().is_none());
    let panic = catch_unwind(Handle::current).unwrap_err();
    assert!(message(panic).contains("cannot get a handle"));
    let runtime = runtime();
    assert!(Handle::try_current().is_none(), "it exists, but does not run");
    runtime.block_on(async { assert!(Handle::try_current().is_some()) });
    assert!(Handle::try_current().is_none());
}

#[test]
fn what_is_sent_while_nobody_blocks_on_the_runtime_waits_for_the_next_time() {
    let runtime = runtime();
    let handle = runtime.handle();
    let mut task = thread::spawn(move || handle.spawn(async { 42 })).join().unwrap();
    assert!(!task.is_finished());
    assert_eq!(runtime.block_on(bounded(&mut task)).unwrap(), 42);
}

#[test]
fn a_waker_used_at_home_while_the_runtime_rests_is_not_lost() {
    let runtime = runtime();
    let (sender, wakers) = mpsc::channel();
    let ready = Arc::new(AtomicBool::new(false));
    let seen = ready.clone();
    let task = runtime.spawn(poll_fn(move |cx| {
        let _ = sender.send(cx.waker().clone());
        if seen.load(Ordering::Relaxed) { Poll::Ready(()) } else { Poll::Pending }
    }));
    runtime.block_on(yield_now());
    ready.store(true, Ordering::Relaxed);
    wakers.recv().unwrap().wake();
    runtime.block_on(bounded(task)).unwrap();
}

/// Many threads wake many tasks, over and over: each wake is followed by a poll, none is lost.
#[test]
fn a_storm_of_wakes_loses_none() {
    const THREADS: usize = 4;
    const WAKES: usize = 100_000 / THREADS;
    let runtime = runtime();
    let sent: Arc<[AtomicUsize; THREADS]> = Arc::default();
    let (sender, wakers) = mpsc::channel();
    let tasks: Vec<_> = (0..THREADS)
        .map(|at| {
            let (sent, sender) = (sent.clone(), sender.clone());
            let mut told = false;
            runtime.spawn(poll_fn(move |cx| {
                if !std::mem::replace(&mut told, true) {
                    sender.send((at, cx.waker().clone())).unwrap();
                }
                // Reads what the wake has published.
                if sent[at].load(Ordering::Relaxed) == WAKES {
                    Poll::Ready(())
                } else {
                    Poll::Pending
                }
            }))
        })
        .collect();
    runtime.block_on(yield_now());
    let barrier = Arc::new(Barrier::new(THREADS));
    let threads: Vec<_> = wakers
        .iter()
        .take(THREADS)
        .map(|(at, waker)| {
            let (sent, barrier) = (sent.clone(), barrier.clone());
            thread::spawn(move || {
                barrier.wait();
                for _ in 0..WAKES {
                    sent[at].fetch_add(1, Ordering::Relaxed);
                    waker.wake_by_ref();
                }
            })
        })
        .collect();
    runtime.block_on(bounded(async {
        for task in tasks {
            task.await.unwrap();
        }
    }));
    for thread in threads {
        thread.join().unwrap();
    }
    println!("{} polls for {} wakes", runtime.metrics().polls, THREADS * WAKES);
}

/// Another thread wakes the loop's only task while the loop is busy, going to sleep, or asleep, many
/// times over. A lost wake would leave both waiting for the other.
#[test]
fn a_wake_that_comes_as_the_loop_goes_to_sleep_is_not_lost() {
    /// Tells the other thread that there is no further round.
    const OVER: usize = usize::MAX;
    let runtime: Runtime = runtime();
    let turn = Arc::new(AtomicUsize::new(0));
    let (sender, wakers) = mpsc::channel::<Waker>();
    // How long the other thread takes to answer, in spins.
    let delay = Arc::new(AtomicUsize::new(0));
    let (theirs, their_delay) = (turn.clone(), delay.clone());
    let other = thread::spawn(move || {
        let waker = wakers.recv().unwrap();
        for round in 0.. {
            loop {
                match theirs.load(Ordering::Acquire) {
                    OVER => return,
                    turn if turn == 2 * round + 1 => break,
                    _ => thread::yield_now(),
                }
            }
            for _ in 0..round % 100 + their_delay.load(Ordering::Relaxed) {
                hint::spin_loop();
            }
            theirs.store(2 * round + 2, Ordering::Release);
            waker.wake_by_ref();
        }
    });
    let end = Instant::now() + patience(Duration::from_secs(3));
    let task = runtime.spawn(async move {
        sender.send(poll_fn(|cx| Poll::Ready(cx.waker().clone())).await).unwrap();
        let driver = Driver::current().unwrap();
        let (mut asleep, mut awake, mut busy) = (0, 0, 0);
        while Instant::now() < end && (asleep < 5000 || awake < 5000) {
            let waits = driver.counters().waits;
            let round = asleep + awake;
            let mut is_told = false;
            poll_fn(|_| {
                if !std::mem::replace(&mut is_told, true) {
                    turn.store(2 * round + 1, Ordering::Release);
                    for _ in 0..busy {
                        hint::spin_loop();
                    }
                }
                let is_back = turn.load(Ordering::Acquire) == 2 * round + 2;
                if is_back { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
            // The wake is to come around the moment at which it would be too late to stay awake:
            // whoever was too late for that hurries, or else the other one takes longer.
            let longer = |spins: usize| (2 * spins + 50).min(1_000_000);
            let spins = delay.load(Ordering::Relaxed);
            if driver.counters().waits > waits {
                asleep += 1;
                match spins {
                    0 => busy = longer(busy),
                    _ => delay.store(spins / 2, Ordering::Relaxed),
                }
            } else {
                awake += 1;
                match busy {
                    0 => delay.store(longer(spins), Ordering::Relaxed),
                    _ => busy /= 2,
                }
            }
        }
        turn.store(OVER, Ordering::Release);
        (asleep, awake)
    });
    // No timer runs meanwhile that could end a sleep which should not be.
    let (asleep, awake) = runtime.block_on(task).unwrap();
    other.join().unwrap();
    println!("woken {asleep} times from sleep, {awake} times before it");
    let rounds = asleep + awake;
    assert!(asleep * 100 >= rounds && awake * 100 >= rounds, "a race that never races");
}

/// No timer runs, and nothing is in the kernel but the notifier.
#[test]
fn a_runtime_that_only_waits_for_another_thread_is_woken_by_it() {
    let is_ready = Arc::new(AtomicBool::new(false));
    let mut other = None;
    runtime().block_on(poll_fn(|cx| {
        if is_ready.load(Ordering::Relaxed) {
            return Poll::Ready(());
        }
        if other.is_none() {
            let (is_ready, waker) = (is_ready.clone(), cx.waker().clone());
            other = Some(thread::spawn(move || {
                thread::sleep(Duration::from_millis(10));
                is_ready.store(true, Ordering::Relaxed);
                waker.wake();
            }));
        }
        Poll::Pending
    }));
    other.unwrap().join().unwrap();
}
