//! The stream under hyper, which tells a [`Watch`] what passes through it.
//!
//! It also gives back what a former hyper has read and not used, when a connection is handed from
//! one to the next.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use hyper::rt::{Read, ReadBufCursor, Write};
use wakering_runtime::io::{Sink, Source};

use crate::Io;
use crate::watch::Watch;

pub(crate) struct Watched<I> {
    io: Io<I>,
    /// What a former hyper has read and not used, to be read first.
    put_back: Bytes,
    watch: Arc<Watch>,
}

impl<I: Source + Unpin> Watched<I> {
    pub(crate) fn new(stream: I, watch: Arc<Watch>) -> Watched<I> {
        Watched { io: Io::new(stream), put_back: Bytes::new(), watch }
    }

    pub(crate) fn put_back(&mut self, bytes: Bytes) {
        self.put_back = bytes;
    }

    /// Waits until there is something to read: true for bytes, false for the end of the stream.
    pub(crate) fn poll_arrival(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        match self.put_back.is_empty() {
            true => self.io.poll_arrival(cx),
            false => Poll::Ready(Ok(true)),
        }
    }
}

impl<I: Source + Unpin> Read for Watched<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let polled = if self.put_back.is_empty() {
            Pin::new(&mut self.io).poll_read(cx, buf)
        } else {
            let n = self.put_back.len().min(buf.remaining());
            buf.put_slice(&self.put_back[..n]);
            self.put_back.advance(n);
            Poll::Ready(Ok(()))
        };
        if polled.is_ready() {
            self.watch.note_bytes();
        }
        polled
    }
}

impl<I: Sink + Unpin> Write for Watched<I> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.io).poll_write(cx, buf);
        self.watch.note_blocked(polled.is_pending());
        polled
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.io).poll_write_vectored(cx, bufs);
        self.watch.note_blocked(polled.is_pending());
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
