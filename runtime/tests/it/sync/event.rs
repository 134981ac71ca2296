//! Flags.

use std::cell::RefCell;
use std::rc::Rc;

use wakering_runtime::spawn;
use wakering_runtime::sync::{Event, local};
use wakering_runtime::task::yield_now;

use super::Probe;
use crate::within_bounds;

/// Given tasks that wait, when the event is set and cleared at once, then all of them go on, in the
/// order in which they came.
#[test]
fn case_v01_all_who_waited_go_on_even_if_the_event_is_cleared_at_once() {
    let log = Rc::new(RefCell::new(Vec::new()));
    within_bounds(async {
        let event = Rc::new(local::Event::new());
        let tasks: Vec<_> = (0..3)
            .map(|id| {
                let (event, log) = (event.clone(), log.clone());
                spawn(async move {
                    event.wait().await;
                    log.borrow_mut().push(id);
                })
            })
            .collect();
        yield_now().await;
        event.set();
        event.clear();
        assert!(log.borrow().is_empty());
        for task in tasks {
            task.await.unwrap();
        }
    });
    assert_eq!(*log.borrow(), [0, 1, 2]);
}

#[test]
fn who_comes_after_it_was_cleared_waits() {
    let event = Event::new();
    event.set();
    Probe::new(event.wait()).ready();
    event.clear();
    let mut late = Probe::parked(event.wait());
    drop(Probe::parked(event.wait()));
    event.set();
    assert!(late.poll().is_ready());
}
