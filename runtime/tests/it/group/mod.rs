//! Groups: children that are tasks, and are over when the group is.

mod over;
mod errors;
mod cancel;
mod start;
mod room;
mod home;

use std::time::Duration;

use wakering_runtime::task::{TaskGroup, group, yield_now};
use wakering_runtime::time::timeout;

use crate::{MS, after, within_bounds};

/// Given children that are always ready, when they share a group with one that sleeps, then that one is
/// not kept waiting.
#[test]
fn children_that_are_always_ready_starve_nobody() {
    within_bounds(async {
        let output = group(async |group: &TaskGroup<()>| {
            for _ in 0..3 {
                group.spawn(async {
                    loop {
                        yield_now().await;
                    }
                    #[expect(unreachable_code)]
                    Ok(())
                });
            }
            let sleeper = group.spawn(async { Ok(after(5 * MS, 42).await) });
            let value = sleeper.await;
            group.cancel();
            Ok(value)
        });
        assert_eq!(output.await, Ok(Ok(42)));
    });
}

/// Given several children, when somebody asks for the next one again and again, from several places,
/// then each is told once.
#[test]
fn each_child_that_ends_is_told_once() {
    within_bounds(group(async |group: &TaskGroup<()>| {
        let ids: Vec<_> = [3, 1, 2]
            .map(|ms| {
                group
                    .spawn(async move {
                        let _: () = after(ms * MS, ()).await;
                        Ok(())
                    })
                    .id()
            })
            .into();
        let mut told = Vec::new();
        loop {
            // Waits that are dropped lose nothing.
            let next = timeout(Duration::from_micros(300), group.next()).await;
            match next {
                Ok(Some(task)) => told.push(task.id()),
                Ok(None) => break,
                Err(_) => {}
            }
        }
        told.sort();
        let mut ids = ids;
        ids.sort();
        assert_eq!(told, ids);
        Ok(())
    }))
    .unwrap();
}
