//! Ending another driver's sleep, by its inbox and by its ring.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use wakering_ring_driver::testing::{patience, skip};
use wakering_ring_driver::{Instant, Wait, op};

use crate::{block_on, driver};

/// Given a driver that sleeps without a deadline on another thread; when its ring is posted to; then it wakes.
#[test]
fn a_message_to_its_ring_ends_a_sleep() {
    let ours = driver();
    if !ours.capabilities().msg_ring {
        return skip("a_message_to_its_ring_ends_a_sleep", "the ring has no msg_ring");
    }
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
    block_on(&ours, op::msg_ring(&remote)).unwrap();
    let slept = sleeper.join().unwrap();
    assert!(slept < patience(Duration::from_secs(10)), "it slept for {slept:?}");
    assert!(slept >= Duration::from_millis(10), "it did sleep before: {slept:?}");

    let error = block_on(&ours, op::msg_ring(&remote)).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::NotConnected, "the sleeper has ended");
}
