//! Why there is no permit.

use std::error::Error;
use std::fmt;

/// A semaphore was closed, so that there is no permit to wait for.
///
/// ```
/// use wakering_runtime::{run, sync::Semaphore};
///
/// let semaphore = Semaphore::new(1);
/// semaphore.close();
/// let error = run(async { semaphore.acquire().await.map(drop) }).unwrap_err();
/// assert_eq!(error.to_string(), "cannot acquire a permit: the semaphore is closed");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AcquireError(pub(super) ());

impl fmt::Display for AcquireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cannot acquire a permit: the semaphore is closed")
    }
}

impl Error for AcquireError {}

/// Why there is no permit at once.
///
/// ```
/// use wakering_runtime::sync::{Semaphore, TryAcquireError};
///
/// let semaphore = Semaphore::new(0);
/// assert_eq!(semaphore.try_acquire().unwrap_err(), TryAcquireError::NoPermits);
/// semaphore.close();
/// assert_eq!(semaphore.try_acquire().unwrap_err(), TryAcquireError::Closed);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TryAcquireError {
    /// The semaphore is closed.
    Closed,
    /// Too few are free, or others wait for them.
    NoPermits,
}

impl fmt::Display for TryAcquireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TryAcquireError::Closed => "cannot acquire a permit: the semaphore is closed",
            TryAcquireError::NoPermits => "cannot acquire a permit: too few are free",
        })
    }
}

impl Error for TryAcquireError {}
