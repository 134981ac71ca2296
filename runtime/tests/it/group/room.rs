//! How many children of a group may run at a time.

use std::cell::{Cell, RefCell};
use std::future::pending;
use std::panic::catch_unwind;
use std::rc::Rc;

use wakering_runtime::sync::Event;
use wakering_runtime::task::{ChildError, group, yield_now};

use crate::{message, within_bounds};

/// Given a group in which ten may run; when a thousand are spawned, each once there is room or all
/// at once; then never more than ten run, those that wait do so in order, and all are done.
#[test]
fn case_j21_no_more_run_than_the_group_allows() {
    for waits in [true, false] {
        within_bounds(async move {
            let (running, most) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
            let order = Rc::new(RefCell::new(Vec::new()));
            let outcome = group(async |group| {
                group.max_tasks(10);
                for number in 0..1000 {
                    if waits {
                        group.room().await;
                        assert!(group.len() < 11, "the spawner did not wait");
                    }
                    let (running, most) = (running.clone(), most.clone());
                    let order = order.clone();
                    group.spawn(async move {
                        order.borrow_mut().push(number);
                        running.set(running.get() + 1);
                        most.set(most.get().max(running.get()));
                        yield_now().await;
                        running.set(running.get() - 1);
                        Ok::<_, ()>(())
                    });
                }
                Ok(())
            });
            outcome.await.unwrap();
            assert_eq!((most.get(), running.get()), (10, 0));
            assert!(order.borrow().iter().copied().eq(0..1000));
        });
    }
}

/// Given children that wait for their turn in a limited group; when the group is cancelled or one
/// that waits is; then none of them begins, and no turn is lost.
#[test]
fn children_that_wait_for_their_turn_may_be_cancelled() {
    within_bounds(async {
        let begun = Rc::new(Cell::new(0));
        let go_on = Rc::new(Event::new());
        let outcome = group(async |group| {
            group.max_tasks(1);
            let child = || {
                let (begun, go_on) = (begun.clone(), go_on.clone());
                async move {
                    begun.set(begun.get() + 1);
                    go_on.wait().await;
                    Ok::<_, ()>(())
                }
            };
            let first = group.spawn(child());
            let second = group.spawn(child());
            let third = group.spawn(child());
            yield_now().await;
            assert!(second.cancel());
            assert_eq!(second.await, Err(ChildError::Cancelled));
            go_on.set();
            assert_eq!((first.await, third.await), (Ok(()), Ok(())));
            assert_eq!(begun.get(), 2);
            group.spawn(pending::<Result<(), ()>>());
            let waiting = group.spawn(child());
            yield_now().await;
            group.cancel();
            assert_eq!(waiting.await, Err(ChildError::Cancelled));
            Ok(())
        });
        outcome.await.unwrap();
        assert_eq!(begun.get(), 2);
    });
}

#[test]
fn a_group_for_no_tasks_is_refused() {
    let refused = catch_unwind(|| {
        within_bounds(group(async |group| {
            group.max_tasks(0);
            Ok::<_, ()>(())
        }))
    });
    assert!(message(refused.unwrap_err()).contains("allow at least one"));
}
