//! Values that belong to a task, or to a part of it: seen by whatever runs in a future, however
//! deep, without being passed down.
//!
//! A value lies in a thread-local while its future is polled or dropped, and in the future between
//! polls, so that tasks of one thread never see each other's.

use std::cell::RefCell;
use std::error::Error;
use std::fmt;
use std::future::{Future, IntoFuture, poll_fn};
use std::mem;
use std::pin::{Pin, pin};

/// Declares keys of values that belong to tasks: `static NAME: Type;`, as many as you like.
///
/// ```
/// use wakering_runtime::{run, task_local};
///
/// task_local! {
///     /// Whom the program works for now.
///     pub static USER: String;
///     static DEPTH: u32;
/// }
///
/// async fn greeting() -> String {
///     USER.with(|user| format!("hello, {user}"))
/// }
///
/// run(async {
///     let inner = DEPTH.scope(1, async { (greeting().await, DEPTH.get()) });
///     assert_eq!(USER.scope("ada".into(), inner).await, ("hello, ada".into(), 1));
///     assert!(DEPTH.try_with(|_| ()).is_err(), "outside there is none");
/// });
/// ```
#[macro_export]
macro_rules! task_local {
    ($($(#[$attribute:meta])* $visibility:vis static $name:ident: $type:ty);* $(;)?) => {$(
        $(#[$attribute])*
        $visibility static $name: $crate::task::LocalKey<$type> = {
            ::std::thread_local! {
                static SLOT: ::std::cell::RefCell<::std::option::Option<$type>> =
                    const { ::std::cell::RefCell::new(::std::option::Option::None) };
            }
            $crate::task::LocalKey::new(&SLOT)
        };
    )*};
}

/// The key of a value that belongs to a task, made by [`task_local!`](crate::task_local).
///
/// A task that is spawned in a scope does not inherit its values.
///
/// ```
/// use wakering_runtime::{run, task_local};
///
/// task_local! {
///     static REQUEST: u32;
/// }
///
/// run(REQUEST.scope(7, async {
///     let spawned = wakering_runtime::spawn(async { REQUEST.try_with(|id| *id).is_err() });
///     assert!(spawned.await.unwrap(), "it has none");
///     let request = REQUEST.get();
///     let handed_on = wakering_runtime::spawn(REQUEST.scope(request, async { REQUEST.get() }));
///     assert_eq!(handed_on.await.unwrap(), 7);
/// }));
/// ```
pub struct LocalKey<T: 'static> {
    slot: &'static std::thread::LocalKey<RefCell<Option<T>>>,
}

impl<T: 'static> LocalKey<T> {
    /// For [`task_local!`](crate::task_local) only.
    #[doc(hidden)]
    pub const fn new(slot: &'static std::thread::LocalKey<RefCell<Option<T>>>) -> LocalKey<T> {
        LocalKey { slot }
    }

    /// Runs `future` with `value`, which takes the place of another one there may be.
    ///
    /// Also what is dropped with `future` sees it, unless it was never polled.
    ///
    /// ```
    /// use wakering_runtime::{run, task_local};
    ///
    /// task_local! {
    ///     static NUMBER: u32;
    /// }
    ///
    /// let inner = NUMBER.scope(2, async { NUMBER.get() });
    /// let outer = NUMBER.scope(1, async { (NUMBER.get(), inner.await, NUMBER.get()) });
    /// assert_eq!(run(outer), (1, 2, 1));
    /// ```
    ///
    /// # Panics
    /// When it is polled within [`with`](LocalKey::with) of the same key.
    ///
    /// # Cancellation
    /// That of `future`.
    pub fn scope<F: IntoFuture>(
        &'static self,
        value: T,
        future: F,
    ) -> impl Future<Output = F::Output> {
        let future = future.into_future();
        async move {
            let future = pin!(Some(future));
            let mut scope = Scope { key: self, value: Some(value), future };
            poll_fn(|cx| scope.enter(|future| future.poll(cx))).await
        }
    }

    /// Runs `body` with `value`, which takes the place of another one there may be.
    ///
    /// ```
    /// use wakering_runtime::task_local;
    ///
    /// task_local! {
    ///     static NUMBER: u32;
    /// }
    ///
    /// assert_eq!(NUMBER.sync_scope(1, || NUMBER.get()), 1);
    /// ```
    ///
    /// # Panics
    /// Within [`with`](LocalKey::with) of the same key. And if `body` does.
    pub fn sync_scope<R>(&'static self, value: T, body: impl FnOnce() -> R) -> R {
        let mut value = Some(value);
        let _swapped = Swapped::new(self, &mut value);
        body()
    }

    /// Gives `body` the value.
    ///
    /// ```
    /// use wakering_runtime::task_local;
    ///
    /// task_local! {
    ///     static NAME: String;
    /// }
    ///
    /// let length = NAME.sync_scope("ada".into(), || NAME.with(|name| name.len()));
    /// assert_eq!(length, 3);
    /// ```
    ///
    /// # Panics
    /// Outside a scope of this key.
    #[track_caller]
    pub fn with<R>(&'static self, body: impl FnOnce(&T) -> R) -> R {
        match self.try_with(body) {
            Ok(result) => result,
            Err(error) => panic!("{error}"),
        }
    }

    /// Gives `body` the value, if there is one.
    ///
    /// ```
    /// use wakering_runtime::task_local;
    ///
    /// task_local! {
    ///     static NUMBER: u32;
    /// }
    ///
    /// assert!(NUMBER.try_with(|number| *number).is_err());
    /// ```
    ///
    /// # Errors
    /// [`AccessError`] outside a scope of this key; `body` is not called then.
    pub fn try_with<R>(&'static self, body: impl FnOnce(&T) -> R) -> Result<R, AccessError> {
        // A thread that is ending has lost its thread-locals, and is in no scope.
        let result = self.slot.try_with(|slot| slot.borrow().as_ref().map(body));
        result.ok().flatten().ok_or(AccessError(()))
    }

    /// A copy of the value.
    ///
    /// ```
    /// use wakering_runtime::task_local;
    ///
    /// task_local! {
    ///     static NUMBER: u32;
    /// }
    ///
    /// assert_eq!(NUMBER.sync_scope(42, || NUMBER.get()), 42);
    /// ```
    ///
    /// # Panics
    /// Outside a scope of this key.
    #[track_caller]
    pub fn get(&'static self) -> T
    where
        T: Clone,
    {
        self.with(T::clone)
    }
}

impl<T> fmt::Debug for LocalKey<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalKey").finish_non_exhaustive()
    }
}

/// A future and its value between polls.
struct Scope<'future, T: 'static, F> {
    key: &'static LocalKey<T>,
    value: Option<T>,
    future: Pin<&'future mut Option<F>>,
}

impl<T, F> Scope<'_, T, F> {
    fn enter<R>(&mut self, body: impl FnOnce(Pin<&mut F>) -> R) -> R {
        let _swapped = Swapped::new(self.key, &mut self.value);
        let Some(future) = self.future.as_mut().as_pin_mut() else {
            unreachable!("the future is dropped with its scope")
        };
        body(future)
    }
}

impl<T, F> Drop for Scope<'_, T, F> {
    fn drop(&mut self) {
        let _swapped = Swapped::new(self.key, &mut self.value);
        self.future.set(None);
    }
}

/// Exchanges what is in the thread-local with what is not, and back in the end.
struct Swapped<'value, T: 'static> {
    key: &'static LocalKey<T>,
    value: &'value mut Option<T>,
}

impl<'value, T> Swapped<'value, T> {
    fn new(key: &'static LocalKey<T>, value: &'value mut Option<T>) -> Swapped<'value, T> {
        assert!(
            key.swap(value),
            "cannot enter a scope of a task-local value within `with` of the same key; take what \
             you need out of it before"
        );
        Swapped { key, value }
    }
}

impl<T> Drop for Swapped<'_, T> {
    fn drop(&mut self) {
        self.key.swap(self.value);
    }
}

impl<T> LocalKey<T> {
    /// False if somebody looks at the value now.
    fn swap(&'static self, value: &mut Option<T>) -> bool {
        let swapped = self.slot.try_with(|slot| {
            slot.try_borrow_mut().map(|mut current| mem::swap(&mut *current, value)).is_ok()
        });
        // On a thread that is ending, nobody sees the value.
        swapped.unwrap_or(true)
    }
}

/// There is no value, because this is outside a scope of the key.
///
/// ```
/// use wakering_runtime::task_local;
///
/// task_local! {
///     static NUMBER: u32;
/// }
///
/// let error = NUMBER.try_with(|number| *number).unwrap_err();
/// assert!(error.to_string().contains("`scope`"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccessError(());

impl fmt::Display for AccessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "the task-local value is not set here; run what needs it in `scope` of its key, also \
             in tasks that are spawned",
        )
    }
}

impl Error for AccessError {}
