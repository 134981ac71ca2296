//! A ring of the kernel, with answers that it gives rarely.

use super::*;
use crate::testing::ring_or_skip;

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
