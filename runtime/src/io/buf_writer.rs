//! A buffer in front of a writer: few large writes instead of many small ones.
//!
//! Sockets and the other [`Sink`](super::Sink)s coalesce by themselves when they are queued to;
//! this is for files, and for code that is written against [`AsyncWrite`]. As in std, nothing is
//! written before the buffer is full or flushed. Unlike in std, dropping the writer cannot write:
//! what was not flushed is lost.

use std::fmt;
use std::io;
use std::mem;

use wakering_ring_driver::buffer::{BufError, BufResult, IoBuf};

use super::AsyncWrite;
use super::buf_reader::CAPACITY;

/// Gathers writes in a buffer of its own. **Dropping it loses what was not flushed.**
///
/// ```
/// use wakering_runtime::io::{AsyncWrite, BufWriter};
///
/// wakering_runtime::run(async {
///     let mut writer = BufWriter::new(Vec::new());
///     for word in ["one", " ", "write"] {
///         writer.write_all(word).await?;
///     }
///     assert!(writer.get_ref().is_empty());
///     writer.flush().await?;
///     assert_eq!(writer.get_ref(), b"one write");
///     Ok::<_, std::io::Error>(())
/// })
/// # .unwrap();
/// ```
///
/// # Cancellation
///
/// **Weak** for every function of it that writes: while the buffer is on its way it belongs to the
/// operation. The inner writer finishes what it has begun or not, as it documents; what it has not
/// taken is lost.
pub struct BufWriter<W> {
    inner: W,
    /// What was not handed on yet. Without capacity before the first write.
    buf: Vec<u8>,
    /// How many bytes at the front of `buf` the inner writer has taken already.
    written: usize,
    capacity: usize,
}

impl<W> BufWriter<W> {
    /// A buffer of 8 KiB in front of `inner`.
    ///
    /// ```
    /// use wakering_runtime::io::{BufWriter, sink};
    ///
    /// assert_eq!(BufWriter::new(sink()).capacity(), 8192);
    /// ```
    pub fn new(inner: W) -> BufWriter<W> {
        BufWriter::with_capacity(CAPACITY, inner)
    }

    /// A buffer of `capacity` bytes in front of `inner`.
    ///
    /// ```
    /// use wakering_runtime::io::{BufWriter, sink};
    ///
    /// assert_eq!(BufWriter::with_capacity(100, sink()).capacity(), 100);
    /// ```
    pub fn with_capacity(capacity: usize, inner: W) -> BufWriter<W> {
        BufWriter { inner, buf: Vec::new(), written: 0, capacity }
    }

    /// The bytes that were written to this writer and not handed on.
    ///
    /// ```
    /// use wakering_runtime::io::{AsyncWrite, BufWriter, sink};
    ///
    /// wakering_runtime::run(async {
    ///     let mut writer = BufWriter::new(sink());
    ///     writer.write_all("not yet").await?;
    ///     assert_eq!(writer.buffer(), b"not yet");
    ///     writer.flush().await?;
    ///     assert_eq!(writer.buffer(), b"");
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    pub fn buffer(&self) -> &[u8] {
        &self.buf[self.written..]
    }

    /// How many bytes are gathered at most.
    ///
    /// ```
    /// use wakering_runtime::io::{BufWriter, sink};
    ///
    /// assert_eq!(BufWriter::with_capacity(7, sink()).capacity(), 7);
    /// ```
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// The inner writer, to look at.
    ///
    /// ```
    /// use wakering_runtime::io::BufWriter;
    ///
    /// assert_eq!(BufWriter::new(b"so far ".to_vec()).get_ref(), b"so far ");
    /// ```
    pub fn get_ref(&self) -> &W {
        &self.inner
    }

    /// The inner writer; what is written to it overtakes what is in the buffer.
    ///
    /// ```
    /// use wakering_runtime::io::{AsyncWrite, BufWriter};
    ///
    /// wakering_runtime::run(async {
    ///     let mut writer = BufWriter::new(Vec::new());
    ///     writer.write_all("second").await?;
    ///     writer.get_mut().extend_from_slice(b"first ");
    ///     writer.flush().await?;
    ///     assert_eq!(writer.get_ref(), b"first second");
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    pub fn get_mut(&mut self) -> &mut W {
        &mut self.inner
    }

    /// The inner writer; what is in the [`buffer`](BufWriter::buffer) is dropped, so flush first.
    ///
    /// ```
    /// use wakering_runtime::io::{AsyncWrite, BufWriter};
    ///
    /// wakering_runtime::run(async {
    ///     let mut writer = BufWriter::new(Vec::new());
    ///     writer.write_all("kept").await?;
    ///     writer.flush().await?;
    ///     writer.write_all("lost").await?;
    ///     assert_eq!(writer.into_inner(), b"kept");
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    pub fn into_inner(self) -> W {
        self.inner
    }
}

impl<W: AsyncWrite> BufWriter<W> {
    /// Hands on all that was gathered. What could not be written stays and is tried again by the
    /// next call.
    async fn empty(&mut self) -> io::Result<()> {
        while !self.buffer().is_empty() {
            let start = mem::take(&mut self.written);
            let rest = mem::take(&mut self.buf).slice(start..);
            let written = match self.inner.write(rest).await {
                Ok((n, rest)) => {
                    self.buf = rest.into_inner();
                    self.written = start + n;
                    if n == 0 { Err(io::ErrorKind::WriteZero.into()) } else { Ok(()) }
                }
                Err(BufError { error, buf, .. }) => {
                    self.buf = buf.into_inner();
                    self.written = start;
                    Err(error)
                }
            };
            written?;
        }
        self.buf.clear();
        self.written = 0;
        Ok(())
    }

    /// Makes room for `len` bytes, and says whether that many can be gathered at all.
    async fn make_room(&mut self, len: usize) -> io::Result<bool> {
        if self.buf.len() + len > self.capacity {
            self.empty().await?;
        }
        let fits = len < self.capacity;
        if fits && self.buf.capacity() == 0 {
            self.buf.reserve_exact(self.capacity);
        }
        Ok(fits)
    }
}

impl<W: AsyncWrite> AsyncWrite for BufWriter<W> {
    /// A write that is no smaller than the buffer passes it by, after what was gathered.
    async fn write<B: IoBuf>(&mut self, buf: B) -> BufResult<usize, B> {
        match self.make_room(buf.len()).await {
            Ok(true) => {
                self.buf.extend_from_slice(buf.as_slice());
                Ok((buf.len(), buf))
            }
            Ok(false) => self.inner.write(buf).await,
            Err(error) => Err(BufError::new(error, buf)),
        }
    }

    async fn write_vectored<B: IoBuf>(&mut self, bufs: Vec<B>) -> BufResult<usize, Vec<B>> {
        let len = bufs.iter().map(IoBuf::len).sum();
        match self.make_room(len).await {
            Ok(true) => {
                bufs.iter().for_each(|buf| self.buf.extend_from_slice(buf.as_slice()));
                Ok((len, bufs))
            }
            Ok(false) => self.inner.write_vectored(bufs).await,
            Err(error) => Err(BufError::new(error, bufs)),
        }
    }

    async fn flush(&mut self) -> io::Result<()> {
        self.empty().await?;
        self.inner.flush().await
    }

    async fn shutdown(&mut self) -> io::Result<()> {
        self.empty().await?;
        self.inner.shutdown().await
    }
}

impl<W: fmt::Debug> fmt::Debug for BufWriter<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BufWriter")
            .field("inner", &self.inner)
            .field("buffered", &self.buffer().len())
            .field("capacity", &self.capacity)
            .finish()
    }
}
