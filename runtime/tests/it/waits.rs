//! How the loop waits, where its builder says something of it: gathering completions, and looking
//! for some before it sleeps.

use std::os::unix::net::UnixStream;
use std::sync::mpsc;
use std::task::{Poll, Waker};
use std::thread;
use std::time::Duration;

use wakering_ring_driver::testing::patience;
use wakering_ring_driver::{Driver, Fd, Sharing, op};
use wakering_runtime::time::{Instant, sleep};
use wakering_runtime::{Builder, Runtime, spawn};

use crate::bounded;

const MS: Duration = Duration::from_millis(1);
/// Longer than anything takes here, and shorter than what `bounded` allows: a loop that has to be up
/// sooner gathers nothing.
const LONG: Duration = Duration::from_secs(20);

/// The times that the loop has slept.
fn waits(runtime: &Runtime) -> u64 {
    runtime.metrics().driver.waits
}

fn gathers(runtime: &Runtime) -> bool {
    runtime.block_on(async { Driver::current().unwrap().capabilities().has("min_wait") })
}

fn looks(runtime: &Runtime) -> bool {
    runtime.block_on(async { Driver::current().unwrap().backend() == "uring" })
}

/// Receives a byte on each of eight connections, to which another thread writes one after the other
/// with a pause in between; how long that took from the first byte on.
async fn receive_eight(pause: Duration) -> Duration {
    let driver = Driver::current().unwrap();
    let (ours, theirs): (Vec<_>, Vec<_>) = (0..8).map(|_| UnixStream::pair().unwrap()).unzip();
    let receiving: Vec<_> = ours
        .into_iter()
        .map(|ours| {
            let fd = Fd::adopt(&driver, ours.into(), Sharing::Private).unwrap();
            spawn(async move { op::recv(&fd, vec![0; 1]).await.unwrap().0 })
        })
        .collect();
    let writing = thread::spawn(move || {
        thread::sleep(20 * MS);
        let begun = Instant::now();
        for mut theirs in theirs {
            std::io::Write::write_all(&mut theirs, b"x").unwrap();
            thread::sleep(pause);
        }
        begun
    });
    for receiving in receiving {
        assert_eq!(receiving.await.unwrap(), 1);
    }
    writing.join().unwrap().elapsed()
}

/// Given a loop that may gather eight completions for as long as it takes; when eight come, one
/// after the other; then they end one sleep, and where the kernel cannot gather each its own.
#[test]
fn a_loop_that_gathers_sleeps_once_for_many_completions() {
    let runtime = Builder::new().min_wait(LONG, 8).build().unwrap();
    let took = runtime.block_on(bounded(receive_eight(2 * MS)));
    assert!(took < patience(Duration::from_secs(10)), "{took:?}: all eight were there");
    let slept = waits(&runtime);
    match gathers(&runtime) {
        true => assert!(slept <= 2, "{slept} sleeps for eight completions"),
        false => assert!((1..=10).contains(&slept), "{slept} sleeps for eight completions"),
    }
}

/// Given a loop that may gather a thousand completions for 30 ms; when eight come; then it takes
/// them in after that time, and a wake from another thread waits no longer either.
#[test]
fn a_loop_that_gathers_delays_by_no_more_than_was_said() {
    let runtime = Builder::new().min_wait(30 * MS, 1000).build().unwrap();
    let took = runtime.block_on(bounded(receive_eight(Duration::ZERO)));
    assert!(took < patience(Duration::from_secs(2)), "{took:?}");
    let took = runtime.block_on(bounded(woken_after(20 * MS)));
    assert!(took < patience(Duration::from_secs(2)), "{took:?}");
}

/// Is woken by another thread, which waits for so long before; how long that took from the call.
async fn woken_after(pause: Duration) -> Duration {
    let (sender, receiver) = mpsc::channel::<Waker>();
    let waking = thread::spawn(move || {
        let waker = receiver.recv().unwrap();
        thread::sleep(pause);
        let begun = Instant::now();
        waker.wake();
        begun
    });
    let mut asked = false;
    let woken = spawn(std::future::poll_fn(move |cx| {
        if std::mem::replace(&mut asked, true) {
            return Poll::Ready(Instant::now());
        }
        sender.send(cx.waker().clone()).unwrap();
        Poll::Pending
    }));
    let woken = woken.await.unwrap();
    woken.duration_since(waking.join().unwrap())
}

/// Given a loop that may gather for long; when it has to be up for a sleep; then that ends in time.
#[test]
fn a_loop_that_gathers_keeps_deadlines() {
    let runtime = Builder::new().min_wait(LONG, 1000).build().unwrap();
    let begun = Instant::now();
    runtime.block_on(sleep(10 * MS));
    let took = begun.elapsed();
    assert!((10 * MS..patience(Duration::from_secs(5))).contains(&took), "{took:?}");
}

/// Given a loop that gathers nothing, for no time or no completions, or for longer than a number
/// holds; when completions come; then they are taken in.
#[test]
fn a_loop_may_gather_for_any_time_and_any_number() {
    for (time, completions) in [
        (Duration::ZERO, 8),
        (Duration::ZERO, 0),
        (MS, 0),
        (Duration::MAX, 0),
        (Duration::MAX, 1),
        (MS, u32::MAX),
    ] {
        let runtime = Builder::new().min_wait(time, completions).build().unwrap();
        let took = runtime.block_on(bounded(receive_eight(Duration::ZERO)));
        assert!(took < patience(Duration::from_secs(5)), "{time:?}, {completions}: {took:?}");
    }
}

/// Given a loop that looks for completions for long before it sleeps; when some come, a task is
/// woken from another thread and a sleep ends; then it has never slept, but without a ring, where it
/// sleeps at once.
#[test]
fn a_loop_that_looks_does_not_sleep() {
    for time in [LONG, Duration::MAX] {
        let runtime = Builder::new().busy_poll(time).build().unwrap();
        runtime.block_on(bounded(async {
            receive_eight(2 * MS).await;
            woken_after(5 * MS).await;
            let begun = Instant::now();
            sleep(5 * MS).await;
            assert!(begun.elapsed() >= 5 * MS);
        }));
        let slept = waits(&runtime);
        match looks(&runtime) {
            true => assert_eq!(slept, 0, "{time:?}"),
            false => assert!(slept > 0, "{time:?}"),
        }
    }
}

/// Given a loop that looks for 5 ms, or not at all; when nothing comes for longer than that; then it
/// sleeps, once.
#[test]
fn a_loop_that_has_looked_long_enough_sleeps() {
    for time in [Duration::ZERO, 5 * MS] {
        let runtime = Builder::new().busy_poll(time).build().unwrap();
        runtime.block_on(bounded(woken_after(patience(50 * MS))));
        let slept = waits(&runtime);
        assert!((1..=3).contains(&slept), "{time:?}: {slept} sleeps");
    }
}
