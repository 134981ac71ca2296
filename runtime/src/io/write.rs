//! Writing from a buffer that the operation owns while it lasts.
//!
//! As with reading, little is required and the rest follows: a type that can let the kernel read
//! straight from the caller's buffer overrides `write`. A write is done when the kernel has taken
//! the bytes; a future that is dropped before does not call them back.

use std::future::Future;
use std::io;

use wakering_ring_driver::buffer::{BufError, BufResult, IoBuf, Slice};

use super::through::through_pointers;

/// Writes bytes from buffers that are handed over and come back with the result.
///
/// ```
/// use wakering_runtime::io::AsyncWrite;
///
/// wakering_runtime::run(async {
///     let mut out = Vec::new();
///     out.write_all("literals are buffers too").await?;
///     assert_eq!(out, b"literals are buffers too");
///     Ok::<_, std::io::Error>(())
/// })
/// # .unwrap();
/// ```
pub trait AsyncWrite {
    /// Writes bytes from the start of `buf`, and says how many: at least one, if `buf` is not
    /// empty.
    ///
    /// ```
    /// use wakering_runtime::io::{AsyncWrite, duplex};
    ///
    /// wakering_runtime::run(async {
    ///     let (mut near, _far) = duplex(4);
    ///     let (n, buf) = near.write(vec![7; 10]).await?;
    ///     assert_eq!((n, buf.len()), (4, 10));
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// What the stream failed with; `BrokenPipe` if it was shut down or nobody reads any more.
    ///
    /// # Cancellation
    ///
    /// **Weak**: a write that was begun is not cut short by dropping its future, and how much of it
    /// was done is not known then.
    fn write<B: IoBuf>(&mut self, buf: B) -> impl Future<Output = BufResult<usize, B>>;

    /// Writes from several buffers, the first one first; by default from the first that is not
    /// empty.
    ///
    /// ```
    /// use wakering_runtime::io::AsyncWrite;
    ///
    /// wakering_runtime::run(async {
    ///     let mut out = Vec::new();
    ///     let (n, _) = out.write_vectored(vec!["", "head", "body"]).await?;
    ///     assert_eq!((n, &out[..]), (8, &b"headbody"[..]));
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// As in [`write`](AsyncWrite::write).
    ///
    /// # Cancellation
    ///
    /// As in [`write`](AsyncWrite::write).
    fn write_vectored<B: IoBuf>(
        &mut self,
        mut bufs: Vec<B>,
    ) -> impl Future<Output = BufResult<usize, Vec<B>>> {
        async move {
            let Some(at) = bufs.iter().position(|buf| !buf.is_empty()) else {
                return Ok((0, bufs));
            };
            match self.write(bufs.remove(at)).await {
                Ok((n, buf)) => {
                    bufs.insert(at, buf);
                    Ok((n, bufs))
                }
                Err(BufError { error, buf, .. }) => {
                    bufs.insert(at, buf);
                    Err(BufError::new(error, bufs))
                }
            }
        }
    }

    /// Writes all of `buf`, and says how much that is.
    ///
    /// ```
    /// use wakering_runtime::io::{AsyncRead, AsyncWrite, duplex};
    ///
    /// wakering_runtime::run(async {
    ///     let (mut near, mut far) = duplex(4);
    ///     let writer = async move { near.write_all("longer than four").await };
    ///     let writer = wakering_runtime::spawn(writer);
    ///     let (n, _) = far.read_to_end(Vec::new()).await?;
    ///     assert_eq!(n, 16);
    ///     assert_eq!(writer.await.unwrap()?.0, 16);
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// As in [`write`](AsyncWrite::write); how much was written before is not told. `WriteZero` if
    /// the stream takes nothing.
    ///
    /// # Cancellation
    ///
    /// **Weak**: how much was written is not known.
    fn write_all<B: IoBuf>(&mut self, buf: B) -> impl Future<Output = BufResult<usize, B>> {
        async move {
            let len = buf.len();
            let mut rest = buf.slice(..0);
            let mut written = 0;
            while written < len {
                let n;
                (n, rest) = match self.write(rest.into_inner().slice(written..len)).await {
                    Ok(wrote) => wrote,
                    Err(failure) => return Err(failure.map_buf(Slice::into_inner)),
                };
                if n == 0 {
                    return Err(BufError::new(took_only(written, len), rest.into_inner()));
                }
                written += n;
            }
            Ok((len, rest.into_inner()))
        }
    }

    /// Writes all of several buffers, the first one first, and says how much that is.
    ///
    /// ```
    /// use wakering_runtime::io::{AsyncRead, AsyncWrite, duplex};
    ///
    /// wakering_runtime::run(async {
    ///     let (mut near, mut far) = duplex(4);
    ///     let writer = async move { near.write_all_vectored(vec!["head", "", "body"]).await };
    ///     let writer = wakering_runtime::spawn(writer);
    ///     assert_eq!(far.read_to_end(Vec::new()).await?.1, b"headbody");
    ///     let (n, parts) = writer.await.unwrap()?;
    ///     assert_eq!((n, parts), (8, vec!["head", "", "body"]));
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// As in [`write_all`](AsyncWrite::write_all).
    ///
    /// # Cancellation
    ///
    /// **Weak**: how much was written is not known.
    fn write_all_vectored<B: IoBuf>(
        &mut self,
        bufs: Vec<B>,
    ) -> impl Future<Output = BufResult<usize, Vec<B>>> {
        async move {
            let len = bufs.iter().map(IoBuf::len).sum();
            if len == 0 {
                return Ok((0, bufs));
            }
            let (mut written, bufs) = self.write_vectored(bufs).await?;
            if written == len {
                return Ok((len, bufs));
            }
            let (mut rest, mut n) = (bufs.into_iter().map(|buf| buf.slice(..)).collect(), written);
            while n > 0 && written < len {
                rest = behind(rest, n);
                (n, rest) = match self.write_vectored(rest).await {
                    Ok(wrote) => wrote,
                    Err(failure) => return Err(failure.map_buf(whole)),
                };
                written += n;
            }
            match n {
                0 => Err(BufError::new(took_only(written, len), whole(rest))),
                _ => Ok((len, whole(rest))),
            }
        }
    }

    /// Waits until all that was written has left the buffers on this side of the kernel.
    ///
    /// ```
    /// use wakering_runtime::io::{AsyncWrite, BufWriter};
    ///
    /// wakering_runtime::run(async {
    ///     let mut out = Vec::new();
    ///     let mut writer = BufWriter::new(&mut out);
    ///     writer.write_all("abc").await?;
    ///     writer.flush().await?;
    ///     assert_eq!(out, b"abc");
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// As in [`write`](AsyncWrite::write).
    ///
    /// # Cancellation
    ///
    /// **Strict** where nothing but queued bytes is waited for, as in sockets;
    /// [`BufWriter`](super::BufWriter) says where it differs.
    fn flush(&mut self) -> impl Future<Output = io::Result<()>>;

    /// Flushes, then tells the peer that nothing more will come; reading goes on.
    ///
    /// ```
    /// use wakering_runtime::io::{AsyncRead, AsyncWrite, duplex};
    ///
    /// wakering_runtime::run(async {
    ///     let (mut near, mut far) = duplex(64);
    ///     near.shutdown().await?;
    ///     assert_eq!(far.read(vec![0; 8]).await?.0, 0);
    ///     far.write_all("still open this way").await?;
    ///     assert_eq!(near.read(vec![0; 64]).await?.0, 19);
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// As in [`write`](AsyncWrite::write).
    ///
    /// # Cancellation
    ///
    /// As in [`flush`](AsyncWrite::flush).
    fn shutdown(&mut self) -> impl Future<Output = io::Result<()>>;
}

fn took_only(written: usize, len: usize) -> io::Error {
    let text = format!("the stream took only {written} of {len} bytes");
    io::Error::new(io::ErrorKind::WriteZero, text)
}

/// `bufs` without their first `n` bytes.
fn behind<B: IoBuf>(bufs: Vec<Slice<B>>, mut n: usize) -> Vec<Slice<B>> {
    let cut = bufs.into_iter().map(|buf| {
        let (start, gone) = (buf.start(), n.min(buf.len()));
        n -= gone;
        buf.into_inner().slice(start + gone..)
    });
    cut.collect()
}

fn whole<B: IoBuf>(slices: Vec<Slice<B>>) -> Vec<B> {
    slices.into_iter().map(Slice::into_inner).collect()
}

through_pointers! {
    impl AsyncWrite {
        async fn write<B: IoBuf>(&mut self, buf: B) -> BufResult<usize, B> {
            (**self).write(buf).await
        }

        async fn write_vectored<B: IoBuf>(&mut self, bufs: Vec<B>) -> BufResult<usize, Vec<B>> {
            (**self).write_vectored(bufs).await
        }

        async fn flush(&mut self) -> io::Result<()> {
            (**self).flush().await
        }

        async fn shutdown(&mut self) -> io::Result<()> {
            (**self).shutdown().await
        }
    }
}

/// Appends.
impl AsyncWrite for Vec<u8> {
    async fn write<B: IoBuf>(&mut self, buf: B) -> BufResult<usize, B> {
        self.extend_from_slice(buf.as_slice());
        Ok((buf.len(), buf))
    }

    async fn write_vectored<B: IoBuf>(&mut self, bufs: Vec<B>) -> BufResult<usize, Vec<B>> {
        let before = self.len();
        bufs.iter().for_each(|buf| self.extend_from_slice(buf.as_slice()));
        Ok((self.len() - before, bufs))
    }

    async fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    async fn shutdown(&mut self) -> io::Result<()> {
        Ok(())
    }
}
