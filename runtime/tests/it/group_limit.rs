//! Groups in which so many children run at a time.

use std::cell::{Cell, RefCell};
use std::future::pending;
use std::rc::Rc;
use std::time::Duration;

use wakering_runtime::task::{self, yield_now};
use wakering_runtime::time::timeout;

use crate::{message, within_bounds};

#[derive(Default)]
struct Running {
    now: Cell<usize>,
    most: Cell<usize>,
}

impl Running {
    async fn during(&self, turns: usize) {
        self.now.update(|now| now + 1);
        self.most.set(self.most.get().max(self.now.get()));
        for _ in 0..turns {
            yield_now().await;
        }
        self.now.update(|now| now - 1);
    }
}

/// Given a group for ten tasks, when 1,000 are spawned by somebody who waits for room, then there are
/// never more than ten, and the spawner has waited.
#[test]
fn case_j21_whoever_spawns_waits_for_room() {
    let running = Rc::new(Running::default());
    let order = Rc::new(RefCell::new(Vec::new()));
    let (mut alive, mut waited) = (0, 0);
    within_bounds(task::group(async |group| {
        group.max_tasks(10);
        for n in 0..1000 {
            let full = group.len() == 10;
            group.room().await;
            waited += usize::from(full);
            let (running, order) = (running.clone(), order.clone());
            group.spawn(async move {
                order.borrow_mut().push(n);
                running.during(n % 7).await;
                Ok::<_, ()>(())
            });
            alive = alive.max(group.len());
        }
        Ok(())
    }))
    .unwrap();
    assert_eq!((alive, running.most.get(), running.now.get()), (10, 10, 0));
    assert!(waited > 100, "{waited}");
    assert_eq!(*order.borrow(), (0..1000).collect::<Vec<_>>());
}

/// Given a group for ten tasks, when 1,000 are spawned at once, then ten run at a time, in the order in
/// which they were spawned, and whoever waits for room does so until the last of them has it.
#[test]
fn case_j21_who_does_not_wait_has_the_tasks_wait() {
    let running = Rc::new(Running::default());
    let order = Rc::new(RefCell::new(Vec::new()));
    within_bounds(task::group(async |group| {
        group.max_tasks(10);
        for n in 0..1000 {
            let (running, order) = (running.clone(), order.clone());
            group.spawn(async move {
                order.borrow_mut().push(n);
                running.during(n % 7).await;
                Ok::<_, ()>(())
            });
        }
        assert_eq!(group.len(), 1000);
        group.room().await;
        assert!(order.borrow().len() >= 999);
        assert!(group.len() <= 10);
        Ok(())
    }))
    .unwrap();
    assert_eq!((running.most.get(), running.now.get()), (10, 0));
    assert_eq!(*order.borrow(), (0..1000).collect::<Vec<_>>());
}

/// Given children that wait for their turn, when one of them is cancelled, then it never begins; when
/// the group is cancelled or its body fails, then all of them are over.
#[test]
fn children_that_wait_for_their_turn_can_be_cancelled() {
    within_bounds(async {
        let begun = Rc::new(Cell::new(false));
        for fails in [false, true] {
            let ended = task::group(async |group| {
                group.max_tasks(1);
                group.spawn(pending::<Result<(), &str>>());
                let begins = begun.clone();
                let alone = group.spawn(async move {
                    begins.set(true);
                    Ok(())
                });
                let together = group.spawn(pending::<Result<(), &str>>());
                assert!(timeout(Duration::from_millis(1), group.room()).await.is_err());
                assert!(alone.cancel());
                assert!(alone.await.is_err());
                if fails {
                    return Err("the body");
                }
                group.cancel();
                assert!(together.await.is_err());
                Ok(())
            })
            .await;
            assert_eq!(ended.is_err(), fails);
        }
        assert!(!begun.get());
    });
}

#[test]
fn a_group_for_no_tasks_is_refused() {
    let refused = std::panic::catch_unwind(|| {
        within_bounds(task::group(async |group| {
            group.max_tasks(0);
            Ok::<_, ()>(())
        }))
    });
    assert!(message(refused.unwrap_err()).contains("allow at least one"));
}
