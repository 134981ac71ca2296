//! The primitive below everything that can be read: a stream that owns its buffer and shows what is
//! in it.
//!
//! A completion-based read needs memory that outlives the future, so somebody other than the caller
//! has to own it. Here it is the stream. `poll_fill` shows the bytes that are there and asks for
//! more only when there are none; `consume` says how many have been dealt with. Between the two
//! nothing is taken out of the stream, so a future built from them can be dropped at any point
//! without losing a byte.

use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll, ready};

use wakering_ring_driver::buffer::{BufError, BufResult, IoBufMut};

use super::through::through_pointers;

/// A stream of bytes that owns the buffer it reads into.
///
/// Implementers write these two functions and, with [`read_from`], one line for
/// [`AsyncRead`](super::AsyncRead); [`AsyncBufRead`](super::AsyncBufRead) comes by itself. A type
/// that is also a [`Sink`](super::Sink) keeps the wakers of its two sides apart, because two tasks
/// may use them at the same time.
///
/// ```
/// use std::io;
/// use std::task::{Context, Poll};
/// use wakering_runtime::io::{AsyncBufRead, Source};
///
/// /// Counts down, a digit a time.
/// struct Countdown(Vec<u8>);
///
/// impl Source for Countdown {
///     fn poll_fill(&mut self, _cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
///         Poll::Ready(Ok(&self.0[..self.0.len().min(1)]))
///     }
///
///     fn consume(&mut self, n: usize) {
///         self.0.drain(..n);
///     }
/// }
///
/// wakering_runtime::run(async {
///     let mut countdown = Countdown(b"321!".to_vec());
///     let mut text = Vec::new();
///     countdown.read_until(b"!", &mut text, 10).await?;
///     assert_eq!(text, b"321!");
///     Ok::<_, io::Error>(())
/// })
/// # .unwrap();
/// ```
pub trait Source {
    /// Shows the bytes that have arrived and not been consumed; waits only if there are none.
    ///
    /// An empty slice means that the stream has ended, and stays the answer from then on. Bytes,
    /// once shown, are shown again by the next call, which is then ready at once, until they are
    /// consumed.
    ///
    /// # Errors
    ///
    /// What the stream failed with. The bytes that arrived before are shown before the error is
    /// told.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>>;

    /// Says that the first `n` of the bytes shown have been dealt with.
    ///
    /// # Panics
    ///
    /// May panic if `n` is more than what the last [`poll_fill`](Source::poll_fill) showed.
    fn consume(&mut self, n: usize);
}

/// Reads from a source into a buffer of the caller's, as
/// [`AsyncRead::read`](super::AsyncRead::read) does.
///
/// This is what a `Source` without a faster way implements `AsyncRead` with.
///
/// ```
/// use wakering_runtime::io::read_from;
///
/// wakering_runtime::run(async {
///     let mut source: &[u8] = b"abcdef";
///     let (n, buf) = read_from(&mut source, vec![0; 4]).await?;
///     assert_eq!((n, &buf[..], source), (4, &b"abcd"[..], &b"ef"[..]));
///     Ok::<_, std::io::Error>(())
/// })
/// # .unwrap();
/// ```
///
/// # Errors
///
/// Those of the source; `InvalidInput` if `buf` has no capacity.
///
/// # Cancellation
///
/// **Strict**, but for the buffer, which is dropped with the future.
pub async fn read_from<S, B>(source: &mut S, mut buf: B) -> BufResult<usize, B>
where
    S: Source + ?Sized,
    B: IoBufMut,
{
    match poll_fn(|cx| poll_read(source, cx, &mut buf)).await {
        Ok(n) => Ok((n, buf)),
        Err(error) => Err(BufError::new(error, buf)),
    }
}

/// Moves into `buf` what the source shows, or waits for it.
pub(super) fn poll_read<S, B>(
    source: &mut S,
    cx: &mut Context<'_>,
    buf: &mut B,
) -> Poll<io::Result<usize>>
where
    S: Source + ?Sized,
    B: IoBufMut,
{
    if buf.capacity() == 0 {
        return Poll::Ready(Err(no_room()));
    }
    let n = ready!(source.poll_fill(cx).map_ok(|bytes| buf.overwrite(bytes)))?;
    source.consume(n);
    Poll::Ready(Ok(n))
}

/// Why a read into nothing is refused: its `Ok(0)` would be taken for the end of the stream.
pub(super) fn no_room() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidInput,
        "read into a buffer without capacity: make it with Vec::with_capacity or vec![0; n]",
    )
}

through_pointers! {
    impl Source {
        fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
            (**self).poll_fill(cx)
        }

        fn consume(&mut self, n: usize) {
            (**self).consume(n);
        }
    }
}

/// Bytes that are already here, read by moving the front of the slice.
impl Source for &[u8] {
    fn poll_fill(&mut self, _cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        Poll::Ready(Ok(self))
    }

    fn consume(&mut self, n: usize) {
        *self = &self[n..];
    }
}
