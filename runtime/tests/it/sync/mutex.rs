//! Mutexes.

use std::cell::RefCell;
use std::mem;
use std::rc::Rc;
use std::sync::Arc;

use wakering_runtime::spawn;
use wakering_runtime::sync::{Mutex, local};
use wakering_runtime::task::{Builder, yield_now};

use super::Probe;
use crate::within_bounds;

/// Given a holder that locks again as soon as it has unlocked, when others wait, then all take
/// strict turns.
#[test]
fn case_l01_a_holder_that_locks_again_waits_for_its_turn() {
    let log = Rc::new(RefCell::new(Vec::new()));
    within_bounds(async {
        let mutex = Rc::new(Mutex::new(()));
        let tasks: Vec<_> = (1..=3)
            .map(|id| {
                let (mutex, log) = (mutex.clone(), log.clone());
                spawn(async move {
                    for _ in 0..3 {
                        let guard = mutex.lock().await;
                        log.borrow_mut().push(id);
                        yield_now().await;
                        drop(guard);
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
    assert_eq!(*log.borrow(), [1, 2, 3].repeat(3));
}

/// Given waiters B and C, when B is cancelled as A unlocks, then C gets the lock, and there is
/// exactly one holder.
#[test]
fn case_l02_a_lock_given_to_a_cancelled_waiter_goes_to_the_next() {
    let mutex = Mutex::new(());
    let a = mutex.try_lock().unwrap();
    let b = Probe::parked(mutex.lock());
    let mut c = Probe::parked(mutex.lock());
    drop(a);
    assert_eq!((b.wakes(), c.wakes()), (1, 0));
    assert!(mutex.try_lock().is_err(), "it is B's");
    drop(b);
    assert_eq!(c.wakes(), 1);
    let guard = c.poll();
    assert!(guard.is_ready());
    assert!(mutex.try_lock().is_err(), "it is C's");
    drop(guard);
    assert!(mutex.try_lock().is_ok());
}

/// Given a task that has ended after it forgot its guard, when others wait for the lock, then they
/// go on waiting, and the lock shows who has it.
#[test]
fn case_l04_a_lock_whose_guard_was_forgotten_tells_whose_it_is() {
    within_bounds(async {
        let mutex = Rc::new(Mutex::new(1));
        let inner = mutex.clone();
        let task =
            Builder::new().name("forgetful").spawn(async move { mem::forget(inner.lock().await) });
        let id = task.id();
        task.await.unwrap();
        let _waiting = Probe::parked(mutex.lock());
        let holder = mutex.holder().unwrap();
        assert_eq!((holder.id(), holder.name()), (id, Some("forgetful")));
        let shown = format!("{mutex:?}");
        let expected = format!("Mutex {{ value: <locked by task {id} `forgetful` (spawned at ");
        assert!(shown.starts_with(&expected), "{shown}");
    });
}

#[test]
fn a_mutex_shows_its_value_or_that_it_is_locked() {
    let mutex = Mutex::new(1);
    assert_eq!(format!("{mutex:?}"), "Mutex { value: 1 }");
    let guard = mutex.try_lock().unwrap();
    assert_eq!(format!("{mutex:?} {guard:?} {guard}"), "Mutex { value: <locked> } 1 1");
    assert!(mutex.holder().is_none(), "a test is no task");
}

#[test]
fn a_free_mutex_has_no_holder() {
    within_bounds(async {
        let mutex = Rc::new(local::Mutex::new(1));
        let inner = mutex.clone();
        spawn(async move {
            let guard = inner.lock().await;
            assert!(inner.holder().is_some());
            drop(guard);
        })
        .await
        .unwrap();
        assert!(mutex.holder().is_none());
    });
}

#[test]
fn a_panic_unlocks() {
    within_bounds(async {
        let mutex = Rc::new(Mutex::new(1));
        let inner = mutex.clone();
        let task = spawn(async move {
            let _guard = inner.lock().await;
            panic!("with the lock");
        });
        assert!(task.await.unwrap_err().is_panic());
        assert_eq!(*mutex.lock().await, 1);
    });
}

#[test]
fn the_value_is_dropped_once() {
    let value = Arc::new(());
    let mutex = Mutex::new(value.clone());
    assert_eq!(Arc::strong_count(&mutex.into_inner()), 2);
    let mutex = Arc::new(Mutex::new(value.clone()));
    let guard = Mutex::try_lock_owned(mutex.clone()).unwrap();
    drop(mutex);
    assert_eq!(Arc::strong_count(&guard), 2);
    drop(guard);
    assert_eq!(Arc::strong_count(&value), 1);
}
