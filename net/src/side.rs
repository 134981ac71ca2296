//! The two sides of a stream socket, which TCP and Unix streams share.
//!
//! What is sent needs no more than the descriptor, so a stream is its read side; splitting it makes a
//! second handle. The read side holds at most one pooled buffer, and that only while it has bytes in
//! it that nobody has consumed.

use std::future::poll_fn;
use std::io;
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::task::{Context, Poll, ready};

use wakering_ring_driver::buffer::{BufResult, IoBufMut};
use wakering_ring_driver::{Failure, Fd, Leftovers, PooledBuf, op};
use wakering_runtime::io::{AsyncRead, Source, read_from};

use crate::detach::detach;

/// What receives.
#[derive(Debug)]
pub struct ReadSide {
    pub(crate) fd: Fd,
    /// What comes next, if it is known: bytes that were received and not consumed, or nothing, which
    /// is the end, for ever.
    ahead: Option<PooledBuf>,
}

impl ReadSide {
    pub(crate) fn of(fd: Fd) -> ReadSide {
        ReadSide { fd, ahead: None }
    }

    /// The next bytes, in the buffer into which they were received; an empty one is the end.
    pub(crate) fn recv(&mut self) -> impl Future<Output = io::Result<PooledBuf>> {
        poll_fn(|cx| self.poll_recv(cx))
    }

    fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<PooledBuf>> {
        let next = match self.ahead.take() {
            Some(ahead) => ahead,
            None => ready!(self.fd.poll_fill(cx))?,
        };
        if next.is_empty() {
            self.ahead = Some(PooledBuf::default());
        }
        Poll::Ready(Ok(next))
    }

    /// Gives the descriptor back to the system's own handle, with all bytes that were received and
    /// that nobody has consumed, in order, and the errors that nobody has been told.
    pub(crate) async fn detach(self) -> io::Result<(OwnedFd, Leftovers)> {
        let ReadSide { fd, ahead } = self;
        let (owned, mut leftovers) = detach(fd).await?;
        let mut bytes = ahead.unwrap_or_default().into_vec();
        bytes.extend_from_slice(&leftovers.bytes);
        // Somebody may have received messages on this stream, by way of its descriptor.
        let messages = std::mem::take(&mut leftovers.datagrams);
        messages.iter().for_each(|message| bytes.extend_from_slice(&message.bytes));
        leftovers.bytes = bytes;
        Ok((owned, leftovers))
    }

    /// The same for std, which cannot be told an error later.
    pub(crate) async fn into_std(self) -> io::Result<(OwnedFd, Vec<u8>)> {
        let (owned, leftovers) = self.detach().await?;
        match leftovers.error.or(leftovers.unsent) {
            Some(error) => Err(Failure::wrap("into_std", "connection", error)),
            None => Ok((owned, leftovers.bytes)),
        }
    }

    /// Closes the descriptor. What was received and not consumed is the pool's again before the peer
    /// has taken all output, which may take long.
    pub(crate) async fn close(self) -> io::Result<()> {
        let ReadSide { fd, ahead } = self;
        drop(ahead);
        fd.close().await
    }

    /// Copies what comes next without taking it.
    pub(crate) async fn peek<B: IoBufMut>(&mut self, mut buf: B) -> BufResult<usize, B> {
        match &self.ahead {
            Some(ahead) if buf.capacity() > 0 => {
                let n = buf.overwrite(ahead);
                Ok((n, buf))
            }
            _ => op::peek(&self.fd, buf).await,
        }
    }
}

impl Source for ReadSide {
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        if self.ahead.is_none() {
            self.ahead = Some(ready!(self.fd.poll_fill(cx))?);
        }
        Poll::Ready(Ok(self.ahead.as_deref().unwrap_or_default()))
    }

    fn consume(&mut self, n: usize) {
        let Some(ahead) = &mut self.ahead else {
            assert_eq!(n, 0, "nothing has been shown");
            return;
        };
        ahead.advance(n);
        if n > 0 && ahead.is_empty() {
            // An idle connection holds no buffer.
            self.ahead = None;
        }
    }
}

impl AsyncRead for ReadSide {
    async fn read<B: IoBufMut>(&mut self, buf: B) -> BufResult<usize, B> {
        // A receive of its own, straight into the buffer, is at least as good as a copy out of the
        // pool: as cheap for small messages, cheaper for large ones.
        if self.ahead.is_none() {
            return op::recv(&self.fd, buf).await;
        }
        read_from(self, buf).await
    }

    async fn read_vectored<B: IoBufMut>(&mut self, mut bufs: Vec<B>) -> BufResult<usize, Vec<B>> {
        // Reading into nothing is refused there too.
        let has_room = bufs.iter().any(|buf| buf.capacity() > 0);
        let Some(ahead) = self.ahead.as_deref().filter(|_| has_room) else {
            return op::read_vectored(&self.fd, bufs).await;
        };
        let mut total = 0;
        for buf in &mut bufs {
            total += buf.overwrite(&ahead[total..]);
        }
        self.consume(total);
        Ok((total, bufs))
    }
}

/// Tells the peer on `fd` that nothing more will come, once what is queued has left.
pub(crate) fn poll_shutdown(fd: &Fd, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
    ready!(fd.poll_flush(cx))?;
    match op::shutdown(fd, Shutdown::Write).now() {
        // The peer has gone already, so there is nobody to tell.
        Err(error) if error.kind() == io::ErrorKind::NotConnected => Poll::Ready(Ok(())),
        told => Poll::Ready(told),
    }
}

/// Implements the stream traits of `$stream`: by its read side `$side`, and by its descriptor `$fd`.
macro_rules! delegate_stream {
    (read $stream:ty, $side:ident $(, <$generic:ident>)?) => {
        impl$(<$generic>)? wakering_runtime::io::Source for $stream {
            fn poll_fill(
                &mut self,
                cx: &mut std::task::Context<'_>,
            ) -> std::task::Poll<std::io::Result<&[u8]>> {
                self.$side.poll_fill(cx)
            }

            fn consume(&mut self, n: usize) {
                self.$side.consume(n);
            }
        }

        impl$(<$generic>)? wakering_runtime::io::AsyncRead for $stream {
            fn read<B: wakering_runtime::io::IoBufMut>(
                &mut self,
                buf: B,
            ) -> impl Future<Output = wakering_runtime::io::BufResult<usize, B>> {
                self.$side.read(buf)
            }

            fn read_vectored<B: wakering_runtime::io::IoBufMut>(
                &mut self,
                bufs: Vec<B>,
            ) -> impl Future<Output = wakering_runtime::io::BufResult<usize, Vec<B>>> {
                self.$side.read_vectored(bufs)
            }
        }
    };
    (write $stream:ty, $($fd:ident).+ $(, <$generic:ident>)?) => {
        impl$(<$generic>)? wakering_runtime::io::Sink for $stream {
            fn poll_ready(
                &mut self,
                cx: &mut std::task::Context<'_>,
            ) -> std::task::Poll<std::io::Result<()>> {
                self.$($fd).+.poll_ready(cx)
            }

            fn queue(&mut self, bytes: &[u8]) -> std::io::Result<()> {
                self.$($fd).+.queue(bytes)
            }

            fn send_at_once(
                &mut self,
                bufs: &[std::io::IoSlice<'_>],
            ) -> std::io::Result<Option<usize>> {
                self.$($fd).+.send_at_once(bufs)
            }

            fn poll_flush(
                &mut self,
                cx: &mut std::task::Context<'_>,
            ) -> std::task::Poll<std::io::Result<()>> {
                self.$($fd).+.poll_flush(cx)
            }

            fn poll_shutdown(
                &mut self,
                cx: &mut std::task::Context<'_>,
            ) -> std::task::Poll<std::io::Result<()>> {
                $crate::side::poll_shutdown(&self.$($fd).+, cx)
            }
        }

        impl$(<$generic>)? wakering_runtime::io::AsyncWrite for $stream {
            fn write<B: wakering_runtime::io::IoBuf>(
                &mut self,
                buf: B,
            ) -> impl Future<Output = wakering_runtime::io::BufResult<usize, B>> {
                wakering_ring_driver::op::send(&self.$($fd).+, buf)
            }

            fn write_all<B: wakering_runtime::io::IoBuf>(
                &mut self,
                buf: B,
            ) -> impl Future<Output = wakering_runtime::io::BufResult<usize, B>> {
                $crate::send_all::send_all(&self.$($fd).+, buf)
            }

            fn write_vectored<B: wakering_runtime::io::IoBuf>(
                &mut self,
                bufs: Vec<B>,
            ) -> impl Future<Output = wakering_runtime::io::BufResult<usize, Vec<B>>> {
                wakering_ring_driver::op::send_vectored(&self.$($fd).+, bufs)
            }

            async fn flush(&mut self) -> std::io::Result<()> {
                std::future::poll_fn(|cx| self.$($fd).+.poll_flush(cx)).await
            }

            async fn shutdown(&mut self) -> std::io::Result<()> {
                std::future::poll_fn(|cx| $crate::side::poll_shutdown(&self.$($fd).+, cx)).await
            }
        }
    };
}

pub(crate) use delegate_stream;
