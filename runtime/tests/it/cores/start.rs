//! Building a runtime of several cores, and where they run.

use std::thread;

use wakering_ring_driver::testing::{Limit, in_child, limit, open_descriptors};
use wakering_ring_driver::{SetupCause, affinity};
use wakering_runtime::blocking::unblock;
use wakering_runtime::{Builder, Cores, spawn_on};

use super::{assert_threads, crowd, threads};
use crate::bounded;

/// Given more cores than this process may use, or none; when a runtime is built; then the error says
/// how many there are.
#[test]
fn more_cores_than_there_are_is_an_error() {
    let available = thread::available_parallelism().unwrap().get();
    let error = Builder::new().cores(available + 1).build().unwrap_err();
    assert_eq!(error.cause(), SetupCause::Setting);
    assert_eq!(error.object(), format!("a runtime on {} cores", available + 1));
    assert!(error.evidence().contains(&format!("may use {available}")), "{error}");
    assert!(error.remedy().contains("Cores::All"), "{error}");
    let error = Builder::new().cores(0).build().unwrap_err();
    assert_eq!((error.cause(), error.object()), (SetupCause::Setting, "a runtime on 0 cores"));
}

/// Given descriptors for one ring; when three cores are asked for; then the error names a core, and
/// the threads that have started are gone.
#[test]
fn a_core_without_a_ring_is_named() {
    in_child("cores::start::a_core_without_a_ring_is_named", || {
        let before = threads();
        // What is made once and kept.
        drop(crowd());
        assert_threads(before);
        let open = open_descriptors().len() as u64;
        let mut failed = 0;
        for room in (1..=14).rev() {
            limit(Limit::OpenFiles, open + room);
            match Builder::new().crowded(3).build() {
                Ok(runtime) => drop(runtime),
                Err(error) => {
                    assert_eq!(error.cause(), SetupCause::OutOfDescriptors, "{error}");
                    failed += usize::from(error.object().contains(" for core "));
                }
            }
            assert_threads(before);
        }
        assert!(failed > 0, "none was refused on another core");
    });
}

/// Given two processors; when there is a core on each; then each thread is kept on its own, what it
/// starts is not, and afterwards the calling thread is free again.
#[test]
fn cores_are_kept_on_processors_of_their_own() {
    in_child("cores::start::cores_are_kept_on_processors_of_their_own", || {
        let all = affinity::allowed().unwrap();
        if thread::available_parallelism().unwrap().get() < 2 {
            return println!("one processor: nothing to keep apart");
        }
        let runtime = Builder::new().cores(2).build().unwrap();
        runtime.block_on(bounded(async {
            for (core, &processor) in all[..2].iter().enumerate() {
                let (own, pool) = spawn_on(core, || async {
                    let pool = unblock(|| affinity::allowed().unwrap()).await;
                    (affinity::allowed().unwrap(), pool)
                })
                .await
                .unwrap();
                assert_eq!(own, [processor]);
                assert_eq!(pool, all, "a thread of the pool goes where it likes");
            }
        }));
        assert!(runtime.close().is_clean());
        assert_eq!(affinity::allowed().unwrap(), all);
    });
}

/// Given a runtime on all cores, whatever their number; then it has as many as this process may use.
#[test]
fn all_cores_are_those_that_this_process_may_use() {
    let available = thread::available_parallelism().unwrap().get();
    let runtime = Builder::new().cores(Cores::All).build().unwrap();
    assert_eq!(runtime.handle().cores(), available);
}
