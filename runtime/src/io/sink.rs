//! The primitive below everything that can be written: a stream that takes bytes at once and sends
//! them when it can.
//!
//! Queueing is separate from waiting. `queue` copies and returns, so many small writes become one
//! send; `poll_ready` is where a writer that is ahead of its peer waits; `poll_flush` is where it
//! learns that the bytes have left. The type of the writer made by [`sink()`](super::sink) is
//! [`Discard`](super::Discard), so that the name is free for the trait.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::task::{Context, Poll, ready};

use wakering_ring_driver::buffer::{BufError, BufResult, IoBuf};

use super::through::through_pointers;

/// What [`write_to`] queues in one go, so that a large buffer is not held twice.
const QUEUED_MAX: usize = 64 * 1024;

/// A stream of bytes that owns the buffer it sends from.
///
/// ```
/// use std::future::poll_fn;
/// use wakering_runtime::io::{AsyncRead, Sink, duplex};
///
/// wakering_runtime::run(async {
///     let (mut near, mut far) = duplex(1024);
///     near.queue(b"one ")?;
///     near.queue(b"send")?;
///     poll_fn(|cx| near.poll_flush(cx)).await?;
///     poll_fn(|cx| near.poll_shutdown(cx)).await?;
///
///     let (_, text) = far.read_to_string(String::new()).await?;
///     assert_eq!(text, "one send");
///     Ok::<_, std::io::Error>(())
/// })
/// # .unwrap();
/// ```
pub trait Sink {
    /// Waits until less is queued than the high-water mark, so that it makes sense to queue more.
    ///
    /// # Errors
    ///
    /// What an earlier send failed with; `BrokenPipe` if the stream was shut down or nobody reads
    /// any more.
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Takes a copy of all the bytes and returns at once.
    ///
    /// Bytes are taken above the high-water mark too: who does not ask
    /// [`poll_ready`](Sink::poll_ready) first decides how much memory that may cost. What is queued
    /// leaves in order, also if nobody asks for a flush.
    ///
    /// # Errors
    ///
    /// As in [`poll_ready`](Sink::poll_ready); nothing was taken then.
    fn queue(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Takes what it can of `bufs`, in order and without waiting, and returns how much: at least one
    /// byte, if there is one. This is for whoever keeps the bytes until all are taken.
    ///
    /// Many at once are [sent from where they lie](Sink::send_at_once), if the stream can do that;
    /// else they are copied, at most 64 KiB a call.
    ///
    /// ```
    /// use std::io::IoSlice;
    /// use wakering_runtime::io::Sink;
    ///
    /// let mut sink = Vec::new();
    /// assert_eq!(sink.queue_vectored(&[IoSlice::new(b"he"), IoSlice::new(b"llo")])?, 5);
    /// assert_eq!(sink, b"hello");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As in [`poll_ready`](Sink::poll_ready). What was taken before, in the same call, leaves.
    fn queue_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        if let Some(sent) = self.send_at_once(bufs)? {
            return Ok(sent);
        }
        let mut taken = 0;
        for buf in bufs {
            let n = buf.len().min(QUEUED_MAX - taken);
            self.queue(&buf[..n])?;
            taken += n;
        }
        Ok(taken)
    }

    /// Sends from where the bytes lie what the kernel takes without waiting, and returns how much
    /// that is. `None` where queueing is better: for a few bytes, behind others, if it would wait,
    /// or if the stream has no such way.
    ///
    /// # Errors
    ///
    /// As in [`poll_ready`](Sink::poll_ready); nothing was sent then.
    fn send_at_once(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<Option<usize>> {
        let _ = bufs;
        Ok(None)
    }

    /// Waits until everything that was queued has left: the kernel, or the peer in memory, has
    /// taken it.
    ///
    /// # Errors
    ///
    /// As in [`poll_ready`](Sink::poll_ready).
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Flushes, then tells the peer that nothing more will come. May be called again.
    ///
    /// # Errors
    ///
    /// As in [`poll_ready`](Sink::poll_ready), but that the stream is shut down already is no
    /// error.
    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
}

/// Writes from a buffer of the caller's to a sink, as
/// [`AsyncWrite::write`](super::AsyncWrite::write) does: at most 64 KiB a call.
///
/// This is what a `Sink` without a faster way implements `AsyncWrite` with.
///
/// ```
/// use wakering_runtime::io::{AsyncRead, duplex, write_to};
///
/// wakering_runtime::run(async {
///     let (mut near, mut far) = duplex(1024);
///     let (n, _) = write_to(&mut near, "hello").await?;
///     assert_eq!(n, 5);
///     assert_eq!(far.read(vec![0; 5]).await?.1, b"hello");
///     Ok::<_, std::io::Error>(())
/// })
/// # .unwrap();
/// ```
///
/// # Errors
///
/// Those of the sink.
///
/// # Cancellation
///
/// **Weak**: once the bytes are queued they leave, also if nobody waits for that any more, and
/// whether they were queued is then not known.
pub async fn write_to<S, B>(sink: &mut S, buf: B) -> BufResult<usize, B>
where
    S: Sink + ?Sized,
    B: IoBuf,
{
    let n = buf.len().min(QUEUED_MAX);
    if n == 0 {
        return Ok((0, buf));
    }
    let mut queued = false;
    let written = poll_fn(|cx| {
        if !queued {
            ready!(sink.poll_ready(cx))?;
            sink.queue(&buf.as_slice()[..n])?;
            queued = true;
        }
        sink.poll_flush(cx)
    });
    match written.await {
        Ok(()) => Ok((n, buf)),
        Err(error) => Err(BufError::new(error, buf)),
    }
}

through_pointers! {
    impl Sink {
        fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            (**self).poll_ready(cx)
        }

        fn queue(&mut self, bytes: &[u8]) -> io::Result<()> {
            (**self).queue(bytes)
        }

        fn queue_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
            (**self).queue_vectored(bufs)
        }

        fn send_at_once(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<Option<usize>> {
            (**self).send_at_once(bufs)
        }

        fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            (**self).poll_flush(cx)
        }

        fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            (**self).poll_shutdown(cx)
        }
    }
}

/// Grows: there is always room, and nothing to flush.
impl Sink for Vec<u8> {
    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn queue(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.extend_from_slice(bytes);
        Ok(())
    }

    fn poll_flush(&mut self, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(&mut self, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
