//! Closures on the thread pool.

use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::pin::pin;
use std::sync::{Arc, Barrier, mpsc};
use std::thread;
use std::time::Duration;

use wakering_ring_driver::testing::patience;
use wakering_runtime::blocking::unblock;
use wakering_runtime::time::{interval, sleep, timeout};
use wakering_runtime::{run, spawn};

use crate::within_bounds;

/// Given a closure given to `unblock`, when it returns or panics on another thread, then the task that
/// awaits it gets the value or the panic.
#[test]
fn case_h01_a_value_or_a_panic_comes_back_to_the_task_that_awaits_it() {
    within_bounds(async {
        let (value, elsewhere) = unblock(|| (42, thread::current().id())).await;
        assert_eq!(value, 42);
        assert_ne!(elsewhere, thread::current().id());
        let task = spawn(unblock(|| panic_any(7u8)));
        let payload = task.await.unwrap_err().into_panic().unwrap();
        assert_eq!(*payload.downcast::<u8>().unwrap(), 7);
    });
    let panic = catch_unwind(|| run(unblock(|| panic_any(8u8)))).unwrap_err();
    assert_eq!(*panic.downcast::<u8>().unwrap(), 8);
}

#[test]
fn the_loop_goes_on_while_a_closure_blocks() {
    let (release, released) = mpsc::channel();
    within_bounds(async {
        let blocked = spawn(unblock(move || released.recv().unwrap()));
        let mut interval = interval(Duration::from_millis(1));
        for _ in 0..10 {
            interval.tick().await;
        }
        assert!(!blocked.is_finished());
        release.send(()).unwrap();
        blocked.await.unwrap();
    });
}

#[test]
fn nothing_runs_before_the_first_poll() {
    let (sender, receiver) = mpsc::channel();
    within_bounds(async {
        let never = unblock(move || sender.send(()).unwrap());
        sleep(Duration::from_millis(2)).await;
        drop(never);
    });
    assert!(receiver.recv().is_err(), "the closure was dropped without being called");
}

#[test]
fn a_closure_that_nobody_waits_for_runs_to_its_end() {
    let (sender, receiver) = mpsc::channel();
    within_bounds(async {
        let closure = unblock(move || {
            thread::sleep(Duration::from_millis(20));
            sender.send(thread::current().id()).unwrap();
        });
        assert!(timeout(Duration::from_millis(1), closure).await.is_err());
    });
    let elsewhere = receiver.recv_timeout(patience(Duration::from_secs(10))).unwrap();
    assert_ne!(elsewhere, thread::current().id());
}

#[test]
fn closures_run_beside_each_other() {
    within_bounds(async {
        let all_are_here = Arc::new(Barrier::new(8));
        let tasks: Vec<_> = (0..8)
            .map(|_| {
                let all_are_here = all_are_here.clone();
                spawn(unblock(move || all_are_here.wait().is_leader()))
            })
            .collect();
        let mut leaders = 0;
        for task in tasks {
            leaders += usize::from(task.await.unwrap());
        }
        assert_eq!(leaders, 1);
    });
}

#[test]
fn a_closure_borrows_nothing_but_owns_what_it_needs() {
    let words = [String::from("moved"), String::from("in")];
    assert_eq!(run(unblock(move || words.join(" "))), "moved in");
}

#[test]
fn a_panic_in_a_closure_leaves_the_runtime_alone() {
    within_bounds(async {
        for _ in 0..3 {
            let mut panicking = pin!(unblock(|| panic!("no")));
            let caught = futures_util::future::poll_fn(|cx| {
                match catch_unwind(AssertUnwindSafe(|| panicking.as_mut().poll(cx))) {
                    Ok(polled) => polled.map(|()| false),
                    Err(_) => std::task::Poll::Ready(true),
                }
            });
            assert!(caught.await);
        }
        assert_eq!(unblock(|| 42).await, 42);
    });
}
