//! Servers that fail, for those who want to see what a client makes of it.
//!
//! `/never` takes a request and stays silent, `/reset` answers with RST, `/truncate` announces a
//! hundred bytes, sends five and closes, `/garbage` sends something else than HTTP. hyper will not
//! write the second and the last, so the handler leaves a note on the connection and the stream
//! under hyper, `Stream`, acts on it when the answer comes by.

use std::io::{self, IoSlice};
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::CONNECTION;
use http::{HeaderValue, StatusCode};
use wakering::io::{Sink, Source};
use wakering::net::TcpStream;

use super::body::{Body, Cut, Piece};
use super::call::{Call, Peer};
use super::reply::{PLAIN, Reply};

const GARBAGE: &[u8] = b"\x15\x03\x01 this is not HTTP\r\n\r\n";

/// How a connection spoils the next answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Fault {
    /// Ends in a reset instead of it.
    Reset,
    /// Sends nonsense instead of it.
    Garbage,
}

/// Never answers.
pub(super) fn never(_call: &Call<'_>) -> Reply {
    Reply { after: Duration::MAX, ..Reply::bare(StatusCode::OK) }
}

/// Resets the connection.
pub(super) fn reset(_call: &Call<'_>) -> Reply {
    Reply { fault: Some(Fault::Reset), ..Reply::bare(StatusCode::OK) }
}

/// Sends something that is not HTTP and closes.
pub(super) fn garbage(_call: &Call<'_>) -> Reply {
    let close = HeaderValue::from_static("close");
    let reply = Reply::bare(StatusCode::OK).with(CONNECTION, close);
    Reply { fault: Some(Fault::Garbage), ..reply }
}

/// Closes after five of a hundred bytes.
pub(super) fn truncate(_call: &Call<'_>) -> Reply {
    let cut = Piece { due: Duration::ZERO, data: Err(Cut) };
    let pieces = [Piece::now(Bytes::from_static(b"short")), cut];
    Reply::new(StatusCode::OK, PLAIN, Body::of_length(100, pieces.into_iter()))
}

/// A connection whose handlers can spoil their answers.
pub(super) struct Stream {
    tcp: TcpStream,
    peer: Rc<Peer>,
}

impl Stream {
    pub(super) fn new(tcp: TcpStream, peer: Rc<Peer>) -> Stream {
        Stream { tcp, peer }
    }
}

impl Source for Stream {
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        self.tcp.poll_fill(cx)
    }

    fn consume(&mut self, n: usize) {
        self.tcp.consume(n);
    }
}

impl Sink for Stream {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.tcp.poll_ready(cx)
    }

    fn queue(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self.peer.fault.take() {
            None => self.tcp.queue(bytes),
            Some(Fault::Garbage) => self.tcp.queue(GARBAGE),
            Some(Fault::Reset) => {
                // Closing a socket that does not linger sends RST instead of FIN.
                self.tcp.set_linger(Some(Duration::ZERO))?;
                Err(io::ErrorKind::ConnectionReset.into())
            }
        }
    }

    fn send_at_once(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<Option<usize>> {
        match self.peer.fault.get() {
            None => self.tcp.send_at_once(bufs),
            Some(_) => Ok(None),
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.tcp.poll_flush(cx)
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.tcp.poll_shutdown(cx)
    }
}
