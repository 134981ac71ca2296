//! Waiting for a change of what a mutex guards.

use std::fmt;
use std::future::{Future, poll_fn};
use std::ops::Deref;
use std::pin::Pin;
use std::task::Poll;

use super::after::{After, update};
use super::cell::{self, Exclusive};
use super::flavor::{Flavor, Protect};
use super::mutex::Mutex;
use super::wait::{Wait, Waits};
use super::wait_list::{Ticket, WaitList};

/// Lets tasks that have locked a [`Mutex`] wait until others have changed what it guards.
///
/// ```
/// use std::sync::Arc;
/// use wakering_runtime::{run, spawn, sync::{Condvar, Mutex}};
///
/// run(async {
///     let shared = Arc::new((Mutex::new(0), Condvar::new()));
///     let other = shared.clone();
///     let task = spawn(async move {
///         let (mutex, changed) = &*other;
///         let guard = mutex.lock().await;
///         *changed.wait_for(guard, |count| *count >= 2).await
///     });
///     let (mutex, changed) = &*shared;
///     while !task.is_finished() {
///         *mutex.lock().await += 1;
///         changed.notify_one();
///         wakering_runtime::task::yield_now().await;
///     }
///     assert_eq!(task.await.unwrap(), 2);
/// });
/// ```
pub struct Condvar<F: Flavor> {
    cell: F::Cell<WaitList>,
}

impl<F: Flavor> Condvar<F> {
    /// Makes one that nobody waits for.
    ///
    /// ```
    /// use wakering_runtime::sync::Condvar;
    ///
    /// // Without waiters a notification is without effect.
    /// Condvar::new().notify_all();
    /// ```
    pub fn new() -> Condvar<F> {
        Condvar { cell: Protect::new(WaitList::new()) }
    }

    /// Unlocks the mutex, waits for a notification, and locks it again.
    ///
    /// Whoever notifies after the mutex was unlocked here reaches this waiter. There are no
    /// notifications that nobody sent, but by the time the lock is retaken others may have changed
    /// the value: [`wait_for`](Self::wait_for) looks.
    ///
    /// ```
    /// use std::rc::Rc;
    /// use wakering_runtime::{run, spawn, sync::{Condvar, Mutex}, task::yield_now};
    ///
    /// run(async {
    ///     let (mutex, changed) = (Rc::new(Mutex::new(0)), Rc::new(Condvar::new()));
    ///     let (inner, notified) = (mutex.clone(), changed.clone());
    ///     let task = spawn(async move { *notified.wait(inner.lock().await).await });
    ///     yield_now().await;
    ///     *mutex.lock().await += 1;
    ///     changed.notify_one();
    ///     assert_eq!(task.await.unwrap(), 1);
    /// });
    /// ```
    ///
    /// # Cancellation
    /// **Strict.** A notification that was on its way goes to the next. The guard is gone, that is
    /// the mutex unlocked, whenever this is dropped.
    pub async fn wait<T, H>(&self, guard: Exclusive<H>) -> Exclusive<H>
    where
        H: Deref<Target = Mutex<T, F>> + Clone,
    {
        let holder = Exclusive::holder(&guard).clone();
        let mut guard = Some(guard);
        let mut turn = Wait::<F, _, _>::new(&self.cell, Notification { is_taken: false });
        poll_fn(|cx| {
            let polled = Pin::new(&mut turn).poll(cx);
            // Unlocked once it waits, so that no notification is missed.
            guard = None;
            polled
        })
        .await;
        let guard = cell::exclusive(holder).await;
        turn.wish.is_taken = true;
        guard
    }

    /// Waits until `predicate` holds, looking at once and after each notification.
    ///
    /// ```
    /// use wakering_runtime::{run, sync::{Condvar, Mutex}};
    ///
    /// run(async {
    ///     let (mutex, changed) = (Mutex::new(2), Condvar::new());
    ///     let guard = changed.wait_for(mutex.lock().await, |count| *count >= 2).await;
    ///     assert_eq!(*guard, 2);
    /// });
    /// ```
    ///
    /// # Cancellation
    /// **Strict**, as [`wait`](Self::wait).
    pub async fn wait_for<T, H>(
        &self,
        mut guard: Exclusive<H>,
        mut predicate: impl FnMut(&mut T) -> bool,
    ) -> Exclusive<H>
    where
        H: Deref<Target = Mutex<T, F>> + Clone,
    {
        while !predicate(&mut guard) {
            guard = self.wait(guard).await;
        }
        guard
    }

    /// Notifies the one that waits longest.
    ///
    /// ```
    /// use wakering_runtime::sync::Condvar;
    ///
    /// Condvar::new().notify_one();
    /// ```
    pub fn notify_one(&self) {
        self.notify(1);
    }

    /// Notifies the `n` that wait longest.
    ///
    /// ```
    /// use wakering_runtime::sync::Condvar;
    ///
    /// Condvar::new().notify(2);
    /// ```
    pub fn notify(&self, n: usize) {
        update(&self.cell, |waiters: &mut WaitList, after| {
            for _ in 0..n.min(waiters.len()) {
                waiters.call(after);
            }
        });
    }

    /// Notifies all who wait.
    ///
    /// ```
    /// use wakering_runtime::sync::Condvar;
    ///
    /// Condvar::new().notify_all();
    /// ```
    pub fn notify_all(&self) {
        update(&self.cell, |waiters: &mut WaitList, after| waiters.call_all(after));
    }
}

/// The wish to be called, which keeps its ticket until the lock is retaken: who goes away before
/// that passes the notification on.
struct Notification {
    is_taken: bool,
}

impl Waits<WaitList> for Notification {
    type Output = ();

    fn poll(
        &mut self,
        waiters: &mut WaitList,
        ticket: &mut Option<Ticket>,
        after: &mut After<'_>,
    ) -> Poll<()> {
        if ticket.as_ref().is_some_and(|ticket| waiters.called(ticket).is_some()) {
            return Poll::Ready(());
        }
        waiters.park(ticket, (), after);
        Poll::Pending
    }

    fn leave(&mut self, waiters: &mut WaitList, ticket: Ticket, after: &mut After<'_>) {
        if waiters.remove(ticket, after).was_called && !self.is_taken {
            waiters.call(after);
        }
    }
}

impl<F: Flavor> Default for Condvar<F> {
    fn default() -> Condvar<F> {
        Condvar::new()
    }
}

impl<F: Flavor> fmt::Debug for Condvar<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waiting = self.cell.with(|waiters: &mut WaitList| waiters.len());
        f.debug_struct("Condvar").field("waiting", &waiting).finish()
    }
}
