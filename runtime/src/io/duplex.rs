//! A stream in memory: what one end writes the other reads, as with a socket pair but without the
//! kernel.
//!
//! Each direction is one pipe. The reading end swaps its empty chunk for all that was written
//! meanwhile, so bytes are copied once on the way in and once on the way out, and the two
//! allocations of a direction are used for ever.

use std::cell::RefCell;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::mem;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};

use wakering_ring_driver::buffer::{BufError, BufResult, IoBuf, IoBufMut};

use super::{AsyncRead, AsyncWrite, Sink, Source, read_from};

/// Makes two connected streams. Each direction holds `capacity` bytes, at least one, before its
/// writer has to wait.
///
/// ```
/// use std::io::ErrorKind;
/// use wakering_runtime::io::{AsyncRead, AsyncWrite, duplex};
///
/// wakering_runtime::run(async {
///     let (mut client, mut server) = duplex(64);
///     client.write_all("ping").await?;
///     let (_, request) = server.read_exact(vec![0; 4]).await?;
///     server.write_all(request).await?;
///     drop(server);
///
///     let (_, reply) = client.read_to_end(Vec::new()).await?;
///     assert_eq!(reply, b"ping");
///     let failure = client.write_all("anybody there?").await.unwrap_err();
///     assert_eq!(failure.error.kind(), ErrorKind::BrokenPipe);
///     Ok::<_, std::io::Error>(())
/// })
/// # .unwrap();
/// ```
pub fn duplex(capacity: usize) -> (DuplexStream, DuplexStream) {
    let there = Rc::new(RefCell::new(Pipe::new(capacity)));
    let back = Rc::new(RefCell::new(Pipe::new(capacity)));
    (DuplexStream::new(back.clone(), there.clone()), DuplexStream::new(there, back))
}

/// One end of a stream in memory, made by [`duplex`].
///
/// When it is dropped, the other end reads what is left, then the end of the stream, and writing
/// fails with `BrokenPipe`.
///
/// ```
/// use wakering_runtime::io::{AsyncRead, DuplexStream, duplex};
///
/// wakering_runtime::run(async {
///     let (mut near, far): (DuplexStream, DuplexStream) = duplex(8);
///     drop(far);
///     assert_eq!(near.read(vec![0; 8]).await?.0, 0);
///     Ok::<_, std::io::Error>(())
/// })
/// # .unwrap();
/// ```
pub struct DuplexStream {
    incoming: Rc<RefCell<Pipe>>,
    outgoing: Rc<RefCell<Pipe>>,
    /// What was taken out of `incoming`, of which the first `used` bytes are consumed.
    chunk: Vec<u8>,
    used: usize,
}

/// One direction.
struct Pipe {
    /// What was written and not fetched yet.
    bytes: Vec<u8>,
    /// How much was written and not consumed yet: `bytes` and what the reader has fetched.
    unread: usize,
    capacity: usize,
    /// Nothing more will be written.
    ended: bool,
    /// Nothing more will be read.
    abandoned: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl Pipe {
    fn new(capacity: usize) -> Pipe {
        Pipe {
            bytes: Vec::new(),
            unread: 0,
            capacity: capacity.max(1),
            ended: false,
            abandoned: false,
            reader: None,
            writer: None,
        }
    }

    fn check(&self) -> io::Result<()> {
        let text = match (self.ended, self.abandoned) {
            (true, _) => "write to a duplex stream that was shut down",
            (_, true) => "write to a duplex stream whose other end was dropped",
            _ => return Ok(()),
        };
        Err(io::Error::new(io::ErrorKind::BrokenPipe, text))
    }
}

/// Changes a pipe and wakes whom the change has given, when the pipe is free to be looked at again.
fn change(pipe: &RefCell<Pipe>, change: impl FnOnce(&mut Pipe) -> Option<Waker>) {
    let waker = change(&mut pipe.borrow_mut());
    if let Some(waker) = waker {
        waker.wake();
    }
}

impl DuplexStream {
    fn new(incoming: Rc<RefCell<Pipe>>, outgoing: Rc<RefCell<Pipe>>) -> DuplexStream {
        DuplexStream { incoming, outgoing, chunk: Vec::new(), used: 0 }
    }
}

impl Source for DuplexStream {
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        if self.used == self.chunk.len() {
            let mut pipe = self.incoming.borrow_mut();
            self.chunk.clear();
            self.used = 0;
            if pipe.bytes.is_empty() && !pipe.ended {
                pipe.reader = Some(cx.waker().clone());
                return Poll::Pending;
            }
            mem::swap(&mut self.chunk, &mut pipe.bytes);
        }
        Poll::Ready(Ok(&self.chunk[self.used..]))
    }

    fn consume(&mut self, n: usize) {
        assert!(n <= self.chunk.len() - self.used, "consumed more than was shown");
        self.used += n;
        change(&self.incoming, |pipe| {
            pipe.unread -= n;
            pipe.writer.take()
        });
    }
}

impl Sink for DuplexStream {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut pipe = self.outgoing.borrow_mut();
        pipe.check()?;
        if pipe.unread >= pipe.capacity {
            pipe.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }

    fn queue(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.outgoing.borrow().check()?;
        change(&self.outgoing, |pipe| {
            pipe.bytes.extend_from_slice(bytes);
            pipe.unread += bytes.len();
            pipe.reader.take()
        });
        Ok(())
    }

    /// What is within the capacity counts as taken.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut pipe = self.outgoing.borrow_mut();
        if pipe.unread <= pipe.capacity {
            return Poll::Ready(Ok(()));
        }
        pipe.check()?;
        pipe.writer = Some(cx.waker().clone());
        Poll::Pending
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_flush(cx))?;
        change(&self.outgoing, |pipe| {
            pipe.ended = true;
            pipe.reader.take()
        });
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for DuplexStream {
    async fn read<B: IoBufMut>(&mut self, buf: B) -> BufResult<usize, B> {
        read_from(self, buf).await
    }
}

impl AsyncWrite for DuplexStream {
    /// Writes as much as the capacity allows. **Strict**, as nothing is waited for once it is done.
    async fn write<B: IoBuf>(&mut self, buf: B) -> BufResult<usize, B> {
        if buf.is_empty() {
            return Ok((0, buf));
        }
        let written = poll_fn(|cx| {
            ready!(self.poll_ready(cx))?;
            let pipe = self.outgoing.borrow();
            let n = buf.len().min(pipe.capacity - pipe.unread);
            drop(pipe);
            self.queue(&buf.as_slice()[..n])?;
            Poll::Ready(Ok(n))
        });
        match written.await {
            Ok(n) => Ok((n, buf)),
            Err(error) => Err(BufError::new(error, buf)),
        }
    }

    async fn flush(&mut self) -> io::Result<()> {
        poll_fn(|cx| self.poll_flush(cx)).await
    }

    async fn shutdown(&mut self) -> io::Result<()> {
        poll_fn(|cx| self.poll_shutdown(cx)).await
    }
}

impl Drop for DuplexStream {
    fn drop(&mut self) {
        change(&self.incoming, |pipe| {
            pipe.abandoned = true;
            pipe.bytes = Vec::new();
            pipe.writer.take()
        });
        change(&self.outgoing, |pipe| {
            pipe.ended = true;
            pipe.reader.take()
        });
    }
}

impl fmt::Debug for DuplexStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DuplexStream")
            .field("to_read", &self.incoming.borrow().unread)
            .field("to_be_read", &self.outgoing.borrow().unread)
            .finish_non_exhaustive()
    }
}
