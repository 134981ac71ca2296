//! hyper's poll-shaped traits on our streams.
//!
//! hyper lends a buffer for the length of a poll, which the kernel must not keep. Our streams own
//! what they read into and send from, so a read copies out of the stream's buffer and a write
//! copies into it, unless it is large and the socket takes it at once; nothing is allocated for
//! either. Writes go behind the caller's back: a write is done when the stream has taken the bytes,
//! and what was copied leaves together at the end of the turn.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use hyper::rt::{Read, ReadBufCursor, Write};
use wakering_runtime::io::{Sink, Source};

/// A stream as hyper wants it.
///
/// [`serve`](crate::serve) uses it by itself; you need it to give a stream to other parts of hyper.
/// A failed send is told by the write, flush or shutdown after it. Flushing does not wait for the
/// kernel: what was written leaves without being asked to, and only shutting down waits for it.
///
/// ```
/// use std::convert::Infallible;
/// use wakering_http::{Io, Request, Response, hyper, service::service_fn};
/// use wakering_runtime::io::{AsyncRead, AsyncWrite, duplex};
///
/// wakering_runtime::run(async {
///     let (mut client, server) = duplex(1024);
///     client.write_all("GET / HTTP/1.0\r\n\r\n").await?;
///     let hello = async |_: Request<_>| Ok::<_, Infallible>(Response::new(String::from("hello")));
///     let connection = hyper::server::conn::http1::Builder::new();
///     connection.serve_connection(Io::new(server), service_fn(hello)).await?;
///     let (_, answer) = client.read_to_string(String::new()).await?;
///     assert!(answer.ends_with("\r\n\r\nhello"));
///     Ok::<_, Box<dyn std::error::Error>>(())
/// })
/// # .unwrap();
/// ```
#[derive(Debug)]
pub struct Io<S> {
    stream: S,
}

impl<S> Io<S> {
    /// Wraps a stream.
    ///
    /// ```
    /// use wakering_http::Io;
    ///
    /// let (near, _far) = wakering_runtime::io::duplex(16);
    /// let io = Io::new(near);
    /// # let _ = io;
    /// ```
    pub fn new(stream: S) -> Io<S> {
        Io { stream }
    }

    /// The stream, with all that it has read and not given out.
    ///
    /// ```
    /// use wakering_http::Io;
    ///
    /// assert_eq!(Io::new("stream").into_inner(), "stream");
    /// ```
    pub fn into_inner(self) -> S {
        self.stream
    }
}

impl<S: Source + Unpin> Io<S> {
    /// Waits until there is something to read: true for bytes, false for the end of the stream.
    pub(crate) fn poll_arrival(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        self.stream.poll_fill(cx).map_ok(|bytes| !bytes.is_empty())
    }
}

impl<S: Source + Unpin> Read for Io<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let bytes = ready!(self.stream.poll_fill(cx))?;
        let n = bytes.len().min(buf.remaining());
        buf.put_slice(&bytes[..n]);
        self.stream.consume(n);
        Poll::Ready(Ok(()))
    }
}

impl<S: Sink + Unpin> Write for Io<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(buf)])
    }

    fn is_write_vectored(&self) -> bool {
        // Without it hyper would put the pieces together first, by a copy of its own.
        true
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.stream.poll_ready(cx))?;
        Poll::Ready(self.stream.queue_vectored(bufs))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // To wait for the kernel would cost another wake-up a response and gain nothing.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.poll_shutdown(cx)
    }
}
