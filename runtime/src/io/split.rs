//! One stream as two halves that two tasks can own.
//!
//! The halves share the stream in an `Rc`; they are for one thread, as the stream is. Streams that
//! can do better, TCP for one, have owned halves of their own. A half cannot show the stream's
//! buffer beyond a poll, so the reading half copies out of it and is no [`Source`]; put a
//! [`BufReader`](super::BufReader) in front of it for lines.

use std::cell::RefCell;
use std::error::Error;
use std::fmt;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::rc::Rc;
use std::task::{Context, Poll};

use wakering_ring_driver::buffer::{BufError, BufResult, IoBuf, IoBufMut};

use super::source::poll_read;
use super::{AsyncRead, AsyncWrite, Sink, Source, write_to};

/// Splits a stream into its two sides.
///
/// ```
/// use wakering_runtime::io::{AsyncRead, AsyncWrite, duplex, split};
///
/// wakering_runtime::run(async {
///     let (near, mut far) = duplex(64);
///     let (mut read, mut write) = split(near);
///     let reader = wakering_runtime::spawn(async move { read.read_to_end(Vec::new()).await });
///
///     far.write_all("to the reader").await?;
///     far.shutdown().await?;
///     write.write_all("from the writer").await?;
///     assert_eq!(reader.await.unwrap()?.1, b"to the reader");
///     assert_eq!(far.read(vec![0; 64]).await?.1, b"from the writer");
///     Ok::<_, std::io::Error>(())
/// })
/// # .unwrap();
/// ```
pub fn split<S: Source + Sink>(stream: S) -> (ReadHalf<S>, WriteHalf<S>) {
    let stream = Rc::new(RefCell::new(stream));
    (ReadHalf { stream: stream.clone() }, WriteHalf { stream })
}

/// The reading half of a stream, made by [`split`](split()).
///
/// ```
/// use wakering_runtime::io::{AsyncBufRead, AsyncWrite, BufReader, duplex, split};
///
/// wakering_runtime::run(async {
///     let (near, mut far) = duplex(64);
///     let (read, _write) = split(near);
///     far.write_all("a line\n").await?;
///     let line = BufReader::new(read).lines(80).next_line().await?;
///     assert_eq!(line.as_deref(), Some("a line"));
///     Ok::<_, std::io::Error>(())
/// })
/// # .unwrap();
/// ```
pub struct ReadHalf<S> {
    stream: Rc<RefCell<S>>,
}

/// The writing half of a stream, made by [`split`](split()). Dropping it does not shut the stream
/// down.
///
/// ```
/// use wakering_runtime::io::{AsyncRead, AsyncWrite, Sink, duplex, split};
///
/// wakering_runtime::run(async {
///     let (near, mut far) = duplex(64);
///     let (_read, mut write) = split(near);
///     write.queue(b"hel")?;
///     write.write_all("lo").await?;
///     assert_eq!(far.read(vec![0; 64]).await?.1, b"hello");
///     Ok::<_, std::io::Error>(())
/// })
/// # .unwrap();
/// ```
pub struct WriteHalf<S> {
    stream: Rc<RefCell<S>>,
}

impl<S> ReadHalf<S> {
    /// Makes the two halves of one stream whole again.
    ///
    /// ```
    /// use wakering_runtime::io::{duplex, split};
    ///
    /// let (near, far) = duplex(64);
    /// let (near_read, near_write) = split(near);
    /// let (far_read, far_write) = split(far);
    ///
    /// let mismatch = near_read.reunite(far_write).unwrap_err();
    /// assert!(mismatch.0.reunite(near_write).is_ok());
    /// assert!(far_read.reunite(mismatch.1).is_ok());
    /// ```
    ///
    /// # Errors
    ///
    /// [`ReuniteError`] gives both halves back if they are not of one stream.
    pub fn reunite(self, write: WriteHalf<S>) -> Result<S, ReuniteError<S>> {
        if !Rc::ptr_eq(&self.stream, &write.stream) {
            return Err(ReuniteError(self, write));
        }
        drop(write);
        let stream = Rc::into_inner(self.stream).expect("a stream has no third half");
        Ok(stream.into_inner())
    }

    /// Whether the two are halves of one stream.
    ///
    /// ```
    /// use wakering_runtime::io::{duplex, split};
    ///
    /// let (near, far) = duplex(64);
    /// let ((read, write), (_, other)) = (split(near), split(far));
    /// assert!(read.is_pair_of(&write));
    /// assert!(!read.is_pair_of(&other));
    /// ```
    pub fn is_pair_of(&self, write: &WriteHalf<S>) -> bool {
        Rc::ptr_eq(&self.stream, &write.stream)
    }
}

impl<S: Source> AsyncRead for ReadHalf<S> {
    async fn read<B: IoBufMut>(&mut self, mut buf: B) -> BufResult<usize, B> {
        let read = poll_fn(|cx| poll_read(&mut *self.stream.borrow_mut(), cx, &mut buf));
        match read.await {
            Ok(n) => Ok((n, buf)),
            Err(error) => Err(BufError::new(error, buf)),
        }
    }
}

impl<S: Sink> Sink for WriteHalf<S> {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.borrow_mut().poll_ready(cx)
    }

    fn queue(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.borrow_mut().queue(bytes)
    }

    fn queue_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.stream.borrow_mut().queue_vectored(bufs)
    }

    fn send_at_once(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<Option<usize>> {
        self.stream.borrow_mut().send_at_once(bufs)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.borrow_mut().poll_flush(cx)
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.borrow_mut().poll_shutdown(cx)
    }
}

impl<S: Sink> AsyncWrite for WriteHalf<S> {
    async fn write<B: IoBuf>(&mut self, buf: B) -> BufResult<usize, B> {
        write_to(self, buf).await
    }

    async fn flush(&mut self) -> io::Result<()> {
        poll_fn(|cx| self.poll_flush(cx)).await
    }

    async fn shutdown(&mut self) -> io::Result<()> {
        poll_fn(|cx| self.poll_shutdown(cx)).await
    }
}

impl<S> fmt::Debug for ReadHalf<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadHalf").finish_non_exhaustive()
    }
}

impl<S> fmt::Debug for WriteHalf<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriteHalf").finish_non_exhaustive()
    }
}

/// Two halves that are not of one stream, given back.
///
/// ```
/// use wakering_runtime::io::{ReuniteError, duplex, split};
///
/// let (near, far) = duplex(64);
/// let ((read, write), (_, other)) = (split(near), split(far));
/// let ReuniteError(read, _other) = read.reunite(other).unwrap_err();
/// assert!(read.reunite(write).is_ok());
/// ```
pub struct ReuniteError<S>(pub ReadHalf<S>, pub WriteHalf<S>);

impl<S> fmt::Debug for ReuniteError<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ReuniteError").field(&self.0).field(&self.1).finish()
    }
}

impl<S> fmt::Display for ReuniteError<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("tried to reunite two halves that are not of one stream")
    }
}

impl<S> Error for ReuniteError<S> {}
