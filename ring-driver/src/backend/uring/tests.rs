//! A ring of the kernel, with answers that it gives rarely.

use super::*;
use crate::testing::{ring_or_skip, skip};

fn ring() -> Uring {
    let remote = Remote::new().unwrap();
    Uring::new(&Config::default(), Mask::default(), &remote, &Pool::shared()).unwrap()
}

/// Given a trial that has ended after its ring was given away; when completions are taken; then no
/// flight is told.
#[test]
fn a_late_trial_is_no_flight() {
    if !ring_or_skip("a_late_trial_is_no_flight") {
        return;
    }
    let mut ring = ring();
    for trial in [TRIAL, TRIAL_CANCEL] {
        ring.submit(&Request::Nop, trial, Flags::empty());
    }
    ring.enter(Some(Some(Duration::from_secs(1))));
    let mut batch = Vec::new();
    ring.reap(&mut batch);
    assert!(batch.is_empty(), "{batch:?}");
}

/// Given two rings to which something was posted; when the kernel says only after a look at
/// completions that it had no room; then both are told by their notifiers, once.
#[test]
fn a_post_that_fails_late_is_told_all_the_same() {
    if !ring_or_skip("a_post_that_fails_late_is_told_all_the_same") {
        return;
    }
    let mut ring = ring();
    if !ring.capabilities().msg_ring {
        return skip("a_post_that_fails_late_is_told_all_the_same", "no msg_ring");
    }
    let targets = [Remote::new().unwrap(), Remote::new().unwrap()];
    let rings = targets.each_ref().map(|remote| {
        Uring::new(&Config::default(), Mask::default(), remote, &Pool::shared()).unwrap()
    });
    for remote in [&targets[0], &targets[1], &targets[0]] {
        assert!(ring.nudge(&remote.ring().unwrap(), remote.notifier()));
    }
    ring.reap(&mut Vec::new());
    let failed = Outcome::plain(-libc::EOVERFLOW);
    for told in [1, 0] {
        assert!(ring.keep(Completion { user_data: NUDGED, outcome: failed }).is_none());
        for remote in &targets {
            assert_eq!(call::poll(remote.notifier_number().0, libc::POLLIN as u32, 0), told);
            let mut count = 0u64;
            let buf = (&raw mut count).cast();
            let fd = remote.notifier_number();
            if told > 0 {
                call::call(&Request::Read { fd, buf, len: 8, offset: None });
            }
            assert_eq!(count, told as u64);
        }
    }
    drop(rings);
}
