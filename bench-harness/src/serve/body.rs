//! The body of a response: whole, or in pieces that leave one by one.
//!
//! A streamed body is a schedule of pieces, each with the time since the first poll at which it is
//! due, so that late wake-ups do not add up. Between two pieces the body is pending at least once:
//! that is when hyper flushes, and without it pieces that are due at the same time would arrive as
//! one, the way drips commonly fail to drip.

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use wakering::time::{Instant, Sleep, sleep_until};

/// A piece of a streamed body.
pub(super) struct Piece {
    /// When it leaves, counted from the first poll.
    pub(super) due: Duration,
    /// Its bytes, or the end of the connection.
    pub(super) data: Result<Bytes, Cut>,
}

/// A body ends here on purpose, before its length is reached.
#[derive(Debug, PartialEq)]
pub(super) struct Cut;

impl Piece {
    /// A piece that leaves as soon as the one before it has left.
    pub(super) fn now(data: impl Into<Bytes>) -> Piece {
        Piece::at(Duration::ZERO, data)
    }

    pub(super) fn at(due: Duration, data: impl Into<Bytes>) -> Piece {
        Piece { due, data: Ok(data.into()) }
    }
}

/// The body of every response of this server.
pub(super) enum Body {
    /// Leaves with the head.
    Whole(Bytes),
    Streamed(Box<Streamed>),
}

/// What a streamed body still has to do.
pub(super) struct Streamed {
    pieces: Box<dyn Iterator<Item = Piece>>,
    /// What `Content-Length` says of the rest; without it the body is chunked.
    length: Option<u64>,
    started: Option<Instant>,
    held: Option<(Piece, Gap)>,
}

/// What lies in front of the piece that is held.
enum Gap {
    Wait(Sleep),
    /// Be pending once, so that what has been written leaves.
    Flush,
    None,
}

impl Body {
    /// Pieces without a length known in advance.
    pub(super) fn chunked(pieces: impl Iterator<Item = Piece> + 'static) -> Body {
        Body::streamed(None, pieces)
    }

    /// Pieces that are `length` bytes together, or say so.
    pub(super) fn of_length(length: u64, pieces: impl Iterator<Item = Piece> + 'static) -> Body {
        Body::streamed(Some(length), pieces)
    }

    fn streamed(length: Option<u64>, pieces: impl Iterator<Item = Piece> + 'static) -> Body {
        let pieces = Box::new(pieces);
        Body::Streamed(Box::new(Streamed { pieces, length, started: None, held: None }))
    }
}

impl<T: Into<Bytes>> From<T> for Body {
    fn from(bytes: T) -> Body {
        Body::Whole(bytes.into())
    }
}

impl Streamed {
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Cut>>> {
        if self.held.is_none() {
            let Some(piece) = self.pieces.next() else {
                return Poll::Ready(None);
            };
            let first = self.started.is_none();
            let started = *self.started.get_or_insert_with(Instant::now);
            let gap = match started + piece.due {
                due if due > Instant::now() => Gap::Wait(sleep_until(due)),
                _ if first => Gap::None,
                _ => Gap::Flush,
            };
            self.held = Some((piece, gap));
        }
        if let Some((_, gap)) = &mut self.held {
            match gap {
                Gap::Wait(sleep) => ready!(Pin::new(sleep).poll(cx)),
                Gap::Flush => {
                    *gap = Gap::None;
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Gap::None => {}
            }
        }
        let data = self.held.take().map(|(piece, _)| piece.data);
        if let (Some(length), Some(Ok(data))) = (&mut self.length, &data) {
            *length = length.saturating_sub(data.len() as u64);
        }
        Poll::Ready(data)
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        match self.get_mut() {
            Body::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Body::Whole(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Body::Streamed(streamed) => {
                let data = ready!(streamed.poll_piece(cx));
                Poll::Ready(data.map(|data| data.map(Frame::data)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Body::Whole(bytes) if bytes.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        let length = match self {
            Body::Whole(bytes) => Some(bytes.len() as u64),
            Body::Streamed(streamed) => streamed.length,
        };
        length.map_or_else(SizeHint::new, SizeHint::with_exact)
    }
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the body is cut off on purpose")
    }
}

impl Error for Cut {}

impl Cut {
    /// Whether that is why a connection failed.
    pub(super) fn is_behind(error: &(dyn Error + 'static)) -> bool {
        error.is::<Cut>() || error.source().is_some_and(Cut::is_behind)
    }
}
