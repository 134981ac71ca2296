//! The building blocks of what threads share: std's, or loom's under `--cfg loom`.
//!
//! loom runs a test in every order in which the threads could interleave, which it can only do
//! where all shared state goes through its own types. Everything in this crate that several threads
//! touch is therefore made of what is here.

#[cfg(loom)]
pub(crate) use loom::cell::UnsafeCell;
#[cfg(loom)]
pub(crate) use loom::sync::Mutex;
#[cfg(loom)]
pub(crate) use loom::sync::atomic::{AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering};
#[cfg(not(loom))]
pub(crate) use std::sync::Mutex;
#[cfg(not(loom))]
pub(crate) use std::sync::atomic::{AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering};

/// std's macro, or loom's, which knows no initializers in constants.
#[cfg(not(loom))]
pub(crate) use std::thread_local as per_thread;

#[cfg(loom)]
macro_rules! per_thread {
    ($(#[$attr:meta])* static $name:ident: $type:ty = const { $value:expr };) => {
        loom::thread_local! { $(#[$attr])* static $name: $type = $value; }
    };
}
#[cfg(loom)]
pub(crate) use per_thread;

/// std's `UnsafeCell` with loom's way of asking for the pointer.
#[cfg(not(loom))]
pub(crate) struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

#[cfg(not(loom))]
impl<T> UnsafeCell<T> {
    pub(crate) fn new(value: T) -> UnsafeCell<T> {
        UnsafeCell(std::cell::UnsafeCell::new(value))
    }

    pub(crate) fn with<R>(&self, f: impl FnOnce(*const T) -> R) -> R {
        f(self.0.get())
    }

    #[inline(always)]
    pub(crate) fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
        f(self.0.get())
    }

    pub(crate) fn into_inner(self) -> T {
        self.0.into_inner()
    }
}
