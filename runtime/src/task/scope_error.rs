//! What children of scopes and groups come to when they give no value.

use std::error::Error;
use std::fmt;

/// Why a child of a scope or group gave no value.
///
/// ```
/// use wakering_runtime::task::ChildError;
///
/// assert_eq!(ChildError::Cancelled.to_string(), "the child was cancelled");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChildError {
    /// It was dropped before it returned.
    Cancelled,
    /// It returned an error, or panicked: whoever awaits the scope or group is told.
    Failed,
    /// It never began, because its group had ended.
    Refused,
}

impl fmt::Display for ChildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ChildError::Cancelled => "the child was cancelled",
            ChildError::Failed => "the child failed; its scope or group tells how",
            ChildError::Refused => {
                "the child never began: its group has ended; spawn before the group's body returns"
            }
        })
    }
}

impl Error for ChildError {}

impl From<ChildError> for std::io::Error {
    fn from(error: ChildError) -> std::io::Error {
        std::io::Error::other(error)
    }
}

/// Errors of a scope or group: the one that ended it, and those that came after.
///
/// ```
/// use std::fmt::Error;
/// use wakering_runtime::{run, task};
///
/// let error = run(task::try_scope(async |scope| {
///     scope.spawn(async { Err::<(), _>(Error) });
///     scope.spawn(async { Err::<(), _>(Error) });
///     task::yield_now().await;
///     Ok(())
/// }))
/// .unwrap_err();
/// assert_eq!((error.first, error.suppressed), (Error, vec![Error]));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScopeError<E> {
    /// The one that ended the scope.
    pub first: E,
    /// Those of the others, in the order in which they came.
    pub suppressed: Vec<E>,
}

impl<E: fmt::Display> fmt::Display for ScopeError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.first.fmt(f)?;
        match self.suppressed.len() {
            0 => Ok(()),
            more => write!(f, " (and {more} more)"),
        }
    }
}

impl<E: Error + 'static> Error for ScopeError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.first)
    }
}
