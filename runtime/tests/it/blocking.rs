//! Closures on the thread pool.

use std::cell::Cell;
use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::pin::pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use wakering_ring_driver::testing::{in_child, patience};
use wakering_runtime::blocking::{Pool, Unblock, check_cancelled, is_cancelled, unblock};
use wakering_runtime::task::{self, yield_now};
use wakering_runtime::time::{interval, sleep, timeout};
use wakering_runtime::{Builder, Handle, run, spawn};

use crate::{MS, bounded, within_bounds};

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

/// Given a closure that has begun, when the timeout around it is over, then that does not wait, and the
/// task does.
#[test]
fn a_task_waits_for_a_closure_that_nobody_waits_for() {
    let (release, released) = mpsc::channel::<()>();
    let (begin, begun) = mpsc::channel();
    let ended = Arc::new(AtomicBool::new(false));
    within_bounds(async {
        let (expired, end) = (Rc::new(Cell::new(false)), ended.clone());
        let inner = expired.clone();
        let mut task = spawn(async move {
            let closure = unblock(move || {
                begin.send(()).unwrap();
                released.recv().unwrap();
                end.store(true, Ordering::Relaxed);
            });
            assert!(timeout(MS, begun_by(closure, begun)).await.is_err());
            inner.set(true);
        });
        for _ in 0..5 {
            sleep(MS).await;
            assert!(futures_util::poll!(&mut task).is_pending());
        }
        until(|| expired.get()).await;
        assert!(futures_util::poll!(&mut task).is_pending(), "the closure runs");
        release.send(()).unwrap();
        task.await.unwrap();
        assert!(ended.load(Ordering::Relaxed));
    });
}

/// Polls `closure` and waits until it has begun, so that a timeout that is over finds it running.
async fn begun_by<T: Send + 'static>(closure: Unblock<T>, begun: mpsc::Receiver<()>) -> T {
    let mut closure = pin!(closure);
    assert!(futures_util::poll!(closure.as_mut()).is_pending());
    begun.recv_timeout(patience(Duration::from_secs(10))).unwrap();
    closure.await
}

/// Given a task that awaits blocking code, when it is cancelled, then the code learns of it, and the
/// handle resolves once the code has returned and what it captured is gone.
#[test]
fn case_h04_blocking_code_learns_that_its_task_was_cancelled() {
    let (begin, begun) = mpsc::channel();
    let held = Arc::new(());
    within_bounds(async {
        let inner = held.clone();
        assert!(!is_cancelled(), "outside of every closure");
        let task = spawn(async move {
            let closure = unblock(move || {
                assert!(!is_cancelled());
                begin.send(()).unwrap();
                while check_cancelled().is_ok() {
                    thread::sleep(MS);
                }
                let error: std::io::Error = check_cancelled().unwrap_err().into();
                assert!(error.to_string().contains("nobody waits"));
                drop(inner);
            });
            begun_by(closure, begun).await
        });
        yield_now().await;
        assert_eq!(Arc::strong_count(&held), 2);
        assert!(task.cancel());
        assert!(task.await.unwrap_err().is_cancelled());
        assert_eq!(Arc::strong_count(&held), 1, "the closure is over");
    });
}

/// Given a scope that begins a closure and goes on, when it ends, then it waits for the closure.
#[test]
fn a_scope_waits_for_closures() {
    let (begin, begun) = mpsc::channel();
    let ended = Arc::new(AtomicBool::new(false));
    within_bounds(async {
        let end = ended.clone();
        task::scope(async |_| {
            let mut closure = unblock(move || {
                begin.send(()).unwrap();
                thread::sleep(5 * MS);
                end.store(true, Ordering::Relaxed);
            });
            assert!(futures_util::poll!(&mut closure).is_pending());
            begun.recv_timeout(patience(Duration::from_secs(10))).unwrap();
            Ok::<_, ()>(())
        })
        .await
        .unwrap();
        assert!(ended.load(Ordering::Relaxed));
    });
}

/// Given a pool whose threads are all taken, when a closure is dropped that waits for one, then it is gone
/// at once and never runs, and its task does not wait for it.
#[test]
fn a_closure_that_has_not_begun_is_taken_back() {
    in_child("blocking::a_closure_that_has_not_begun_is_taken_back", || {
        let (release, released) = (Arc::new(Barrier::new(513)), Arc::new(AtomicUsize::new(0)));
        let held = Arc::new(());
        within_bounds(async {
            let busy: Vec<_> = (0..512)
                .map(|_| {
                    let (release, released) = (release.clone(), released.clone());
                    spawn(unblock(move || {
                        released.fetch_add(1, Ordering::SeqCst);
                        release.wait();
                    }))
                })
                .collect();
            until(|| released.load(Ordering::SeqCst) == 512).await;
            let inner = held.clone();
            let waiting = spawn(unblock(move || unreachable!("{inner:?}")));
            yield_now().await;
            assert!(waiting.cancel());
            assert!(waiting.await.unwrap_err().is_cancelled());
            assert_eq!(Arc::strong_count(&held), 1);
            release.wait();
            for task in busy {
                task.await.unwrap();
            }
        });
    });
}

#[test]
fn nobody_waits_for_a_closure_that_was_to_be_abandoned() {
    let (release, released) = mpsc::channel::<()>();
    let (begin, begun) = mpsc::channel();
    let (end, ended) = mpsc::channel();
    within_bounds(async {
        let task = spawn(async move {
            let closure = unblock(move || {
                begin.send(()).unwrap();
                released.recv().unwrap();
                end.send(is_cancelled()).unwrap();
            });
            begun_by(closure.abandon_on_cancel(), begun).await;
        });
        yield_now().await;
        task.cancel();
        assert!(task.await.unwrap_err().is_cancelled());
        assert!(ended.try_recv().is_err(), "it still runs");
        release.send(()).unwrap();
    });
    assert_eq!(ended.recv_timeout(patience(Duration::from_secs(10))), Ok(true));
}

/// Given closures that panic when nobody waits for them any more, or whose outcome nobody took, when they
/// have ended, then each panic is reported once, with the place of the closure.
#[test]
fn a_panic_that_nobody_awaits_is_reported() {
    let reports = Arc::new(Mutex::new(Vec::new()));
    let told = reports.clone();
    let hook = move |error: &task::JoinError| told.lock().unwrap().push(error.to_string());
    let runtime = Builder::new().on_unhandled(hook).build().unwrap();
    runtime.block_on(bounded(async {
        for is_abandoned in [false, true] {
            let (begin, begun) = mpsc::channel();
            let closure = unblock(move || {
                begin.send(()).unwrap();
                while !is_cancelled() {
                    thread::sleep(MS);
                }
                panic!("unheard");
            });
            let closure = if is_abandoned { closure.abandon_on_cancel() } else { closure };
            assert!(timeout(MS, begun_by(closure, begun)).await.is_err());
            until(|| reports.lock().unwrap().len() == 1 + usize::from(is_abandoned)).await;
        }
        let (release, released) = mpsc::channel::<()>();
        let mut untaken = unblock(move || {
            released.recv().unwrap();
            panic!("untaken")
        });
        assert!(futures_util::poll!(&mut untaken).is_pending());
        release.send(()).unwrap();
        // It usually has its outcome by then.
        sleep(5 * MS).await;
        drop(untaken);
        until(|| reports.lock().unwrap().len() == 3).await;
    }));
    let reports = reports.lock().unwrap();
    assert!(reports.iter().all(|report| report.contains(file!())), "{reports:?}");
    assert!(reports[1].ends_with("panicked: unheard") && reports[2].ends_with("panicked: untaken"));
}

/// Given a limit of two, when ten closures are to run, then never more than two do, in the order in which
/// they came, and one whose future was dropped before its turn never does.
#[test]
fn a_pool_of_ones_own_runs_so_many_at_a_time_in_turn() {
    let pool = Pool::new(2);
    let running = Arc::new(AtomicUsize::new(0));
    let most = Arc::new(AtomicUsize::new(0));
    let order = Arc::new(Mutex::new(Vec::new()));
    within_bounds(async {
        let tasks: Vec<_> = (0..10)
            .map(|n| {
                let (running, most, order) = (running.clone(), most.clone(), order.clone());
                spawn(pool.unblock(move || {
                    order.lock().unwrap().push(n);
                    most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    thread::sleep(2 * MS);
                    running.fetch_sub(1, Ordering::SeqCst);
                }))
            })
            .collect();
        yield_now().await;
        assert!(tasks[8].cancel());
        let mut cancelled = 0;
        for task in tasks {
            cancelled += usize::from(task.await.is_err());
        }
        assert_eq!(cancelled, 1);
        assert!(catch_unwind(|| Pool::new(0)).is_err());
        let panicked = spawn(pool.unblock(|| panic!("no")));
        assert!(panicked.await.unwrap_err().is_panic());
        until(|| format!("{pool:?}") == "Pool { limit: 2, running: 0 }").await;
    });
    assert_eq!(most.load(Ordering::SeqCst), 2);
    let order = order.lock().unwrap();
    assert_eq!(order.len(), 9);
    assert!(!order.contains(&8));
    // Two begin beside each other; a third does not overtake them by more than one.
    assert!(order.iter().enumerate().all(|(at, n)| at.abs_diff(*n) <= 2), "{order:?}");
}

/// Given a closure that waits for the runtime it was begun by, when that ends, then the closure gets an
/// error, and nothing waits for ever.
#[test]
fn case_h07_a_closure_that_waits_for_an_ending_runtime_gets_an_error() {
    let (begin, begun) = mpsc::channel();
    let (tell, told) = mpsc::channel();
    within_bounds(async {
        let handle = Handle::current();
        spawn(async move {
            let closure = unblock(move || {
                begin.send(()).unwrap();
                tell.send(
                    handle
                        .block_on(pending::<()>())
                        .map_err(|error| (error.is_cancelled(), error.is_runtime_gone())),
                )
            });
            begun_by(closure, begun).await
        });
        sleep(MS).await;
    });
    let told = told.recv_timeout(patience(Duration::from_secs(10))).unwrap();
    assert!(matches!(told, Err((true, false) | (false, true))), "{told:?}");
}

async fn until(is_so: impl Fn() -> bool) {
    while !is_so() {
        sleep(MS).await;
    }
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
