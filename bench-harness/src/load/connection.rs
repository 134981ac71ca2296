//! One connection and one exchange on it at a time.
//!
//! Responses are read from the slices that the runtime lends, so a connection has no buffer of its
//! own and an exchange allocates nothing. Sending and receiving go on together: a server that
//! answers before it has read the whole request is heard, and only its connection is given up.

use std::future::poll_fn;
use std::pin::pin;
use std::task::{Context, Poll, ready};

use wakering::io::{Sink, Source};
use wakering::net::TcpStream;
use wakering::time::{Instant, sleep_until, timeout};

use super::deadline::Deadline;
use super::failure::{Class, Failure};
use super::plan::Plan;
use crate::exchange::response::{Malformed, Parser, Stage};
use crate::quantity;

/// Bytes of a long request given to the runtime at a time.
const PIECE: usize = 64 * 1024;
/// Bytes of a malformed response that are shown.
const SHOWN: usize = 32;

/// An established connection, free for a request.
pub struct Connection {
    stream: TcpStream,
    parser: Parser,
    deadline: Deadline,
    timeout: std::time::Duration,
    reusable: bool,
}

impl Connection {
    /// Connects to the plan's target.
    pub async fn open(plan: &Plan) -> Result<Connection, Failure> {
        let connecting = TcpStream::connect(&plan.addresses[..]);
        let stream = match timeout(plan.connect_timeout, connecting).await {
            Ok(connected) => connected.map_err(Failure::connect)?,
            Err(_elapsed) => {
                let limit = quantity::round_time(plan.connect_timeout.as_nanos() as u64);
                let words = format!("no connection within {limit}");
                return Err(Failure::new(Class::ConnectTimeout, words));
            }
        };
        stream.set_nodelay(true).map_err(Failure::connect)?;
        Ok(Connection {
            stream,
            parser: Parser::new(plan.request.is_head),
            deadline: Deadline::new(Instant::now() + plan.timeout),
            timeout: plan.timeout,
            reusable: true,
        })
    }

    /// Sends `request` at `now` and reads its response, whose status it returns.
    ///
    /// # Cancellation
    ///
    /// **Weak**: the request may have been sent; the connection must not be used again.
    pub async fn exchange(&mut self, request: &[u8], now: Instant) -> Result<u16, Failure> {
        self.parser.begin();
        self.deadline.move_to(now + self.timeout);
        let mut unsent = request;
        let mut sending = true;
        let mut send_error = None;
        poll_fn(|cx| {
            if sending && let Poll::Ready(sent) = self.poll_send(cx, &mut unsent) {
                sending = false;
                // Why the peer stopped reading may still be in its answer.
                send_error = sent.err();
            }
            if let Poll::Ready(received) = self.poll_receive(cx) {
                self.reusable &= !sending && send_error.is_none() && self.parser.keep_alive();
                return Poll::Ready(match (received, send_error.take()) {
                    (Ok(()), _) => Ok(self.parser.status()),
                    (Err(_), Some(error)) => Err(Failure::io(Class::WriteReset, error)),
                    (Err(failure), None) => Err(failure),
                });
            }
            match self.deadline.poll_passed(cx) {
                Poll::Ready(()) => Poll::Ready(Err(self.late())),
                Poll::Pending => Poll::Pending,
            }
        })
        .await
    }

    /// Waits until `due`, which may have passed; returns `false` as soon as the peer says or ends
    /// something, after which no request may be sent here.
    pub async fn idle_until(&mut self, due: Instant) -> bool {
        let mut timer = pin!(sleep_until(due));
        poll_fn(|cx| match self.stream.poll_fill(cx) {
            Poll::Ready(_unasked) => Poll::Ready(false),
            Poll::Pending => timer.as_mut().poll(cx).map(|()| true),
        })
        .await
    }

    /// Whether another request may be sent here.
    pub fn is_reusable(&self) -> bool {
        self.reusable
    }

    /// Bytes of the last response, as far as it came.
    pub fn received(&self) -> u64 {
        self.parser.received()
    }

    fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        unsent: &mut &[u8],
    ) -> Poll<Result<(), std::io::Error>> {
        while !unsent.is_empty() {
            ready!(self.stream.poll_ready(cx))?;
            let (piece, rest) = unsent.split_at(unsent.len().min(PIECE));
            self.stream.queue(piece)?;
            *unsent = rest;
        }
        self.stream.poll_flush(cx)
    }

    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        loop {
            let bytes = match ready!(self.stream.poll_fill(cx)) {
                Ok(bytes) => bytes,
                Err(error) => return Poll::Ready(Err(Failure::io(Class::ReadReset, error))),
            };
            if bytes.is_empty() {
                let complete = self.parser.end();
                return Poll::Ready(if complete { Ok(()) } else { Err(self.broken_off()) });
            }
            let (lent, taken) = match self.parser.feed(bytes) {
                Ok(taken) => (bytes.len(), taken),
                Err(Malformed(what)) => {
                    let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(SHOWN)]);
                    let words = format!("the peer sent {what}: {shown:?}");
                    return Poll::Ready(Err(Failure::new(Class::Parse, words)));
                }
            };
            self.stream.consume(taken);
            if self.parser.stage() == Stage::Complete {
                // Bytes behind the response would be taken for the next one.
                self.reusable &= taken == lent;
                return Poll::Ready(Ok(()));
            }
        }
    }

    fn broken_off(&self) -> Failure {
        let received = self.parser.received();
        match self.parser.stage() {
            Stage::Nothing => {
                Failure::new(Class::EofBeforeResponse, "the peer closed without an answer")
            }
            Stage::Head => Failure::new(
                Class::EofBeforeResponse,
                format!("the peer closed in the response head, after {received} bytes"),
            ),
            Stage::Body | Stage::Complete => Failure::new(
                Class::EofMidBody,
                format!("the peer closed in the body of a {} response", self.parser.status()),
            ),
        }
    }

    fn late(&self) -> Failure {
        let limit = quantity::round_time(self.timeout.as_nanos() as u64);
        match self.parser.stage() {
            Stage::Nothing | Stage::Head => {
                Failure::new(Class::TimeoutHeaders, format!("no response head within {limit}"))
            }
            Stage::Body | Stage::Complete => {
                Failure::new(Class::TimeoutBody, format!("no end of the body within {limit}"))
            }
        }
    }
}
