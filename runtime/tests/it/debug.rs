//! What debug mode tells, and what it does not.

use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use wakering_ring_driver::testing::{in_child, in_child_with};
use wakering_ring_driver::{Driver, Fd, Sharing, op};
use wakering_runtime::debug::Report;
use wakering_runtime::task::{self, yield_now};
use wakering_runtime::time::timeout;
use wakering_runtime::{Builder, Runtime, run, spawn};

use crate::bounded;

/// A runtime in debug mode, and what it has told.
fn watched(slow: Duration) -> (Runtime, Arc<Mutex<Vec<Report>>>) {
    let reports = Arc::new(Mutex::new(Vec::new()));
    let told = reports.clone();
    let builder = Builder::new().debug(true).slow_poll(slow);
    let builder = builder.on_report(move |report| told.lock().unwrap().push(report.clone()));
    (builder.build().unwrap(), reports)
}

/// A threshold that no poll reaches.
const NEVER: Duration = Duration::from_secs(3600);

/// Given a task that blocks for 300 ms, twice; when debug mode is asked for by the environment; then
/// one line on standard error names the task, its place and the time, and the quick one is not
/// named.
#[test]
fn d06_debug_mode_finds_a_block_of_300_ms() {
    let name = "debug::d06_debug_mode_finds_a_block_of_300_ms";
    let output = in_child_with(name, &[("WAKERING_DEBUG", "1")], || {
        run(bounded(async {
            let quick = task::Builder::new().name("quick").spawn(yield_now());
            let slow = task::Builder::new().name("blocker").spawn(async {
                for _ in 0..2 {
                    thread::sleep(Duration::from_millis(300));
                    yield_now().await;
                }
            });
            slow.await.unwrap();
            quick.await.unwrap();
        }));
    });
    let lines: Vec<_> = output.lines().filter(|line| line.contains("in one poll")).collect();
    assert_eq!(lines.len(), 1, "{output}");
    assert!(lines[0].contains("wakering: task "), "{output}");
    assert!(lines[0].contains("`blocker` (spawned at ") && lines[0].contains("debug.rs:"));
    let millis = lines[0].split("waiting for ").nth(1).and_then(|rest| rest.split('.').next());
    let millis: u64 = millis.and_then(|millis| millis.parse().ok()).expect("a number");
    assert!((300..900).contains(&millis), "{output}");
}

/// Given the same block; when nobody asks for debug mode; then nothing is told.
#[test]
fn without_debug_mode_nothing_is_told() {
    let name = "debug::without_debug_mode_nothing_is_told";
    let output = in_child_with(name, &[("WAKERING_DEBUG", "")], || {
        let runtime = Runtime::new().unwrap();
        runtime.block_on(bounded(async {
            spawn(async { thread::sleep(Duration::from_millis(120)) }).await.unwrap();
        }));
        assert_eq!(runtime.metrics().longest_poll, None);
        drop(runtime.spawn(async {}));
        drop(runtime);
    });
    assert!(!output.contains("wakering:"), "{output}");
}

/// Given main blocking twice and a task that does; when both are over the threshold; then each is
/// told once, main without a task, and the longest poll is known.
#[test]
fn a_slow_poll_is_told_once_for_each_task_and_for_main() {
    let slow = Duration::from_millis(20);
    let (runtime, reports) = watched(slow);
    runtime.block_on(bounded(async {
        for _ in 0..2 {
            spawn(async {
                for _ in 0..2 {
                    thread::sleep(Duration::from_millis(25));
                    yield_now().await;
                }
            })
            .await
            .unwrap();
            thread::sleep(Duration::from_millis(40));
            yield_now().await;
        }
    }));
    let reports = reports.lock().unwrap();
    let of_tasks = |is_task: bool| {
        let matching = |report: &&Report| match report {
            Report::SlowPoll { task, took, .. } => *took >= slow && task.is_some() == is_task,
            _ => false,
        };
        reports.iter().filter(matching).count()
    };
    assert_eq!((of_tasks(true), of_tasks(false)), (2, 1), "{reports:?}");
    assert!(runtime.metrics().longest_poll >= Some(Duration::from_millis(40)));
}

/// Given tasks that wait, that have ended and that were cancelled before their first turn; when the
/// runtime ends; then only the one that had no turn until then is told.
#[test]
fn a_task_that_was_never_polled_is_told_at_the_end() {
    let (runtime, reports) = watched(NEVER);
    let id = runtime.block_on(bounded(async {
        let cancelled = spawn(async {});
        cancelled.cancel();
        assert!(cancelled.await.is_err());
        spawn(std::future::pending::<()>());
        yield_now().await;
        spawn(async {}).id()
    }));
    assert!(runtime.close().is_clean());
    let reports = reports.lock().unwrap();
    match &reports[..] {
        [Report::NeverPolled { task, .. }] => assert_eq!(task.id(), id),
        other => panic!("{other:?}"),
    }
}

/// Given a task that reads and one that had; when the descriptors are closed by somebody else; then
/// the one that still awaited its read is told, with the descriptor.
#[test]
fn a_descriptor_closed_under_a_reader_is_told() {
    let (runtime, reports) = watched(NEVER);
    let number = runtime.block_on(bounded(async {
        let driver = Driver::current().unwrap();
        let (ours, _theirs) = UnixStream::pair().unwrap();
        let fd = Fd::adopt(&driver, ours.into(), Sharing::Private).unwrap();
        let reader = fd.clone();
        let task = task::Builder::new()
            .name("reader")
            .spawn(async move { op::recv(&reader, vec![0; 8]).await.map(|_| ()).map_err(|_| ()) });
        while driver.flights().is_empty() {
            yield_now().await;
        }
        let number = fd.os_number();
        fd.close().await.unwrap();
        assert_eq!(task.await.unwrap(), Err(()));
        number
    }));
    let reports = reports.lock().unwrap();
    match &reports[..] {
        [Report::ClosedInUse { descriptor, operation: "recv", task: Some(task), .. }] => {
            assert_eq!((Some(*descriptor), task.name()), (number, Some("reader")));
        }
        other => panic!("{other:?}"),
    }
}

/// Given a descriptor that lives longer than its runtime; when the runtime ends; then it is told;
/// and one that does not is not.
#[test]
fn descriptors_that_outlive_the_runtime_are_told() {
    for outlives in [true, false] {
        let (runtime, reports) = watched(NEVER);
        let kept = runtime.block_on(bounded(async {
            let driver = Driver::current().unwrap();
            let (ours, _theirs) = UnixStream::pair().unwrap();
            let fd = Fd::adopt(&driver, ours.into(), Sharing::Private).unwrap();
            outlives.then_some(fd)
        }));
        let number = kept.as_ref().and_then(Fd::os_number);
        drop(runtime);
        let reports = reports.lock().unwrap();
        match (&reports[..], number) {
            ([Report::StillOpen { descriptors, .. }], Some(number)) => {
                assert_eq!(descriptors[..], [number]);
            }
            ([], None) => {}
            other => panic!("{other:?}"),
        }
    }
}

/// Given a cleanup that waits for a peer for ever; when its grace is over; then it is told with its
/// operation, also without debug mode.
#[test]
fn a_cleanup_that_is_cut_is_told_with_what_it_waited_for() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let log = told.clone();
    let builder = Builder::new().grace(Duration::from_millis(30)).debug(false);
    let hook = move |report: &Report| log.lock().unwrap().push(report.to_string());
    let runtime = builder.on_report(hook).build().unwrap();
    let number = runtime.block_on(bounded(async {
        let driver = Driver::current().unwrap();
        let (ours, _theirs) = UnixStream::pair().unwrap();
        let fd = Fd::adopt(&driver, ours.into(), Sharing::Private).unwrap();
        let number = fd.os_number().unwrap();
        let body = task::with_cleanup(std::future::pending::<()>(), async move |_| {
            let _ = op::recv(&fd, vec![0; 8]).await;
        });
        assert!(timeout(Duration::from_millis(1), body).await.is_err());
        number
    }));
    let told = told.lock().unwrap();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].starts_with("a cleanup was ended that took longer than 30ms"), "{told:?}");
    assert!(told[0].contains(&format!("recv fd {number} for 0.")), "{told:?}");
}

/// Given a hook that panics; when it is told of something; then nobody notices.
#[test]
fn a_hook_that_panics_is_not_heard() {
    let builder = Builder::new().debug(true).slow_poll(Duration::ZERO);
    let runtime = builder.on_report(|_| panic!("in the hook")).build().unwrap();
    let answer = runtime.block_on(bounded(async { spawn(async { 42 }).await.unwrap() }));
    assert_eq!(answer, 42);
}

/// Given a background task that fails; when nobody said who is told; then it is one line on
/// standard error, also without debug mode.
#[test]
fn the_error_of_a_background_task_is_told() {
    let name = "debug::the_error_of_a_background_task_is_told";
    let output = in_child(name, || {
        run(bounded(async {
            task::background(async { Err("no luck") });
            task::background(async { Ok::<_, String>(()) });
            yield_now().await;
        }));
    });
    let lines: Vec<_> = output.lines().filter(|line| line.contains("failed: ")).collect();
    assert_eq!(lines.len(), 1, "{output}");
    assert!(lines[0].contains("debug.rs:") && lines[0].contains("failed: no luck; nobody awaits"));
}
