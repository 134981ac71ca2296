//! The latest value.

use std::task::Poll;
use std::thread;

use wakering_runtime::sync::watch::channel;

use super::Probe;
use crate::within_bounds;

#[test]
fn who_waits_sees_the_latest_value_once() {
    let (sender, mut receiver) = channel(0);
    let mut other = sender.subscribe();
    let waiting = Probe::parked(receiver.changed());
    sender.send(1).unwrap();
    sender.send(2).unwrap();
    assert_eq!(waiting.wakes(), 1);
    assert!(waiting.ready().is_ok());
    assert_eq!(*receiver.borrow(), 2);
    assert!(Probe::new(receiver.changed()).poll().is_pending(), "it has seen that");
    assert!(Probe::new(other.changed()).ready().is_ok());
}

#[test]
fn a_dropped_wait_has_seen_nothing() {
    let (sender, mut receiver) = channel(0);
    let woken = Probe::parked(receiver.changed());
    sender.send(1).unwrap();
    drop(woken);
    assert_eq!(receiver.has_changed(), Ok(true));
}

#[test]
fn a_change_that_is_none_wakes_nobody() {
    let (sender, mut receiver) = channel(0);
    let waiting = Probe::parked(receiver.changed());
    assert!(!sender.send_if_modified(|_| false));
    assert_eq!(waiting.wakes(), 0);
    sender.send_modify(|value| *value += 1);
    assert_eq!(waiting.wakes(), 1);
}

#[test]
fn the_last_value_is_seen_before_the_end() {
    let (sender, mut receiver) = channel(0);
    let waiting = Probe::parked(receiver.changed());
    sender.send(1).unwrap();
    drop(sender);
    assert!(waiting.ready().is_ok());
    assert_eq!(*receiver.borrow(), 1);
    assert!(Probe::new(receiver.changed()).ready().is_err());
}

#[test]
fn waiting_for_a_value_looks_at_each() {
    let (sender, mut receiver) = channel(1);
    assert_eq!(*Probe::new(receiver.wait_for(|value| *value == 1)).ready().unwrap(), 1);
    let mut waiting = Probe::parked(receiver.wait_for(|value| *value > 2));
    sender.send(2).unwrap();
    assert!(waiting.poll().is_pending());
    sender.send(3).unwrap();
    let Poll::Ready(Ok(value)) = waiting.poll() else { panic!("it is there") };
    assert_eq!(*value, 3);
}

#[test]
fn a_sender_learns_that_nobody_looks() {
    let (sender, receiver) = channel(1);
    let waiting = Probe::parked(sender.closed());
    drop(receiver);
    assert_eq!(waiting.wakes(), 1);
    waiting.ready();
    assert!(sender.send(2).is_err());
    assert_eq!(*sender.borrow(), 1);
    assert_eq!(*sender.subscribe().borrow(), 1);
}

#[test]
fn a_panic_while_changing_leaves_the_channel_usable() {
    let (sender, receiver) = channel(1);
    let panicking = std::panic::AssertUnwindSafe(|| sender.send_modify(|_| panic!("changing")));
    assert!(std::panic::catch_unwind(panicking).is_err());
    assert_eq!(receiver.has_changed(), Ok(false));
    sender.send(2).unwrap();
    assert_eq!(*receiver.borrow(), 2);
}

#[test]
fn values_cross_threads() {
    let (sender, mut receiver) = channel(0);
    let thread = thread::spawn(move || {
        within_bounds(async {
            let mut last = 0;
            while receiver.changed().await.is_ok() {
                let value = *receiver.borrow_and_update();
                assert!(value > last, "never an older one");
                last = value;
            }
            last
        })
    });
    for n in 1..=1000 {
        sender.send(n).unwrap();
    }
    drop(sender);
    assert_eq!(thread.join().unwrap(), 1000);
}
