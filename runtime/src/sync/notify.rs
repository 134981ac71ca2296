//! Telling a task to look again.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::after::{After, update};
use super::flavor::{Flavor, Protect};
use super::wait::{Wait, Waits};
use super::wait_list::{Ticket, WaitList};

/// Tells one task or all to look again at something; a telling that nobody waits for is kept, once.
///
/// ```
/// use std::rc::Rc;
/// use wakering_runtime::{run, spawn, sync::Notify};
///
/// run(async {
///     let notify = Rc::new(Notify::new());
///     let other = notify.clone();
///     let task = spawn(async move { other.notified().await });
///     // Whether the task waits already or not.
///     notify.notify_one();
///     task.await.unwrap();
/// });
/// ```
pub struct Notify<F: Flavor> {
    cell: F::Cell<State>,
}

struct State {
    /// Somebody was told while nobody waited.
    is_told: bool,
    /// How often all were told.
    rounds: u64,
    waiters: WaitList<Told>,
}

/// How a waiter was called.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Told {
    Alone,
    WithAll,
}

impl<F: Flavor> Notify<F> {
    /// Makes one that nobody was told of.
    ///
    /// ```
    /// use wakering_runtime::sync::Notify;
    ///
    /// let notify = Notify::new();
    /// assert!(!notify.notified().enable());
    /// ```
    pub fn new() -> Notify<F> {
        let state = State { is_told: false, rounds: 0, waiters: WaitList::new() };
        Notify { cell: Protect::new(state) }
    }

    /// Waits to be told.
    ///
    /// [`notify_waiters`](Self::notify_waiters) reaches what this returns from now on,
    /// [`notify_one`](Self::notify_one) once it was polled or [enabled](Notified::enable).
    ///
    /// ```
    /// use wakering_runtime::{run, sync::Notify};
    ///
    /// run(async {
    ///     let notify = Notify::new();
    ///     let notified = notify.notified();
    ///     notify.notify_waiters();
    ///     notified.await;
    /// });
    /// ```
    pub fn notified(&self) -> Notified<'_, F> {
        let since = self.cell.with(|state| state.rounds);
        Notified { wait: Some(Wait::new(&self.cell, ToBeTold { since })) }
    }

    /// Tells the one that waits longest, or the next that comes if nobody waits.
    ///
    /// ```
    /// use wakering_runtime::{run, sync::Notify};
    ///
    /// run(async {
    ///     let notify = Notify::new();
    ///     notify.notify_one();
    ///     notify.notify_one();
    ///     notify.notified().await;
    ///     assert!(!notify.notified().enable(), "it was kept once");
    /// });
    /// ```
    pub fn notify_one(&self) {
        update(&self.cell, |state, after| state.tell_one(after));
    }

    /// Tells all who wait, in the order in which they came, and nobody else.
    ///
    /// ```
    /// use wakering_runtime::sync::Notify;
    ///
    /// let notify = Notify::new();
    /// let mut before = notify.notified();
    /// notify.notify_waiters();
    /// assert!(before.enable());
    /// assert!(!notify.notified().enable());
    /// ```
    pub fn notify_waiters(&self) {
        update(&self.cell, |state, after| {
            state.rounds += 1;
            while let Some(told) = state.waiters.call(after) {
                *told = Told::WithAll;
            }
        });
    }
}

impl State {
    fn tell_one(&mut self, after: &mut After<'_>) {
        if self.waiters.call(after).is_none() {
            self.is_told = true;
        }
    }
}

/// The future of [`Notify::notified`].
///
/// ```
/// use wakering_runtime::{run, sync::Notify};
///
/// run(async {
///     let notify = Notify::new();
///     let notified = notify.notified();
///     notify.notify_one();
///     notified.await;
/// });
/// ```
///
/// # Cancellation
/// **Strict.** If it was told alone, the next is told instead.
#[must_use = "nobody is told anything until this is awaited"]
pub struct Notified<'a, F: Flavor> {
    /// `None` once it was told.
    wait: Option<Wait<'a, F, State, ToBeTold>>,
}

impl<F: Flavor> Notified<'_, F> {
    /// Begins to wait without a poll, so that from now on [`notify_one`](Notify::notify_one)
    /// reaches it. Whether it was told.
    ///
    /// ```
    /// use wakering_runtime::{run, sync::Notify};
    ///
    /// run(async {
    ///     let (notify, mut items) = (Notify::new(), Vec::new());
    ///     let mut notified = notify.notified();
    ///     notified.enable();
    ///     // Whatever is changed from here on is not missed.
    ///     items.push(1);
    ///     notify.notify_one();
    ///     notified.await;
    /// });
    /// ```
    pub fn enable(&mut self) -> bool {
        if self.wait.as_mut().is_some_and(|wait| wait.enable().is_ready()) {
            self.wait = None;
        }
        self.wait.is_none()
    }
}

impl<F: Flavor> Future for Notified<'_, F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(wait) = &mut self.wait {
            ready!(Pin::new(wait).poll(cx));
            self.wait = None;
        }
        Poll::Ready(())
    }
}

struct ToBeTold {
    /// The round in which it began.
    since: u64,
}

impl Waits<State> for ToBeTold {
    type Output = ();

    fn poll(
        &mut self,
        state: &mut State,
        ticket: &mut Option<Ticket>,
        after: &mut After<'_>,
    ) -> Poll<()> {
        if state.waiters.take_called(ticket, after).is_some() {
            return Poll::Ready(());
        }
        if ticket.is_none() && (state.rounds != self.since || std::mem::take(&mut state.is_told)) {
            return Poll::Ready(());
        }
        state.waiters.park(ticket, Told::Alone, after);
        Poll::Pending
    }

    fn leave(&mut self, state: &mut State, ticket: Ticket, after: &mut After<'_>) {
        let left = state.waiters.remove(ticket, after);
        if left.was_called && left.value == Told::Alone {
            state.tell_one(after);
        }
    }
}

impl<F: Flavor> Default for Notify<F> {
    fn default() -> Notify<F> {
        Notify::new()
    }
}

impl<F: Flavor> fmt::Debug for Notify<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (is_told, waiting) = self.cell.with(|state| (state.is_told, state.waiters.len()));
        f.debug_struct("Notify").field("is_told", &is_told).field("waiting", &waiting).finish()
    }
}

impl<F: Flavor> fmt::Debug for Notified<'_, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notified").field("is_told", &self.wait.is_none()).finish()
    }
}
