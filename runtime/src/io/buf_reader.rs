//! A buffer in front of a reader that has none, such as a file: few large reads instead of many
//! small ones, and lines.
//!
//! Sockets and the other [`Source`](super::Source)s own a buffer already; another one would only
//! copy. The buffer is made at the first read. While a read is under way it belongs to the
//! operation, so a future that is dropped then costs the buffer, and the next read makes a new one.

use std::fmt;
use std::io;
use std::mem;

use wakering_ring_driver::buffer::{BufError, BufResult, IoBufMut};

use super::source::no_room;
use super::{AsyncBufRead, AsyncRead};

/// The capacity that [`BufReader::new`] and [`BufWriter::new`](super::BufWriter::new) choose: 8
/// KiB.
pub(super) const CAPACITY: usize = 8 * 1024;

/// Reads ahead through a buffer of its own.
///
/// ```
/// use wakering_runtime::io::{AsyncBufRead, AsyncRead, BufReader, repeat};
///
/// wakering_runtime::run(async {
///     let mut reader = BufReader::with_capacity(64, repeat(b'x').take(100));
///     let mut lines = 0;
///     while reader.read_until(b"x", &mut Vec::new(), 10).await? > 0 {
///         lines += 1;
///     }
///     assert_eq!(lines, 100);
///     Ok::<_, std::io::Error>(())
/// })
/// # .unwrap();
/// ```
pub struct BufReader<R> {
    inner: R,
    /// What was read, of which the first `used` bytes are consumed. Without capacity before the
    /// first read.
    buf: Vec<u8>,
    used: usize,
    capacity: usize,
}

impl<R> BufReader<R> {
    /// A buffer of 8 KiB in front of `inner`.
    ///
    /// ```
    /// use wakering_runtime::io::{BufReader, empty};
    ///
    /// assert_eq!(BufReader::new(empty()).capacity(), 8192);
    /// ```
    pub fn new(inner: R) -> BufReader<R> {
        BufReader::with_capacity(CAPACITY, inner)
    }

    /// A buffer of `capacity` bytes, at least one, in front of `inner`.
    ///
    /// ```
    /// use wakering_runtime::io::{BufReader, empty};
    ///
    /// assert_eq!(BufReader::with_capacity(0, empty()).capacity(), 1);
    /// ```
    pub fn with_capacity(capacity: usize, inner: R) -> BufReader<R> {
        BufReader { inner, buf: Vec::new(), used: 0, capacity: capacity.max(1) }
    }

    /// The bytes that were read and not consumed.
    ///
    /// ```
    /// use wakering_runtime::io::{AsyncRead, BufReader};
    ///
    /// wakering_runtime::run(async {
    ///     let inner: &[u8] = b"abcdef";
    ///     let mut reader = BufReader::new(inner);
    ///     reader.read(vec![0; 2]).await?;
    ///     assert_eq!(reader.buffer(), b"cdef");
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    pub fn buffer(&self) -> &[u8] {
        &self.buf[self.used..]
    }

    /// How many bytes are read at once.
    ///
    /// ```
    /// use wakering_runtime::io::{BufReader, empty};
    ///
    /// assert_eq!(BufReader::with_capacity(100, empty()).capacity(), 100);
    /// ```
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// The inner reader, to look at.
    ///
    /// ```
    /// use wakering_runtime::io::{BufReader, empty};
    ///
    /// assert_eq!(format!("{:?}", BufReader::new(empty()).get_ref()), "Empty(())");
    /// ```
    pub fn get_ref(&self) -> &R {
        &self.inner
    }

    /// The inner reader; reading from it passes by what is in the buffer.
    ///
    /// ```
    /// use wakering_runtime::io::{AsyncBufRead, AsyncRead, BufReader};
    ///
    /// wakering_runtime::run(async {
    ///     let inner: &[u8] = b"abcdef";
    ///     let mut reader = BufReader::with_capacity(4, inner);
    ///     reader.fill_buf().await?;
    ///     assert_eq!(reader.get_mut().read(vec![0; 8]).await?.1, b"ef");
    ///     assert_eq!(reader.buffer(), b"abcd");
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    pub fn get_mut(&mut self) -> &mut R {
        &mut self.inner
    }

    /// The inner reader; what is in the [`buffer`](BufReader::buffer) is dropped.
    ///
    /// ```
    /// use wakering_runtime::io::{AsyncRead, BufReader};
    ///
    /// wakering_runtime::run(async {
    ///     let inner: &[u8] = b"abcdef";
    ///     let mut reader = BufReader::with_capacity(4, inner);
    ///     reader.read(vec![0; 1]).await?;
    ///     assert_eq!(reader.into_inner(), b"ef");
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    pub fn into_inner(self) -> R {
        self.inner
    }
}

impl<R: AsyncRead> AsyncBufRead for BufReader<R> {
    async fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.buffer().is_empty() {
            self.used = 0;
            let mut buf = mem::take(&mut self.buf);
            buf.clear();
            buf.reserve_exact(self.capacity);
            self.buf = match self.inner.read(buf).await {
                Ok((_, buf)) => buf,
                Err(BufError { error, mut buf, .. }) => {
                    buf.clear();
                    self.buf = buf;
                    return Err(error);
                }
            };
        }
        Ok(self.buffer())
    }

    fn consume(&mut self, n: usize) {
        assert!(n <= self.buffer().len(), "consumed more than was shown");
        self.used += n;
    }
}

impl<R: AsyncRead> AsyncBufRead for &mut BufReader<R> {
    async fn fill_buf(&mut self) -> io::Result<&[u8]> {
        (**self).fill_buf().await
    }

    fn consume(&mut self, n: usize) {
        (**self).consume(n);
    }
}

impl<R: AsyncRead> AsyncRead for BufReader<R> {
    /// A read that is no smaller than the buffer passes it by if it is empty.
    async fn read<B: IoBufMut>(&mut self, mut buf: B) -> BufResult<usize, B> {
        if buf.capacity() == 0 {
            return Err(BufError::new(no_room(), buf));
        }
        if self.buffer().is_empty() && buf.capacity() >= self.capacity {
            return self.inner.read(buf).await;
        }
        match self.fill_buf().await {
            Ok(bytes) => {
                let n = buf.overwrite(bytes);
                self.consume(n);
                Ok((n, buf))
            }
            Err(error) => Err(BufError::new(error, buf)),
        }
    }
}

impl<R: fmt::Debug> fmt::Debug for BufReader<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BufReader")
            .field("inner", &self.inner)
            .field("buffered", &self.buffer().len())
            .field("capacity", &self.capacity)
            .finish()
    }
}
