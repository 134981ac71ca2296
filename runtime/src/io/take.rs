//! A reader that ends early: the part of a stream that belongs to one message, or as much as one is
//! ready to keep.

use std::io;
use std::task::{Context, Poll, ready};

use wakering_ring_driver::buffer::{BufError, BufResult, IoBufMut, Slice};

use super::source::no_room;
use super::{AsyncRead, Source};

/// A reader that ends after a number of bytes, made by [`AsyncRead::take`].
///
/// ```
/// use wakering_runtime::io::{AsyncRead, repeat};
///
/// wakering_runtime::run(async {
///     let mut body = repeat(b'x').take(10);
///     body.read_exact(vec![0; 4]).await?;
///     assert_eq!(body.limit(), 6);
///     Ok::<_, std::io::Error>(())
/// })
/// # .unwrap();
/// ```
#[derive(Debug)]
pub struct Take<R> {
    inner: R,
    limit: u64,
}

impl<R> Take<R> {
    pub(super) fn new(inner: R, limit: u64) -> Take<R> {
        Take { inner, limit }
    }

    /// How many bytes may still be read, if the inner reader has as many.
    ///
    /// ```
    /// use wakering_runtime::io::{AsyncRead, empty};
    ///
    /// assert_eq!(empty().take(5).limit(), 5);
    /// ```
    pub fn limit(&self) -> u64 {
        self.limit
    }

    /// The inner reader, to look at.
    ///
    /// ```
    /// use wakering_runtime::io::AsyncRead;
    ///
    /// let reader: &[u8] = b"abc";
    /// assert_eq!(reader.take(1).get_ref(), b"abc");
    /// ```
    pub fn get_ref(&self) -> &R {
        &self.inner
    }

    /// The inner reader; what is read from it does not count.
    ///
    /// ```
    /// use wakering_runtime::io::AsyncRead;
    ///
    /// wakering_runtime::run(async {
    ///     let reader: &[u8] = b"abcdef";
    ///     let mut part = reader.take(2);
    ///     part.get_mut().read_exact(vec![0; 3]).await?;
    ///     assert_eq!(part.read_to_end(Vec::new()).await?.1, b"de");
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    pub fn get_mut(&mut self) -> &mut R {
        &mut self.inner
    }

    /// The inner reader, which goes on behind what was taken.
    ///
    /// ```
    /// use wakering_runtime::io::AsyncRead;
    ///
    /// wakering_runtime::run(async {
    ///     let reader: &[u8] = b"abcdef";
    ///     let mut part = reader.take(2);
    ///     part.read_to_end(Vec::new()).await?;
    ///     assert_eq!(part.into_inner(), b"cdef");
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    pub fn into_inner(self) -> R {
        self.inner
    }
}

/// The smaller one of the two.
fn within(limit: u64, len: usize) -> usize {
    usize::try_from(limit).map_or(len, |limit| limit.min(len))
}

impl<R: AsyncRead> AsyncRead for Take<R> {
    async fn read<B: IoBufMut>(&mut self, mut buf: B) -> BufResult<usize, B> {
        if buf.capacity() == 0 {
            return Err(BufError::new(no_room(), buf));
        }
        // A window never makes the buffer behind it shorter, so that begins empty and grows to what
        // is read.
        buf.overwrite(&[]);
        let part = within(self.limit, buf.capacity());
        if part == 0 {
            return Ok((0, buf));
        }
        match self.inner.read(buf.slice(..part)).await {
            Ok((n, part)) => {
                self.limit -= n as u64;
                Ok((n, part.into_inner()))
            }
            Err(failure) => Err(failure.map_buf(Slice::into_inner)),
        }
    }
}

impl<R: Source> Source for Take<R> {
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        if self.limit == 0 {
            return Poll::Ready(Ok(&[]));
        }
        let bytes = ready!(self.inner.poll_fill(cx))?;
        Poll::Ready(Ok(&bytes[..within(self.limit, bytes.len())]))
    }

    fn consume(&mut self, n: usize) {
        assert!(n as u64 <= self.limit, "consumed more than was shown");
        self.limit -= n as u64;
        self.inner.consume(n);
    }
}
