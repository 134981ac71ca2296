//! What a semaphore hands out.

use std::fmt;
use std::ops::Deref;

use super::Semaphore;
use crate::sync::after::update;
use crate::sync::flavor::{Flavor, Protect};

/// Permits of a [`Semaphore`], which come back when this is dropped. `H` is how it holds the
/// semaphore: by a reference, or by a pointer that is shared.
///
/// ```
/// use wakering_runtime::sync::Semaphore;
///
/// let semaphore = Semaphore::new(1);
/// {
///     let _permit = semaphore.try_acquire().unwrap();
///     assert_eq!(semaphore.available_permits(), 0);
/// }
/// assert_eq!(semaphore.available_permits(), 1);
/// ```
#[must_use = "a permit comes back when it is dropped"]
pub struct Permit<F: Flavor, H: Deref<Target = Semaphore<F>>> {
    semaphore: H,
    count: usize,
}

impl<F: Flavor, H: Deref<Target = Semaphore<F>>> Permit<F, H> {
    pub(super) fn new(semaphore: H, count: usize) -> Permit<F, H> {
        Permit { semaphore, count }
    }

    /// How many permits this stands for.
    ///
    /// ```
    /// use wakering_runtime::sync::Semaphore;
    ///
    /// let semaphore = Semaphore::new(3);
    /// assert_eq!(semaphore.try_acquire_many(2).unwrap().count(), 2);
    /// ```
    pub fn count(&self) -> usize {
        self.count
    }

    /// Never gives these permits back: there are fewer from now on.
    ///
    /// ```
    /// use wakering_runtime::sync::Semaphore;
    ///
    /// let semaphore = Semaphore::new(1);
    /// semaphore.try_acquire().unwrap().forget();
    /// assert_eq!(semaphore.available_permits(), 0);
    /// semaphore.add_permits(1);
    /// assert_eq!(semaphore.available_permits(), 1);
    /// ```
    pub fn forget(mut self) {
        self.semaphore.cell.with(|state| state.total -= self.count);
        self.count = 0;
    }

    /// Makes two of one: `n` permits part from this, if it has so many.
    ///
    /// ```
    /// use wakering_runtime::sync::Semaphore;
    ///
    /// let semaphore = Semaphore::new(3);
    /// let mut three = semaphore.try_acquire_many(3).unwrap();
    /// let one = three.split(1).unwrap();
    /// assert_eq!((three.count(), one.count()), (2, 1));
    /// assert!(three.split(3).is_none());
    /// ```
    pub fn split(&mut self, n: usize) -> Option<Permit<F, H>>
    where
        H: Clone,
    {
        self.count = self.count.checked_sub(n)?;
        Some(Permit { semaphore: self.semaphore.clone(), count: n })
    }

    /// Makes one of two.
    ///
    /// ```
    /// use wakering_runtime::sync::Semaphore;
    ///
    /// let semaphore = Semaphore::new(2);
    /// let mut permit = semaphore.try_acquire().unwrap();
    /// permit.merge(semaphore.try_acquire().unwrap());
    /// assert_eq!(permit.count(), 2);
    /// ```
    ///
    /// # Panics
    /// If the other is of another semaphore.
    #[track_caller]
    pub fn merge(&mut self, mut other: Permit<F, H>) {
        let is_same = std::ptr::eq(&*self.semaphore, &*other.semaphore);
        assert!(is_same, "permits of two semaphores cannot be merged");
        self.count += std::mem::take(&mut other.count);
    }
}

impl<F: Flavor, H: Deref<Target = Semaphore<F>>> Drop for Permit<F, H> {
    fn drop(&mut self) {
        if self.count > 0 {
            update(&self.semaphore.cell, |state, after| state.permits.give(self.count, after));
        }
    }
}

impl<F: Flavor, H: Deref<Target = Semaphore<F>>> fmt::Debug for Permit<F, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").field("count", &self.count).finish_non_exhaustive()
    }
}
