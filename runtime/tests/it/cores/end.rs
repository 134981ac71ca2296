//! The end of a runtime of several cores, however it comes.

use std::future::pending;
use std::panic::catch_unwind;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use wakering_ring_driver::testing::{forked, in_child, patience, send};
use wakering_runtime::time::{Instant, sleep};
use wakering_runtime::{Builder, spawn_on};

use super::{Count, assert_threads, crowd, receive_nothing, threads};
use crate::{MS, OnDrop, bounded, message, parked};

/// Given tasks on all cores, some of which wait for tasks of others; when the runtime ends; then all
/// are dropped on their own threads, and the threads are gone.
#[test]
fn the_end_of_a_runtime_is_the_end_of_all_its_cores() {
    in_child("cores::end::the_end_of_a_runtime_is_the_end_of_all_its_cores", || {
        let before = threads();
        let dropped = Count::default();
        let runtime = crowd();
        for core in 0..3 {
            let handle = runtime.handle().of_core(core).unwrap();
            for next in 0..3 {
                let guard = dropped.guard();
                drop(handle.spawn_with(move || async move {
                    let home = thread::current().id();
                    let _here = OnDrop(Some(move || assert_eq!(thread::current().id(), home)));
                    let _guard = guard;
                    drop(spawn_on(next, receive_nothing).await);
                }));
            }
        }
        runtime.block_on(sleep(20 * MS));
        let handle = runtime.handle().of_core(1).unwrap();
        let begun = Instant::now();
        assert!(runtime.close().is_clean());
        assert!(begun.elapsed() < patience(Duration::from_secs(5)));
        assert_eq!(dropped.get(), 9);
        assert_threads(before);
        assert!(handle.spawn(async {}).is_finished(), "the runtime is gone");
        assert!(handle.tasks().is_empty());
        assert_eq!(handle.cpu_time(), Duration::ZERO);
    });
}

/// Given a runtime whose future panics; when it unwinds; then the other cores have ended.
#[test]
fn a_panic_on_the_first_core_ends_the_others() {
    in_child("cores::end::a_panic_on_the_first_core_ends_the_others", || {
        let before = threads();
        let run = || {
            Builder::new().crowded(3).run(async {
                drop(spawn_on(1, pending::<()>));
                sleep(MS).await;
                panic!("the end")
            })
        };
        let panic = catch_unwind(run).unwrap_err();
        assert_eq!(message(panic), "the end");
        assert_threads(before);
    });
}

/// Given a core whose loop panics because of foreign code; when others wait for its tasks; then they
/// are told, and the end of the runtime does not hang.
#[test]
fn a_core_whose_loop_panics_ends_alone() {
    struct Bad;
    impl std::task::Wake for Bad {
        fn wake(self: Arc<Self>) {
            panic!("a waker that panics");
        }
    }
    let runtime = crowd();
    runtime.block_on(bounded(async {
        let task = spawn_on(1, pending::<()>);
        let bad = spawn_on(1, || async {
            let mut sleep = std::pin::pin!(sleep(MS));
            let waker = std::task::Waker::from(Arc::new(Bad));
            let _ = sleep.as_mut().poll(&mut std::task::Context::from_waker(&waker));
            pending::<()>().await
        });
        let error = task.await.unwrap_err();
        assert!(error.is_cancelled() || error.is_runtime_gone(), "{error}");
        drop(bad);
        assert_eq!(spawn_on(2, || async { 42 }).await.unwrap(), 42, "the others go on");
    }));
    let report = runtime.close();
    assert!(report.is_clean(), "{report}");
}

/// Given a core that a task blocks; when the runtime ends; then it does not wait for ever, and names
/// that core.
#[test]
fn a_core_that_is_blocked_is_named_and_left_behind() {
    in_child("cores::end::a_core_that_is_blocked_is_named_and_left_behind", || {
        let runtime = Builder::new().crowded(3).grace(50 * MS).build().unwrap();
        let (keep, kept) = mpsc::channel::<()>();
        let (begun, has_begun) = mpsc::channel();
        drop(runtime.handle().of_core(2).unwrap().spawn_with(move || async move {
            begun.send(()).unwrap();
            // Until the end of the process.
            let _ = kept.recv();
        }));
        has_begun.recv().unwrap();
        let report = runtime.close();
        assert_eq!(report.stuck, [2]);
        assert!(report.to_string().contains("the thread of core 2 has not ended"), "{report}");
        drop(keep);
    });
}

/// Given a signal that cancels; when it comes while tasks run on other cores; then the future here is
/// given up, and the end of the runtime ends the others.
#[test]
fn a_signal_ends_all_cores() {
    in_child("cores::end::a_signal_ends_all_cores", || {
        let dropped = Count::default();
        let guard = dropped.guard();
        let signals = wakering_runtime::signal::shutdown();
        let outcome = Builder::new().crowded(3).cancel_on(signals).run(bounded(async move {
            drop(spawn_on(2, move || parked::<()>(guard)));
            sleep(5 * MS).await;
            let interrupt = wakering_runtime::signal::SignalKind::interrupt();
            send(interrupt, std::process::id());
            pending::<()>().await
        }));
        assert!(outcome.is_err());
        assert_eq!(dropped.get(), 1);
    });
}

/// Given a runtime on three cores with tasks on all of them; when a forked child drops its copy, and
/// begins anew; then nothing hangs there, and the parent goes on.
#[test]
fn a_forked_child_leaves_the_cores_of_its_parent_alone() {
    in_child("cores::end::a_forked_child_leaves_the_cores_of_its_parent_alone", || {
        let runtime = crowd();
        for core in 0..3 {
            drop(runtime.handle().of_core(core).unwrap().spawn_with(receive_nothing));
        }
        runtime.block_on(sleep(20 * MS));
        let handle = runtime.handle().of_core(2).unwrap();
        let mut copy = Some(runtime);
        let status = forked(|| {
            drop(copy.take());
            let own = Builder::new().crowded(2).build().unwrap();
            let answer = own.block_on(bounded(async { spawn_on(1, || async { 42 }).await }));
            assert_eq!(answer.unwrap(), 42);
            assert!(own.close().is_clean());
        });
        assert_eq!(status, 0);
        let runtime = copy.unwrap();
        assert_eq!(runtime.block_on(bounded(handle.spawn(async { 42 }))).unwrap(), 42);
        assert!(runtime.close().is_clean());
    });
}
