//! Values for everybody.

use std::sync::Arc;

use wakering_runtime::sync::broadcast::{RecvError, SendError, TryRecvError, channel};

use super::Probe;

#[test]
fn every_receiver_gets_every_value_in_order() {
    let (sender, mut first) = channel(4);
    let mut second = sender.subscribe();
    let waiting = Probe::parked(first.recv());
    assert_eq!(sender.send(1), Ok(2));
    assert_eq!(sender.send(2), Ok(2));
    assert_eq!(waiting.wakes(), 1);
    assert_eq!(waiting.ready(), Ok(1));
    assert_eq!(Probe::new(first.recv()).ready(), Ok(2));
    assert_eq!([second.try_recv(), second.try_recv()], [Ok(1), Ok(2)]);
    assert_eq!(second.try_recv(), Err(TryRecvError::Empty));
}

#[test]
fn who_lags_is_told_how_far_and_goes_on_with_the_oldest() {
    let (sender, mut slow) = channel(2);
    let mut quick = slow.clone();
    for n in 0..5 {
        sender.send(n).unwrap();
        assert_eq!(quick.try_recv(), Ok(n), "another one's lag is not ours");
    }
    assert_eq!(slow.len(), 5);
    assert_eq!(Probe::new(slow.recv()).ready(), Err(RecvError::Lagged(3)));
    assert_eq!(Probe::new(slow.recv()).ready(), Ok(3));
    assert_eq!(Probe::new(slow.recv()).ready(), Ok(4));
    drop(sender);
    assert_eq!(Probe::new(slow.recv()).ready(), Err(RecvError::Closed));
}

#[test]
fn a_dropped_receive_loses_nothing() {
    let (sender, mut receiver) = channel(2);
    let woken = Probe::parked(receiver.recv());
    sender.send(1).unwrap();
    drop(woken);
    assert_eq!(receiver.try_recv(), Ok(1));
}

#[test]
fn a_value_is_kept_until_all_have_had_it() {
    let value = Arc::new(());
    let (sender, mut first) = channel(8);
    let mut second = first.clone();
    sender.send(value.clone()).unwrap();
    sender.send(value.clone()).unwrap();
    drop((first.try_recv(), first.try_recv()));
    assert_eq!(Arc::strong_count(&value), 3);
    drop(second.try_recv());
    assert_eq!(Arc::strong_count(&value), 2);
    let third = second.clone();
    drop(second);
    assert_eq!(Arc::strong_count(&value), 2, "a clone has yet to have it");
    drop(third);
    assert_eq!(Arc::strong_count(&value), 1);
    drop(first);
    assert_eq!(sender.send(value.clone()), Err(SendError(value)));
}

#[test]
fn the_end_wakes_all() {
    let (sender, mut first) = channel::<u8>(1);
    let mut second = first.resubscribe();
    let waiting = [Probe::parked(first.recv()), Probe::parked(second.recv())];
    drop(sender.clone());
    assert_eq!(waiting.each_ref().map(|probe| probe.wakes()), [0, 0]);
    drop(sender);
    assert_eq!(waiting.map(Probe::ready), [Err(RecvError::Closed); 2]);
}

#[test]
fn a_value_may_use_the_channel_while_it_is_cloned() {
    struct Curious(wakering_runtime::sync::broadcast::Sender<Curious>);
    impl Clone for Curious {
        fn clone(&self) -> Curious {
            assert_eq!(self.0.receiver_count(), 2);
            Curious(self.0.clone())
        }
    }
    let (sender, mut first) = channel(1);
    let mut second = first.clone();
    sender.send(Curious(sender.clone())).ok().unwrap();
    assert!(first.try_recv().is_ok());
    assert!(second.try_recv().is_ok());
}
