//! How setting a watched value, and waiting for a newer one, fail.

use std::error::Error;
use std::fmt;

/// There is no receiver; this is the value that was not set.
///
/// ```
/// use wakering_runtime::sync::watch::{self, SendError};
///
/// let (sender, _) = watch::channel(1);
/// assert_eq!(sender.send(2), Err(SendError(2)));
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SendError<T>(pub T);

/// All senders are gone: the value will not change any more.
///
/// ```
/// use wakering_runtime::sync::watch;
///
/// let (sender, receiver) = watch::channel(1);
/// drop(sender);
/// let error = receiver.has_changed().unwrap_err();
/// assert_eq!(error.to_string(), "the value will not change any more: all senders are gone");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecvError(pub(super) ());

impl<T> fmt::Debug for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SendError(..)")
    }
}

impl<T> fmt::Display for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cannot send: there is no receiver")
    }
}

impl fmt::Display for RecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the value will not change any more: all senders are gone")
    }
}

impl<T> Error for SendError<T> {}

impl Error for RecvError {}
