//! Reading into a buffer that the operation owns while it lasts.
//!
//! One function is required, the rest is written with it, so that a type that can let the kernel
//! write straight into the caller's buffer (a socket, a file) overrides `read` and everything else
//! follows. Whatever is built of several reads keeps what it has got so far in that buffer and
//! loses it with the future: these are the *Weak* ones.

use std::future::Future;
use std::io;

use wakering_ring_driver::buffer::{BufError, BufResult, IoBufMut, Slice};

use super::source::no_room;
use super::through::through_pointers;
use super::{Chain, Take, read_from};

/// The least room that [`AsyncRead::read_to_end`] makes when the vector is full.
const SPARE_MIN: usize = 4096;

/// Reads bytes into buffers that are handed over and come back with the result.
///
/// ```
/// use wakering_runtime::io::AsyncRead;
///
/// wakering_runtime::run(async {
///     let mut reader: &[u8] = b"some text";
///     let (n, buf) = reader.read(Vec::with_capacity(4)).await?;
///     assert_eq!((n, &buf[..]), (4, &b"some"[..]));
///     Ok::<_, std::io::Error>(())
/// })
/// # .unwrap();
/// ```
pub trait AsyncRead {
    /// Reads some bytes: overwrites `buf` from its start, up to its capacity, and sets its length
    /// to what it got.
    ///
    /// `Ok((0, _))` means that the stream has ended, and nothing else.
    ///
    /// ```
    /// use wakering_runtime::io::AsyncRead;
    ///
    /// wakering_runtime::run(async {
    ///     let mut reader: &[u8] = b"ab";
    ///     let (n, buf) = reader.read(vec![0; 8]).await?;
    ///     assert_eq!((n, &buf[..]), (2, &b"ab"[..]));
    ///     assert_eq!(reader.read(buf).await?.0, 0);
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// What the stream failed with; `InvalidInput` if `buf` has no capacity.
    ///
    /// # Cancellation
    ///
    /// **Strict** for every stream of this project: the buffer is lost, but what was read into it
    /// goes to the next read.
    fn read<B: IoBufMut>(&mut self, buf: B) -> impl Future<Output = BufResult<usize, B>>;

    /// Reads into several buffers, the first one first; by default into the first that has room.
    ///
    /// The buffers in front are full afterwards, and those behind are empty.
    ///
    /// ```
    /// use wakering_runtime::io::AsyncRead;
    ///
    /// wakering_runtime::run(async {
    ///     let mut reader: &[u8] = b"abc";
    ///     let bufs = vec![Vec::new(), vec![0; 2], vec![0; 2]];
    ///     let (n, bufs) = reader.read_vectored(bufs).await?;
    ///     assert_eq!(n, 2);
    ///     assert_eq!(bufs.concat(), b"ab");
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// As in [`read`](AsyncRead::read).
    ///
    /// # Cancellation
    ///
    /// As in [`read`](AsyncRead::read).
    fn read_vectored<B: IoBufMut>(
        &mut self,
        mut bufs: Vec<B>,
    ) -> impl Future<Output = BufResult<usize, Vec<B>>> {
        async move {
            let Some(at) = bufs.iter().position(|buf| buf.capacity() > 0) else {
                return Err(BufError::new(no_room(), bufs));
            };
            match self.read(bufs.remove(at)).await {
                Ok((n, buf)) => {
                    bufs.insert(at, buf);
                    for empty in &mut bufs[at + 1..] {
                        empty.overwrite(&[]);
                    }
                    Ok((n, bufs))
                }
                Err(BufError { error, buf, .. }) => {
                    bufs.insert(at, buf);
                    Err(BufError::new(error, bufs))
                }
            }
        }
    }

    /// Reads some bytes into the capacity behind those that `buf` holds already.
    ///
    /// ```
    /// use wakering_runtime::io::AsyncRead;
    ///
    /// wakering_runtime::run(async {
    ///     let mut buf = Vec::with_capacity(64);
    ///     buf.extend_from_slice(b"so ");
    ///     let mut reader: &[u8] = b"far";
    ///     let (n, buf) = reader.read_append(buf).await?;
    ///     assert_eq!((n, &buf[..]), (3, &b"so far"[..]));
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// As in [`read`](AsyncRead::read), where no capacity means none behind the length.
    ///
    /// # Cancellation
    ///
    /// As in [`read`](AsyncRead::read); the bytes that `buf` held are lost with it.
    fn read_append<B: IoBufMut>(&mut self, buf: B) -> impl Future<Output = BufResult<usize, B>> {
        async move {
            match self.read(buf.spare()).await {
                Ok((n, spare)) => Ok((n, spare.into_inner())),
                Err(failure) => Err(failure.map_buf(Slice::into_inner)),
            }
        }
    }

    /// Reads until `buf` is filled up to its capacity, and says how much that is.
    ///
    /// To read an exact number of bytes into a larger buffer, hand over `buf.slice(..n)`.
    ///
    /// ```
    /// use std::io::ErrorKind;
    /// use wakering_runtime::io::{AsyncRead, IoBuf};
    ///
    /// wakering_runtime::run(async {
    ///     let mut reader: &[u8] = b"headbody";
    ///     let (_, head) = reader.read_exact(vec![0; 64].slice(..4)).await?;
    ///     assert_eq!(*head, *b"head");
    ///
    ///     let error = reader.read_exact(vec![0; 5]).await.unwrap_err();
    ///     assert_eq!(error.error.kind(), ErrorKind::UnexpectedEof);
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// As in [`read`](AsyncRead::read); `UnexpectedEof` if the stream ends first, with what came in
    /// `buf`.
    ///
    /// # Cancellation
    ///
    /// **Weak**: the bytes read so far are lost with the buffer.
    fn read_exact<B: IoBufMut>(&mut self, buf: B) -> impl Future<Output = BufResult<usize, B>> {
        async move {
            let mut rest = buf.slice(..0);
            let wanted = rest.get_ref().capacity();
            let mut filled = 0;
            loop {
                let (n, slice) = match self.read(rest.into_inner().slice(filled..)).await {
                    Ok(read) => read,
                    Err(failure) => return Err(failure.map_buf(Slice::into_inner)),
                };
                filled += n;
                if filled == wanted {
                    return Ok((filled, slice.into_inner()));
                }
                if n == 0 {
                    let text = format!("the stream ended after {filled} of {wanted} bytes");
                    let error = io::Error::new(io::ErrorKind::UnexpectedEof, text);
                    return Err(BufError::new(error, slice.into_inner()));
                }
                rest = slice;
            }
        }
    }

    /// Appends everything up to the end of the stream to `buf`, and says how much that was.
    ///
    /// Whoever is at the other end decides how much memory this takes; [`take`](AsyncRead::take)
    /// sets a limit.
    ///
    /// ```
    /// use wakering_runtime::io::AsyncRead;
    ///
    /// wakering_runtime::run(async {
    ///     let mut reader: &[u8] = b"all of it";
    ///     let (n, buf) = reader.read_to_end(b"> ".to_vec()).await?;
    ///     assert_eq!((n, &buf[..]), (9, &b"> all of it"[..]));
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// What the stream failed with; `buf` then holds what came before.
    ///
    /// # Cancellation
    ///
    /// **Weak**: the bytes read so far are lost with the buffer.
    fn read_to_end(&mut self, buf: Vec<u8>) -> impl Future<Output = BufResult<usize, Vec<u8>>> {
        async move {
            let mut buf = buf;
            let start = buf.len();
            loop {
                if buf.len() == buf.capacity() {
                    buf.reserve(SPARE_MIN);
                }
                let n;
                (n, buf) = self.read_append(buf).await?;
                if n == 0 {
                    return Ok((buf.len() - start, buf));
                }
            }
        }
    }

    /// Appends everything up to the end of the stream to `text`, and says how many bytes that was.
    ///
    /// ```
    /// use std::io::ErrorKind;
    /// use wakering_runtime::io::AsyncRead;
    ///
    /// wakering_runtime::run(async {
    ///     let mut reader: &[u8] = "grün".as_bytes();
    ///     let (n, text) = reader.read_to_string(String::new()).await?;
    ///     assert_eq!((n, text.as_str()), (5, "grün"));
    ///
    ///     let mut reader: &[u8] = b"\xff";
    ///     let failure = reader.read_to_string(text).await.unwrap_err();
    ///     assert_eq!(failure.error.kind(), ErrorKind::InvalidData);
    ///     assert_eq!(failure.buf, "grün");
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// As in [`read_to_end`](AsyncRead::read_to_end), and `InvalidData` if what came is not UTF-8;
    /// `text` is then as it was.
    ///
    /// # Cancellation
    ///
    /// **Weak**: the bytes read so far are lost with the buffer.
    fn read_to_string(&mut self, text: String) -> impl Future<Output = BufResult<usize, String>> {
        async move {
            let start = text.len();
            let (read, bytes) = match self.read_to_end(text.into_bytes()).await {
                Ok((n, bytes)) => (Ok(n), bytes),
                Err(BufError { error, buf, .. }) => (Err(error), buf),
            };
            let (error, mut bytes) = match (read, String::from_utf8(bytes)) {
                (Ok(n), Ok(text)) => return Ok((n, text)),
                (Err(error), Ok(text)) => (error, text.into_bytes()),
                (Err(error), Err(invalid)) => (error, invalid.into_bytes()),
                (Ok(_), Err(invalid)) => {
                    let error = io::Error::new(io::ErrorKind::InvalidData, invalid.utf8_error());
                    (error, invalid.into_bytes())
                }
            };
            bytes.truncate(start);
            let text = String::from_utf8(bytes).expect("these bytes came as a String");
            Err(BufError::new(error, text))
        }
    }

    /// A reader that ends after `limit` bytes of this one. Made of a `&mut` reader, it leaves the
    /// rest to be read.
    ///
    /// ```
    /// use wakering_runtime::io::AsyncRead;
    ///
    /// wakering_runtime::run(async {
    ///     let mut reader: &[u8] = b"head and body";
    ///     let (_, head) = (&mut reader).take(4).read_to_end(Vec::new()).await?;
    ///     assert_eq!(head, b"head");
    ///     assert_eq!(reader, b" and body");
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    fn take(self, limit: u64) -> Take<Self>
    where
        Self: Sized,
    {
        Take::new(self, limit)
    }

    /// A reader that goes on with `next` where this one ends.
    ///
    /// ```
    /// use wakering_runtime::io::AsyncRead;
    ///
    /// wakering_runtime::run(async {
    ///     let (first, second): (&[u8], &[u8]) = (b"already read, ", b"still to come");
    ///     let (_, all) = first.chain(second).read_to_string(String::new()).await?;
    ///     assert_eq!(all, "already read, still to come");
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    fn chain<R: AsyncRead>(self, next: R) -> Chain<Self, R>
    where
        Self: Sized,
    {
        Chain::new(self, next)
    }
}

through_pointers! {
    impl AsyncRead {
        async fn read<B: IoBufMut>(&mut self, buf: B) -> BufResult<usize, B> {
            (**self).read(buf).await
        }

        async fn read_vectored<B: IoBufMut>(&mut self, bufs: Vec<B>) -> BufResult<usize, Vec<B>> {
            (**self).read_vectored(bufs).await
        }
    }
}

impl AsyncRead for &[u8] {
    async fn read<B: IoBufMut>(&mut self, buf: B) -> BufResult<usize, B> {
        read_from(self, buf).await
    }
}
