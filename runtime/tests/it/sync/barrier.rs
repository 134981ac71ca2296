//! Barriers.

use std::cell::RefCell;
use std::rc::Rc;

use wakering_runtime::spawn;
use wakering_runtime::sync::{Barrier, Broken, local};

use super::Probe;
use crate::{message, within_bounds};

/// Given a barrier for three and three tasks that wait at it in a loop, when all wait, then each
/// gets another index, round for round.
#[test]
fn case_b01_parties_get_distinct_indices_each_round() {
    let log = Rc::new(RefCell::new(vec![Vec::new(); 4]));
    within_bounds(async {
        let barrier = Rc::new(local::Barrier::new(3));
        let tasks: Vec<_> = (0..3)
            .map(|_| {
                let (barrier, log) = (barrier.clone(), log.clone());
                spawn(async move {
                    for round in 0..4 {
                        let index = barrier.wait().await.unwrap();
                        log.borrow_mut()[round].push(index);
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
    for round in log.borrow_mut().iter_mut() {
        round.sort();
        assert_eq!(*round, [0, 1, 2]);
    }
}

/// Given a waiter that is cancelled, when others come, then the barrier waits for one more, and the
/// indices are still distinct.
#[test]
fn case_b02_a_cancelled_waiter_does_not_count() {
    let barrier = Barrier::new(3);
    let cancelled = Probe::parked(barrier.wait());
    let first = Probe::parked(barrier.wait());
    drop(cancelled);
    assert_eq!(barrier.waiting(), 1);
    let second = Probe::parked(barrier.wait());
    assert_eq!(Probe::new(barrier.wait()).ready(), Ok(2));
    assert_eq!((first.ready(), second.ready()), (Ok(0), Ok(1)));
    assert_eq!(barrier.waiting(), 0);
}

/// Given waiters, when the barrier is aborted or reset, then they are told that it is broken; after
/// a reset it can be used again.
#[test]
fn case_b03_abort_and_reset_break_those_who_wait() {
    let barrier = Barrier::new(2);
    let waiting = Probe::parked(barrier.wait());
    barrier.abort();
    assert_eq!(waiting.ready(), Err(Broken));
    assert_eq!(Probe::new(barrier.wait()).ready(), Err(Broken));
    barrier.reset();
    let waiting = Probe::parked(barrier.wait());
    barrier.reset();
    assert_eq!(waiting.ready(), Err(Broken));
    let waiting = Probe::parked(barrier.wait());
    assert_eq!(Probe::new(barrier.wait()).ready(), Ok(1));
    barrier.abort();
    assert_eq!(waiting.ready(), Ok(0), "it was over before that");
}

#[test]
fn a_barrier_for_nobody_is_refused() {
    let panic = std::panic::catch_unwind(|| Barrier::new(0)).unwrap_err();
    assert_eq!(message(panic), "a barrier is for one party at least, not for 0");
}
