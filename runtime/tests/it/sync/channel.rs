//! Channels.

use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures_util::StreamExt;
use wakering_runtime::spawn;
use wakering_runtime::sync::{SendError, TryRecvError, TrySendError, channel, local, unbounded};
use wakering_runtime::task::yield_now;
use wakering_runtime::time::timeout;

use super::Probe;
use crate::{message, within_bounds};

/// Given a channel with room for two, when three items are sent and received later, then the third
/// send waits, and the items come out in the order in which they went in.
#[test]
fn case_q01_a_third_send_waits_and_items_keep_their_order() {
    let (sender, mut receiver) = channel(2);
    Probe::new(sender.send(1)).ready().unwrap();
    Probe::new(sender.send(2)).ready().unwrap();
    let mut third = Probe::parked(sender.send(3));
    assert_eq!(Probe::new(receiver.recv()).ready(), Some(1));
    assert_eq!(third.wakes(), 1);
    assert!(third.poll().is_ready());
    assert_eq!(Probe::new(receiver.recv()).ready(), Some(2));
    assert_eq!(Probe::new(receiver.recv()).ready(), Some(3));
}

/// Given two receivers that wait, when the first is cancelled and an item comes, then the second
/// gets it.
#[test]
fn case_q02_an_item_goes_to_the_next_when_the_first_receiver_was_cancelled() {
    let (sender, mut first) = channel(1);
    let mut second = first.clone();
    let cancelled = Probe::parked(first.recv());
    let mut waiting = Probe::parked(second.recv());
    drop(cancelled);
    sender.try_send(1).unwrap();
    assert_eq!(waiting.poll(), Poll::Ready(Some(1)));
}

/// Given a receiver that was woken for an item, when it is cancelled before it runs and asks again,
/// then it gets the first item before the second, and none is lost.
#[test]
fn case_q03_a_woken_and_cancelled_receiver_loses_and_reorders_nothing() {
    let (sender, mut receiver) = channel(2);
    let woken = Probe::parked(receiver.recv());
    sender.try_send(1).unwrap();
    assert_eq!(woken.wakes(), 1);
    sender.try_send(2).unwrap();
    drop(woken);
    assert_eq!(Probe::new(receiver.recv()).ready(), Some(1));
    assert_eq!(Probe::new(receiver.recv()).ready(), Some(2));
}

/// Given a receiver that waits, when an item is sent and the sender at once tries to receive it,
/// then it is the waiter's.
#[test]
fn case_q05_an_item_belongs_to_who_waits() {
    let (sender, mut receiver) = channel(1);
    let mut greedy = receiver.clone();
    let mut waiting = Probe::parked(receiver.recv());
    sender.try_send(1).unwrap();
    assert_eq!(greedy.try_recv(), Err(TryRecvError::Empty));
    assert_eq!(waiting.poll(), Poll::Ready(Some(1)));
}

/// Given ten cloned senders that send three items each and are dropped, when the channel is
/// drained, then thirty items come out and then the end.
#[test]
fn case_q07_the_end_comes_after_what_all_senders_have_sent() {
    within_bounds(async {
        let (sender, mut receiver) = channel(4);
        for n in 0..10 {
            let sender = sender.clone();
            spawn(async move {
                for m in 0..3 {
                    sender.send(3 * n + m).await.unwrap();
                    yield_now().await;
                }
            });
        }
        drop(sender);
        let mut received = Vec::new();
        while let Some(n) = receiver.recv().await {
            received.push(n);
        }
        received.sort();
        assert_eq!(received, (0..30).collect::<Vec<_>>());
        assert_eq!(receiver.recv().await, None);
    });
}

/// Given a channel whose receiver was dropped, when something is sent, then the error gives it
/// back; so it does to who waited for room.
#[test]
fn case_q08_an_item_that_nobody_will_receive_comes_back() {
    let (sender, receiver) = channel(1);
    sender.try_send("first").unwrap();
    let mut waiting = Probe::parked(sender.send("second"));
    drop(receiver);
    assert_eq!(waiting.poll(), Poll::Ready(Err(SendError("second"))));
    assert_eq!(Probe::new(sender.send("third")).ready(), Err(SendError("third")));
    assert_eq!(sender.try_send("fourth"), Err(TrySendError::Closed("fourth")));
}

/// Given a channel with one item and a sender that waits, when it is closed, then that sender
/// fails, the item can be received, and then comes the end.
#[test]
fn case_q10_a_closed_channel_is_drained() {
    let (sender, mut receiver) = channel(1);
    sender.try_send(1).unwrap();
    let mut blocked = Probe::parked(sender.send(2));
    sender.close();
    assert_eq!(blocked.wakes(), 1);
    assert_eq!(blocked.poll(), Poll::Ready(Err(SendError(2))));
    assert_eq!(Probe::new(receiver.recv()).ready(), Some(1));
    assert_eq!(Probe::new(receiver.recv()).ready(), None);
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Disconnected));
}

/// Given a channel with items of which one is on its way to a receiver, when it is closed at once,
/// then the others are handed back, the channel is empty, and the receiver still gets its own.
#[test]
fn case_q11_closing_at_once_hands_back_what_is_nobodys() {
    let (sender, mut receiver) = channel(3);
    let closer = receiver.clone();
    let mut waiting = Probe::parked(receiver.recv());
    for n in 1..=3 {
        sender.try_send(n).unwrap();
    }
    let mut blocked = Probe::parked(sender.send(4));
    assert_eq!(closer.close_now(), [2, 3]);
    assert_eq!(blocked.poll(), Poll::Ready(Err(SendError(4))));
    assert_eq!(waiting.poll(), Poll::Ready(Some(1)));
    drop(waiting);
    assert!(receiver.is_empty());
    assert_eq!(Probe::new(receiver.recv()).ready(), None);
}

/// Given a receive that has timed out, when that is over, then the channel keeps nothing of it.
#[test]
fn case_q12_a_receive_that_timed_out_leaves_no_waiter() {
    let (sender, mut receiver) = channel(1);
    let parked = Probe::parked(receiver.recv());
    let wakes = parked.wakes.clone();
    assert!(!Probe::<std::future::Ready<()>>::is_forgotten(&wakes));
    drop(parked);
    assert!(Probe::<std::future::Ready<()>>::is_forgotten(&wakes));
    within_bounds(async {
        for _ in 0..100 {
            assert!(timeout(Duration::from_micros(10), receiver.recv()).await.is_err());
        }
        sender.send(1).await.unwrap();
        assert_eq!(receiver.try_recv(), Ok(1), "it was promised to nobody");
    });
}

/// Given a value that was delivered to a waiter, when the waiter is cancelled in the same turn, then
/// the value is not lost.
#[test]
fn case_x06_a_value_delivered_to_a_cancelled_waiter_is_not_lost() {
    within_bounds(async {
        let (sender, mut receiver) = channel(1);
        let mut other = receiver.clone();
        let task = spawn(async move { receiver.recv().await });
        yield_now().await;
        sender.try_send(1).unwrap();
        assert!(task.cancel());
        assert!(task.await.unwrap_err().is_cancelled());
        assert_eq!(other.recv().await, Some(1));
    });
}

#[test]
fn room_of_a_cancelled_sender_goes_to_the_next() {
    let (sender, mut receiver) = channel(1);
    sender.try_send(1).unwrap();
    let woken = Probe::parked(sender.send(2));
    let mut next = Probe::parked(sender.send(3));
    assert_eq!(receiver.try_recv(), Ok(1));
    assert_eq!((woken.wakes(), next.wakes()), (1, 0));
    drop(woken);
    assert_eq!(next.wakes(), 1);
    assert!(next.poll().is_ready());
    assert_eq!(receiver.try_recv(), Ok(3));
}

#[test]
fn reserved_room_outlasts_closing_and_is_waited_for() {
    let (sender, mut receiver) = channel(2);
    let (used, unused) = (sender.try_reserve().unwrap(), sender.try_reserve().unwrap());
    receiver.close();
    assert!(Probe::new(sender.reserve()).ready().is_err());
    let mut waiting = Probe::parked(receiver.recv());
    used.send(1);
    assert_eq!(waiting.poll(), Poll::Ready(Some(1)));
    drop(waiting);
    let mut waiting = Probe::parked(receiver.recv());
    drop(unused);
    assert_eq!(waiting.wakes(), 1);
    assert_eq!(waiting.poll(), Poll::Ready(None));
}

#[test]
fn a_cancelled_reservation_ends_a_closed_channel() {
    let (sender, mut receiver) = channel(1);
    sender.try_send(1).unwrap();
    let promised = Probe::parked(sender.reserve());
    assert_eq!(receiver.try_recv(), Ok(1));
    sender.close();
    let mut waiting = Probe::parked(receiver.recv());
    drop(promised);
    assert_eq!(waiting.poll(), Poll::Ready(None));
}

#[test]
fn an_item_that_somebody_was_promised_can_still_come_to_another_after_the_end() {
    let (sender, mut receiver) = channel(1);
    let mut other = receiver.clone();
    let promised = Probe::parked(receiver.recv());
    let mut waiting = Probe::parked(other.recv());
    sender.try_send(1).unwrap();
    drop(sender);
    assert!(waiting.poll().is_pending(), "it may yet get the item");
    drop(promised);
    assert_eq!(waiting.poll(), Poll::Ready(Some(1)));
}

#[test]
fn all_who_wait_are_told_of_the_end() {
    let (sender, receiver) = channel::<u8>(1);
    let mut receivers = [receiver.clone(), receiver];
    let [first, second] = &mut receivers;
    let waiting = [Probe::parked(first.recv()), Probe::parked(second.recv())];
    drop(sender);
    for probe in waiting {
        assert_eq!(probe.wakes(), 1);
        assert_eq!(probe.ready(), None);
    }
}

#[test]
fn a_receive_takes_over_the_place_of_a_stream() {
    let (sender, mut receiver) = channel(2);
    let mut other = receiver.clone();
    drop(Probe::parked(receiver.next()));
    let mut later = Probe::parked(other.recv());
    sender.try_send(1).unwrap();
    assert!(later.poll().is_pending(), "it came after the stream");
    assert_eq!(Probe::new(receiver.recv()).ready(), Some(1));
    sender.try_send(2).unwrap();
    assert_eq!(later.poll(), Poll::Ready(Some(2)));
    drop(later);

    drop(Probe::parked(receiver.next()));
    let mut later = Probe::parked(other.recv());
    sender.try_send(3).unwrap();
    drop(receiver);
    assert_eq!(later.poll(), Poll::Ready(Some(3)), "a dropped stream passes its item on");
}

#[test]
fn what_is_left_is_dropped_with_the_last_receiver() {
    let item = Arc::new(());
    let (sender, receiver) = channel(3);
    sender.try_send(item.clone()).unwrap();
    let permit = sender.try_reserve().unwrap();
    drop(receiver.clone());
    assert_eq!(Arc::strong_count(&item), 2);
    drop(receiver);
    assert_eq!(Arc::strong_count(&item), 1);
    permit.send(item.clone());
    assert_eq!(Arc::strong_count(&item), 1, "nobody would receive it");
}

#[test]
fn an_item_may_use_the_channel_while_it_is_dropped() {
    struct Sends(Option<local::UnboundedSender<Sends>>);
    impl Drop for Sends {
        fn drop(&mut self) {
            if let Some(sender) = &self.0 {
                assert!(sender.send(Sends(None)).is_err());
            }
        }
    }
    let (sender, receiver) = local::unbounded();
    sender.send(Sends(Some(sender.clone()))).unwrap();
    drop(receiver);
}

#[test]
fn an_unbounded_channel_never_waits() {
    let (sender, mut receiver) = unbounded();
    for n in 0..10_000 {
        sender.send(n).unwrap();
    }
    assert_eq!(receiver.len(), 10_000);
    drop(sender);
    let count = within_bounds(async {
        let mut count = 0;
        while receiver.recv().await == Some(count) {
            count += 1;
        }
        count
    });
    assert_eq!(count, 10_000);
}

#[test]
fn a_channel_without_room_is_refused() {
    let panic = std::panic::catch_unwind(|| channel::<u8>(0)).unwrap_err();
    assert_eq!(message(panic), "a channel has room for one item at least, not for 0");
}

#[test]
fn a_local_channel_carries_what_stays_on_its_thread() {
    within_bounds(async {
        let (sender, mut receiver) = local::channel(1);
        spawn(async move {
            for n in 0..5 {
                sender.send(Rc::new(n)).await.unwrap();
            }
        });
        for n in 0..5 {
            assert_eq!(receiver.recv().await, Some(Rc::new(n)));
        }
        assert_eq!(receiver.recv().await, None);
    });
}
