//! At most so many at a time.

/// How it can fail.
mod error;
/// What it hands out.
mod permit;

use std::fmt;
use std::ops::Deref;

pub use error::{AcquireError, TryAcquireError};
pub use permit::Permit;

use super::after::update;
use super::flavor::{Flavor, Protect};
use super::permits::{Ended, Permits, Take};
use super::wait::Wait;

/// Hands out a number of permits, in turn.
///
/// Whoever waits longest is served first, also if it wants more than those behind it: nobody
/// overtakes. A permit comes back when it is dropped.
///
/// ```
/// use std::sync::Arc;
/// use wakering_runtime::{run, spawn, sync::Semaphore};
///
/// run(async {
///     let semaphore = Arc::new(Semaphore::new(2));
///     let _one = semaphore.acquire().await.unwrap();
///     // An owned permit may go into a task.
///     let two = Semaphore::acquire_owned(semaphore.clone()).await.unwrap();
///     assert!(semaphore.try_acquire().is_err());
///     let task = spawn(async move { drop(two) });
///     // Waits for the task to give its permit back.
///     assert_eq!(semaphore.acquire().await.unwrap().count(), 1);
///     assert!(task.is_finished());
/// });
/// ```
pub struct Semaphore<F: Flavor> {
    cell: F::Cell<State>,
}

struct State {
    permits: Permits,
    /// How many permits there are, free or not, and may be.
    total: usize,
    bound: usize,
}

impl AsMut<Permits> for State {
    fn as_mut(&mut self) -> &mut Permits {
        &mut self.permits
    }
}

impl<F: Flavor> Semaphore<F> {
    /// The most permits that a semaphore can have.
    pub const MAX_PERMITS: usize = usize::MAX >> 3;

    /// Makes a semaphore with `permits`, to which more can be [added](Self::add_permits).
    ///
    /// ```
    /// use wakering_runtime::sync::Semaphore;
    ///
    /// let semaphore = Semaphore::new(2);
    /// semaphore.add_permits(1);
    /// assert_eq!(semaphore.available_permits(), 3);
    /// ```
    ///
    /// # Panics
    /// With more than [`MAX_PERMITS`](Self::MAX_PERMITS).
    #[track_caller]
    pub fn new(permits: usize) -> Semaphore<F> {
        Semaphore::with_bound(permits, Self::MAX_PERMITS)
    }

    /// Makes a semaphore that never has more than `permits`: adding one too many panics, which
    /// finds the code that gives back what it has not taken.
    ///
    /// ```should_panic
    /// use wakering_runtime::sync::Semaphore;
    ///
    /// Semaphore::bounded(2).add_permits(1);
    /// ```
    ///
    /// # Panics
    /// With more than [`MAX_PERMITS`](Self::MAX_PERMITS).
    #[track_caller]
    pub fn bounded(permits: usize) -> Semaphore<F> {
        Semaphore::with_bound(permits, permits)
    }

    #[track_caller]
    fn with_bound(permits: usize, bound: usize) -> Semaphore<F> {
        let max = Self::MAX_PERMITS;
        assert!(permits <= max, "a semaphore has at most {max} permits, not {permits}");
        let state = State { permits: Permits::new(permits), total: permits, bound };
        Semaphore { cell: Protect::new(state) }
    }

    /// How many permits are free.
    ///
    /// ```
    /// use wakering_runtime::sync::Semaphore;
    ///
    /// let semaphore = Semaphore::new(3);
    /// let permit = semaphore.try_acquire_many(2).unwrap();
    /// assert_eq!(semaphore.available_permits(), 1);
    /// drop(permit);
    /// assert_eq!(semaphore.available_permits(), 3);
    /// ```
    pub fn available_permits(&self) -> usize {
        self.cell.with(|state| state.permits.free)
    }

    /// Waits for a permit.
    ///
    /// ```
    /// use wakering_runtime::{run, sync::Semaphore};
    ///
    /// run(async {
    ///     let semaphore = Semaphore::new(1);
    ///     let permit = semaphore.acquire().await.unwrap();
    ///     assert_eq!(semaphore.available_permits(), 0);
    ///     drop(permit);
    /// });
    /// ```
    ///
    /// # Errors
    /// When the semaphore is closed.
    ///
    /// # Cancellation
    /// **Strict.** A permit that was on its way goes to the next.
    pub async fn acquire(&self) -> Result<Permit<F, &Semaphore<F>>, AcquireError> {
        acquire(self, 1).await
    }

    /// Waits for `n` permits, and takes them all at once.
    ///
    /// ```
    /// use wakering_runtime::{run, sync::Semaphore};
    ///
    /// run(async {
    ///     let semaphore = Semaphore::new(3);
    ///     assert_eq!(semaphore.acquire_many(2).await.unwrap().count(), 2);
    /// });
    /// ```
    ///
    /// # Errors
    /// When the semaphore is closed.
    ///
    /// # Cancellation
    /// **Strict.** Permits that were on their way go to the next.
    pub async fn acquire_many(&self, n: usize) -> Result<Permit<F, &Semaphore<F>>, AcquireError> {
        acquire(self, n).await
    }

    /// Takes a permit if one is free and nobody waits.
    ///
    /// ```
    /// use wakering_runtime::sync::{Semaphore, TryAcquireError};
    ///
    /// let semaphore = Semaphore::new(1);
    /// let permit = semaphore.try_acquire().unwrap();
    /// assert_eq!(semaphore.try_acquire().unwrap_err(), TryAcquireError::NoPermits);
    /// # drop(permit);
    /// ```
    ///
    /// # Errors
    /// [`TryAcquireError::NoPermits`] and [`TryAcquireError::Closed`].
    pub fn try_acquire(&self) -> Result<Permit<F, &Semaphore<F>>, TryAcquireError> {
        try_acquire(self, 1)
    }

    /// Takes `n` permits if so many are free and nobody waits.
    ///
    /// ```
    /// use wakering_runtime::sync::Semaphore;
    ///
    /// let semaphore = Semaphore::new(2);
    /// assert!(semaphore.try_acquire_many(3).is_err());
    /// assert_eq!(semaphore.try_acquire_many(2).unwrap().count(), 2);
    /// ```
    ///
    /// # Errors
    /// [`TryAcquireError::NoPermits`] and [`TryAcquireError::Closed`].
    pub fn try_acquire_many(&self, n: usize) -> Result<Permit<F, &Semaphore<F>>, TryAcquireError> {
        try_acquire(self, n)
    }

    /// Waits for a permit that keeps the semaphore instead of borrowing it. The semaphore is an
    /// `Arc`, or an `Rc` for that of [`local`](super::local).
    ///
    /// ```
    /// use std::sync::Arc;
    /// use wakering_runtime::{run, spawn, sync::Semaphore};
    ///
    /// run(async {
    ///     let semaphore = Arc::new(Semaphore::new(1));
    ///     let permit = Semaphore::acquire_owned(semaphore.clone()).await.unwrap();
    ///     let task = spawn(async move { permit.count() });
    ///     assert_eq!(task.await.unwrap(), 1);
    ///     assert_eq!(semaphore.available_permits(), 1);
    /// });
    /// ```
    ///
    /// # Errors
    /// When the semaphore is closed.
    ///
    /// # Cancellation
    /// **Strict.** A permit that was on its way goes to the next.
    pub async fn acquire_owned(
        semaphore: F::Ref<Semaphore<F>>,
    ) -> Result<Permit<F, F::Ref<Semaphore<F>>>, AcquireError> {
        acquire(semaphore, 1).await
    }

    /// Waits for `n` permits that keep the semaphore instead of borrowing it.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use wakering_runtime::{run, sync::Semaphore};
    ///
    /// run(async {
    ///     let semaphore = Arc::new(Semaphore::new(2));
    ///     let permit = Semaphore::acquire_many_owned(semaphore, 2).await.unwrap();
    ///     assert_eq!(permit.count(), 2);
    /// });
    /// ```
    ///
    /// # Errors
    /// When the semaphore is closed.
    ///
    /// # Cancellation
    /// **Strict.** Permits that were on their way go to the next.
    pub async fn acquire_many_owned(
        semaphore: F::Ref<Semaphore<F>>,
        n: usize,
    ) -> Result<Permit<F, F::Ref<Semaphore<F>>>, AcquireError> {
        acquire(semaphore, n).await
    }

    /// Takes a permit that keeps the semaphore, if one is free and nobody waits.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use wakering_runtime::sync::Semaphore;
    ///
    /// let permit = Semaphore::try_acquire_owned(Arc::new(Semaphore::new(1)));
    /// assert_eq!(permit.unwrap().count(), 1);
    /// ```
    ///
    /// # Errors
    /// [`TryAcquireError::NoPermits`] and [`TryAcquireError::Closed`].
    pub fn try_acquire_owned(
        semaphore: F::Ref<Semaphore<F>>,
    ) -> Result<Permit<F, F::Ref<Semaphore<F>>>, TryAcquireError> {
        try_acquire(semaphore, 1)
    }

    /// Takes `n` permits that keep the semaphore, if so many are free and nobody waits.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use wakering_runtime::sync::Semaphore;
    ///
    /// let permit = Semaphore::try_acquire_many_owned(Arc::new(Semaphore::new(1)), 2);
    /// assert!(permit.is_err());
    /// ```
    ///
    /// # Errors
    /// [`TryAcquireError::NoPermits`] and [`TryAcquireError::Closed`].
    pub fn try_acquire_many_owned(
        semaphore: F::Ref<Semaphore<F>>,
        n: usize,
    ) -> Result<Permit<F, F::Ref<Semaphore<F>>>, TryAcquireError> {
        try_acquire(semaphore, n)
    }

    /// Adds `n` permits, for whoever waits or comes.
    ///
    /// ```
    /// use wakering_runtime::{run, sync::Semaphore};
    ///
    /// run(async {
    ///     let semaphore = Semaphore::new(0);
    ///     semaphore.add_permits(1);
    ///     assert_eq!(semaphore.acquire().await.unwrap().count(), 1);
    /// });
    /// ```
    ///
    /// # Panics
    /// If there would be more than the semaphore may have, see [`bounded`](Self::bounded). Nothing
    /// is added then.
    #[track_caller]
    pub fn add_permits(&self, n: usize) {
        let refused = update(&self.cell, |state, after| {
            match state.total.checked_add(n).filter(|total| *total <= state.bound) {
                Some(total) => state.total = total,
                None => return Some((state.total, state.bound)),
            }
            state.permits.give(n, after);
            None
        });
        if let Some((total, bound)) = refused {
            panic!(
                "cannot add {n} permits to a semaphore that has {total} and may have {bound}: \
                 each permit may be given back once"
            );
        }
    }

    /// Takes up to `n` free permits away for good, and tells how many that were.
    ///
    /// ```
    /// use wakering_runtime::sync::Semaphore;
    ///
    /// let semaphore = Semaphore::new(3);
    /// assert_eq!(semaphore.forget_permits(2), 2);
    /// assert_eq!(semaphore.forget_permits(2), 1);
    /// assert_eq!(semaphore.available_permits(), 0);
    /// ```
    pub fn forget_permits(&self, n: usize) -> usize {
        self.cell.with(|state| {
            let n = n.min(state.permits.free);
            state.permits.free -= n;
            state.total -= n;
            n
        })
    }

    /// Gives out no permits any more: whoever waits or comes is told so. Those that are out may
    /// come back as ever.
    ///
    /// ```
    /// use wakering_runtime::{run, sync::Semaphore};
    ///
    /// run(async {
    ///     let semaphore = Semaphore::new(1);
    ///     semaphore.close();
    ///     assert!(semaphore.is_closed());
    ///     assert!(semaphore.acquire().await.is_err());
    /// });
    /// ```
    pub fn close(&self) {
        update(&self.cell, |state, after| state.permits.close(after));
    }

    /// Whether it was closed.
    ///
    /// ```
    /// use wakering_runtime::sync::Semaphore;
    ///
    /// assert!(!Semaphore::new(1).is_closed());
    /// ```
    pub fn is_closed(&self) -> bool {
        self.cell.with(|state| state.permits.is_closed)
    }
}

async fn acquire<F, H>(semaphore: H, n: usize) -> Result<Permit<F, H>, AcquireError>
where
    F: Flavor,
    H: Deref<Target = Semaphore<F>>,
{
    let taken = Wait::<F, _, _>::new(&semaphore.cell, Take(n)).await;
    taken.map_err(|Ended| AcquireError(()))?;
    Ok(Permit::new(semaphore, n))
}

fn try_acquire<F, H>(semaphore: H, n: usize) -> Result<Permit<F, H>, TryAcquireError>
where
    F: Flavor,
    H: Deref<Target = Semaphore<F>>,
{
    match semaphore.cell.with(|state| state.permits.take(n)) {
        Ok(true) => Ok(Permit::new(semaphore, n)),
        Ok(false) => Err(TryAcquireError::NoPermits),
        Err(Ended) => Err(TryAcquireError::Closed),
    }
}

impl<F: Flavor> fmt::Debug for Semaphore<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (free, waiting, is_closed) = self
            .cell
            .with(|state| (state.permits.free, state.permits.waiting(), state.permits.is_closed));
        f.debug_struct("Semaphore")
            .field("available_permits", &free)
            .field("waiting", &waiting)
            .field("is_closed", &is_closed)
            .finish()
    }
}
