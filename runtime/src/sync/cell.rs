//! A value that is reached through guards: what a [`Mutex`](super::Mutex) and an
//! [`RwLock`](super::RwLock) have in common, and all of the unsafe code of this module.
//!
//! The rules that make it sound, and that everything below refers to by number:
//!
//! 1. *Permits are rights.* The value is touched through guards only. An [`Exclusive`] is made by
//!    whoever has taken all permits of the lock, a [`Shared`] by whoever has taken one, and a guard
//!    keeps what it was made with until it is dropped. [`Permits`](super::permits::Permits) give
//!    out none twice and never more than there are, so that beside an exclusive guard there is no
//!    other. Taking and giving back happens under the lock of the state, which orders what was done
//!    through one guard before what is done through the next.
//! 2. *A guard stays with its lock.* What it holds the lock by is a reference, an `Arc` or an `Rc`,
//!    and [`Lock::guarded`] gives a field, so that both always lead to the same value, which stays
//!    where it is while the guard is there.
//! 3. *The value may be used where the guard is.* A guard is sent or shared only where a `T` could
//!    be, which its marker sees to. A lock is shared between threads if its value may go from one
//!    to the other; one that gives shared guards also asks that the value be `Sync`.

#![allow(unsafe_code)]

use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::task::Poll;

use super::after::{After, update};
use super::flavor::{Flavor, Protect};
use super::permits::{Ended, Permits};
use super::wait::{Wait, Waits};
use super::wait_list::Ticket;
use crate::primitive::UnsafeCell;
use crate::task::{self, TaskInfo};

/// A value and the permits for it.
pub struct Guarded<T, F: Flavor> {
    state: F::Cell<State>,
    /// How many permits there are.
    all: usize,
    value: UnsafeCell<T>,
}

pub struct State {
    permits: Permits,
    /// The task that has them all.
    holder: Option<TaskInfo>,
}

// SAFETY: rules 1 and 3: the value is touched from one thread at a time, or shared by guards whose
// lock asks for more than this. The state is shared between threads if it may be.
unsafe impl<T: Send, F: Flavor> Sync for Guarded<T, F> where F::Cell<State>: Sync {}

/// What has a value under guard. Only this module's locks do.
pub trait Lock {
    type Value;
    type Flavor: Flavor;

    fn guarded(&self) -> &Guarded<Self::Value, Self::Flavor>;
}

impl<T, F: Flavor> Guarded<T, F> {
    pub(super) fn new(value: T, all: usize) -> Guarded<T, F> {
        let state = Protect::new(State { permits: Permits::new(all), holder: None });
        Guarded { state, all, value: UnsafeCell::new(value) }
    }

    pub(super) fn get_mut(&mut self) -> &mut T {
        // SAFETY: nobody else has the lock, so that there is no guard.
        self.value.with_mut(|value| unsafe { &mut *value })
    }

    pub(super) fn into_inner(self) -> T {
        self.value.into_inner()
    }

    /// Whether there are guards, or some on their way.
    pub(super) fn is_locked(&self) -> bool {
        self.state.with(|state| state.permits.free < self.all)
    }

    /// The task that has the exclusive guard.
    pub(super) fn holder(&self) -> Option<TaskInfo> {
        self.state.with(|state| state.holder.clone())
    }

    fn give(&self, permits: usize, is_over: bool) {
        update(&self.state, |state, after| {
            if is_over {
                state.holder = None;
            }
            state.permits.give(permits, after);
        });
    }
}

/// The wish for so many permits, and whether that is all of them.
struct Enter {
    permits: usize,
    alone: bool,
}

impl Enter {
    fn note(&self, state: &mut State) {
        if self.alone {
            state.holder = task::current();
        }
    }
}

impl Waits<State> for Enter {
    type Output = ();

    fn poll(
        &mut self,
        state: &mut State,
        ticket: &mut Option<Ticket>,
        after: &mut After<'_>,
    ) -> Poll<()> {
        match state.permits.poll(self.permits, ticket, after) {
            Poll::Ready(Ok(())) => {
                self.note(state);
                Poll::Ready(())
            }
            Poll::Ready(Err(Ended)) => unreachable!("a lock is never closed"),
            Poll::Pending => Poll::Pending,
        }
    }

    fn leave(&mut self, state: &mut State, ticket: Ticket, after: &mut After<'_>) {
        state.permits.leave(ticket, after);
    }
}

async fn enter<T, F: Flavor>(guarded: &Guarded<T, F>, permits: usize) {
    let wish = Enter { permits, alone: permits == guarded.all };
    Wait::<F, _, _>::new(&guarded.state, wish).await;
}

fn try_enter<T, F: Flavor>(guarded: &Guarded<T, F>, permits: usize) -> bool {
    let wish = Enter { permits, alone: permits == guarded.all };
    guarded.state.with(|state| {
        let taken = state.permits.take(permits) == Ok(true);
        if taken {
            wish.note(state);
        }
        taken
    })
}

pub(super) async fn exclusive<H: Deref<Target: Lock>>(holder: H) -> Exclusive<H> {
    let all = holder.guarded().all;
    enter(holder.guarded(), all).await;
    Exclusive { holder, permits: all, value: PhantomData }
}

pub(super) fn try_exclusive<H: Deref<Target: Lock>>(holder: H) -> Option<Exclusive<H>> {
    let all = holder.guarded().all;
    let taken = try_enter(holder.guarded(), all);
    // Not `then_some`: a guard must not exist where nothing was taken, not even to be dropped.
    taken.then(|| Exclusive { holder, permits: all, value: PhantomData })
}

/// The lock must be `Sync` only if its value is, by rule 3.
pub(super) async fn shared<H: Deref<Target: Lock>>(holder: H) -> Shared<H> {
    enter(holder.guarded(), 1).await;
    Shared { holder, value: PhantomData }
}

/// The lock must be `Sync` only if its value is, by rule 3.
pub(super) fn try_shared<H: Deref<Target: Lock>>(holder: H) -> Option<Shared<H>> {
    let taken = try_enter(holder.guarded(), 1);
    taken.then(|| Shared { holder, value: PhantomData })
}

/// Makes a shared guard of an exclusive one, whose place nobody else can take in between.
pub(super) fn downgrade<H: Deref<Target: Lock> + Clone>(mut guard: Exclusive<H>) -> Shared<H> {
    let shared = Shared { holder: guard.holder.clone(), value: PhantomData };
    guard.permits -= 1;
    shared
}

/// Access to a locked value that nobody else has. The lock is free again when this is dropped. `H`
/// is how it holds the lock: by a reference, or by a pointer that is shared.
///
/// ```
/// use wakering_runtime::{run, sync::Mutex};
///
/// run(async {
///     let mutex = Mutex::new(vec![1]);
///     let mut guard = mutex.lock().await;
///     guard.push(2);
///     assert_eq!(*guard, [1, 2]);
/// });
/// ```
#[must_use = "the lock is free again when its guard is dropped"]
pub struct Exclusive<H: Deref<Target: Lock>> {
    holder: H,
    permits: usize,
    value: PhantomData<<H::Target as Lock>::Value>,
}

/// Access to a locked value that others may have too, none of whom changes it.
///
/// ```
/// use wakering_runtime::{run, sync::RwLock};
///
/// run(async {
///     let lock = RwLock::new(1);
///     let (one, two) = (lock.read().await, lock.read().await);
///     assert_eq!(*one + *two, 2);
/// });
/// ```
#[must_use = "the lock is free again when its guards are dropped"]
pub struct Shared<H: Deref<Target: Lock>> {
    holder: H,
    value: PhantomData<<H::Target as Lock>::Value>,
}

impl<H: Deref<Target: Lock>> Exclusive<H> {
    /// What it holds the lock by. An associated function, so that the value's own methods are not
    /// hidden.
    ///
    /// ```
    /// use wakering_runtime::{run, sync::{Mutex, MutexGuard}};
    ///
    /// run(async {
    ///     let mutex = Mutex::new(1);
    ///     let guard = mutex.lock().await;
    ///     assert!(std::ptr::eq(*MutexGuard::holder(&guard), &mutex));
    /// });
    /// ```
    pub fn holder(guard: &Exclusive<H>) -> &H {
        &guard.holder
    }
}

impl<H: Deref<Target: Lock>> Deref for Exclusive<H> {
    type Target = <H::Target as Lock>::Value;

    fn deref(&self) -> &Self::Target {
        // SAFETY: rules 1 and 2: as long as this guard is there, nobody else reaches the value,
        // and as long as it is borrowed, nobody changes it through the guard.
        self.holder.guarded().value.with(|value| unsafe { &*value })
    }
}

impl<H: Deref<Target: Lock>> DerefMut for Exclusive<H> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        // SAFETY: rules 1 and 2, and the guard is borrowed mutably.
        self.holder.guarded().value.with_mut(|value| unsafe { &mut *value })
    }
}

impl<H: Deref<Target: Lock>> Deref for Shared<H> {
    type Target = <H::Target as Lock>::Value;

    fn deref(&self) -> &Self::Target {
        // SAFETY: rules 1 and 2: as long as this guard is there, nobody has an exclusive one.
        self.holder.guarded().value.with(|value| unsafe { &*value })
    }
}

impl<H: Deref<Target: Lock>> Drop for Exclusive<H> {
    fn drop(&mut self) {
        self.holder.guarded().give(self.permits, true);
    }
}

impl<H: Deref<Target: Lock>> Drop for Shared<H> {
    fn drop(&mut self) {
        self.holder.guarded().give(1, false);
    }
}

impl<H: Deref<Target: Lock<Value: fmt::Debug>>> fmt::Debug for Exclusive<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<H: Deref<Target: Lock<Value: fmt::Debug>>> fmt::Debug for Shared<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<H: Deref<Target: Lock<Value: fmt::Display>>> fmt::Display for Exclusive<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<H: Deref<Target: Lock<Value: fmt::Display>>> fmt::Display for Shared<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
