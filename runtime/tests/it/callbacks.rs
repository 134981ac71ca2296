//! What is called when a task is over.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use wakering_ring_driver::testing::patience;
use wakering_runtime::task::{self, yield_now};
use wakering_runtime::time::{Instant, sleep};
use wakering_runtime::{Builder, Handle, run, spawn};

use crate::within_bounds;

type Log = Arc<Mutex<Vec<&'static str>>>;

async fn until(is_so: impl Fn() -> bool) {
    let end = Instant::now() + patience(Duration::from_secs(10));
    while !is_so() {
        assert!(Instant::now() < end, "not so in time");
        sleep(Duration::from_millis(1)).await;
    }
}

/// Given callbacks that were added before a task is over and after it, when it is over, then each is
/// called once, in the order in which they came, outside of every task, and not while one is added.
#[test]
fn case_t07_callbacks_come_once_in_order_and_never_inline() {
    let log = Log::default();
    within_bounds(async {
        let inner = log.clone();
        let task = spawn(async move {
            yield_now().await;
            inner.lock().unwrap().push("over");
        });
        let add = |name| {
            let (log, id) = (log.clone(), task.id());
            task.on_done(move |task| {
                assert_eq!(task.id(), id);
                assert!(task::current().is_none());
                log.lock().unwrap().push(name);
            });
        };
        add("first");
        add("second");
        assert!(log.lock().unwrap().is_empty());
        until(|| log.lock().unwrap().len() == 3).await;
        assert!(task.is_finished());
        add("third");
        add("fourth");
        assert_eq!(log.lock().unwrap().len(), 3, "not inline");
        until(|| log.lock().unwrap().len() == 5).await;
        task.await.unwrap();
        yield_now().await;
    });
    assert_eq!(*log.lock().unwrap(), ["over", "first", "second", "third", "fourth"]);
}

#[test]
fn callbacks_are_called_however_the_task_ends() {
    let calls = Arc::new(AtomicUsize::new(0));
    within_bounds(async {
        let count = || {
            let calls = calls.clone();
            move |_: &task::TaskInfo| {
                calls.fetch_add(1, Ordering::Relaxed);
            }
        };
        let cancelled = spawn(std::future::pending::<()>());
        cancelled.on_done(count());
        cancelled.cancel();
        let panicked = spawn(async { panic!("out") });
        panicked.on_done(count());
        assert!(panicked.await.is_err());
        let detached = spawn(yield_now());
        detached.on_done(count());
        drop(detached);
        until(|| calls.load(Ordering::Relaxed) == 3).await;
    });
}

#[test]
fn a_callback_that_panics_is_reported_and_ends_alone() {
    let reports = Log::default();
    let told = reports.clone();
    let hook = move |error: &task::JoinError| {
        assert!(error.to_string().ends_with("panicked: the callback"));
        told.lock().unwrap().push("reported");
    };
    let runtime = Builder::new().on_unhandled(hook).build().unwrap();
    let log = reports.clone();
    runtime.block_on(async {
        let task = spawn(async {});
        task.on_done(|_| panic!("the callback"));
        task.on_done(move |_| log.lock().unwrap().push("called"));
        until(|| reports.lock().unwrap().len() == 2).await;
    });
    assert_eq!(*reports.lock().unwrap(), ["reported", "called"]);
}

/// Given a handle on another thread, when callbacks are added while the task ends, then each is called
/// once, at home, in the order in which they came.
#[test]
fn callbacks_may_come_from_another_thread() {
    within_bounds(async {
        let home = thread::current().id();
        for round in 0..50 {
            let task = Handle::current().spawn(async {});
            let order = Arc::new(Mutex::new(Vec::new()));
            let inner = order.clone();
            let elsewhere = thread::spawn(move || {
                for n in 0..20 {
                    let order = inner.clone();
                    task.on_done(move |_| {
                        assert_eq!(thread::current().id(), home);
                        order.lock().unwrap().push(n);
                    });
                }
            });
            until(|| order.lock().unwrap().len() == 20).await;
            elsewhere.join().unwrap();
            assert_eq!(*order.lock().unwrap(), (0..20).collect::<Vec<_>>(), "round {round}");
        }
    });
}

#[test]
fn the_end_of_the_runtime_calls_back_for_the_tasks_that_it_cancels() {
    let log = Log::default();
    run(async {
        for name in ["one", "other"] {
            let log = log.clone();
            let task = spawn(std::future::pending::<()>());
            task.on_done(move |_| log.lock().unwrap().push(name));
        }
        yield_now().await;
    });
    assert_eq!(*log.lock().unwrap(), ["one", "other"]);
}

#[test]
fn callbacks_are_dropped_when_there_is_no_loop_any_more() {
    let (handle, held) = (run(async { Handle::current() }), Arc::new(()));
    let task = handle.spawn(async {});
    let inner = held.clone();
    task.on_done(move |_| unreachable!("dropped: {inner:?}"));
    drop(task);
    assert_eq!(Arc::strong_count(&held), 1);
}
