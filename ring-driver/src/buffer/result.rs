//! What an operation on a buffer comes to: the buffer comes back, whatever happened.
//!
//! `?` has to work on it in a function that returns `io::Result`, so the error is a type of its own
//! that carries the buffer and turns into an [`io::Error`] where nobody wants the buffer any more.

use std::error::Error;
use std::fmt;
use std::io;

/// The result of an operation that was lent a buffer: a value and the buffer, or an error and the
/// buffer.
///
/// ```
/// use std::io;
/// use wakering_ring_driver::{BufError, BufResult};
///
/// fn refuse(buf: Vec<u8>) -> BufResult<usize, Vec<u8>> {
///     Err(BufError::new(io::ErrorKind::InvalidInput.into(), buf))
/// }
///
/// fn caller() -> io::Result<usize> {
///     let (n, _buf) = refuse(vec![1, 2, 3])?;
///     Ok(n)
/// }
///
/// assert_eq!(caller().unwrap_err().kind(), io::ErrorKind::InvalidInput);
/// assert_eq!(refuse(vec![1, 2, 3]).unwrap_err().buf, [1, 2, 3]);
/// ```
pub type BufResult<T, B> = Result<(T, B), BufError<B>>;

/// An error together with the buffer that the failed operation had been lent.
///
/// ```
/// use std::io;
/// use wakering_ring_driver::BufError;
///
/// let failure = BufError::new(io::ErrorKind::BrokenPipe.into(), vec![7]);
/// assert_eq!(failure.to_string(), "broken pipe");
/// assert_eq!(failure.buf, [7]);
/// assert_eq!(io::Error::from(failure).kind(), io::ErrorKind::BrokenPipe);
/// ```
#[non_exhaustive]
pub struct BufError<B> {
    /// What went wrong.
    pub error: io::Error,
    /// The buffer, with the length that it had before.
    pub buf: B,
}

impl<B> BufError<B> {
    /// An error that gives `buf` back.
    pub fn new(error: io::Error, buf: B) -> BufError<B> {
        BufError { error, buf }
    }

    /// The same error with the buffer changed, as a wrapper needs that lent a part and gives back
    /// the whole.
    ///
    /// ```
    /// use std::io;
    /// use wakering_ring_driver::{BufError, IoBuf, Slice};
    ///
    /// let part = BufError::new(io::ErrorKind::BrokenPipe.into(), vec![1, 2, 3].slice(1..));
    /// assert_eq!(part.map_buf(Slice::into_inner).buf, [1, 2, 3]);
    /// ```
    pub fn map_buf<C>(self, change: impl FnOnce(B) -> C) -> BufError<C> {
        BufError { error: self.error, buf: change(self.buf) }
    }
}

/// Leaves the buffer out: it may be large, secret, or no `Debug`.
impl<B> fmt::Debug for BufError<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BufError").field("error", &self.error).finish_non_exhaustive()
    }
}

impl<B> fmt::Display for BufError<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

/// Transparent: the message is the inner error's, so the source is the inner error's source.
impl<B> Error for BufError<B> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.error.source()
    }
}

impl<B> From<BufError<B>> for io::Error {
    fn from(failure: BufError<B>) -> io::Error {
        failure.error
    }
}
