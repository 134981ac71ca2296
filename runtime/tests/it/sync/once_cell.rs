//! Values that are made once.

use std::cell::Cell;
use std::future::{pending, ready};

use wakering_runtime::sync::{Event, OnceCell};

use super::Probe;

#[test]
fn a_value_is_made_once_and_others_wait_for_it() {
    let (cell, made, may) = (OnceCell::new(), Cell::new(0), Event::new());
    let make = async || {
        may.wait().await;
        made.update(|n| n + 1);
        made.get()
    };
    let mut first = Probe::parked(cell.get_or_init(make));
    let second = Probe::parked(cell.get_or_init(make));
    assert_eq!(cell.set(7), Err(7), "somebody is making it");
    may.set();
    assert!(first.poll().is_ready());
    assert_eq!(*second.ready(), 1);
    assert_eq!(made.get(), 1);
}

#[test]
fn a_maker_that_is_dropped_or_fails_leaves_it_to_the_next() {
    let cell = OnceCell::new();
    let dropped = Probe::parked(cell.get_or_init(pending));
    let failing = Probe::parked(cell.get_or_try_init(|| ready(Err("failed"))));
    let last = Probe::parked(cell.get_or_try_init(|| ready(Ok::<_, &str>(1))));
    drop(dropped);
    assert_eq!(failing.ready(), Err("failed"));
    assert_eq!(last.ready(), Ok(&1));
}
