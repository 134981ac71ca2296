//! Signals: who is told, in which order, and what is there again afterwards.

use std::io::{ErrorKind, Read, Write, pipe};
use std::os::unix::net::UnixStream;
use std::panic::catch_unwind;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use futures_util::{FutureExt, StreamExt};
use wakering_ring_driver::testing::{
    ignore, in_child, is_caught, open_descriptors, patience, send, send_to_thread, this_thread,
};
use wakering_ring_driver::{Driver, Fd, Sharing, op};
use wakering_runtime::process::{Command, Stdio};
use wakering_runtime::signal::{SignalKind, ctrl_c, shutdown, signal, signals};
use wakering_runtime::task::yield_now;
use wakering_runtime::time::{Instant, sleep};
use wakering_runtime::{run, spawn};

use crate::{message, within_bounds};

const USER1: SignalKind = SignalKind::user_defined1();
const USER2: SignalKind = SignalKind::user_defined2();

/// Sends a signal that has been handled when this returns.
fn raise(kind: SignalKind) {
    send_to_thread(kind, this_thread());
}

/// Given two signals that are pending whenever somebody looks, when they are taken ten times, then
/// each has been taken five times, in turns.
#[test]
fn case_n02_two_signals_that_are_always_pending_alternate() {
    in_child("signal::case_n02_two_signals_that_are_always_pending_alternate", || {
        // What is still pending at the end goes to what was there before.
        ignore(USER1);
        ignore(USER2);
        within_bounds(async {
            let mut both = signals([USER1, USER2]);
            let mut taken = Vec::new();
            for _ in 0..10 {
                raise(USER1);
                raise(USER2);
                taken.push((&mut both).await.unwrap());
            }
            assert_eq!(taken, [USER1, USER2].repeat(5));
        });
    });
}

/// Given a signal that has come and that its only listener has not taken, when the listener is
/// dropped, then what was there before is there again and gets the signal: here it ends the process.
#[test]
fn case_n03_a_pending_signal_goes_to_what_was_there_before() {
    let name = "signal::case_n03_a_pending_signal_goes_to_what_was_there_before";
    let ended = catch_unwind(|| {
        in_child(name, || {
            let (one, other) = (signal(USER1).unwrap(), signal(USER1).unwrap());
            raise(USER1);
            drop(other);
            println!("somebody still listens");
            drop(one);
            thread::sleep(Duration::from_millis(100));
            println!("still alive");
        })
    });
    let message = message(ended.unwrap_err());
    assert!(message.contains("SIGUSR1"), "the signal has ended the child: {message}");
    assert!(message.contains("somebody still listens"), "{message}");
    assert!(!message.contains("still alive"), "{message}");
}

/// As above, where what was there before is to ignore it.
#[test]
fn case_n03_what_was_ignored_before_is_ignored_again() {
    in_child("signal::case_n03_what_was_ignored_before_is_ignored_again", || {
        ignore(USER1);
        for _ in 0..3 {
            let listener = signal(USER1).unwrap();
            assert!(is_caught(USER1));
            raise(USER1);
            drop(listener);
            assert!(!is_caught(USER1));
            raise(USER1);
        }
    });
}

/// Given a loop that sleeps in the kernel for a minute with an operation in flight, when SIGALRM
/// comes after 10 ms, then the listener is told at once; and where nobody but a foreign handler
/// would be told, nothing happens. Neither interrupts the operation.
#[test]
fn case_n05_a_signal_ends_the_sleep_of_the_loop_and_interrupts_no_operation() {
    let name = "signal::case_n05_a_signal_ends_the_sleep_of_the_loop_and_interrupts_no_operation";
    in_child(name, || {
        within_bounds(async {
            let (reader, mut writer) = pipe().unwrap();
            let reader =
                Fd::adopt(&Driver::current().unwrap(), reader.into(), Sharing::Private).unwrap();
            let read = spawn(async move { op::read(&reader, vec![0; 8]).await });
            let minute = spawn(sleep(Duration::from_secs(60)));
            let mut alarm = signal(SignalKind::alarm()).unwrap();

            let begun = Instant::now();
            let thread = this_thread();
            let sender = thread::spawn(move || {
                thread::sleep(Duration::from_millis(10));
                send_to_thread(SignalKind::alarm(), thread);
            });
            alarm.recv().await.unwrap();
            let elapsed = begun.elapsed();
            assert!(elapsed >= Duration::from_millis(10), "{elapsed:?}");
            assert!(elapsed < patience(Duration::from_secs(5)), "{elapsed:?}");
            println!("told after {elapsed:?}");
            sender.join().unwrap();

            // Somebody else's listener gets these: the loop is only interrupted.
            let elsewhere = thread::spawn(move || {
                let _listener = signal(USER1).unwrap();
                for _ in 0..20 {
                    send_to_thread(USER1, thread);
                    thread::sleep(Duration::from_millis(1));
                }
                _ = writer.write_all(b"whole");
                ignore(USER1);
            });
            let (n, buf) = read.await.unwrap().unwrap();
            assert_eq!((n, &buf[..n]), (5, b"whole".as_slice()));
            assert!(!minute.is_finished());
            elsewhere.join().unwrap();
        });
    });
}

/// Given a listener to SIGCHLD, when a child ends, then the listener is told and whoever waits for
/// the child gets its status.
#[test]
fn case_n06_a_listener_to_sigchld_and_whoever_waits_both_hear_of_the_child() {
    let name = "signal::case_n06_a_listener_to_sigchld_and_whoever_waits_both_hear_of_the_child";
    in_child(name, || {
        within_bounds(async {
            let mut ended = signal(SignalKind::child()).unwrap();
            for _ in 0..3 {
                let mut command = Command::new(std::env::current_exe().unwrap());
                command.args(["no such test", "--exact"]).stdout(Stdio::null());
                let mut child = command.spawn().unwrap();
                let waiting = spawn(child.exited());
                ended.recv().await.unwrap();
                let status = child.wait().await.unwrap();
                assert!(status.success(), "{status}");
                assert_eq!(waiting.await.unwrap().unwrap(), status);
            }
        });
    });
}

/// Given three listeners to one signal in two runtimes on two threads, when it comes, then each is
/// told once; when it comes again before anybody looks, then once.
#[test]
fn each_listener_is_told_on_whatever_thread() {
    in_child("signal::each_listener_is_told_on_whatever_thread", || {
        let (ready, is_ready) = mpsc::channel();
        let elsewhere = thread::spawn(move || {
            within_bounds(async {
                let mut listener = signal(USER1).unwrap();
                ready.send(()).unwrap();
                listener.recv().await
            })
        });
        is_ready.recv().unwrap();
        within_bounds(async {
            let (mut one, mut other) = (signal(USER1).unwrap(), signal(USER1).unwrap());
            let mut different = signal(USER2).unwrap();
            for _ in 0..3 {
                raise(USER1);
            }
            one.recv().await.unwrap();
            assert!(other.next().await.unwrap().is_ok());
            sleep(Duration::from_millis(2)).await;
            assert!(one.recv().now_or_never().is_none(), "three have become one");
            assert!(different.next().now_or_never().is_none(), "another signal is another's");
        });
        elsewhere.join().unwrap().unwrap();
    });
}

/// Given a wait that is dropped, when the signal comes then, then the next wait has it; also when it
/// had already come.
#[test]
fn a_dropped_wait_loses_no_signal() {
    in_child("signal::a_dropped_wait_loses_no_signal", || {
        within_bounds(async {
            let mut listener = signal(USER1).unwrap();
            for polls in 0..4 {
                assert!(listener.recv().now_or_never().is_none());
                if polls % 2 == 0 {
                    raise(USER1);
                    yield_now().await;
                } else {
                    yield_now().await;
                    raise(USER1);
                }
                listener.recv().await.unwrap();
            }
        });
    });
}

/// Given a listener that waited under one runtime, when that has ended, then waiting says so once
/// and works under the next one; what came in between is not lost.
#[test]
fn a_listener_outlives_its_runtime() {
    in_child("signal::a_listener_outlives_its_runtime", || {
        let mut listener = signal(USER1).unwrap();
        within_bounds(async { assert!(listener.recv().now_or_never().is_none()) });
        raise(USER1);
        let outside = listener.recv().now_or_never().unwrap();
        assert!(outside.is_err(), "nobody can wait outside of a runtime");
        within_bounds(async { listener.recv().await.unwrap() });
        drop(listener);
        assert!(!is_caught(USER1));
    });
}

/// Given a process, when it runs a runtime, then no handler is installed that was not there; when it
/// listens, then one is, until the last listener is gone, and no descriptor is left.
#[test]
fn what_nobody_listens_to_is_as_it_was() {
    in_child("signal::what_nobody_listens_to_is_as_it_was", || {
        let caught = || (1..=64).map(SignalKind::from_raw).filter(|kind| is_caught(*kind));
        let before: Vec<_> = caught().collect();
        within_bounds(async {
            assert_eq!(caught().collect::<Vec<_>>(), before);
            yield_now().await;
            let descriptors = open_descriptors();
            let one = signal(USER1).unwrap();
            let mut other = signal(USER1).unwrap();
            assert!(other.recv().now_or_never().is_none());
            drop(one);
            assert!(is_caught(USER1), "somebody still listens");
            drop(other);
            assert_eq!(caught().collect::<Vec<_>>(), before, "at once");
            while open_descriptors() != descriptors {
                sleep(Duration::from_millis(1)).await;
            }
        });
        assert_eq!(caught().collect::<Vec<_>>(), before);
    });
}

/// Given Ctrl-C, when it comes, then whoever awaits it is told; when nobody does, then the next one
/// does what it did before.
#[test]
fn control_c_is_awaited_once() {
    in_child("signal::control_c_is_awaited_once", || {
        within_bounds(async {
            let pressed = spawn(ctrl_c());
            yield_now().await;
            assert!(is_caught(SignalKind::interrupt()));
            send(SignalKind::interrupt(), std::process::id());
            pressed.await.unwrap().unwrap();
            assert!(!is_caught(SignalKind::interrupt()));
        });
    });
}

/// Given a request to end, when it comes, then the future tells which one it was, and its name.
#[test]
fn a_request_to_end_has_a_name() {
    in_child("signal::a_request_to_end_has_a_name", || {
        within_bounds(async {
            let mut requests = shutdown();
            raise(SignalKind::terminate());
            assert_eq!((&mut requests).await.unwrap().to_string(), "SIGTERM");
            raise(SignalKind::interrupt());
            assert_eq!(requests.next().await.unwrap().unwrap().to_string(), "SIGINT");
        });
    });
}

/// Given signals that cannot be listened to, when somebody tries, then the error names them and says
/// why, and nothing is installed.
#[test]
fn what_cannot_be_caught_is_refused() {
    for (number, text) in [
        (9, "cannot listen to SIGKILL: the kernel lets no process catch it"),
        (19, "cannot listen to SIGSTOP: the kernel lets no process catch it"),
        (11, "cannot listen to SIGSEGV: it stops a thread at a fault of its own"),
        (0, "cannot listen to signal 0: there is no such signal"),
        (1000, "cannot listen to signal 1000: there is no such signal"),
    ] {
        let error = signal(SignalKind::from_raw(number)).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
        assert!(error.to_string().starts_with(text), "{error}");
        let mut several = signals([USER2, SignalKind::from_raw(number)]);
        for _ in 0..2 {
            let error = run(async { (&mut several).await }).unwrap_err();
            assert!(error.to_string().starts_with(text), "{error}");
        }
    }
}

/// Fails if somebody has written to either end.
fn assert_silent((near, far): (UnixStream, UnixStream)) {
    for mut end in [&near, &far] {
        end.set_nonblocking(true).unwrap();
        let read = end.read(&mut [0; 8]).map_err(|error| error.kind());
        assert_eq!(read, Err(ErrorKind::WouldBlock), "a handler wrote to a stranger's socket");
    }
}

/// Given threads that come and go as listeners while signals pour in, when a listener's descriptor
/// is closed and its number used again, then nobody finds a handler's bytes there; and whoever
/// awaits a signal gets one.
#[test]
fn listeners_come_and_go_in_a_storm_of_signals() {
    in_child("signal::listeners_come_and_go_in_a_storm_of_signals", || {
        ignore(USER1);
        // Long enough for some rounds on a slow machine.
        let storm = patience(Duration::from_millis(500)).min(Duration::from_secs(4));
        let end = Instant::now() + storm;
        // It lasts until nobody waits any more.
        let calm = Arc::new(AtomicBool::new(false));
        let is_calm = calm.clone();
        let storm = thread::spawn(move || {
            let mut sent = 0;
            while !is_calm.load(Ordering::Relaxed) {
                send(USER1, std::process::id());
                sent += 1;
            }
            sent
        });
        let listeners: Vec<_> = (0..3)
            .map(|_| {
                thread::spawn(move || {
                    let (mut rounds, mut told) = (0, 0);
                    let mut strangers = Vec::new();
                    while Instant::now() < end {
                        let mut listener = signal(USER1).unwrap();
                        if rounds % 8 == 0 {
                            within_bounds(async { listener.recv().await.unwrap() });
                            told += 1;
                        }
                        drop(listener);
                        strangers.push(UnixStream::pair().unwrap());
                        if strangers.len() == 50 {
                            strangers.drain(..).for_each(assert_silent);
                        }
                        rounds += 1;
                    }
                    (rounds, told)
                })
            })
            .collect();
        let ended: Vec<_> = listeners.into_iter().map(thread::JoinHandle::join).collect();
        calm.store(true, Ordering::Relaxed);
        let sent = storm.join().unwrap();
        let ended: Vec<_> = ended.into_iter().map(Result::unwrap).collect();
        println!("{sent} signals; listeners, and how many of them awaited one: {ended:?}");
        assert!(sent > 100 && ended.iter().all(|(rounds, told)| *rounds > 10 && *told > 1));
    });
}
