//! The two sides of a stream socket, which TCP and Unix streams share.
//!
//! A stream is a read side and a write side that name the same descriptor; splitting it takes them
//! apart. The read side holds at most one pooled buffer, and that only while it has bytes in it
//! that nobody has consumed.

use std::future::poll_fn;
use std::io;
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::task::{Context, Poll, ready};

use wakering_ring_driver::buffer::{BufResult, IoBuf, IoBufMut};
use wakering_ring_driver::{Fd, PooledBuf, op};
use wakering_runtime::io::{AsyncRead, AsyncWrite, Sink, Source, read_from};

use crate::detach::detach;

/// What receives.
#[derive(Debug)]
pub struct ReadSide {
    pub(crate) fd: Fd,
    /// Bytes that were shown by `poll_fill` and not consumed.
    ahead: PooledBuf,
    /// Whether `poll_fill` has shown the end, which it then shows for ever.
    ended: bool,
}

/// What sends.
#[derive(Debug)]
pub struct WriteSide {
    pub(crate) fd: Fd,
}

/// Both sides of `fd`.
pub(crate) fn sides(fd: Fd) -> (ReadSide, WriteSide) {
    let read = ReadSide { fd: fd.clone(), ahead: PooledBuf::default(), ended: false };
    (read, WriteSide { fd })
}

impl ReadSide {
    /// The next bytes, in the buffer into which they were received; an empty one is the end.
    pub(crate) fn recv(&mut self) -> impl Future<Output = io::Result<PooledBuf>> {
        poll_fn(|cx| self.poll_recv(cx))
    }

    fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<PooledBuf>> {
        if self.knows_next() {
            return Poll::Ready(Ok(std::mem::take(&mut self.ahead)));
        }
        let bytes = ready!(self.fd.poll_fill(cx))?;
        self.ended = bytes.is_empty();
        Poll::Ready(Ok(bytes))
    }

    /// Shows `bytes` before what is received from now on.
    pub(crate) fn put_back(&mut self, bytes: Vec<u8>) {
        self.ahead = PooledBuf::from(bytes);
    }

    /// Gives the descriptor back to the system's own handle, with all bytes that were received and
    /// that nobody has consumed, in order.
    pub(crate) async fn detach(self, write: WriteSide) -> io::Result<(OwnedFd, Vec<u8>)> {
        let ReadSide { fd, ahead, .. } = self;
        drop(fd);
        let (owned, leftovers) = detach(write.fd).await?;
        let mut bytes = ahead.into_vec();
        bytes.extend_from_slice(&leftovers.bytes);
        // Somebody may have received messages on this stream, by way of its descriptor.
        leftovers.datagrams.iter().for_each(|message| bytes.extend_from_slice(message.data()));
        Ok((owned, bytes))
    }

    /// Whether what comes next is here: bytes, or the end.
    fn knows_next(&self) -> bool {
        self.ended || !self.ahead.is_empty()
    }

    /// Copies what comes next without taking it.
    pub(crate) async fn peek<B: IoBufMut>(&mut self, mut buf: B) -> BufResult<usize, B> {
        if !self.knows_next() || buf.capacity() == 0 {
            return op::peek(&self.fd, buf).await;
        }
        let n = buf.overwrite(&self.ahead);
        Ok((n, buf))
    }
}

impl Source for ReadSide {
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        if !self.knows_next() {
            self.ahead = ready!(self.fd.poll_fill(cx))?;
            self.ended = self.ahead.is_empty();
        }
        Poll::Ready(Ok(&self.ahead))
    }

    fn consume(&mut self, n: usize) {
        self.ahead.advance(n);
        if self.ahead.is_empty() {
            // An idle connection holds no buffer.
            self.ahead = PooledBuf::default();
        }
    }
}

impl AsyncRead for ReadSide {
    async fn read<B: IoBufMut>(&mut self, buf: B) -> BufResult<usize, B> {
        if !self.knows_next() {
            return op::recv(&self.fd, buf).await;
        }
        read_from(self, buf).await
    }

    async fn read_vectored<B: IoBufMut>(&mut self, mut bufs: Vec<B>) -> BufResult<usize, Vec<B>> {
        // Reading into nothing is refused there too.
        if !self.knows_next() || bufs.iter().all(|buf| buf.capacity() == 0) {
            return op::read_vectored(&self.fd, bufs).await;
        }
        let mut total = 0;
        for buf in &mut bufs {
            let n = buf.overwrite(&self.ahead);
            self.ahead.advance(n);
            total += n;
        }
        self.consume(0);
        Ok((total, bufs))
    }
}

impl WriteSide {
    /// Sends from where the bytes lie, if the kernel can.
    pub(crate) fn write_zero_copy<B: IoBuf>(&mut self, buf: B) -> op::ZeroCopy<B> {
        op::send_zc(&self.fd, buf)
    }
}

impl Sink for WriteSide {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.fd.poll_ready(cx)
    }

    fn queue(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.fd.queue(bytes)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.fd.poll_flush(cx)
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.fd.poll_flush(cx))?;
        match op::shutdown(&self.fd, Shutdown::Write).now() {
            // The peer has gone already, so there is nobody to tell.
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Poll::Ready(Ok(())),
            told => Poll::Ready(told),
        }
    }
}

impl AsyncWrite for WriteSide {
    fn write<B: IoBuf>(&mut self, buf: B) -> impl Future<Output = BufResult<usize, B>> {
        op::send(&self.fd, buf)
    }

    fn write_vectored<B: IoBuf>(
        &mut self,
        bufs: Vec<B>,
    ) -> impl Future<Output = BufResult<usize, Vec<B>>> {
        op::send_vectored(&self.fd, bufs)
    }

    async fn flush(&mut self) -> io::Result<()> {
        poll_fn(|cx| self.poll_flush(cx)).await
    }

    async fn shutdown(&mut self) -> io::Result<()> {
        poll_fn(|cx| self.poll_shutdown(cx)).await
    }
}

/// Implements the stream traits of `$stream` by its field `$side`.
macro_rules! delegate_stream {
    (read $stream:ty, $side:ident $(, $generic:ident)?) => {
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
    (write $stream:ty, $side:ident $(, $generic:ident)?) => {
        impl$(<$generic>)? wakering_runtime::io::Sink for $stream {
            fn poll_ready(
                &mut self,
                cx: &mut std::task::Context<'_>,
            ) -> std::task::Poll<std::io::Result<()>> {
                self.$side.poll_ready(cx)
            }

            fn queue(&mut self, bytes: &[u8]) -> std::io::Result<()> {
                self.$side.queue(bytes)
            }

            fn poll_flush(
                &mut self,
                cx: &mut std::task::Context<'_>,
            ) -> std::task::Poll<std::io::Result<()>> {
                self.$side.poll_flush(cx)
            }

            fn poll_shutdown(
                &mut self,
                cx: &mut std::task::Context<'_>,
            ) -> std::task::Poll<std::io::Result<()>> {
                self.$side.poll_shutdown(cx)
            }
        }

        impl$(<$generic>)? wakering_runtime::io::AsyncWrite for $stream {
            fn write<B: wakering_runtime::io::IoBuf>(
                &mut self,
                buf: B,
            ) -> impl Future<Output = wakering_runtime::io::BufResult<usize, B>> {
                self.$side.write(buf)
            }

            fn write_vectored<B: wakering_runtime::io::IoBuf>(
                &mut self,
                bufs: Vec<B>,
            ) -> impl Future<Output = wakering_runtime::io::BufResult<usize, Vec<B>>> {
                self.$side.write_vectored(bufs)
            }

            fn flush(&mut self) -> impl Future<Output = std::io::Result<()>> {
                self.$side.flush()
            }

            fn shutdown(&mut self) -> impl Future<Output = std::io::Result<()>> {
                self.$side.shutdown()
            }
        }
    };
}

pub(crate) use delegate_stream;
