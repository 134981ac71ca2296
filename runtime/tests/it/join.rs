//! All of several futures, or all until one fails.

use std::cell::RefCell;
use std::future::{pending, ready};

use wakering_runtime::task::yield_now;
use wakering_runtime::time::{sleep, timeout};
use wakering_runtime::{join, try_join};

use crate::{MS, Witness, parked, within_bounds};

/// Given three futures of different lengths, when they are joined, then each ends when it is done,
/// and outputs come in the order of the arguments.
#[test]
fn joined_futures_run_beside_each_other() {
    within_bounds(async {
        let order = RefCell::new(Vec::new());
        let after = async |turns: u32, name: &'static str| {
            for _ in 0..turns {
                yield_now().await;
            }
            order.borrow_mut().push(name);
            name
        };
        let outputs = join!(after(3, "a"), after(1, "b"), after(2, "c"),);
        assert_eq!(outputs, ("a", "b", "c"));
        assert_eq!(*order.borrow(), ["b", "c", "a"]);
    });
}

#[test]
fn what_is_ready_is_dropped_while_the_others_go_on() {
    within_bounds(async {
        let witness = Witness::default();
        let guard = witness.guard();
        let quick = async move {
            let _guard = guard;
        };
        let slow = async {
            yield_now().await;
            witness.drops()
        };
        assert_eq!(join!(quick, slow), ((), 1));
    });
}

/// Given any number of futures of any type, borrowed ones among them, when they are joined, then the
/// tuple has a place for each.
#[test]
fn there_may_be_none_and_many() {
    within_bounds(async {
        let () = join!();
        assert_eq!(join!(ready(1)), (1,));
        let mut sleeping = sleep(MS);
        let text = String::from("borrowed");
        let ((), length, boxed) =
            join!(&mut sleeping, async { text.len() }, Box::pin(async { vec![1] }));
        assert_eq!((length, boxed), (8, vec![1]));
        let n = ready::<u8>;
        let many = join!(
            n(0),
            n(1),
            n(2),
            n(3),
            n(4),
            n(5),
            n(6),
            n(7),
            n(8),
            n(9),
            n(10),
            n(11),
            n(12),
            n(13),
            n(14),
            n(15),
            n(16),
            n(17),
            n(18),
            n(19),
            n(20),
            n(21),
            n(22),
            n(23),
            n(24),
            n(25)
        );
        assert_eq!((many.0, many.12, many.25), (0, 12, 25));
        let nested =
            join!(async { join!(n(1), n(2)) }, async { try_join!(ready(Err::<u8, _>(()))) });
        assert_eq!(nested, ((1, 2), Err(())));
    });
}

/// Given a future that fails beside one that waits for ever, when they are joined, then the error
/// comes and the other has been dropped.
#[test]
fn the_first_error_ends_a_try_join() {
    within_bounds(async {
        let witness = Witness::default();
        let waits = parked::<Result<u8, String>>(witness.guard());
        let fails = async {
            sleep(MS).await;
            Err::<(), _>(String::from("no"))
        };
        let result = try_join!(async { Ok(0) }, waits, fails);
        assert_eq!(result.unwrap_err(), "no");
        assert_eq!(witness.drops(), 1);
        let both = try_join!(async { Ok::<_, ()>(1) }, async {
            yield_now().await;
            Ok("two")
        });
        assert_eq!(both, Ok((1, "two")));
    });
}

#[test]
fn dropping_a_join_drops_what_is_not_ready() {
    within_bounds(async {
        let witness = Witness::default();
        let waits = async |guard| {
            pending::<()>().await;
            drop(guard);
        };
        let joined = async { join!(waits(witness.guard()), ready(1), waits(witness.guard())) };
        assert!(timeout(MS, joined).await.is_err());
        assert_eq!(witness.drops(), 2);
    });
}
