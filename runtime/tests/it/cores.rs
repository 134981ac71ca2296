//! Several cores: what is made over there runs there, and what ends it here has ended it there.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::future::{Future, pending};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use wakering_ring_driver::testing::{
    Limit, forked, in_child, limit, open_descriptors, patience, send,
};
use wakering_ring_driver::{Driver, Fd, SetupCause, Sharing, affinity, op};
use wakering_runtime::blocking::unblock;
use wakering_runtime::sync::{self, oneshot};
use wakering_runtime::task::{
    self, CancelToken, ChildError, ScopeError, group, shield, with_cleanup, yield_now,
};
use wakering_runtime::time::{Instant, sleep, timeout};
use wakering_runtime::{Builder, Cores, Handle, Runtime, spawn, spawn_on};

use crate::{OnDrop, bounded, message};

const MS: Duration = Duration::from_millis(1);

/// Three cores, whatever the machine has.
fn crowd() -> Runtime {
    Builder::new().crowded(3).build().expect("three rings can be had")
}

/// Runs a test on three cores, within half a minute.
fn on_cores<F: Future>(future: F) -> F::Output {
    let runtime = crowd();
    let output = runtime.block_on(bounded(Box::pin(future)));
    let report = runtime.close();
    assert!(report.is_clean(), "{report}");
    output
}

/// Counts, on whatever thread.
#[derive(Clone, Default)]
struct Count(Arc<AtomicUsize>);

impl Count {
    fn get(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }

    /// A value whose drop counts.
    fn guard(&self) -> OnDrop<impl FnOnce() + Send + use<>> {
        let count = self.clone();
        OnDrop(Some(move || {
            count.0.fetch_add(1, Ordering::SeqCst);
        }))
    }
}

/// Receives from a socket on which nothing comes: an operation that only the kernel can end.
async fn receive_nothing() -> Result<(), &'static str> {
    let (ours, _theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    let driver = Driver::current().unwrap();
    let fd = Fd::adopt(&driver, ours.into(), Sharing::Private).unwrap();
    let _ = op::recv(&fd, vec![0; 8]).await;
    Ok(())
}

/// How many threads this process has.
fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").unwrap().count()
}

/// What has been joined is listed for a moment longer.
#[track_caller]
fn assert_threads(expected: usize) {
    let end = Instant::now() + patience(Duration::from_secs(1));
    while threads() != expected && Instant::now() < end {
        thread::sleep(MS);
    }
    assert_eq!(threads(), expected, "all threads are joined");
}

/// Given three cores; when each makes a task; then each runs on a thread of its own with a name, with
/// a ring of its own, and knows which core it is.
#[test]
fn each_core_is_a_thread_with_a_name() {
    let here = thread::current().id();
    on_cores(async {
        let handle = Handle::current();
        assert_eq!((handle.cores(), handle.core()), (3, 0));
        let mut names = BTreeSet::new();
        for core in 0..3 {
            let (id, name, seen) = spawn_on(core, move || async move {
                let local = Rc::new(Cell::new(Handle::current().core()));
                yield_now().await;
                let thread = thread::current();
                (thread.id(), thread.name().map(str::to_owned), local.get())
            })
            .await
            .unwrap();
            assert_eq!(seen, core);
            assert_eq!(id == here, core == 0);
            names.extend(name.filter(|_| core > 0));
        }
        let expected = ["wakering-1", "wakering-2"].map(str::to_owned);
        assert_eq!(names, BTreeSet::from(expected));
        assert!(handle.of_core(3).is_none());
        let panic = catch_unwind(AssertUnwindSafe(|| spawn_on(3, || async {}))).unwrap_err();
        assert!(message(panic).contains("no core 3 in a runtime of 3"));
    });
}

/// Given a task on another core; when it sleeps, reads the clock, spawns beside it and panics; then
/// all of it happens there, and the panic comes out of the handle here.
#[test]
fn what_a_task_does_over_there_stays_there_and_what_it_comes_to_comes_back() {
    on_cores(async {
        let sum = spawn_on(2, || async {
            let inner = spawn(async {
                sleep(MS).await;
                Handle::current().core()
            });
            inner.await.unwrap() + 40
        });
        assert_eq!(sum.await.unwrap(), 42);
        let error = spawn_on(1, || async { panic!("over there") }).await.unwrap_err();
        assert!(error.is_panic(), "{error}");
        assert!(error.to_string().ends_with("panicked: over there"));
        let unmade = spawn_on(1, || -> std::future::Ready<()> { panic!("while it is made") });
        assert!(unmade.await.unwrap_err().is_panic());
    });
}

/// Given tasks on other cores with an operation in flight; when they are cancelled from here; then
/// the handle resolves when their futures are dropped and their operations have ended, not before.
#[test]
fn a_task_that_is_cancelled_from_another_core_is_over_when_its_handle_says_so() {
    on_cores(async {
        let dropped = Count::default();
        for round in 0..50 {
            let guard = dropped.guard();
            let (begun, has_begun) = oneshot::channel();
            let task = spawn_on(1, move || async move {
                let _guard = guard;
                let _ = begun.send(());
                receive_nothing().await
            });
            has_begun.await.unwrap();
            assert!(task.cancel() && !task.cancel());
            assert!(task.await.unwrap_err().is_cancelled());
            assert_eq!(dropped.get(), round + 1);
            let in_flight = spawn_on(1, || async {
                Driver::current()
                    .unwrap()
                    .flights()
                    .iter()
                    .filter(|f| f.operation == "recv")
                    .count()
            });
            assert_eq!(in_flight.await.unwrap(), 0, "what it left behind has ended");
        }
    });
}

/// Given a task on another core; when its handle is dropped; then the task goes on.
#[test]
fn a_task_goes_on_without_its_handle() {
    on_cores(async {
        let (tell, told) = oneshot::channel();
        drop(spawn_on(2, move || async move {
            sleep(MS).await;
            tell.send(42).unwrap();
        }));
        assert_eq!(told.await, Ok(42));
    });
}

/// Hard pattern 1: given children on all cores with operations in flight; when one of them fails;
/// then those of all cores are cancelled and drained before its error comes out.
#[test]
fn the_first_error_of_any_core_cancels_the_children_of_all() {
    on_cores(async {
        for failing in 0..3 {
            let dropped = Count::default();
            let began = Arc::new(AtomicUsize::new(0));
            let outcome = group(async |group| {
                for core in 0..3 {
                    let (guard, began) = (dropped.guard(), began.clone());
                    group.spawn_on(core, move || async move {
                        let _guard = guard;
                        began.fetch_add(1, Ordering::SeqCst);
                        receive_nothing().await
                    });
                }
                let began = began.clone();
                group.spawn_on(failing, move || async move {
                    while began.load(Ordering::SeqCst) < 3 {
                        sleep(MS).await;
                    }
                    Err::<(), _>("failed")
                });
                pending::<Result<(), &str>>().await
            });
            assert_eq!(outcome.await, Err(ScopeError { first: "failed", suppressed: vec![] }));
            assert_eq!(dropped.get(), 3, "no child outlives the group");
        }
    });
}

/// Hard pattern 2: given a group with children on other cores under a timeout; when it expires; then
/// by the time that it says so nothing of them runs or is in flight anywhere.
#[test]
fn a_timeout_waits_for_children_on_other_cores() {
    on_cores(async {
        let dropped = Count::default();
        let children = group(async |group| {
            for core in [1, 2, 1] {
                let guard = dropped.guard();
                group.spawn_on(core, move || async move {
                    let _guard = guard;
                    receive_nothing().await
                });
            }
            pending::<Result<(), &str>>().await
        });
        assert!(timeout(20 * MS, children).await.is_err());
        assert_eq!(dropped.get(), 3);
    });
}

/// Hard pattern 3: given a child on another core that cleans up with awaits, and one that commits
/// under a shield; when the group is cancelled; then it waits until both have done so.
#[test]
fn a_cleanup_and_a_shield_over_there_are_waited_for() {
    on_cores(async {
        let done = Arc::new(AtomicUsize::new(0));
        let outcome = group(async |group| {
            let (cleaned, committed) = (done.clone(), done.clone());
            let (begun, has_begun) = sync::channel(2);
            let other = begun.clone();
            group.spawn_on(1, move || async move {
                let body = async move {
                    begun.send(()).await.unwrap();
                    pending::<Result<(), &str>>().await
                };
                with_cleanup(body, async move |_| {
                    sleep(10 * MS).await;
                    cleaned.fetch_add(1, Ordering::SeqCst);
                })
                .await
            });
            group.spawn_on(2, move || async move {
                shield(async move {
                    other.send(()).await.unwrap();
                    sleep(10 * MS).await;
                    committed.fetch_add(1, Ordering::SeqCst);
                })
                .await;
                pending::<Result<(), &str>>().await
            });
            let mut has_begun = has_begun;
            has_begun.recv().await.unwrap();
            has_begun.recv().await.unwrap();
            group.cancel();
            Ok::<_, &str>(())
        });
        assert_eq!(outcome.await, Ok(()));
        assert_eq!(done.load(Ordering::SeqCst), 2);
    });
}

/// Hard pattern 4: given groups within groups, each child on the next core; when the outermost task
/// is cancelled; then all levels have ended, the innermost first.
#[test]
fn groups_within_groups_across_cores_end_from_the_inside() {
    async fn level(depth: usize, order: Arc<std::sync::Mutex<Vec<usize>>>) -> Result<(), String> {
        let own = order.clone();
        let _guard = OnDrop(Some(move || own.lock().unwrap().push(depth)));
        if depth == 5 {
            return pending().await;
        }
        let below = group(async |group| {
            let order = order.clone();
            let make = move || -> std::pin::Pin<Box<dyn Future<Output = Result<(), String>>>> {
                Box::pin(level(depth + 1, order))
            };
            group.spawn_on((depth + 1) % 3, make);
            pending::<Result<(), String>>().await
        });
        below.await.map_err(|error| error.to_string())
    }
    on_cores(async {
        let order = Arc::new(std::sync::Mutex::new(Vec::new()));
        let task = spawn(level(0, order.clone()));
        sleep(patience(50 * MS)).await;
        assert!(task.cancel());
        assert!(task.await.unwrap_err().is_cancelled());
        let mut ended = order.lock().unwrap().clone();
        ended.sort();
        assert_eq!(ended, [0, 1, 2, 3, 4, 5], "every level has ended before the handle resolves");
    });
}

/// Hard pattern 5: given a child on another core that returns just as it is cancelled; when that
/// happens many times; then it gives its value or was cancelled, nothing hangs, and each happens.
#[test]
fn a_value_and_a_cancellation_that_cross_end_in_one_of_them() {
    on_cores(async {
        let (mut values, mut cancelled) = (0, 0);
        let mut spins = 0u32;
        let until = Instant::now() + patience(Duration::from_secs(5));
        while (values < 20 || cancelled < 20) && Instant::now() < until {
            let outcome = group(async |group| {
                let (begun, has_begun) = oneshot::channel();
                let child = group.spawn_on(1, move || async move {
                    let _ = begun.send(());
                    yield_now().await;
                    Ok::<_, ()>(42)
                });
                let _ = has_begun.await;
                for _ in 0..spins {
                    std::hint::spin_loop();
                }
                group.cancel();
                Ok(child.await)
            });
            match outcome.await.unwrap() {
                Ok(value) => {
                    assert_eq!(value, 42);
                    values += 1;
                    spins = spins.saturating_sub(1 + spins / 2);
                }
                Err(error) => {
                    assert_eq!(error, ChildError::Cancelled);
                    cancelled += 1;
                    spins = (2 * spins + 50).min(1_000_000);
                }
            }
        }
        println!("{values} values, {cancelled} cancelled");
        assert!(values > 0 && cancelled > 0, "a race that never races");
    });
}

/// Given a child on another core; when it panics, or its drop does, then the panic comes out of the
/// group.
#[test]
fn a_panic_of_a_child_on_another_core_comes_out_of_the_group() {
    on_cores(async {
        let panics = AssertUnwindSafe(group(async |group| {
            group.spawn_on::<(), _>(1, || async { panic!("in its body") });
            pending::<Result<(), ()>>().await
        }));
        let panic = futures_util::FutureExt::catch_unwind(panics).await.unwrap_err();
        assert_eq!(message(panic), "in its body");

        let panics = AssertUnwindSafe(group(async |group| {
            let (begun, has_begun) = oneshot::channel();
            group.spawn_on(2, || async {
                let _bad = OnDrop(Some(|| panic!("in its drop")));
                begun.send(()).unwrap();
                pending::<Result<(), ()>>().await
            });
            has_begun.await.unwrap();
            group.cancel();
            Ok::<_, ()>(())
        }));
        let panic = futures_util::FutureExt::catch_unwind(panics).await.unwrap_err();
        assert_eq!(message(panic), "in its drop");
    });
}

/// Given a child on another core; when it is cancelled alone through its handle; then it is over
/// there when the handle says so, and group and siblings go on.
#[test]
fn a_child_on_another_core_is_cancelled_alone() {
    on_cores(async {
        let dropped = Count::default();
        let guard = dropped.guard();
        let outcome = group(async |group| {
            let child = group.spawn_on(1, move || async move {
                let _guard = guard;
                receive_nothing().await
            });
            let sibling = group.spawn_on(2, || async {
                sleep(20 * MS).await;
                Ok::<_, &str>(task::current().map(|task| task.id()))
            });
            sleep(5 * MS).await;
            assert!(child.cancel());
            assert_eq!(child.await, Err(ChildError::Cancelled));
            assert_eq!(dropped.get(), 1);
            let id = sibling.id();
            assert_eq!(sibling.await, Ok(Some(id)), "it is the same task on both sides");
            Ok(())
        });
        assert_eq!(outcome.await, Ok(()));
    });
}

/// Given a channel whose ends are on different cores; when many values are sent; then all arrive in
/// order.
#[test]
fn a_channel_between_cores_keeps_its_order() {
    on_cores(async {
        let (sender, mut receiver) = sync::channel(16);
        let received = spawn_on(2, move || async move {
            let mut received = Vec::new();
            while let Some(value) = receiver.recv().await {
                received.push(value);
            }
            received
        });
        let sent = spawn_on(1, move || async move {
            for value in 0..10_000u32 {
                sender.send(value).await.unwrap();
            }
        });
        sent.await.unwrap();
        assert_eq!(received.await.unwrap(), (0..10_000).collect::<Vec<_>>());
    });
}

/// Given tasks on all cores, some of which wait for tasks of others; when the runtime ends; then all
/// are dropped on their own threads, and the threads are gone.
#[test]
fn the_end_of_a_runtime_is_the_end_of_all_its_cores() {
    in_child("cores::the_end_of_a_runtime_is_the_end_of_all_its_cores", || {
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
    in_child("cores::a_panic_on_the_first_core_ends_the_others", || {
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
    in_child("cores::a_core_that_is_blocked_is_named_and_left_behind", || {
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

/// Given more cores than this process may use, or none; when a runtime is built; then the error says
/// how many there are.
#[test]
fn more_cores_than_there_are_is_an_error() {
    let available = thread::available_parallelism().unwrap().get();
    let error = Builder::new().cores(available + 1).build().unwrap_err();
    assert_eq!(error.cause(), SetupCause::Setting);
    assert_eq!(error.object(), format!("a runtime on {} cores", available + 1));
    assert!(error.evidence().contains(&format!("may use {available}")), "{error}");
    assert!(error.remedy().contains("Cores::All"), "{error}");
    let error = Builder::new().cores(0).build().unwrap_err();
    assert_eq!((error.cause(), error.object()), (SetupCause::Setting, "a runtime on 0 cores"));
}

/// Given descriptors for one ring; when three cores are asked for; then the error names a core, and
/// the threads that have started are gone.
#[test]
fn a_core_without_a_ring_is_named() {
    in_child("cores::a_core_without_a_ring_is_named", || {
        let before = threads();
        // What is made once and kept.
        drop(crowd());
        assert_threads(before);
        let open = open_descriptors().len() as u64;
        let mut failed = 0;
        for room in (1..=14).rev() {
            limit(Limit::OpenFiles, open + room);
            match Builder::new().crowded(3).build() {
                Ok(runtime) => drop(runtime),
                Err(error) => {
                    assert_eq!(error.cause(), SetupCause::OutOfDescriptors, "{error}");
                    failed += usize::from(error.object().contains(" for core "));
                }
            }
            assert_threads(before);
        }
        assert!(failed > 0, "none was refused on another core");
    });
}

/// Given two processors; when there is a core on each; then each thread is kept on its own, what it
/// starts is not, and afterwards the calling thread is free again.
#[test]
fn cores_are_kept_on_processors_of_their_own() {
    in_child("cores::cores_are_kept_on_processors_of_their_own", || {
        let all = affinity::allowed().unwrap();
        if thread::available_parallelism().unwrap().get() < 2 {
            return println!("one processor: nothing to keep apart");
        }
        let runtime = Builder::new().cores(2).build().unwrap();
        runtime.block_on(bounded(async {
            for (core, &processor) in all[..2].iter().enumerate() {
                let (own, pool) = spawn_on(core, || async {
                    let pool = unblock(|| affinity::allowed().unwrap()).await;
                    (affinity::allowed().unwrap(), pool)
                })
                .await
                .unwrap();
                assert_eq!(own, [processor]);
                assert_eq!(pool, all, "a thread of the pool goes where it likes");
            }
        }));
        assert!(runtime.close().is_clean());
        assert_eq!(affinity::allowed().unwrap(), all);
    });
}

/// Given a runtime on all cores, whatever their number; then it has as many as this process may use.
#[test]
fn all_cores_are_those_that_this_process_may_use() {
    let available = thread::available_parallelism().unwrap().get();
    let runtime = Builder::new().cores(Cores::All).build().unwrap();
    assert_eq!(runtime.handle().cores(), available);
}

/// Given a signal that cancels; when it comes while tasks run on other cores; then the future here is
/// given up, and the end of the runtime ends the others.
#[test]
fn a_signal_ends_all_cores() {
    in_child("cores::a_signal_ends_all_cores", || {
        let dropped = Count::default();
        let guard = dropped.guard();
        let signals = wakering_runtime::signal::shutdown();
        let outcome = Builder::new().crowded(3).cancel_on(signals).run(bounded(async move {
            drop(spawn_on(2, move || async move {
                let _guard = guard;
                pending::<()>().await
            }));
            sleep(5 * MS).await;
            let interrupt = wakering_runtime::signal::SignalKind::interrupt();
            send(interrupt, std::process::id());
            pending::<()>().await
        }));
        assert!(outcome.is_err());
        assert_eq!(dropped.get(), 1);
    });
}

/// Given a token that tasks of all cores wait for; when it is cancelled on one; then all are told.
#[test]
fn a_token_reaches_all_cores() {
    on_cores(async {
        let token = CancelToken::new();
        let told: Vec<_> = (0..3)
            .map(|core| {
                let token = token.clone();
                spawn_on(core, move || async move { token.cancelled().await })
            })
            .collect();
        let canceller = token.clone();
        spawn_on(2, move || async move { canceller.cancel() }).await.unwrap();
        for told in told {
            told.await.unwrap();
        }
    });
}

/// Given a runtime on three cores with tasks on all of them; when a forked child drops its copy, and
/// begins anew; then nothing hangs there, and the parent goes on.
#[test]
fn a_forked_child_leaves_the_cores_of_its_parent_alone() {
    in_child("cores::a_forked_child_leaves_the_cores_of_its_parent_alone", || {
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
