//! Telling tasks to look again.

use wakering_runtime::sync::Notify;

use super::Probe;

#[test]
fn one_is_told_after_the_other() {
    let notify = Notify::new();
    let mut waiting = [(); 2].map(|()| Probe::parked(notify.notified()));
    notify.notify_one();
    assert_eq!(waiting.each_ref().map(|probe| probe.wakes()), [1, 0]);
    assert!(waiting[0].poll().is_ready());
    notify.notify_one();
    assert!(waiting[1].poll().is_ready());
    assert!(waiting[1].poll().is_ready(), "it stays told");
}

#[test]
fn a_told_and_cancelled_waiter_passes_it_on() {
    let notify = Notify::new();
    let [first, mut second] = [(); 2].map(|()| Probe::parked(notify.notified()));
    notify.notify_one();
    drop(first);
    assert!(second.poll().is_ready());
    let only = Probe::parked(notify.notified());
    notify.notify_one();
    drop(only);
    assert!(Probe::new(notify.notified()).poll().is_ready(), "it was kept for who comes");
    Probe::parked(notify.notified());
}

#[test]
fn who_was_told_with_all_passes_nothing_on() {
    let notify = Notify::new();
    let [first, second] = [(); 2].map(|()| Probe::parked(notify.notified()));
    let unpolled = Probe::new(notify.notified());
    notify.notify_waiters();
    let mut late = Probe::parked(notify.notified());
    drop(first);
    assert!(late.poll().is_pending());
    second.ready();
    unpolled.ready();
}

#[test]
fn enabling_keeps_the_waker_that_is_there() {
    let notify = Notify::new();
    let mut probe = Probe::parked(notify.notified());
    assert!(!probe.future.as_mut().get_mut().enable());
    notify.notify_one();
    assert_eq!(probe.wakes(), 1);
    assert!(probe.future.as_mut().get_mut().enable());
    probe.ready();
}
