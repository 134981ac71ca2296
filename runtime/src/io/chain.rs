//! Two readers as one: what was read ahead already, say, in front of the stream that it came from.

use std::io;
use std::task::{Context, Poll, ready};

use wakering_ring_driver::buffer::{BufResult, IoBufMut};

use super::{AsyncRead, Source};

/// One reader and then another, made by [`AsyncRead::chain`].
///
/// ```
/// use wakering_runtime::io::AsyncRead;
///
/// wakering_runtime::run(async {
///     let (head, tail): (&[u8], &[u8]) = (b"ab", b"cd");
///     let (_, all) = head.chain(tail).read_to_end(Vec::new()).await?;
///     assert_eq!(all, b"abcd");
///     Ok::<_, std::io::Error>(())
/// })
/// # .unwrap();
/// ```
#[derive(Debug)]
pub struct Chain<A, B> {
    first: A,
    second: B,
    first_ended: bool,
}

impl<A, B> Chain<A, B> {
    pub(super) fn new(first: A, second: B) -> Chain<A, B> {
        Chain { first, second, first_ended: false }
    }

    /// The two readers, to look at.
    ///
    /// ```
    /// use wakering_runtime::io::AsyncRead;
    ///
    /// let (head, tail): (&[u8], &[u8]) = (b"ab", b"cd");
    /// assert_eq!(head.chain(tail).get_ref(), (&head, &tail));
    /// ```
    pub fn get_ref(&self) -> (&A, &B) {
        (&self.first, &self.second)
    }

    /// The two readers.
    ///
    /// ```
    /// use wakering_runtime::io::AsyncRead;
    ///
    /// wakering_runtime::run(async {
    ///     let (head, tail): (&[u8], &[u8]) = (b"ab", b"cd");
    ///     let mut both = head.chain(tail);
    ///     both.read_exact(vec![0; 3]).await?;
    ///     assert_eq!(both.into_inner(), (&b""[..], &b"d"[..]));
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    pub fn into_inner(self) -> (A, B) {
        (self.first, self.second)
    }
}

impl<A: AsyncRead, B: AsyncRead> AsyncRead for Chain<A, B> {
    async fn read<T: IoBufMut>(&mut self, mut buf: T) -> BufResult<usize, T> {
        if !self.first_ended {
            let n;
            (n, buf) = self.first.read(buf).await?;
            if n > 0 {
                return Ok((n, buf));
            }
            self.first_ended = true;
        }
        self.second.read(buf).await
    }
}

impl<A: Source, B: Source> Source for Chain<A, B> {
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        if !self.first_ended {
            self.first_ended = ready!(self.first.poll_fill(cx))?.is_empty();
        }
        if self.first_ended { self.second.poll_fill(cx) } else { self.first.poll_fill(cx) }
    }

    fn consume(&mut self, n: usize) {
        if self.first_ended { self.second.consume(n) } else { self.first.consume(n) }
    }
}
