//! A value that is made once, by whoever needs it first.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::sync::OnceLock;

use super::Semaphore;

/// A value that is made when it is first asked for, while others who ask wait.
///
/// ```
/// use wakering_runtime::{run, sync::OnceCell};
///
/// run(async {
///     let cell = OnceCell::new();
///     assert_eq!(*cell.get_or_init(async || "made").await, "made");
///     assert_eq!(*cell.get_or_init(async || "not made").await, "made");
/// });
/// ```
pub struct OnceCell<T> {
    value: OnceLock<T>,
    /// One permit, for whoever makes the value.
    turn: Semaphore,
}

impl<T> OnceCell<T> {
    /// Makes a cell without a value.
    ///
    /// ```
    /// use wakering_runtime::sync::OnceCell;
    ///
    /// assert_eq!(OnceCell::<u8>::new().get(), None);
    /// ```
    pub fn new() -> OnceCell<T> {
        OnceCell { value: OnceLock::new(), turn: Semaphore::new(1) }
    }

    /// The value, if it was made.
    ///
    /// ```
    /// use wakering_runtime::sync::OnceCell;
    ///
    /// assert_eq!(OnceCell::from(1).get(), Some(&1));
    /// ```
    pub fn get(&self) -> Option<&T> {
        self.value.get()
    }

    /// Sets the value, if there is none and nobody is making one.
    ///
    /// ```
    /// use wakering_runtime::sync::OnceCell;
    ///
    /// let cell = OnceCell::new();
    /// assert_eq!(cell.set(1), Ok(()));
    /// assert_eq!(cell.set(2), Err(2));
    /// ```
    ///
    /// # Errors
    /// The value that was not set.
    pub fn set(&self, value: T) -> Result<(), T> {
        match self.turn.try_acquire() {
            Ok(_turn) => self.value.set(value),
            Err(_) => Err(value),
        }
    }

    /// The value, which `make` makes if there is none.
    ///
    /// If others ask meanwhile, they wait for it. If this is dropped before it is made, or `make`
    /// panics, the next of them makes it.
    ///
    /// ```
    /// use wakering_runtime::{run, sync::OnceCell};
    ///
    /// run(async {
    ///     let cell = OnceCell::new();
    ///     assert_eq!(*cell.get_or_init(async || 1).await, 1);
    /// });
    /// ```
    ///
    /// # Cancellation
    /// **Strict**, but for what `make` itself loses.
    pub async fn get_or_init<M, Fut>(&self, make: M) -> &T
    where
        M: FnOnce() -> Fut,
        Fut: Future<Output = T>,
    {
        match self.get_or_try_init(async || Ok::<T, Infallible>(make().await)).await {
            Ok(value) => value,
            Err(never) => match never {},
        }
    }

    /// The value, which `make` makes if there is none. If it fails, there still is none, and the
    /// next who asks or waits tries again.
    ///
    /// ```
    /// use wakering_runtime::{run, sync::OnceCell};
    ///
    /// run(async {
    ///     let cell = OnceCell::new();
    ///     assert_eq!(cell.get_or_try_init(async || Err("failed")).await, Err("failed"));
    ///     assert_eq!(cell.get_or_try_init(async || Ok::<_, &str>(1)).await, Ok(&1));
    /// });
    /// ```
    ///
    /// # Errors
    /// That of `make`.
    ///
    /// # Cancellation
    /// **Strict**, but for what `make` itself loses.
    pub async fn get_or_try_init<E, M, Fut>(&self, make: M) -> Result<&T, E>
    where
        M: FnOnce() -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        if let Some(value) = self.get() {
            return Ok(value);
        }
        let _turn = self.turn.acquire().await.expect("nobody closes it");
        if let Some(value) = self.get() {
            return Ok(value);
        }
        let value = make().await?;
        Ok(self.value.get_or_init(|| value))
    }

    /// The value, if it was made, of a cell that nobody else has.
    ///
    /// ```
    /// use wakering_runtime::sync::OnceCell;
    ///
    /// let mut cell = OnceCell::from(1);
    /// *cell.get_mut().unwrap() += 1;
    /// assert_eq!(cell.into_inner(), Some(2));
    /// ```
    pub fn get_mut(&mut self) -> Option<&mut T> {
        self.value.get_mut()
    }

    /// Takes the value out, if it was made.
    ///
    /// ```
    /// use wakering_runtime::sync::OnceCell;
    ///
    /// assert_eq!(OnceCell::from(1).into_inner(), Some(1));
    /// ```
    pub fn into_inner(self) -> Option<T> {
        self.value.into_inner()
    }
}

impl<T> Default for OnceCell<T> {
    fn default() -> OnceCell<T> {
        OnceCell::new()
    }
}

impl<T> From<T> for OnceCell<T> {
    fn from(value: T) -> OnceCell<T> {
        OnceCell { value: OnceLock::from(value), turn: Semaphore::new(1) }
    }
}

impl<T: fmt::Debug> fmt::Debug for OnceCell<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnceCell").field("value", &self.get()).finish()
    }
}
