//! One at a time, with the value that they take turns at.

use std::error::Error;
use std::fmt;

use super::cell::{self, Exclusive, Guarded, Lock};
use super::flavor::Flavor;
use crate::task::TaskInfo;

/// A value that one task at a time can reach, in the order in which they asked.
///
/// The guard may be kept while awaiting something else. Who gives it back and asks again at once
/// waits behind those who asked before. A panic does not poison it.
///
/// ```
/// use std::sync::Arc;
/// use wakering_runtime::{run, spawn, sync::Mutex, task::yield_now};
///
/// run(async {
///     let sum = Arc::new(Mutex::new(0));
///     let tasks: Vec<_> = (1..=3)
///         .map(|n| {
///             let sum = sum.clone();
///             spawn(async move {
///                 let mut sum = sum.lock().await;
///                 let before = *sum;
///                 yield_now().await;
///                 *sum = before + n;
///             })
///         })
///         .collect();
///     for task in tasks {
///         task.await.unwrap();
///     }
///     assert_eq!(*sum.lock().await, 6);
/// });
/// ```
pub struct Mutex<T, F: Flavor> {
    value: Guarded<T, F>,
}

/// A mutex that guards keep.
type Kept<T, F> = <F as Flavor>::Ref<Mutex<T, F>>;

impl<T, F: Flavor> Lock for Mutex<T, F> {
    type Value = T;
    type Flavor = F;

    fn guarded(&self) -> &Guarded<T, F> {
        &self.value
    }
}

impl<T, F: Flavor> Mutex<T, F> {
    /// Makes a mutex that is free.
    ///
    /// ```
    /// use wakering_runtime::sync::Mutex;
    ///
    /// assert!(!Mutex::new(1).is_locked());
    /// ```
    pub fn new(value: T) -> Mutex<T, F> {
        Mutex { value: Guarded::new(value, 1) }
    }

    /// Waits for its turn.
    ///
    /// ```
    /// use wakering_runtime::{run, sync::Mutex};
    ///
    /// run(async {
    ///     let mutex = Mutex::new(1);
    ///     *mutex.lock().await += 1;
    ///     assert_eq!(mutex.into_inner(), 2);
    /// });
    /// ```
    ///
    /// # Cancellation
    /// **Strict.** Only the place in the queue is lost.
    pub async fn lock(&self) -> Exclusive<&Mutex<T, F>> {
        cell::exclusive(self).await
    }

    /// Locks it if it is free and nobody waits for it.
    ///
    /// ```
    /// use wakering_runtime::sync::Mutex;
    ///
    /// let mutex = Mutex::new(1);
    /// let guard = mutex.try_lock().unwrap();
    /// assert!(mutex.try_lock().is_err());
    /// # drop(guard);
    /// ```
    ///
    /// # Errors
    /// When it is locked.
    pub fn try_lock(&self) -> Result<Exclusive<&Mutex<T, F>>, TryLockError> {
        cell::try_exclusive(self).ok_or(TryLockError(()))
    }

    /// Waits for its turn; the guard keeps the mutex instead of borrowing it. The mutex is in an
    /// `Arc`, or in an `Rc` for that of [`local`](super::local).
    ///
    /// ```
    /// use std::sync::Arc;
    /// use wakering_runtime::{run, spawn, sync::Mutex};
    ///
    /// run(async {
    ///     let mutex = Arc::new(Mutex::new(1));
    ///     let mut guard = Mutex::lock_owned(mutex.clone()).await;
    ///     spawn(async move { *guard += 1 }).await.unwrap();
    ///     assert_eq!(*mutex.lock().await, 2);
    /// });
    /// ```
    ///
    /// # Cancellation
    /// **Strict.** Only the place in the queue is lost.
    pub async fn lock_owned(mutex: Kept<T, F>) -> Exclusive<Kept<T, F>> {
        cell::exclusive(mutex).await
    }

    /// Locks it if it is free and nobody waits for it; the guard keeps the mutex.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use wakering_runtime::sync::Mutex;
    ///
    /// let guard = Mutex::try_lock_owned(Arc::new(Mutex::new(1)));
    /// assert_eq!(*guard.unwrap(), 1);
    /// ```
    ///
    /// # Errors
    /// When it is locked.
    pub fn try_lock_owned(mutex: Kept<T, F>) -> Result<Exclusive<Kept<T, F>>, TryLockError> {
        cell::try_exclusive(mutex).ok_or(TryLockError(()))
    }

    /// Whether somebody has it, or is about to.
    ///
    /// ```
    /// use wakering_runtime::sync::Mutex;
    ///
    /// let mutex = Mutex::new(1);
    /// let _guard = mutex.try_lock();
    /// assert!(mutex.is_locked());
    /// ```
    pub fn is_locked(&self) -> bool {
        self.value.is_locked()
    }

    /// The task that has locked it, also when that has ended and its guard was forgotten. `None`
    /// for what is no task, such as the future given to `run`.
    ///
    /// ```
    /// use std::rc::Rc;
    /// use wakering_runtime::{run, sync::Mutex, task::Builder};
    ///
    /// run(async {
    ///     let mutex = Rc::new(Mutex::new(1));
    ///     let inner = mutex.clone();
    ///     let forgets = async move { std::mem::forget(inner.lock().await) };
    ///     Builder::new().name("forgetful").spawn(forgets).await.unwrap();
    ///     assert_eq!(mutex.holder().unwrap().name(), Some("forgetful"));
    /// });
    /// ```
    pub fn holder(&self) -> Option<TaskInfo> {
        self.value.holder()
    }

    /// The value, of a mutex that nobody else has.
    ///
    /// ```
    /// use wakering_runtime::sync::Mutex;
    ///
    /// let mut mutex = Mutex::new(1);
    /// *mutex.get_mut() += 1;
    /// assert_eq!(mutex.into_inner(), 2);
    /// ```
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }

    /// Takes the value out.
    ///
    /// ```
    /// use wakering_runtime::sync::Mutex;
    ///
    /// assert_eq!(Mutex::new("value").into_inner(), "value");
    /// ```
    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }
}

impl<T: Default, F: Flavor> Default for Mutex<T, F> {
    fn default() -> Mutex<T, F> {
        Mutex::new(T::default())
    }
}

impl<T, F: Flavor> From<T> for Mutex<T, F> {
    fn from(value: T) -> Mutex<T, F> {
        Mutex::new(value)
    }
}

impl<T: fmt::Debug, F: Flavor> fmt::Debug for Mutex<T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut mutex = f.debug_struct("Mutex");
        match (self.try_lock(), self.holder()) {
            (Ok(guard), _) => mutex.field("value", &*guard),
            (Err(_), Some(task)) => mutex.field("value", &format_args!("<locked by {task}>")),
            (Err(_), None) => mutex.field("value", &format_args!("<locked>")),
        };
        mutex.finish()
    }
}

/// A lock is not free, or others wait for it.
///
/// ```
/// use wakering_runtime::sync::Mutex;
///
/// let mutex = Mutex::new(1);
/// let guard = mutex.try_lock();
/// let error = mutex.try_lock().unwrap_err();
/// assert_eq!(error.to_string(), "cannot lock at once: others have the lock or wait for it");
/// # drop(guard);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TryLockError(pub(super) ());

impl fmt::Display for TryLockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cannot lock at once: others have the lock or wait for it")
    }
}

impl Error for TryLockError {}
