//! What a closure on the pool can learn about whoever waits for it.

use std::cell::RefCell;
use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

thread_local! {
    /// The flag of the closure that runs on this thread.
    static CURRENT: RefCell<Option<Flag>> = const { RefCell::new(None) };
}

/// Set once nobody waits for a closure any more.
#[derive(Clone, Default)]
pub(super) struct Flag(Arc<AtomicBool>);

impl Flag {
    pub(super) fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Runs `body`, which is asked by this flag whether it is wanted.
    pub(super) fn watched_by<T>(&self, body: impl FnOnce() -> T) -> T {
        let outer = CURRENT.with(|current| current.replace(Some(self.clone())));
        let _restored = Restored(outer);
        body()
    }
}

/// A closure that runs inside another one ends first, also by a panic.
struct Restored(Option<Flag>);

impl Drop for Restored {
    fn drop(&mut self) {
        CURRENT.with(|current| current.replace(self.0.take()));
    }
}

/// Whether nobody waits any more for the closure that calls this, because the future of
/// [`unblock`](super::unblock()) was dropped. Outside of such a closure it is false.
///
/// ```
/// use std::{thread, time::Duration};
/// use wakering_runtime::{blocking::{is_cancelled, unblock}, run, spawn, time::timeout};
///
/// run(async {
///     let endless = spawn(timeout(Duration::from_millis(1), unblock(|| {
///         while !is_cancelled() {
///             thread::sleep(Duration::from_millis(1));
///         }
///     })));
///     // The task is over once the closure is.
///     assert!(endless.await.unwrap().is_err());
/// });
/// ```
pub fn is_cancelled() -> bool {
    CURRENT.with_borrow(|flag| flag.as_ref().is_some_and(|flag| flag.0.load(Ordering::Relaxed)))
}

/// An error once [`is_cancelled`] says so, for `?` in long loops.
///
/// ```
/// use std::io;
/// use wakering_runtime::{blocking::{check_cancelled, unblock}, run};
///
/// let sum: io::Result<u32> = run(unblock(|| {
///     let mut sum = 0;
///     for n in 0..10 {
///         check_cancelled()?;
///         sum += n;
///     }
///     Ok(sum)
/// }));
/// assert_eq!(sum.unwrap(), 45);
/// ```
///
/// # Errors
/// [`Cancelled`], which converts into an [`io::Error`].
pub fn check_cancelled() -> Result<(), Cancelled> {
    if is_cancelled() { Err(Cancelled(())) } else { Ok(()) }
}

/// Nobody waits for this closure any more.
///
/// ```
/// use std::io;
/// use wakering_runtime::blocking::{Cancelled, check_cancelled};
///
/// let outside: Result<(), Cancelled> = check_cancelled();
/// assert_eq!(outside, Ok(()));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cancelled(());

impl fmt::Display for Cancelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nobody waits for this closure any more: its future was dropped; return early")
    }
}

impl Error for Cancelled {}

impl From<Cancelled> for io::Error {
    fn from(cancelled: Cancelled) -> io::Error {
        io::Error::other(cancelled)
    }
}
