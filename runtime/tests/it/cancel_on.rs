//! Signals that cancel what a runtime blocks on.

use std::any::Any;
use std::cell::Cell;
use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use wakering_ring_driver::SetupCause;
use wakering_ring_driver::testing::{in_child, is_caught, send, send_to_thread, this_thread};
use wakering_runtime::signal::{Cancelled, SignalKind, shutdown, signals};
use wakering_runtime::time::sleep;
use wakering_runtime::{Builder, Runtime, spawn};

use crate::{Witness, message, parked};

const TERMINATE: SignalKind = SignalKind::terminate();

/// A runtime that Ctrl-C and SIGTERM cancel.
fn runtime() -> Runtime {
    Builder::new().cancel_on(shutdown()).build().unwrap()
}

/// Says something when it is dropped.
struct Says(&'static str);

impl Drop for Says {
    fn drop(&mut self) {
        println!("{}", self.0);
    }
}

/// Given a program with two tasks that are in the midst of something, when SIGTERM comes, then it
/// says so, cancels them, each cleans up, and the program exits with 0.
#[test]
fn case_e33_sigterm_ends_the_program_gracefully() {
    let name = "cancel_on::case_e33_sigterm_ends_the_program_gracefully";
    let output = in_child(name, || {
        let runtime = runtime();
        let ended = runtime.try_block_on(async {
            let _main = Says("main has cleaned up");
            for cleanup in ["the first has cleaned up", "the second has cleaned up"] {
                spawn(async move {
                    let _cleanup = Says(cleanup);
                    pending::<()>().await
                });
            }
            thread::spawn(|| {
                thread::sleep(Duration::from_millis(10));
                send(TERMINATE, std::process::id());
            });
            sleep(Duration::from_secs(600)).await;
        });
        if let Err(cancelled) = ended {
            println!("Received exit signal {}", cancelled.signal());
            println!("Cancelling {} outstanding tasks", runtime.metrics().tasks);
        }
        assert!(runtime.close().is_clean());
        println!("the end");
    });
    let mut rest = output.as_str();
    for line in [
        "main has cleaned up",
        "Received exit signal SIGTERM",
        "Cancelling 2 outstanding tasks",
        "the first has cleaned up",
        "the second has cleaned up",
        "the end",
    ] {
        let at = rest.find(line).unwrap_or_else(|| panic!("`{line}` in its turn: {output}"));
        rest = &rest[at + line.len()..];
    }
}

/// Given a program that SIGTERM has cancelled and whose cleanup does not end, when another signal
/// comes, then it ends the process at once.
#[test]
fn case_e33_a_second_signal_ends_the_process_at_once() {
    let name = "cancel_on::case_e33_a_second_signal_ends_the_process_at_once";
    struct Stuck;
    impl Drop for Stuck {
        fn drop(&mut self) {
            println!("cleaning up");
            send_to_thread(TERMINATE, this_thread());
            println!("still alive");
        }
    }
    let ended = catch_unwind(|| {
        in_child(name, || {
            let _ = runtime().try_block_on(async {
                let _stuck = Stuck;
                send_to_thread(TERMINATE, this_thread());
                pending::<()>().await
            });
        })
    });
    let message = message(ended.unwrap_err());
    assert!(message.contains("SIGTERM"), "the signal has ended the child: {message}");
    assert!(message.contains("cleaning up") && !message.contains("still alive"), "{message}");
}

/// Given a program that never returns to its loop, when a signal comes, then nothing happens, since
/// nobody looks; when another one comes, then it ends the process.
#[test]
fn case_e33_a_second_signal_ends_a_process_that_is_stuck() {
    let name = "cancel_on::case_e33_a_second_signal_ends_a_process_that_is_stuck";
    let ended = catch_unwind(|| {
        in_child(name, || {
            let _ = runtime().try_block_on(async {
                send_to_thread(TERMINATE, this_thread());
                println!("busy");
                send_to_thread(TERMINATE, this_thread());
                println!("still alive");
            });
        })
    });
    let message = message(ended.unwrap_err());
    assert!(message.contains("SIGTERM"), "the signal has ended the child: {message}");
    assert!(message.contains("busy") && !message.contains("still alive"), "{message}");
}

/// Given a runtime that is ending by itself, when a signal comes, then it ends the process.
#[test]
fn a_runtime_that_ends_listens_no_more() {
    in_child("cancel_on::a_runtime_that_ends_listens_no_more", || {
        struct Looks(Rc<Cell<Option<bool>>>);
        impl Drop for Looks {
            fn drop(&mut self) {
                self.0.set(Some(is_caught(TERMINATE)));
            }
        }
        let seen = Rc::default();
        let looks = Looks(Rc::clone(&seen));
        let runtime = runtime();
        runtime.block_on(async {
            assert!(is_caught(TERMINATE));
            spawn(parked::<()>(looks));
        });
        assert!(is_caught(TERMINATE), "what it blocks on next can be cancelled, too");
        drop(runtime);
        assert_eq!(seen.get(), Some(false));
    });
}

/// Given a cancelled `block_on`, which has nothing to return, then it unwinds with the reason, and
/// the runtime can be used and ended.
#[test]
fn a_cancelled_block_on_unwinds() {
    in_child("cancel_on::a_cancelled_block_on_unwinds", || {
        let runtime = runtime();
        let witness = Witness::default();
        send_to_thread(TERMINATE, this_thread());
        let unwound: Box<dyn Any + Send> =
            catch_unwind(AssertUnwindSafe(|| runtime.block_on(parked::<()>(witness.guard()))))
                .unwrap_err();
        assert_eq!(unwound.downcast::<Cancelled>().unwrap().signal(), TERMINATE);
        assert_eq!(witness.drops(), 1);
        assert!(!is_caught(TERMINATE), "the next one ends the process");
        assert_eq!(runtime.block_on(async { 42 }), 42);
        assert!(runtime.close().is_clean());
    });
}

/// Given a signal that has come, when the future has its output at the same time, then the output
/// wins and the next future is cancelled.
#[test]
fn an_output_that_is_ready_wins() {
    in_child("cancel_on::an_output_that_is_ready_wins", || {
        let runtime = runtime();
        send_to_thread(TERMINATE, this_thread());
        assert_eq!(runtime.try_block_on(async { 42 }), Ok(42));
        assert_eq!(runtime.try_block_on(pending::<()>()).unwrap_err().signal(), TERMINATE);
    });
}

/// Given signals that cannot be listened to, when a runtime is built, then the error names them.
#[test]
fn what_cannot_cancel_is_refused_when_the_runtime_is_built() {
    let builder = Builder::new().cancel_on(signals([SignalKind::from_raw(9)]));
    let error = builder.build().unwrap_err();
    assert!(error.to_string().contains("cannot listen to SIGKILL"), "{error}");
    assert_eq!(error.cause(), SetupCause::Setting);
}
