//! What a panic takes down, and what not.

use std::cell::Cell;
use std::future::{Future, pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use wakering_ring_driver::Driver;
use wakering_runtime::task::{Builder as TaskBuilder, yield_now};
use wakering_runtime::time::timeout;
use wakering_runtime::{Builder, Runtime, spawn};

use crate::{Witness, bounded, message, receive, runtime, within_bounds};

const HOUR: Duration = Duration::from_secs(3600);

type Reports = Arc<Mutex<Vec<String>>>;

/// A runtime that writes down which panics it was told of.
fn reporting() -> (Runtime, Reports) {
    let reports = Reports::default();
    let told = reports.clone();
    let hook = move |error: &wakering_runtime::task::JoinError| {
        told.lock().unwrap().push(error.to_string());
    };
    (Builder::new().on_unhandled(hook).build().unwrap(), reports)
}

/// Given a task that panics, when it is joined, then the error has its payload and names the task,
/// and the runtime and the other tasks live on.
#[test]
fn case_t04_a_panic_ends_its_task_alone_and_comes_out_of_the_handle() {
    within_bounds(async {
        let bystander = spawn(async {
            yield_now().await;
            "alive"
        });
        let careless = TaskBuilder::new().name("careless").spawn(async {
            yield_now().await;
            panic_any(7u8)
        });
        let error = careless.await.unwrap_err();
        assert!(error.is_panic() && !error.is_cancelled() && !error.is_runtime_gone());
        assert_eq!(error.task().name(), Some("careless"));
        assert!(error.to_string().contains("`careless`"));
        assert_eq!(*error.into_panic().unwrap().downcast::<u8>().unwrap(), 7);
        assert_eq!(bystander.await.unwrap(), "alive");
    });
}

#[test]
fn a_panic_drops_the_future_and_what_it_captured() {
    let witness = Witness::default();
    let (guard, other) = (witness.guard(), witness.guard());
    within_bounds(async {
        let task = spawn(async move {
            let _guard = guard;
            let _captured = &other;
            yield_now().await;
            panic!("out");
        });
        assert!(task.await.unwrap_err().is_panic());
        assert_eq!(witness.drops(), 2);
    });
}

#[test]
fn a_panic_of_a_detached_task_is_reported_once_and_one_that_was_joined_never() {
    let (runtime, reports) = reporting();
    runtime.block_on(async {
        drop(TaskBuilder::new().name("unseen").spawn(async { panic!("first") }));
        yield_now().await;
        assert!(spawn(async { panic!("joined") }).await.is_err());
        let ignored = spawn(async { panic!("never asked for") });
        yield_now().await;
        assert!(ignored.is_finished());
        drop(ignored);
        let cancelled = spawn(pending::<()>());
        cancelled.cancel();
        drop(cancelled);
        yield_now().await;
    });
    drop(runtime);
    let reports = reports.lock().unwrap();
    assert_eq!(reports.len(), 2, "{reports:?}");
    assert!(reports[0].contains("`unseen`") && reports[0].contains(file!()));
    assert!(reports[0].ends_with("panicked: first"));
    assert!(reports[1].ends_with("panicked: never asked for"));
}

#[test]
fn an_output_that_panics_while_it_is_dropped_is_reported_too() {
    struct Fails;
    impl Drop for Fails {
        fn drop(&mut self) {
            panic!("unwanted");
        }
    }
    let (runtime, reports) = reporting();
    runtime.block_on(async {
        drop(spawn(async { Fails }));
        yield_now().await;
        let finished = spawn(async { Fails });
        yield_now().await;
        drop(finished);
    });
    assert_eq!(reports.lock().unwrap().len(), 2);
    assert_eq!(runtime.block_on(async { 42 }), 42);
}

#[test]
fn a_hook_that_panics_itself_does_no_harm() {
    let runtime = Builder::new().on_unhandled(|_| panic!("the hook too")).build().unwrap();
    runtime.block_on(async {
        drop(spawn(async { panic!("first") }));
        yield_now().await;
    });
    assert_eq!(runtime.block_on(async { spawn(async { 42 }).await.unwrap() }), 42);
}

#[test]
fn a_panic_while_a_cancelled_future_is_dropped_comes_out_of_the_handle() {
    struct Fails;
    impl Drop for Fails {
        fn drop(&mut self) {
            panic!("cleanup failed");
        }
    }
    let runtime = runtime();
    let error = runtime.block_on(async {
        let task = spawn(async {
            let _fails = Fails;
            pending::<()>().await
        });
        yield_now().await;
        assert!(task.cancel());
        task.await.unwrap_err()
    });
    assert!(error.is_panic());
    assert!(error.to_string().ends_with("panicked: cleanup failed"));
}

/// Given a future that panics while it is dropped, whose output does so too, with a payload that
/// does so again; when it is ready; then it was dropped once, the first panic comes out of the
/// handle, and the runtime lives on.
#[test]
fn a_future_is_dropped_once_whatever_panics_after_it() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("third");
        }
    }
    struct Output;
    impl Drop for Output {
        fn drop(&mut self) {
            panic_any(Bomb);
        }
    }
    struct Fails(Witness);
    impl Future for Fails {
        type Output = Output;

        fn poll(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<Output> {
            Poll::Ready(Output)
        }
    }
    impl Drop for Fails {
        fn drop(&mut self) {
            drop(self.0.guard());
            panic!("first");
        }
    }
    let witness = Witness::default();
    let runtime = runtime();
    let task = runtime.spawn(Fails(witness.clone()));
    let ended = catch_unwind(AssertUnwindSafe(|| runtime.block_on(yield_now())));
    drop(runtime);
    assert_eq!(witness.drops(), 1);
    assert!(ended.is_ok(), "the loop goes on");
    let error = wakering_runtime::run(task).err().unwrap();
    assert!(error.to_string().ends_with("panicked: first"));
}

/// A waker that panics.
struct Fails;

impl Wake for Fails {
    fn wake(self: Arc<Self>) {
        panic!("woken");
    }
}

/// Given a task that has given a part of itself away, which a foreign waker waits for that panics;
/// when the task ends, and is woken once more; then it is over, and not polled again.
#[test]
fn a_waker_that_panics_as_a_task_winds_up_does_not_bring_the_task_back() {
    let (driver, memory) = Driver::memory().unwrap();
    let runtime = Builder::new().build_on(driver);
    let (given, own) = (Rc::new(Cell::new(None)), Rc::new(Cell::new(None)));
    let (give, keep) = (given.clone(), own.clone());
    let task = runtime.spawn(async move {
        let mut part = Box::pin(timeout(HOUR, async move { receive(&memory).await }));
        let waker = Waker::from(Arc::new(Fails));
        assert!(part.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        give.set(Some(part));
        poll_fn(|cx| {
            keep.set(Some(cx.waker().clone()));
            Poll::Ready(())
        })
        .await;
        7
    });
    let panic = catch_unwind(AssertUnwindSafe(|| runtime.block_on(yield_now()))).unwrap_err();
    assert_eq!(message(panic), "woken");
    own.take().unwrap().wake();
    assert_eq!(runtime.block_on(bounded(task)).unwrap(), 7);
    drop(given);
}

/// Given a task that is awaited by a foreign waker that panics; when it ends; then the panic is
/// reported, and the callbacks are called and the output is there all the same.
#[test]
fn a_waker_of_the_handle_that_panics_does_no_harm() {
    let (runtime, reports) = reporting();
    let mut task = runtime.spawn(async { 7 });
    let waker = Waker::from(Arc::new(Fails));
    assert!(Pin::new(&mut task).poll(&mut Context::from_waker(&waker)).is_pending());
    let called = Arc::new(AtomicBool::new(false));
    let tell = called.clone();
    task.on_done(move |_| tell.store(true, Ordering::Relaxed));
    runtime.block_on(bounded(async {
        while !called.load(Ordering::Relaxed) {
            yield_now().await;
        }
    }));
    assert_eq!(runtime.block_on(task).unwrap(), 7);
    let reports = reports.lock().unwrap();
    assert_eq!(reports.len(), 1, "{reports:?}");
    assert!(reports[0].ends_with("panicked: woken"));
}
