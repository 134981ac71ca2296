//! A runtime in numbers.

use std::future::{pending, poll_fn};
use std::os::unix::net::UnixStream;
use std::sync::mpsc;
use std::task::{Poll, Waker};
use std::thread;
use std::time::Duration;

use wakering_ring_driver::{Driver, Fd, Sharing, op};
use wakering_runtime::blocking::unblock;
use wakering_runtime::task::yield_now;
use wakering_runtime::time::sleep;
use wakering_runtime::{Handle, spawn};

use crate::{bounded, runtime};

/// Given tasks that yield, and one that another thread wakes; when they have run; then wakes are
/// told apart by where they come from, and polls are counted.
#[test]
fn wakes_from_here_and_from_afar_are_told_apart() {
    let runtime = runtime();
    runtime.block_on(bounded(async {
        let (sender, receiver) = mpsc::channel::<Waker>();
        let other = thread::spawn(move || {
            thread::sleep(Duration::from_millis(5));
            receiver.recv().unwrap().wake();
        });
        let mut asked = false;
        let far = spawn(poll_fn(move |cx| {
            if std::mem::replace(&mut asked, true) {
                return Poll::Ready(());
            }
            sender.send(cx.waker().clone()).unwrap();
            Poll::Pending
        }));
        far.await.unwrap();
        other.join().unwrap();
        spawn(async {
            for _ in 0..3 {
                yield_now().await;
            }
        })
        .await
        .unwrap();
    }));
    let metrics = runtime.metrics();
    assert_eq!((metrics.wakes_local, metrics.wakes_remote), (3, 1));
    assert_eq!((metrics.spawned, metrics.polls, metrics.tasks), (2, 2 + 4, 0));
}

/// Given receives, sleeps and a closure under way; when they are counted; then each kind has its
/// number, and none is left when they have ended.
#[test]
fn what_is_under_way_is_counted_by_kind() {
    let runtime = runtime();
    let (blocked, release) = mpsc::channel::<()>();
    let ends = runtime.block_on(bounded(async {
        let driver = Driver::current().unwrap();
        let mut ends = Vec::new();
        for _ in 0..3 {
            let (ours, theirs) = UnixStream::pair().unwrap();
            let fd = Fd::adopt(&driver, ours.into(), Sharing::Private).unwrap();
            spawn(async move { op::recv(&fd, vec![0; 8]).await.map(|_| ()) });
            ends.push(theirs);
        }
        spawn(async { sleep(Duration::from_secs(60)).await });
        spawn(pending::<()>());
        spawn(unblock(move || release.recv().is_err()));
        sleep(Duration::from_millis(2)).await;
        ends
    }));
    let metrics = runtime.metrics();
    assert_eq!(metrics.operations.get("recv"), Some(&3));
    assert_eq!(metrics.operations.values().sum::<usize>(), metrics.driver.in_flight as usize);
    assert_eq!((metrics.tasks, metrics.timers), (6, 1));
    assert!(metrics.user_pool.threads >= 1, "{metrics:?}");
    drop((ends, blocked));
    let ended = async {
        while Handle::current().metrics().is_some_and(|now| now.tasks > 2) {
            sleep(Duration::from_millis(1)).await;
        }
    };
    runtime.block_on(bounded(ended));
    let metrics = runtime.metrics();
    assert_eq!(metrics.operations.get("recv"), None);
    assert!(metrics.driver.completions >= 3 && metrics.driver.enters > 0);
    assert_eq!(metrics.tasks, 2, "a sleep and one that never ends");
    assert!(runtime.close().is_clean());
}
