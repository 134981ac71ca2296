//! Values that belong to tasks.

use std::cell::Cell;
use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use wakering_runtime::task::yield_now;
use wakering_runtime::time::timeout;
use wakering_runtime::{join, spawn, task_local};

use crate::{message, within_bounds};

task_local! {
    /// Whose turn it is.
    pub(crate) static NAME: String;
    static NUMBER: u32;
}

/// Given tasks that take turns, each in a scope of its own, when they look again and again, then each
/// sees its own value, and whoever is outside sees none.
#[test]
fn tasks_of_one_thread_do_not_see_each_others_values() {
    within_bounds(async {
        let watch = async |expected: u32| {
            for _ in 0..5 {
                assert_eq!(NUMBER.get(), expected);
                yield_now().await;
            }
        };
        let first = spawn(NUMBER.scope(1, async move { watch(1).await }));
        let second = spawn(NUMBER.scope(2, async move { watch(2).await }));
        for _ in 0..5 {
            assert!(NUMBER.try_with(|_| ()).is_err());
            yield_now().await;
        }
        first.await.unwrap();
        second.await.unwrap();
        join!(NUMBER.scope(3, watch(3)), NUMBER.scope(4, watch(4)));
    });
}

#[test]
fn scopes_nest_and_keys_are_independent() {
    within_bounds(NAME.scope("outer".into(), async {
        let inner = NUMBER.scope(1, async {
            let innermost = NAME.sync_scope("inner".into(), || (NAME.get(), NUMBER.get()));
            (innermost, NAME.get())
        });
        assert_eq!(inner.await, (("inner".into(), 1), "outer".into()));
        assert!(NUMBER.try_with(|_| ()).is_err());
    }));
}

/// Given a future that looks at its value when it is dropped, when a timeout drops it, then the value
/// is there still, and gone afterwards.
#[test]
fn what_is_dropped_in_a_scope_sees_its_value() {
    thread_local! {
        static SEEN: Cell<Option<u32>> = const { Cell::new(None) };
    }
    struct Looks;
    impl Drop for Looks {
        fn drop(&mut self) {
            SEEN.set(NUMBER.try_with(|number| *number).ok());
        }
    }
    within_bounds(async {
        let waits = async {
            let _looks = Looks;
            pending::<()>().await;
        };
        assert!(timeout(Duration::from_millis(1), NUMBER.scope(42, waits)).await.is_err());
        assert_eq!(SEEN.get(), Some(42));
        assert!(NUMBER.try_with(|_| ()).is_err());
    });
}

/// Given panics within scopes and within `with`, when they are caught, then the value of before is
/// back.
#[test]
fn a_panic_leaves_no_value_behind() {
    let caught = catch_unwind(|| NUMBER.sync_scope(1, || NUMBER.with(|_| panic!("within"))));
    assert_eq!(message(caught.unwrap_err()), "within");
    assert!(NUMBER.try_with(|_| ()).is_err());
    within_bounds(async {
        let failing = spawn(NUMBER.scope(1, async { panic!("in a task") }));
        assert!(failing.await.unwrap_err().is_panic());
        assert!(NUMBER.try_with(|_| ()).is_err());
    });
}

#[test]
fn misuse_is_told() {
    let outside = catch_unwind(|| NUMBER.get());
    let text = message(outside.unwrap_err());
    assert!(text.contains("not set here") && text.contains("`scope`"), "{text}");
    let within = || NUMBER.sync_scope(1, || NUMBER.with(|_| NUMBER.sync_scope(2, || ())));
    let text = message(catch_unwind(AssertUnwindSafe(within)).unwrap_err());
    assert!(text.contains("within `with` of the same key"), "{text}");
    // Looking while looking is no misuse.
    assert_eq!(NUMBER.sync_scope(1, || NUMBER.with(|one| one + NUMBER.get())), 2);
}
