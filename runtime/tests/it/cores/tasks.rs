//! Tasks on other cores, and what goes to and fro.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::thread;

use wakering_ring_driver::Driver;
use wakering_runtime::sync::{self, oneshot};
use wakering_runtime::task::{CancelToken, yield_now};
use wakering_runtime::time::sleep;
use wakering_runtime::{Handle, spawn, spawn_on};

use super::{Count, on_cores, receive_nothing};
use crate::{MS, message};

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
