//! A task that is always ready starves nobody, and an idle runtime does nothing.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::task::Poll;
use std::thread;
use std::time::Duration;

use wakering_ring_driver::testing::{cpu_time, in_child, patience};
use wakering_ring_driver::{Driver, Fd, Sharing, op};
use wakering_runtime::task::yield_now;
use wakering_runtime::time::{Instant, sleep};
use wakering_runtime::{Builder, Handle, Runtime, spawn};

use crate::{bounded, runtime};

/// On the ring as it is, and on one whose completions come without being asked for.
fn on_each_kind_of_ring(body: impl Fn(&Runtime)) {
    body(&runtime());
    let mask = "-defer_taskrun".parse().unwrap();
    body(&Builder::new().capabilities(mask).build().unwrap());
}

/// When whoever is always ready gives up, so that a loop which serves nobody else fails the test.
fn end_of_patience() -> Instant {
    Instant::now() + patience(Duration::from_secs(10))
}

/// Time passes, bytes come and go, and another thread spawns, while others are always ready.
async fn the_others_get_their_turn() {
    const ROUNDS: usize = 20;
    let start = Instant::now();
    let (near, mut far) = UnixStream::pair().unwrap();
    let driver = Driver::current().unwrap();
    let fd = Fd::adopt(&driver, near.into(), Sharing::Private).unwrap();
    let handle = Handle::current();
    let other = thread::spawn(move || {
        for round in 0..ROUNDS {
            far.write_all(b"byte").unwrap();
            assert_eq!(handle.block_on(async move { round }).unwrap(), round);
        }
    });
    let reader = spawn(async move {
        let mut received = 0;
        while received < 4 * ROUNDS {
            received += op::recv(&fd, vec![0; 16]).await.unwrap().0;
        }
    });
    let sleeper = spawn(async {
        for _ in 0..ROUNDS {
            sleep(Duration::from_millis(1)).await;
        }
    });
    sleeper.await.unwrap();
    reader.await.unwrap();
    while !other.is_finished() {
        sleep(Duration::from_millis(1)).await;
    }
    other.join().unwrap();
    let took = start.elapsed();
    assert!(took < patience(Duration::from_secs(5)), "{took:?} for what takes 20 ms");
}

#[test]
fn a_task_that_is_always_ready_starves_nobody() {
    on_each_kind_of_ring(|runtime| {
        let over = Rc::new(Cell::new(false));
        let (seen, polls) = (over.clone(), Rc::new(Cell::new(0u64)));
        let counted = polls.clone();
        let end = end_of_patience();
        let busy = runtime.spawn(async move {
            while !seen.get() && Instant::now() < end {
                counted.update(|polls| polls + 1);
                yield_now().await;
            }
        });
        runtime.block_on(bounded(the_others_get_their_turn()));
        assert!(polls.get() > 200, "it was not busy: {} polls", polls.get());
        over.set(true);
        runtime.block_on(busy).unwrap();
    });
}

#[test]
fn a_main_future_that_is_always_ready_starves_nobody() {
    on_each_kind_of_ring(|runtime| {
        let mut others = Box::pin(bounded(the_others_get_their_turn()));
        let mut polls = 0u64;
        let end = end_of_patience();
        runtime.block_on(poll_fn(move |cx| {
            assert!(Instant::now() < end, "the others do not get their turn");
            polls += 1;
            cx.waker().wake_by_ref();
            match others.as_mut().poll(cx) {
                Poll::Ready(()) => {
                    assert!(polls > 200, "it was not busy: {polls} polls");
                    Poll::Ready(())
                }
                Poll::Pending => Poll::Pending,
            }
        }));
    });
}

#[test]
fn many_tasks_that_are_always_ready_starve_nobody() {
    on_each_kind_of_ring(|runtime| {
        let over = Rc::new(Cell::new(false));
        let end = end_of_patience();
        for _ in 0..1000 {
            let seen = over.clone();
            runtime.spawn(async move {
                while !seen.get() && Instant::now() < end {
                    yield_now().await;
                }
            });
        }
        runtime.block_on(bounded(the_others_get_their_turn()));
        over.set(true);
    });
}

#[test]
fn tasks_that_yield_take_turns() {
    let runtime = runtime();
    let counts: Rc<[Cell<u32>; 3]> = Rc::default();
    let tasks: Vec<_> = (0..3)
        .map(|at| {
            let counts = counts.clone();
            runtime.spawn(async move {
                for _ in 0..100 {
                    counts[at].update(|count| count + 1);
                    let (least, most) =
                        counts.iter().fold((u32::MAX, 0), |(least, most), count| {
                            (least.min(count.get()), most.max(count.get()))
                        });
                    assert!(most - least <= 1, "one is {} turns ahead", most - least);
                    yield_now().await;
                }
            })
        })
        .collect();
    runtime.block_on(async {
        for task in tasks {
            task.await.unwrap();
        }
    });
}

#[test]
fn long_polls_make_the_loop_look_up_sooner() {
    let runtime = runtime();
    let (polls, over) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(false)));
    let (counted, seen) = (polls.clone(), over.clone());
    let busy = runtime.spawn(async move {
        while !seen.get() && counted.get() < 1000 {
            counted.update(|polls| polls + 1);
            thread::sleep(Duration::from_millis(2));
            yield_now().await;
        }
    });
    runtime.block_on(async {
        for _ in 0..10 {
            sleep(Duration::from_millis(1)).await;
        }
    });
    // It would be ten times 64 if the loop only counted polls.
    assert!(polls.get() < 150, "{} polls of 2 ms during ten sleeps of 1 ms", polls.get());
    over.set(true);
    runtime.block_on(busy).unwrap();
}

#[test]
fn an_idle_runtime_uses_no_processor() {
    in_child("fairness::an_idle_runtime_uses_no_processor", || {
        let runtime = runtime();
        runtime.block_on(sleep(Duration::from_millis(1)));
        let (before, used) = (runtime.metrics().driver.enters, cpu_time());
        runtime.block_on(sleep(Duration::from_millis(300)));
        let (enters, used) = (runtime.metrics().driver.enters - before, cpu_time() - used);
        assert!(enters <= 4, "{enters} enters for one sleep");
        assert!(used < patience(Duration::from_millis(20)), "{used:?} of 300 ms");
    });
}
