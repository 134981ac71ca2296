//! Condition variables.

use std::task::Poll;

use wakering_runtime::sync::{Condvar, Mutex};

use super::Probe;

/// Given a waiter that was notified and is cancelled, before it runs or while it waits for the lock,
/// when another waits too, then that one gets the notification.
#[test]
fn case_c02_a_notification_of_a_cancelled_waiter_goes_to_the_next() {
    for waits_for_lock in [false, true] {
        let (mutex, changed) = (Mutex::new(()), Condvar::new());
        let mut first = Probe::parked(changed.wait(mutex.try_lock().unwrap()));
        let second = Probe::parked(changed.wait(mutex.try_lock().unwrap()));
        changed.notify_one();
        assert_eq!((first.wakes(), second.wakes()), (1, 0));
        if waits_for_lock {
            let _lock = mutex.try_lock().unwrap();
            assert!(first.poll().is_pending());
            drop(first);
        } else {
            drop(first);
        }
        assert_eq!(second.wakes(), 1);
        drop(second.ready());
        assert!(mutex.try_lock().is_ok());
    }
}

/// Given three waiters, when two are notified, then the first two go on, in order and with the lock
/// retaken, and the third waits; who waits for a predicate looks again each time.
#[test]
fn case_c03_two_of_three_are_notified_in_order() {
    let (mutex, changed) = (Mutex::new(0), Condvar::new());
    let [first, mut second, mut third] =
        [(); 3].map(|()| Probe::parked(changed.wait(mutex.try_lock().unwrap())));
    changed.notify(2);
    assert_eq!((first.wakes(), second.wakes(), third.wakes()), (1, 1, 0));
    let guard = first.ready();
    assert!(second.poll().is_pending(), "the first has the lock");
    drop(guard);
    drop(second.ready());
    assert!(third.poll().is_pending());

    let mut calls = 0;
    let guard = mutex.try_lock().unwrap();
    let mut waiting = Probe::parked(changed.wait_for(guard, |count| {
        calls += 1;
        *count == 1
    }));
    changed.notify_all();
    assert!(waiting.poll().is_pending(), "it was notified and looks again");
    *mutex.try_lock().unwrap() += 1;
    changed.notify_all();
    let Poll::Ready(guard) = waiting.poll() else { panic!("the predicate holds") };
    assert_eq!(*guard, 1);
    drop((guard, waiting));
    assert_eq!(calls, 3);
}

#[test]
fn the_lock_is_free_while_one_waits() {
    let (mutex, changed) = (Mutex::new(1), Condvar::new());
    let waiting = Probe::parked(changed.wait(mutex.try_lock().unwrap()));
    *mutex.try_lock().unwrap() += 1;
    changed.notify_one();
    assert_eq!(*waiting.ready(), 2);
    changed.notify_one();
    let mut late = Probe::parked(changed.wait(mutex.try_lock().unwrap()));
    assert!(late.poll().is_pending(), "a notification that nobody waits for is lost");
}
