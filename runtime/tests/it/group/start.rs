//! Starting a child: waiting until it says that it is ready.

use std::future::pending;

use wakering_ring_driver::testing::patience;
use wakering_runtime::task::{Ready, ScopeError, StartError, group, yield_now};
use wakering_runtime::time::{Instant, sleep, timeout};

use crate::{MS, Witness, within_bounds};

/// Given a child that says that it is ready after 5 ms and lives for 10 ms more, when it is started,
/// then the start is over with the first and the group with the second.
#[test]
fn case_j12_a_start_waits_until_the_child_is_ready() {
    within_bounds(async {
        let begun = Instant::now();
        group(async |group| {
            let server = async |ready: Ready<u16>| {
                sleep(5 * MS).await;
                ready.set(8080);
                sleep(10 * MS).await;
                Ok::<_, ()>("served")
            };
            let (port, server) = group.start(server).await.unwrap();
            assert_eq!(port, 8080);
            assert!(begun.elapsed() >= 5 * MS && !server.is_finished());
            Ok(())
        })
        .await
        .unwrap();
        assert!(begun.elapsed() >= 15 * MS && begun.elapsed() < patience(10_000 * MS));
    });
}

/// Given children that fail, return or panic before they are ready, when they are started, then the
/// start tells, and the group lives, except after a panic. One that fails later fails the group.
#[test]
fn case_j13_a_child_that_does_not_start_fails_its_start_only() {
    within_bounds(async {
        let ended = group(async |group| {
            let fails = async |_: Ready<()>| Err::<(), _>("early");
            let error = group.start(fails).await.unwrap_err();
            assert_eq!(error, StartError::Failed("early"));
            let silent = async |_: Ready<()>| Ok(());
            assert_eq!(group.start(silent).await.unwrap_err(), StartError::NotReady);
            assert!(!group.is_cancelled() && group.is_empty());
            let late = async |ready: Ready<()>| {
                ready.set(());
                yield_now().await;
                Err::<(), _>("late")
            };
            assert!(group.start(late).await.is_ok());
            pending::<Result<(), _>>().await
        });
        assert_eq!(ended.await, Err(ScopeError { first: "late", suppressed: vec![] }));
    });
}

#[test]
fn a_start_that_is_dropped_cancels_its_child() {
    let witness = Witness::default();
    let guard = witness.guard();
    within_bounds(group(async |group| {
        let child = async |_ready: Ready<()>| {
            let _guard = guard;
            pending::<Result<(), ()>>().await
        };
        assert!(timeout(MS, group.start(child)).await.is_err());
        while !group.is_empty() {
            yield_now().await;
        }
        assert_eq!(witness.drops(), 1);
        assert!(!group.is_cancelled());
        Ok::<_, ()>(())
    }))
    .unwrap();
}
