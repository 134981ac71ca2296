//! Semaphores.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;

use wakering_runtime::spawn;
use wakering_runtime::sync::{Semaphore, TryAcquireError, local};
use wakering_runtime::task::yield_now;

use super::Probe;
use crate::{message, within_bounds};

/// Given one permit and three tasks that acquire it twice each, when they run, then they get it in
/// turn: 1, 2, 3, 1, 2, 3.
#[test]
fn case_m01_tasks_take_turns() {
    let log = Rc::new(RefCell::new(Vec::new()));
    within_bounds(async {
        let semaphore = Rc::new(local::Semaphore::new(1));
        let tasks: Vec<_> = (1..=3)
            .map(|id| {
                let (semaphore, log) = (semaphore.clone(), log.clone());
                spawn(async move {
                    for _ in 0..2 {
                        let _permit = semaphore.acquire().await.unwrap();
                        log.borrow_mut().push(id);
                        yield_now().await;
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
    assert_eq!(*log.borrow(), [1, 2, 3, 1, 2, 3]);
}

/// Given four waiters of which the first two are cancelled, when one permit comes, then only the
/// third gets it.
#[test]
fn case_m02_a_permit_skips_those_that_were_cancelled() {
    let semaphore = Semaphore::new(0);
    let [first, second, mut third, mut fourth] =
        [(); 4].map(|()| Probe::parked(semaphore.acquire()));
    drop((first, second));
    semaphore.add_permits(1);
    assert_eq!((third.wakes(), fourth.wakes()), (1, 0));
    let permit = third.poll();
    assert!(permit.is_ready());
    assert!(fourth.poll().is_pending());
}

/// Given three permits that came before those who waited for them have run, when somebody else asks,
/// then the queue goes first.
#[test]
fn case_m04_nobody_overtakes_those_who_were_woken() {
    let semaphore = Semaphore::new(0);
    let waiting = [(); 3].map(|()| Probe::parked(semaphore.acquire()));
    semaphore.add_permits(3);
    assert_eq!(semaphore.try_acquire().unwrap_err(), TryAcquireError::NoPermits);
    let mut late = Probe::parked(semaphore.acquire());
    let permits = waiting.map(|probe| probe.ready().unwrap());
    assert!(late.poll().is_pending());
    drop(permits);
    assert!(late.ready().is_ok());
}

#[test]
fn who_wants_much_is_not_overtaken_and_makes_way_when_it_leaves() {
    let semaphore = Semaphore::new(2);
    let much = Probe::parked(semaphore.acquire_many(3));
    let mut little = Probe::parked(semaphore.acquire());
    assert!(semaphore.try_acquire().is_err());
    drop(much);
    assert_eq!(little.wakes(), 1);
    assert!(little.poll().is_ready());
}

#[test]
fn a_woken_and_cancelled_waiter_gives_all_its_permits_to_the_next() {
    let semaphore = Semaphore::new(0);
    let much = Probe::parked(semaphore.acquire_many(2));
    let next = [(); 2].map(|()| Probe::parked(semaphore.acquire()));
    semaphore.add_permits(2);
    assert_eq!(much.wakes(), 1);
    drop(much);
    let permits = next.map(|probe| probe.ready().unwrap());
    assert_eq!(semaphore.available_permits(), 0);
    drop(permits);
    assert_eq!(semaphore.available_permits(), 2);
}

#[test]
fn closing_tells_all_who_wait_and_takes_back_what_is_out() {
    let semaphore = Arc::new(Semaphore::new(2));
    let out = Semaphore::try_acquire_owned(semaphore.clone()).unwrap();
    let waiting = [(); 2].map(|()| Probe::parked(semaphore.acquire_many(2)));
    semaphore.close();
    for probe in waiting {
        assert!(probe.ready().is_err());
    }
    drop(out);
    assert_eq!(semaphore.try_acquire().unwrap_err(), TryAcquireError::Closed);
}

#[test]
fn a_permit_that_was_on_its_way_survives_closing() {
    let semaphore = Semaphore::new(0);
    let woken = Probe::parked(semaphore.acquire());
    semaphore.add_permits(1);
    semaphore.close();
    assert!(woken.ready().is_ok());
}

#[test]
fn releasing_too_much_is_told_and_changes_nothing() {
    let semaphore = Semaphore::bounded(2);
    let permit = semaphore.try_acquire().unwrap();
    let panic = catch_unwind(AssertUnwindSafe(|| semaphore.add_permits(1))).unwrap_err();
    let expected = "cannot add 1 permits to a semaphore that has 2 and may have 2: each permit may \
                    be given back once";
    assert_eq!(message(panic), expected);
    permit.forget();
    semaphore.add_permits(1);
    assert_eq!(semaphore.available_permits(), 2);
    let panic =
        catch_unwind(AssertUnwindSafe(|| Semaphore::new(1).add_permits(usize::MAX))).unwrap_err();
    assert!(message(panic).starts_with("cannot add 18446744073709551615 permits"));
}

#[test]
fn owned_permits_part_and_meet() {
    let semaphore = Arc::new(Semaphore::new(3));
    let mut permit = Semaphore::try_acquire_many_owned(semaphore.clone(), 3).unwrap();
    let part = permit.split(2).unwrap();
    assert_eq!((permit.count(), part.count()), (1, 2));
    drop(part);
    assert_eq!(semaphore.available_permits(), 2);
    permit.merge(Semaphore::try_acquire_owned(semaphore.clone()).unwrap());
    assert_eq!(permit.count(), 2);
    let other = Semaphore::try_acquire_owned(Arc::new(Semaphore::new(1))).unwrap();
    assert!(catch_unwind(AssertUnwindSafe(|| permit.merge(other))).is_err());
}
