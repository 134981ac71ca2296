//! Cancelling tasks: drop, then drain.

use std::cell::{Cell, RefCell};
use std::future::{Future, pending, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use std::{hint, thread};

use wakering_ring_driver::op;
use wakering_ring_driver::testing::{CheckingBuf, patience};
use wakering_runtime::io::{AsyncRead, AsyncWrite, PipeReader, pipe};
use wakering_runtime::task::{JoinHandle, shield, yield_now};
use wakering_runtime::time::{Instant, sleep, timeout};
use wakering_runtime::{run, spawn};

use crate::{Witness, parked, played, stubborn, within_bounds};

/// Given a task that is parked, when it is cancelled, then joining it says so, its future has been
/// dropped by then, and a second cancellation is refused.
#[test]
fn case_x01_a_parked_task_is_cancelled_once() {
    let witness = Witness::default();
    within_bounds(async {
        let mut task = spawn(parked::<()>(witness.guard()));
        yield_now().await;
        assert!(task.cancel());
        assert!(!task.cancel());
        assert_eq!(
            witness.drops(),
            0,
            "a future is dropped when its turn comes, not inside `cancel`"
        );
        let error = (&mut task).await.unwrap_err();
        assert!(error.is_cancelled());
        assert_eq!(witness.drops(), 1);
        assert!(!task.cancel());
    });
}

/// Given a task that was cancelled before its first poll, when its turn comes, then its body never
/// begins and what it captured is dropped.
#[test]
fn case_x02_a_task_cancelled_before_it_begins_never_does() {
    let witness = Witness::default();
    let guard = witness.guard();
    let begun = Rc::new(Cell::new(false));
    let inner = begun.clone();
    within_bounds(async {
        let task = spawn(async move {
            let _guard = guard;
            inner.set(true);
        });
        assert!(task.cancel());
        assert!(task.await.unwrap_err().is_cancelled());
        assert_eq!(witness.drops(), 1, "what it captured is gone");
    });
    assert!(!begun.get());
}

/// Given a task that cancels itself and returns a value without waiting again, when it is joined,
/// then the value is there.
#[test]
fn case_x03_a_value_returned_by_the_poll_that_was_cancelled_wins() {
    within_bounds(async {
        let own: Rc<Cell<Option<JoinHandle<u32>>>> = Rc::default();
        let inner = own.clone();
        let task = spawn(async move {
            let handle = inner.take().unwrap();
            assert!(handle.cancel());
            inner.set(Some(handle));
            42
        });
        own.set(Some(task));
        yield_now().await;
        assert_eq!(own.take().unwrap().await.unwrap(), 42);
    });
}

#[test]
fn a_task_that_cancels_itself_is_dropped_after_its_poll() {
    let witness = Witness::default();
    let guard = witness.guard();
    within_bounds(async {
        let own: Rc<Cell<Option<JoinHandle<()>>>> = Rc::default();
        let (inner, seen) = (own.clone(), witness.clone());
        let task = spawn(async move {
            let _guard = guard;
            let handle = inner.take().unwrap();
            assert!(handle.cancel());
            assert_eq!(seen.drops(), 0, "dropped inside its own poll");
            inner.set(Some(handle));
            yield_now().await;
            unreachable!("it was cancelled");
        });
        own.set(Some(task));
        yield_now().await;
        let task = own.take().unwrap();
        assert!(task.await.unwrap_err().is_cancelled());
        assert_eq!(witness.drops(), 1);
    });
}

#[test]
fn a_drop_may_wake_spawn_and_cancel() {
    struct Busy {
        victim: JoinHandle<()>,
        own: Waker,
        log: Rc<RefCell<Vec<&'static str>>>,
    }
    impl Drop for Busy {
        fn drop(&mut self) {
            self.own.wake_by_ref();
            assert!(self.victim.cancel());
            let log = self.log.clone();
            spawn(async move { log.borrow_mut().push("spawned by a drop") });
        }
    }
    let log = Rc::new(RefCell::new(Vec::new()));
    within_bounds(async {
        let victim_log = log.clone();
        let victim = spawn(async move {
            scopeguard(move || victim_log.borrow_mut().push("victim dropped")).await;
        });
        let busy_log = log.clone();
        let task = spawn(async move {
            let own = poll_fn(|cx| Poll::Ready(cx.waker().clone())).await;
            let _busy = Busy { victim, own, log: busy_log };
            pending::<()>().await
        });
        yield_now().await;
        task.cancel();
        assert!(task.await.unwrap_err().is_cancelled());
        while log.borrow().len() < 2 {
            yield_now().await;
        }
    });
    assert_eq!(*log.borrow(), ["victim dropped", "spawned by a drop"]);
}

/// Never ready; calls `on_drop` when it is dropped.
async fn scopeguard(on_drop: impl FnMut()) {
    struct OnDrop<F: FnMut()>(F);
    impl<F: FnMut()> Drop for OnDrop<F> {
        fn drop(&mut self) {
            (self.0)();
        }
    }
    let _guard = OnDrop(on_drop);
    pending::<()>().await
}

#[test]
fn a_dropped_handle_that_aborts_cancels_its_task() {
    let witness = Witness::default();
    within_bounds(async {
        let aborting = spawn(parked::<()>(witness.guard())).abort_on_drop();
        assert!(timeout(Duration::from_millis(1), aborting).await.is_err());
        while witness.drops() == 0 {
            yield_now().await;
        }
    });
}

/// A handle waits for what its task has left in the kernel, however the task has ended. The kernel is
/// played by the test, which does not give the operation back before it has looked.
#[test]
fn a_handle_resolves_after_the_orphans_of_its_task_have_ended() {
    for how in ["cancelled", "returned", "panicked"] {
        let (runtime, memory, fd) = stubborn();
        let witness = Witness::default();
        let guard = witness.guard();
        let (buf, lent) = CheckingBuf::new(8);
        let kernel = memory.clone();
        runtime.block_on(async {
            let mut task = spawn(async move {
                let _guard = guard;
                let mut read = op::read_at(&fd, buf, 0);
                assert!(futures_util::poll!(&mut read).is_pending());
                match how {
                    "cancelled" => drop(read.await),
                    "returned" => {}
                    _ => panic!("left in the kernel"),
                }
                42
            });
            yield_now().await;
            if how == "cancelled" {
                assert!(task.cancel());
            }
            for _ in 0..3 {
                sleep(Duration::from_millis(1)).await;
                assert!(!task.is_finished(), "{how}: the kernel has not given back the buffer");
                assert!(futures_util::poll!(&mut task).is_pending());
                assert!(!task.cancel(), "{how}: its future is gone");
            }
            assert_eq!(witness.drops(), 1);
            assert_eq!(kernel.in_flight(), 1);
            assert!(!lent.is_dropped());
            kernel.next_request().unwrap().receive(b"late");
            let outcome = task.await;
            assert!(lent.is_dropped(), "{how}");
            match how {
                "cancelled" => assert!(outcome.unwrap_err().is_cancelled()),
                "returned" => assert_eq!(outcome.unwrap(), 42),
                _ => assert!(outcome.unwrap_err().is_panic()),
            }
        });
    }
}

#[test]
fn an_operation_whose_future_lives_elsewhere_is_not_waited_for() {
    let (runtime, memory, fd) = played();
    let kernel = memory.clone();
    runtime.block_on(async {
        let shared = Rc::new(RefCell::new(op::read_at(&fd, vec![0; 8], 0)));
        let inner = shared.clone();
        let task = spawn(poll_fn(move |cx| {
            assert!(Pin::new(&mut *inner.borrow_mut()).poll(cx).is_pending());
            Poll::Ready(())
        }));
        task.await.unwrap();
        assert_eq!(kernel.in_flight(), 1, "neither cancelled nor waited for");
        sleep(Duration::from_millis(1)).await;
        kernel.next_request().unwrap().receive(b"bytes");
        let read = poll_fn(|cx| Pin::new(&mut *shared.borrow_mut()).poll(cx)).await;
        assert_eq!(read.unwrap().0, 5);
    });
}

/// Another thread lets a task return and then cancels it, a little later. Whether the task's poll or
/// the cancellation comes first, the task ends once, with a value or as cancelled.
#[test]
fn cancelling_from_afar_races_with_completing() {
    type Round = (Waker, Arc<AtomicBool>, JoinHandle<()>, usize);
    let (sender, rounds) = mpsc::channel::<Round>();
    let (answer, answers) = mpsc::channel();
    let other = thread::spawn(move || {
        for (waker, is_ready, task, delay) in rounds {
            is_ready.store(true, Ordering::Relaxed);
            waker.wake();
            for _ in 0..delay {
                hint::spin_loop();
            }
            let asked = task.cancel();
            answer.send((asked, task)).unwrap();
        }
    });
    let (mut completed, mut cancelled, mut too_late) = (0, 0, 0);
    let mut delay = 0;
    let end = Instant::now() + patience(Duration::from_secs(3));
    within_bounds(async {
        while Instant::now() < end && completed.min(cancelled) < 1000 {
            let is_ready = Arc::new(AtomicBool::new(false));
            let seen = is_ready.clone();
            let (waker_sender, wakers) = mpsc::channel();
            let task = spawn(poll_fn(move |cx: &mut Context<'_>| {
                waker_sender.send(cx.waker().clone()).unwrap();
                if seen.load(Ordering::Relaxed) { Poll::Ready(()) } else { Poll::Pending }
            }));
            yield_now().await;
            sender.send((wakers.recv().unwrap(), is_ready, task, delay)).unwrap();
            let (asked, task) = loop {
                match answers.try_recv() {
                    Ok(answer) => break answer,
                    Err(_) => yield_now().await,
                }
            };
            match task.await {
                Ok(()) => {
                    completed += 1;
                    too_late += usize::from(!asked);
                    delay /= 2;
                }
                Err(error) => {
                    assert!(error.is_cancelled() && asked);
                    cancelled += 1;
                    delay = (2 * delay + 50).min(1_000_000);
                }
            }
        }
    });
    drop(sender);
    other.join().unwrap();
    println!("completed {completed} (cancelled too late: {too_late}), cancelled {cancelled}");
    let rounds = completed + cancelled;
    assert!(completed * 100 >= rounds && cancelled * 100 >= rounds, "a race that never races");
}

/// Given a task whose shielded read waits in the kernel; when the task is cancelled, or the future
/// that `run` was given ends; then the read is not taken back: it brings what comes, and whoever
/// cancelled waits for it.
#[test]
fn what_is_shielded_keeps_its_operations() {
    let read = |reader: PipeReader, heard: &Rc<RefCell<Vec<u8>>>| {
        let (mut reader, heard) = (reader, heard.clone());
        shield(async move {
            let read = reader.read(vec![0; 8]).await;
            heard.borrow_mut().extend(read.map_or_else(|_| b"taken back".to_vec(), |read| read.1));
        })
    };
    let heard = Rc::default();
    within_bounds(async {
        let (reader, mut writer) = pipe().unwrap();
        let task = spawn(read(reader, &heard));
        sleep(Duration::from_millis(2)).await;
        task.cancel();
        sleep(Duration::from_millis(2)).await;
        assert!(!task.is_finished());
        writer.write_all("task ").await.unwrap();
        assert!(task.await.unwrap_err().is_cancelled());
    });
    let (reader, mut writer) = std::io::pipe().unwrap();
    thread::scope(|threads| {
        threads.spawn(move || {
            thread::sleep(Duration::from_millis(20));
            std::io::Write::write_all(&mut writer, b"run").unwrap();
        });
        run(async {
            let reader = PipeReader::from_std(reader).unwrap();
            let mut shielded = Box::pin(read(reader, &heard));
            let waits = poll_fn(|cx| Poll::Ready(shielded.as_mut().poll(cx).is_pending())).await;
            assert!(waits);
        });
    });
    assert_eq!(String::from_utf8_lossy(&heard.borrow()), "task run");
}
