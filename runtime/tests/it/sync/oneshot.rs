//! One value.

use std::sync::Arc;
use std::task::Poll;

use wakering_runtime::sync::local;
use wakering_runtime::sync::oneshot::{RecvError, TryRecvError, channel};

use super::Probe;

#[test]
fn a_value_wakes_who_waits() {
    let (sender, receiver) = channel();
    let waiting = Probe::parked(receiver);
    sender.send(1).unwrap();
    assert_eq!(waiting.wakes(), 1);
    assert_eq!(waiting.ready(), Ok(1));
}

#[test]
fn a_receiver_that_is_borrowed_and_dropped_loses_nothing() {
    let (sender, mut receiver) = local::oneshot::channel();
    let woken = Probe::parked(&mut receiver);
    sender.send(1).unwrap();
    drop(woken);
    assert_eq!(Probe::new(receiver).ready(), Ok(1));
}

#[test]
fn a_sender_that_goes_without_a_value_is_told() {
    let (sender, receiver) = channel::<u8>();
    let waiting = Probe::parked(receiver);
    drop(sender);
    assert_eq!(waiting.ready(), Err(RecvError));
}

#[test]
fn a_sender_learns_that_nobody_waits() {
    let (mut sender, mut receiver) = channel();
    let waiting = Probe::parked(sender.closed());
    receiver.close();
    assert_eq!(waiting.wakes(), 1);
    waiting.ready();
    assert_eq!(sender.send(1), Err(1));
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Disconnected));
    let (sender, mut receiver) = channel();
    sender.send(1).unwrap();
    receiver.close();
    assert_eq!(Probe::new(receiver).poll(), Poll::Ready(Ok(1)), "it was sent before");
}

#[test]
fn a_value_that_nobody_takes_is_dropped_with_the_receiver() {
    let value = Arc::new(());
    let (sender, receiver) = channel();
    sender.send(value.clone()).unwrap();
    drop(receiver);
    assert_eq!(Arc::strong_count(&value), 1);
}
