//! Ending another driver's sleep, by its inbox and by its ring.

use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use wakering_ring_driver::testing::{patience, skip};
use wakering_ring_driver::{Deliver, Instant, Message, Remote, Wait, op};

use crate::{block_on, driver};

/// A driver that sleeps on another thread until it is woken: the way to it, and how long it has slept.
fn sleeper() -> (Arc<Remote>, thread::JoinHandle<Duration>) {
    let (sender, receiver) = mpsc::channel();
    let sleeper = thread::spawn(move || {
        let theirs = driver();
        sender.send(theirs.remote().clone()).unwrap();
        let begun = Instant::now();
        theirs.turn(Wait::Until(Some(begun + patience(Duration::from_secs(20)))));
        begun.elapsed()
    });
    let remote = receiver.recv().unwrap();
    thread::sleep(Duration::from_millis(50));
    (remote, sleeper)
}

/// Given a driver that sleeps without a deadline on another thread; when its ring is posted to; then it wakes.
#[test]
fn a_message_to_its_ring_ends_a_sleep() {
    let ours = driver();
    if !ours.capabilities().msg_ring {
        return skip("a_message_to_its_ring_ends_a_sleep", "the ring has no msg_ring");
    }
    let (remote, sleeper) = sleeper();
    block_on(&ours, op::msg_ring(&remote)).unwrap();
    let slept = sleeper.join().unwrap();
    assert!(slept < patience(Duration::from_secs(10)), "it slept for {slept:?}");
    assert!(slept >= Duration::from_millis(10), "it did sleep before: {slept:?}");

    let error = block_on(&ours, op::msg_ring(&remote)).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::NotConnected, "the sleeper has ended");
}

/// Does nothing.
struct Note;

impl Deliver for Note {
    fn deliver(self: Arc<Self>) {}
}

/// Given a driver that sleeps without a deadline on another thread; when a thread with a ring leaves a
/// message for it; then it wakes by a completion in its ring, and by its notifier where there is none.
#[test]
fn a_message_wakes_from_ring_to_ring_and_otherwise_by_the_notifier() {
    for has_ring in [true, false] {
        let ours = driver();
        let entered = has_ring.then(|| ours.enter());
        let posts = has_ring && ours.capabilities().msg_ring;
        let (remote, sleeper) = sleeper();
        assert!(remote.push(Message::Deliver(Arc::new(Note))).is_ok());
        let slept = sleeper.join().unwrap();
        assert!(slept < patience(Duration::from_secs(10)), "it slept for {slept:?}");
        assert_eq!(ours.counters().used("msg_ring"), u64::from(posts));
        drop(entered);
    }
}
