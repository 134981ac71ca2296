//! A flag to wait for.

use std::fmt;

use super::after::update;
use super::flavor::{Flavor, Protect};
use super::wait::{Until, Wait};
use super::wait_list::WaitList;

/// A flag that stays set until it is cleared, and that any number of tasks can wait for.
///
/// ```
/// use std::rc::Rc;
/// use wakering_runtime::{run, spawn, sync::Event, task::yield_now};
///
/// run(async {
///     let started = Rc::new(Event::new());
///     let seen = started.clone();
///     let task = spawn(async move { seen.wait().await });
///     yield_now().await;
///     assert!(!task.is_finished());
///     started.set();
///     task.await.unwrap();
///     // Whoever comes later does not wait.
///     started.wait().await;
/// });
/// ```
pub struct Event<F: Flavor> {
    cell: F::Cell<State>,
}

struct State {
    is_set: bool,
    waiters: WaitList,
}

impl State {
    fn set(&mut self) -> (bool, &mut WaitList) {
        (self.is_set, &mut self.waiters)
    }
}

impl<F: Flavor> Event<F> {
    /// Makes an event that is not set.
    ///
    /// ```
    /// use wakering_runtime::sync::Event;
    ///
    /// assert!(!Event::new().is_set());
    /// ```
    pub fn new() -> Event<F> {
        Event { cell: Protect::new(State { is_set: false, waiters: WaitList::new() }) }
    }

    /// Whether it is set.
    ///
    /// ```
    /// use wakering_runtime::sync::Event;
    ///
    /// let event = Event::new();
    /// event.set();
    /// assert!(event.is_set());
    /// ```
    pub fn is_set(&self) -> bool {
        self.cell.with(|state| state.is_set)
    }

    /// Sets it, and wakes all who wait, in the order in which they came. They have waited enough
    /// even if it is cleared before they run.
    ///
    /// ```
    /// use std::rc::Rc;
    /// use wakering_runtime::{run, spawn, sync::Event, task::yield_now};
    ///
    /// run(async {
    ///     let event = Rc::new(Event::new());
    ///     let seen = event.clone();
    ///     let task = spawn(async move { seen.wait().await });
    ///     yield_now().await;
    ///     event.set();
    ///     event.clear();
    ///     task.await.unwrap();
    /// });
    /// ```
    pub fn set(&self) {
        update(&self.cell, |state, after| {
            state.is_set = true;
            state.waiters.call_all(after);
        });
    }

    /// Lets those who come from now on wait until it is set again.
    ///
    /// ```
    /// use wakering_runtime::sync::Event;
    ///
    /// let event = Event::new();
    /// event.set();
    /// event.clear();
    /// assert!(!event.is_set());
    /// ```
    pub fn clear(&self) {
        self.cell.with(|state| state.is_set = false);
    }

    /// Waits until it is set, which it may be already.
    ///
    /// ```
    /// use wakering_runtime::{run, sync::Event};
    ///
    /// let event = Event::new();
    /// event.set();
    /// run(event.wait());
    /// ```
    ///
    /// # Cancellation
    /// **Strict.**
    pub async fn wait(&self) {
        Wait::<F, _, _>::new(&self.cell, Until(State::set)).await;
    }
}

impl<F: Flavor> Default for Event<F> {
    fn default() -> Event<F> {
        Event::new()
    }
}

impl<F: Flavor> fmt::Debug for Event<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (is_set, waiting) = self.cell.with(|state| (state.is_set, state.waiters.len()));
        f.debug_struct("Event").field("is_set", &is_set).field("waiting", &waiting).finish()
    }
}
