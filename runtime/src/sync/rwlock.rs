//! Many who look, or one who changes.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use super::cell::{self, Exclusive, Guarded, Lock, Shared};
use super::flavor::Flavor;
use super::mutex::TryLockError;

/// A value that many tasks can read at a time, or one can change, in the order in which they asked.
///
/// A reader that comes after a waiting writer waits behind it, so neither kind can keep the other
/// away. For the same reason who reads must not ask to read again before it has given its guard
/// back: a writer in between would wait for it, and it for the writer.
///
/// ```
/// use wakering_runtime::{run, sync::RwLock};
///
/// run(async {
///     let lock = RwLock::new(1);
///     {
///         let (one, two) = (lock.read().await, lock.read().await);
///         assert_eq!((*one, *two), (1, 1));
///         assert!(lock.try_write().is_err());
///     }
///     *lock.write().await += 1;
///     assert_eq!(*lock.read().await, 2);
/// });
/// ```
///
/// What is read by several threads has to bear that:
///
/// ```compile_fail
/// fn is_shared<T: Sync>(_: T) {}
/// is_shared(wakering_runtime::sync::RwLock::new(std::cell::Cell::new(1)));
/// ```
pub struct RwLock<T, F: Flavor> {
    value: Guarded<T, F>,
    /// `Sync` only if the value is, since shared guards give out references to it.
    _shared: PhantomData<T>,
}

/// More readers than that wait.
const ALL: usize = usize::MAX >> 3;

impl<T, F: Flavor> Lock for RwLock<T, F> {
    type Value = T;
    type Flavor = F;

    fn guarded(&self) -> &Guarded<T, F> {
        &self.value
    }
}

impl<T, F: Flavor> RwLock<T, F> {
    /// Makes a lock that is free.
    ///
    /// ```
    /// use wakering_runtime::sync::RwLock;
    ///
    /// assert!(RwLock::new(1).try_write().is_ok());
    /// ```
    pub fn new(value: T) -> RwLock<T, F> {
        RwLock { value: Guarded::new(value, ALL), _shared: PhantomData }
    }

    /// Waits until it may read.
    ///
    /// ```
    /// use wakering_runtime::{run, sync::RwLock};
    ///
    /// run(async { assert_eq!(*RwLock::new(1).read().await, 1) });
    /// ```
    ///
    /// # Cancellation
    /// **Strict.** Only the place in the queue is lost.
    pub async fn read(&self) -> Shared<&RwLock<T, F>> {
        cell::shared(self).await
    }

    /// Waits until it may write.
    ///
    /// ```
    /// use wakering_runtime::{run, sync::RwLock};
    ///
    /// run(async {
    ///     let lock = RwLock::new(1);
    ///     *lock.write().await += 1;
    ///     assert_eq!(lock.into_inner(), 2);
    /// });
    /// ```
    ///
    /// # Cancellation
    /// **Strict.** Only the place in the queue is lost.
    pub async fn write(&self) -> Exclusive<&RwLock<T, F>> {
        cell::exclusive(self).await
    }

    /// Reads at once, if nobody writes or waits.
    ///
    /// ```
    /// use wakering_runtime::sync::RwLock;
    ///
    /// let lock = RwLock::new(1);
    /// let guard = lock.try_write().unwrap();
    /// assert!(lock.try_read().is_err());
    /// drop(guard);
    /// assert_eq!(*lock.try_read().unwrap(), 1);
    /// ```
    ///
    /// # Errors
    /// When somebody writes or waits.
    pub fn try_read(&self) -> Result<Shared<&RwLock<T, F>>, TryLockError> {
        cell::try_shared(self).ok_or(TryLockError(()))
    }

    /// Writes at once, if it is free and nobody waits.
    ///
    /// ```
    /// use wakering_runtime::sync::RwLock;
    ///
    /// let lock = RwLock::new(1);
    /// let guard = lock.try_read().unwrap();
    /// assert!(lock.try_write().is_err());
    /// # drop(guard);
    /// ```
    ///
    /// # Errors
    /// When it is not free.
    pub fn try_write(&self) -> Result<Exclusive<&RwLock<T, F>>, TryLockError> {
        cell::try_exclusive(self).ok_or(TryLockError(()))
    }

    /// Waits until it may read; the guard keeps the lock instead of borrowing it. The lock is in an
    /// `Arc`, or in an `Rc` for that of [`local`](super::local).
    ///
    /// ```
    /// use std::sync::Arc;
    /// use wakering_runtime::{run, sync::RwLock};
    ///
    /// run(async { assert_eq!(*RwLock::read_owned(Arc::new(RwLock::new(1))).await, 1) });
    /// ```
    ///
    /// # Cancellation
    /// **Strict.** Only the place in the queue is lost.
    pub async fn read_owned(lock: F::Ref<RwLock<T, F>>) -> Shared<F::Ref<RwLock<T, F>>> {
        cell::shared(lock).await
    }

    /// Waits until it may write; the guard keeps the lock instead of borrowing it.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use wakering_runtime::{run, spawn, sync::RwLock};
    ///
    /// run(async {
    ///     let lock = Arc::new(RwLock::new(1));
    ///     let mut guard = RwLock::write_owned(lock.clone()).await;
    ///     spawn(async move { *guard += 1 }).await.unwrap();
    ///     assert_eq!(*lock.read().await, 2);
    /// });
    /// ```
    ///
    /// # Cancellation
    /// **Strict.** Only the place in the queue is lost.
    pub async fn write_owned(lock: F::Ref<RwLock<T, F>>) -> Exclusive<F::Ref<RwLock<T, F>>> {
        cell::exclusive(lock).await
    }

    /// The value, of a lock that nobody else has.
    ///
    /// ```
    /// use wakering_runtime::sync::RwLock;
    ///
    /// let mut lock = RwLock::new(1);
    /// *lock.get_mut() += 1;
    /// assert_eq!(lock.into_inner(), 2);
    /// ```
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }

    /// Takes the value out.
    ///
    /// ```
    /// use wakering_runtime::sync::RwLock;
    ///
    /// assert_eq!(RwLock::new("value").into_inner(), "value");
    /// ```
    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }
}

impl<T, F: Flavor, H: Deref<Target = RwLock<T, F>> + Clone> Exclusive<H> {
    /// Goes on as a reader, before any other writer.
    ///
    /// ```
    /// use wakering_runtime::{run, sync::{RwLock, RwLockWriteGuard}};
    ///
    /// run(async {
    ///     let lock = RwLock::new(1);
    ///     let reader = RwLockWriteGuard::downgrade(lock.write().await);
    ///     assert_eq!(*lock.try_read().unwrap(), *reader);
    /// });
    /// ```
    pub fn downgrade(guard: Exclusive<H>) -> Shared<H> {
        cell::downgrade(guard)
    }
}

impl<T: Default, F: Flavor> Default for RwLock<T, F> {
    fn default() -> RwLock<T, F> {
        RwLock::new(T::default())
    }
}

impl<T, F: Flavor> From<T> for RwLock<T, F> {
    fn from(value: T) -> RwLock<T, F> {
        RwLock::new(value)
    }
}

impl<T: fmt::Debug, F: Flavor> fmt::Debug for RwLock<T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lock = f.debug_struct("RwLock");
        match (self.try_read(), self.value.holder()) {
            (Ok(guard), _) => lock.field("value", &*guard),
            (Err(_), Some(task)) => lock.field("value", &format_args!("<locked by {task}>")),
            (Err(_), None) => lock.field("value", &format_args!("<locked>")),
        };
        lock.finish()
    }
}
