//! Entering, leaving and ending a runtime.

use std::cell::{Cell, RefCell};
use std::future::{Future, pending};
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use wakering_ring_driver::testing::{
    CheckingBuf, forbid_io_uring, in_child, in_child_with, patience,
};
use wakering_ring_driver::{Driver, Fd, Sharing, op};
use wakering_runtime::task::{self, yield_now};
use wakering_runtime::time::{Instant, sleep, timeout};
use wakering_runtime::{Builder, Handle, Runtime, run, spawn};

use crate::{OnDrop, Witness, message, parked, runtime, within_bounds};

/// Given a future, when it returns 42, an error, or panics, then just that comes out of `run`.
#[test]
fn case_r01_what_the_future_comes_to_is_what_run_comes_to() {
    assert_eq!(run(async { 42 }), 42);
    assert_eq!(run(async { Err::<(), _>("as it is") }), Err("as it is"));
    let panic = catch_unwind(|| run(async { panic_any(7u8) })).unwrap_err();
    assert_eq!(*panic.downcast::<u8>().unwrap(), 7);
}

/// Given a runtime that is running, when somebody starts or blocks on another one inside it, or inside
/// one of its tasks, then that fails at once and the one outside goes on.
#[test]
fn case_r02_a_runtime_inside_a_runtime_is_refused_and_the_outer_one_goes_on() {
    fn refused(other: &Runtime) {
        let attempts: [(&str, &dyn Fn()); 3] = [
            ("`run`", &|| run(async {})),
            ("`Runtime::block_on`", &|| other.block_on(async {})),
            ("`Handle::block_on`", &|| Handle::current().block_on(async {}).unwrap()),
        ];
        for (name, attempt) in attempts {
            let polled = Cell::new(false);
            let panic = catch_unwind(AssertUnwindSafe(|| {
                attempt();
                polled.set(true);
            }));
            let message = message(panic.unwrap_err());
            assert!(!polled.get());
            assert!(message.contains(name) && message.contains("running tasks"), "{message}");
            assert!(message.contains("`spawn` it"), "it says what to do: {message}");
        }
    }
    let other = Rc::new(runtime());
    within_bounds(async {
        let background = spawn(sleep(Duration::from_millis(5)));
        refused(&other);
        let inner = other.clone();
        spawn(async move { refused(&inner) }).await.unwrap();
        background.await.unwrap();
    });
    assert_eq!(other.block_on(async { 42 }), 42);
}

/// Given a task that sleeps on and one that has a receive in the kernel, when the main future
/// returns, then both are dropped and the kernel is done with the buffer before `run` returns.
#[test]
fn case_r03_left_over_tasks_are_cancelled_and_awaited() {
    type RunAll = fn(Pin<Box<dyn Future<Output = ()>>>);
    let run_all: [RunAll; 2] = [
        |future| within_bounds(future),
        |future| {
            let runtime = runtime();
            runtime.block_on(future);
            let report = runtime.close();
            assert!(report.is_clean(), "{report}");
        },
    ];
    for run in run_all {
        let witness = Witness::default();
        let (guard, other_guard) = (witness.guard(), witness.guard());
        let (near, mut far) = UnixStream::pair().unwrap();
        let (buf, lent) = CheckingBuf::new(64);
        run(Box::pin(async move {
            spawn(async move {
                let _guard = guard;
                sleep(Duration::MAX).await;
            });
            spawn(async move {
                let _guard = other_guard;
                let driver = Driver::current().unwrap();
                let fd = Fd::adopt(&driver, near.into(), Sharing::Private).unwrap();
                let _ = op::recv(&fd, buf).await;
                unreachable!("nothing was sent");
            });
            sleep(Duration::from_millis(1)).await;
        }));
        assert_eq!(witness.drops(), 2, "run returned before its tasks were over");
        assert!(lent.is_dropped(), "run returned before the kernel had given the buffer back");
        let _ = far.write_all(b"too late");
        lent.assert_untouched();
    }
}

/// Given a left-over task whose cleanup panics, when the main future returns, then its value is
/// kept and the panic is reported once.
#[test]
fn case_r04_a_failing_cleanup_is_reported_once_and_the_value_is_kept() {
    struct Fails;
    impl Drop for Fails {
        fn drop(&mut self) {
            panic!("cleanup failed");
        }
    }
    let reports = Arc::new(Mutex::new(Vec::new()));
    let told = reports.clone();
    let runtime = Builder::new()
        .on_unhandled(move |error| told.lock().unwrap().push(error.to_string()))
        .build()
        .unwrap();
    let value = runtime.block_on(async {
        task::Builder::new().name("untidy").spawn(async {
            let _fails = Fails;
            pending::<()>().await
        });
        yield_now().await;
        42
    });
    assert!(runtime.close().is_clean());
    assert_eq!(value, 42);
    let reports = reports.lock().unwrap();
    assert_eq!(reports.len(), 1, "{reports:?}");
    assert!(reports[0].contains("`untidy`") && reports[0].ends_with("cleanup failed"));
}

#[test]
fn tasks_that_are_left_over_live_on_with_the_next_block_on() {
    let runtime = runtime();
    let steps = Rc::new(Cell::new(0));
    let inner = steps.clone();
    let task = runtime.spawn(async move {
        for step in 1..=3 {
            inner.set(step);
            yield_now().await;
        }
    });
    runtime.block_on(yield_now());
    assert_eq!(steps.get(), 1);
    runtime.block_on(async {});
    assert!(steps.get() < 3, "it runs while somebody blocks only");
    runtime.block_on(task).unwrap();
    assert_eq!(steps.get(), 3);
}

#[test]
fn a_future_that_panics_while_it_is_dropped_is_dropped_once() {
    struct Fails(Rc<Cell<u32>>);
    impl Drop for Fails {
        fn drop(&mut self) {
            self.0.update(|drops| drops + 1);
            panic!("dropping it failed");
        }
    }
    impl Future for Fails {
        type Output = u32;
        fn poll(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<u32> {
            std::task::Poll::Ready(42)
        }
    }
    let runtime = runtime();
    let drops = Rc::new(Cell::new(0));
    let future = Fails(drops.clone());
    let panic = catch_unwind(AssertUnwindSafe(|| runtime.block_on(future))).unwrap_err();
    assert_eq!(message(panic), "dropping it failed");
    assert_eq!(drops.get(), 1);
    assert_eq!(runtime.block_on(async { 42 }), 42, "the runtime goes on");

    let expired = Fails(drops.clone());
    let panic = catch_unwind(AssertUnwindSafe(|| {
        runtime.block_on(async {
            let never = async {
                let _expired = expired;
                pending::<()>().await
            };
            timeout(Duration::from_millis(1), never).await
        })
    }));
    assert_eq!(message(panic.unwrap_err()), "dropping it failed");
    assert_eq!(drops.get(), 2);
}

#[test]
fn a_panic_of_the_main_future_leaves_no_task_behind() {
    let witness = Witness::default();
    let guard = witness.guard();
    let panic = catch_unwind(AssertUnwindSafe(|| {
        run(async move {
            spawn(parked::<()>(guard));
            yield_now().await;
            panic!("main is out")
        })
    }));
    assert_eq!(message(panic.unwrap_err()), "main is out");
    assert_eq!(witness.drops(), 1);
}

#[test]
fn tasks_that_panic_while_their_runtime_is_dropped_by_a_panic_do_not_abort() {
    struct Fails;
    impl Drop for Fails {
        fn drop(&mut self) {
            panic!("cleanup failed");
        }
    }
    let panic = catch_unwind(|| {
        let runtime = Builder::new().on_unhandled(|_| {}).build().unwrap();
        runtime.spawn(async {
            let _fails = Fails;
            pending::<()>().await
        });
        runtime.block_on(yield_now());
        panic!("out of here")
    });
    assert_eq!(message(panic.map(|never: ()| never).unwrap_err()), "out of here");
}

#[test]
fn a_builder_goes_to_the_thread_where_its_runtime_lives() {
    let builder = Builder::new().entries(8).grace(Duration::from_secs(1));
    let answer = thread::spawn(move || builder.build().unwrap().block_on(async { 42 }));
    assert_eq!(answer.join().unwrap(), 42);
}

#[test]
fn what_block_on_leaves_in_the_kernel_has_ended_when_it_returns() {
    let runtime = runtime();
    let (near, _far) = UnixStream::pair().unwrap();
    let (buf, lent) = CheckingBuf::new(64);
    runtime.block_on(async {
        let driver = Driver::current().unwrap();
        let poll = op::poll(near, op::Interest::READABLE);
        let expired = timeout(Duration::ZERO, poll).await;
        assert!(expired.is_err());
        assert_eq!(driver.counters().in_flight, 0, "the timeout has waited for the kernel");
        let (near, _far) = UnixStream::pair().unwrap();
        let fd = Fd::adopt(&driver, near.into(), Sharing::Private).unwrap();
        let mut abandoned = std::pin::pin!(op::recv(&fd, buf));
        assert!(futures_util::poll!(abandoned.as_mut()).is_pending());
    });
    assert_eq!(runtime.metrics().driver.in_flight, 0);
    assert!(lent.is_dropped());
}

#[test]
fn a_report_names_the_tasks_that_did_not_end_in_time() {
    let (driver, memory) = Driver::memory().unwrap();
    memory.set_cancel_wins(false);
    let grace = Duration::from_millis(20);
    let runtime = Builder::new().grace(grace).build_on(driver.clone());
    let fd = memory.descriptor(&driver);
    let witness = Witness::default();
    let guard = witness.guard();
    let (buf, lent) = CheckingBuf::new(8);
    let start = Instant::now();
    let mut task = None;
    runtime.block_on(async {
        task = Some(task::Builder::new().name("stuck").spawn(async move {
            let _guard = guard;
            let _ = op::read_at(&fd, buf, 0).await;
        }));
        yield_now().await;
    });
    let report = runtime.close();
    assert!(start.elapsed() >= grace);
    assert_eq!(witness.drops(), 1);
    assert!(task.is_some_and(|task| task.is_finished()));
    assert!(!report.is_clean());
    assert_eq!(report.abandoned.len(), 1);
    let stuck = &report.abandoned[0];
    assert_eq!(stuck.task().and_then(|task| task.name()), Some("stuck"));
    assert!(report.to_string().contains(": read fd "), "{report}");
    assert_eq!(report.leaked_operations, 1);
    assert!(!lent.is_dropped(), "what the kernel may still write to is never freed");
}

#[test]
fn what_a_task_spawns_while_the_runtime_ends_is_cancelled_before_it_begins() {
    struct Respawns(Rc<RefCell<Vec<&'static str>>>, Option<mpsc::Sender<bool>>);
    impl Drop for Respawns {
        fn drop(&mut self) {
            self.0.borrow_mut().push("dropped");
            let log = self.0.clone();
            let late = spawn(async move { log.borrow_mut().push("begun") });
            if let Some(sender) = self.1.take() {
                spawn(async move { sender.send(late.await.is_err()).unwrap() });
            }
        }
    }
    let log = Rc::new(RefCell::new(Vec::new()));
    let respawns = Respawns(log.clone(), None);
    run(async move {
        spawn(parked::<()>(respawns));
        yield_now().await;
    });
    assert_eq!(*log.borrow(), ["dropped"]);
}

#[test]
fn a_runtime_may_be_dropped_inside_another_one() {
    within_bounds(async {
        let inner = runtime();
        let witness = Witness::default();
        let task = inner.spawn(parked::<()>(witness.guard()));
        drop(inner);
        assert_eq!(witness.drops(), 1);
        assert!(task.await.unwrap_err().is_cancelled());
        sleep(Duration::from_millis(1)).await;
        assert!(Handle::try_current().is_some(), "the outer runtime is the current one again");
    });
}

/// Given a runtime in a variable of a thread, the first that it used; when the
/// thread ends; then the runtime ends in good order, although the thread has little else left.
#[test]
fn a_runtime_of_a_thread_ends_with_the_thread() {
    thread_local!(static KEPT: RefCell<Option<Runtime>> = const { RefCell::new(None) });
    in_child("run::a_runtime_of_a_thread_ends_with_the_thread", || {
        let (dropped, told) = mpsc::channel();
        let thread = thread::spawn(move || {
            // What is used first is dropped last.
            KEPT.with(|kept| assert!(kept.borrow().is_none()));
            let runtime = runtime();
            runtime.spawn(async move {
                let _guard = OnDrop(Some(move || dropped.send("in good order").unwrap()));
                pending::<()>().await
            });
            runtime.block_on(yield_now());
            KEPT.set(Some(runtime));
        });
        thread.join().unwrap();
        assert_eq!(told.try_recv(), Ok("in good order"));
    });
}

/// Given a sandbox that refuses io_uring; when a ring is asked for by name; then the error says
/// why there is none. When nobody asks for one; then programs run all the same.
#[test]
fn a_machine_without_a_ring_refuses_one_and_runs_without() {
    const EPERM: i32 = 1;
    let any_backend = [("WAKERING_BACKEND", "auto")];
    in_child_with(
        "run::a_machine_without_a_ring_refuses_one_and_runs_without",
        &any_backend,
        || {
            forbid_io_uring(EPERM);
            let asked = wakering_runtime::Backend::Uring;
            let error = Builder::new().backend(asked).build().unwrap_err();
            assert_eq!(error.errno(), Some(EPERM), "{error}");
            let backend = run(async {
                sleep(Duration::from_millis(1)).await;
                Driver::current().unwrap().backend()
            });
            assert_eq!(backend, "poll");
        },
    );
}

/// Given a setting that means nothing; when `run` is called; then it panics with the text of the
/// error, which quotes it.
#[test]
fn run_panics_with_the_text_of_the_error() {
    let setting = [("WAKERING_BACKEND", "kqueue")];
    in_child_with("run::run_panics_with_the_text_of_the_error", &setting, || {
        let error = Builder::new().build().unwrap_err();
        let panic = catch_unwind(|| run(async {})).unwrap_err();
        let text = message(panic);
        assert!(text.contains(&error.to_string()) && text.contains("=kqueue"), "{text}");
    });
}

#[test]
fn a_runtime_gives_back_the_descriptors_and_threads_that_it_took() {
    fn entries(of: &str) -> usize {
        std::fs::read_dir(format!("/proc/self/{of}")).unwrap().count()
    }
    in_child("run::a_runtime_gives_back_the_descriptors_and_threads_that_it_took", || {
        let before = (entries("fd"), entries("task"));
        for _ in 0..3 {
            let (near, far) = UnixStream::pair().unwrap();
            run(async move {
                let _far = far;
                let driver = Driver::current().unwrap();
                let fd = Fd::adopt(&driver, near.into(), Sharing::Private).unwrap();
                spawn(async move { op::recv(&fd, vec![0; 8]).await.is_ok() });
                wakering_runtime::blocking::unblock(|| thread::sleep(Duration::from_millis(1)))
                    .await;
            });
            assert_eq!(entries("fd"), before.0);
            // Threads that were joined have ended, and are listed until the kernel has buried them.
            let end = Instant::now() + patience(Duration::from_secs(1));
            while entries("task") != before.1 {
                assert!(Instant::now() < end, "{} threads, not {}", entries("task"), before.1);
                thread::sleep(Duration::from_millis(1));
            }
        }
    });
}

#[test]
fn a_grace_may_be_none_or_endless() {
    for grace in [Duration::ZERO, Duration::MAX] {
        let runtime = Builder::new().grace(grace).build().unwrap();
        let task = runtime.spawn(pending::<()>());
        runtime.block_on(yield_now());
        assert!(runtime.close().is_clean());
        assert!(task.is_finished());
    }
}

#[test]
fn futures_that_are_never_ready_do_not_keep_a_runtime_from_ending() {
    let runtime: Runtime = runtime();
    let woken: Vec<_> = (0..100).map(|_| runtime.spawn(pending::<()>())).collect();
    runtime.block_on(yield_now());
    assert_eq!(runtime.metrics().tasks, 100);
    assert!(runtime.close().is_clean());
    assert!(woken.iter().all(|task| task.is_finished()));
}

/// Given very many tasks that wait for ever; when their runtime ends and gives them no time; then that
/// is soon.
#[test]
fn many_tasks_are_given_up_soon() {
    let runtime = Builder::new().grace(Duration::ZERO).build().unwrap();
    runtime.block_on(async {
        for _ in 0..100_000 {
            drop(spawn(pending::<()>()));
        }
        yield_now().await;
    });
    let begun = Instant::now();
    drop(runtime);
    assert!(begun.elapsed() < patience(Duration::from_secs(10)), "{:?}", begun.elapsed());
}
