//! Pipes, and whatever else is read or written in order by read(2) and write(2): the standard
//! streams of child processes and our own, terminals, named pipes.
//!
//! The reader owns the read that fills its buffer, from poll to poll, so that one which shows
//! nothing yet can be given up and taken up again. A read into a buffer of the caller's leaves it
//! to the descriptor, where the next one finds it.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use wakering_ring_driver::buffer::{BufResult, IoBuf, IoBufMut};
use wakering_ring_driver::op::{self, Op};
use wakering_ring_driver::{BufError, Driver, Failure, Fd, Sharing};

use super::buf_reader::CAPACITY;
use super::{AsyncRead, AsyncWrite, Sink, Source, read_from};

/// Makes a pipe: what is written to its writer comes out of its reader.
///
/// To give one end to a child process or to std's code, make it with [`std::io::pipe`] and take
/// over the other by `from_std`.
///
/// ```
/// use wakering_runtime::io::{AsyncRead, AsyncWrite, pipe};
///
/// wakering_runtime::run(async {
///     let (mut reader, mut writer) = pipe()?;
///     writer.write_all("hello").await?;
///     drop(writer);
///     assert_eq!(reader.read_to_end(Vec::new()).await?.1, b"hello");
///     Ok::<_, std::io::Error>(())
/// })
/// # .unwrap();
/// ```
///
/// # Errors
/// Outside of a runtime; at the limit of descriptors.
pub fn pipe() -> io::Result<(PipeReader, PipeWriter)> {
    let (reader, writer) = io::pipe()?;
    Ok((PipeReader::from_std(reader)?, PipeWriter::from_std(writer)?))
}

/// The end of a pipe that is read from.
///
/// It reads through `AsyncRead`; what borrows bytes, such as lines, uses `Source` and what is made
/// of it. Reading is **Strict**.
///
/// ```
/// use std::io::Write;
/// use wakering_runtime::io::{AsyncBufRead, PipeReader};
///
/// wakering_runtime::run(async {
///     let (reader, mut writer) = std::io::pipe()?;
///     writer.write_all(b"first\nsecond\n")?;
///     let mut lines = PipeReader::from_std(reader)?.lines(80);
///     assert_eq!(lines.next_line().await?.as_deref(), Some("first"));
///     Ok::<_, std::io::Error>(())
/// })
/// # .unwrap();
/// ```
pub struct PipeReader {
    fd: Fd,
    /// The read that `poll_fill` waits for.
    filling: Option<Op<op::Read<Vec<u8>>>>,
    /// What was shown, of which the first `used` bytes are consumed.
    ahead: Vec<u8>,
    used: usize,
    /// Whether `poll_fill` has shown the end, which it then shows for ever.
    ended: bool,
}

impl PipeReader {
    /// Takes over std's end of a pipe, or anything else that is private to this process and read in
    /// order.
    ///
    /// ```
    /// use std::io::Write;
    /// use wakering_runtime::io::{AsyncRead, PipeReader};
    ///
    /// wakering_runtime::run(async {
    ///     let (reader, mut writer) = std::io::pipe()?;
    ///     writer.write_all(b"hello")?;
    ///     let mut reader = PipeReader::from_std(reader)?;
    ///     assert_eq!(reader.read(vec![0; 9]).await?.1, b"hello");
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    /// Outside of a runtime; where its mode cannot be changed.
    pub fn from_std(reader: impl Into<OwnedFd>) -> io::Result<PipeReader> {
        Ok(PipeReader::from_fd(adopt(reader.into())?))
    }

    /// The reader of a descriptor of a driver; the inverse of [`as_fd`](PipeReader::as_fd).
    pub fn from_fd(fd: Fd) -> PipeReader {
        PipeReader { fd, filling: None, ahead: Vec::new(), used: 0, ended: false }
    }

    /// Gives the pipe to std, with the bytes that were read and that nobody has consumed.
    ///
    /// ```
    /// use wakering_runtime::io::{AsyncWrite, pipe};
    ///
    /// wakering_runtime::run(async {
    ///     let (reader, mut writer) = pipe()?;
    ///     writer.write_all("hello").await?;
    ///     let (mut std, received) = reader.into_std().await?;
    ///     drop(writer);
    ///     assert!(received.is_empty());
    ///     assert_eq!(std::io::read_to_string(&mut std)?, "hello");
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    /// `ResourceBusy` where the descriptor is shared, by a clone of [`as_fd`](PipeReader::as_fd)
    /// say. What a read came to for which nobody waited any more.
    ///
    /// # Cancellation
    /// **Weak**: the pipe is closed.
    pub async fn into_std(self) -> io::Result<(io::PipeReader, Vec<u8>)> {
        let PipeReader { fd, filling, mut ahead, used, .. } = self;
        drop(filling);
        let (owned, unread) = detach(fd).await?;
        ahead.drain(..used);
        ahead.extend_from_slice(&unread);
        Ok((owned.into(), ahead))
    }

    /// The descriptor, for operations of the driver.
    pub fn as_fd(&self) -> &Fd {
        &self.fd
    }

    fn shown(&self) -> &[u8] {
        &self.ahead[self.used..]
    }

    /// Whether what comes next is here: bytes, or the end.
    fn knows_next(&self) -> bool {
        self.ended || !self.shown().is_empty()
    }
}

impl Source for PipeReader {
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        if !self.knows_next() {
            let filling = self.filling.get_or_insert_with(|| {
                let mut buf = std::mem::take(&mut self.ahead);
                self.used = 0;
                buf.clear();
                buf.reserve_exact(CAPACITY);
                op::read(&self.fd, buf)
            });
            let read = ready!(Pin::new(filling).poll(cx));
            self.filling = None;
            let (n, buf) = read.map_err(|failure| failure.error)?;
            self.ahead = buf;
            self.ended = n == 0;
        }
        Poll::Ready(Ok(self.shown()))
    }

    fn consume(&mut self, n: usize) {
        assert!(n <= self.shown().len(), "consumed more than was shown");
        self.used += n;
    }
}

impl AsyncRead for PipeReader {
    async fn read<B: IoBufMut>(&mut self, buf: B) -> BufResult<usize, B> {
        if self.knows_next() {
            return read_from(self, buf).await;
        }
        self.filling = None;
        op::read(&self.fd, buf).await
    }

    async fn read_vectored<B: IoBufMut>(&mut self, mut bufs: Vec<B>) -> BufResult<usize, Vec<B>> {
        // Reading into nothing is refused there too.
        if !self.knows_next() || bufs.iter().all(|buf| buf.capacity() == 0) {
            self.filling = None;
            return op::read_vectored(&self.fd, bufs).await;
        }
        let mut total = 0;
        for buf in &mut bufs {
            let n = buf.overwrite(self.shown());
            self.used += n;
            total += n;
        }
        Ok((total, bufs))
    }
}

impl fmt::Debug for PipeReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PipeReader")
            .field("fd", &self.fd)
            .field("ahead", &self.shown().len())
            .finish()
    }
}

/// The end of a pipe that is written to.
///
/// It writes through `AsyncWrite` and `Sink`. Dropping it, or shutting it down, closes it: the
/// reader then sees the end, after what was written or queued, which still leaves for up to 5 s.
///
/// ```
/// use wakering_runtime::io::{AsyncRead, AsyncWrite, Sink, pipe};
///
/// wakering_runtime::run(async {
///     let (mut reader, mut writer) = pipe()?;
///     writer.queue(b"hel")?;
///     writer.queue(b"lo")?;
///     writer.shutdown().await?;
///     assert_eq!(reader.read_to_end(Vec::new()).await?.1, b"hello");
///
///     let refused = writer.write_all("more").await.unwrap_err();
///     assert_eq!(refused.error.kind(), std::io::ErrorKind::BrokenPipe);
///     Ok::<_, std::io::Error>(())
/// })
/// # .unwrap();
/// ```
///
/// # Errors
/// `BrokenPipe` once the reader is gone or the writer shut down.
///
/// # Cancellation
/// **Strict**: a submitted write finishes, and the next one waits for it.
#[derive(Debug)]
pub struct PipeWriter {
    /// `None` once it was shut down.
    fd: Option<Fd>,
}

impl PipeWriter {
    /// Takes over std's end of a pipe, or anything else that is private to this process and written
    /// in order.
    ///
    /// ```
    /// use std::io::Read;
    /// use wakering_runtime::io::{AsyncWrite, PipeWriter};
    ///
    /// wakering_runtime::run(async {
    ///     let (mut reader, writer) = std::io::pipe()?;
    ///     PipeWriter::from_std(writer)?.write_all("hello").await?;
    ///     let mut text = [0; 5];
    ///     reader.read_exact(&mut text)?;
    ///     assert_eq!(&text, b"hello");
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    /// Outside of a runtime; where its mode cannot be changed.
    pub fn from_std(writer: impl Into<OwnedFd>) -> io::Result<PipeWriter> {
        Ok(PipeWriter::from_fd(adopt(writer.into())?))
    }

    /// The writer of a descriptor of a driver.
    pub fn from_fd(fd: Fd) -> PipeWriter {
        PipeWriter { fd: Some(fd) }
    }

    /// Gives the pipe to std. What is queued is written first.
    ///
    /// ```
    /// use std::io::Write;
    /// use wakering_runtime::io::{AsyncRead, pipe};
    ///
    /// wakering_runtime::run(async {
    ///     let (mut reader, writer) = pipe()?;
    ///     writer.into_std().await?.write_all(b"hello")?;
    ///     assert_eq!(reader.read(vec![0; 9]).await?.1, b"hello");
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    /// `BrokenPipe` if it was shut down; `ResourceBusy` where the descriptor is shared, by a clone
    /// of [`as_fd`](PipeWriter::as_fd) say. What a queued write came to.
    ///
    /// # Cancellation
    /// **Weak**: the pipe is closed.
    pub async fn into_std(self) -> io::Result<io::PipeWriter> {
        let fd = self.fd.ok_or_else(shut_down)?;
        Ok(detach(fd).await?.0.into())
    }

    /// Writes what is queued (for up to 5 s) and closes the pipe. When this completes it is closed.
    ///
    /// ```
    /// use wakering_runtime::io::{AsyncRead, Sink, pipe};
    ///
    /// wakering_runtime::run(async {
    ///     let (mut reader, mut writer) = pipe()?;
    ///     writer.queue(b"the last words")?;
    ///     writer.close().await?;
    ///     assert_eq!(reader.read_to_end(Vec::new()).await?.1, b"the last words");
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    /// What a queued write came to.
    ///
    /// # Cancellation
    /// **Strict**: the closing goes on in the background.
    pub async fn close(self) -> io::Result<()> {
        match self.fd {
            Some(fd) => fd.close().await,
            None => Ok(()),
        }
    }

    /// The descriptor, for operations of the driver; `None` once the writer was shut down.
    pub fn as_fd(&self) -> Option<&Fd> {
        self.fd.as_ref()
    }

    fn open(&self) -> io::Result<&Fd> {
        self.fd.as_ref().ok_or_else(shut_down)
    }
}

impl Sink for PipeWriter {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.open()?.poll_ready(cx)
    }

    fn queue(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.open()?.queue(bytes)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.open()?.poll_flush(cx)
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(fd) = &self.fd {
            ready!(fd.poll_flush(cx))?;
            self.fd = None;
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for PipeWriter {
    async fn write<B: IoBuf>(&mut self, buf: B) -> BufResult<usize, B> {
        match self.open() {
            Ok(fd) => op::write(fd, buf).await,
            Err(error) => Err(BufError::new(error, buf)),
        }
    }

    async fn write_vectored<B: IoBuf>(&mut self, bufs: Vec<B>) -> BufResult<usize, Vec<B>> {
        match self.open() {
            Ok(fd) => op::write_vectored(fd, bufs).await,
            Err(error) => Err(BufError::new(error, bufs)),
        }
    }

    async fn flush(&mut self) -> io::Result<()> {
        poll_fn(|cx| self.poll_flush(cx)).await
    }

    async fn shutdown(&mut self) -> io::Result<()> {
        poll_fn(|cx| self.poll_shutdown(cx)).await
    }
}

fn adopt(owned: OwnedFd) -> io::Result<Fd> {
    Fd::adopt(&Driver::current()?, owned, Sharing::Private)
}

/// The descriptor, and the bytes that were read and that nobody has taken. An error that nobody has
/// been told is told now, since std could not be told later.
async fn detach(fd: Fd) -> io::Result<(OwnedFd, Vec<u8>)> {
    let (owned, leftovers) = fd.detach().await.map_err(|_| {
        let shared = "into_std: the pipe is shared: drop the other handles first";
        io::Error::new(io::ErrorKind::ResourceBusy, shared)
    })?;
    match leftovers.error.or(leftovers.unsent) {
        Some(error) => Err(Failure::wrap("into_std", "pipe", error)),
        None => Ok((owned, leftovers.bytes)),
    }
}

fn shut_down() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "the pipe was shut down by its writer")
}
