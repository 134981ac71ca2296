//! One connection: hyper while there is something to do, only the stream while there is not.
//!
//! hyper reserves 8 KiB before it reads, and keeps them while it waits. So a connection begins
//! without hyper, which gets the stream when the first byte has come; and one that has been idle
//! for [`PARKED_AFTER`] goes back to that state. What is left in memory then is the stream and this
//! future.

use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::io;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http_body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::HttpService;
use wakering_runtime::io::{Sink, Source};
use wakering_runtime::time::{Instant, Sleep, sleep};

use crate::watch::{HeadTimer, Watch};
use crate::watched::Watched;

/// How long a connection keeps hyper and its buffer while nothing comes.
const PARKED_AFTER: Duration = Duration::from_secs(1);

/// A connection being served, made by [`Builder::connection`](crate::Builder::connection).
///
/// The future ends with the connection: when the client has closed it or has been silent for too
/// long, when a response said so, or when [`close`](Connection::close) was asked for. It fails with
/// `InvalidData` for a client that does not speak HTTP (it was told so with status 400), with
/// `UnexpectedEof` for one that left in the middle of a request, with `TimedOut` for one that did
/// not finish the head of a request, otherwise with what the stream, the service or a body failed
/// with.
///
/// ```
/// use std::convert::Infallible;
/// use wakering_http::{Builder, Request, Response, service::service_fn};
/// use wakering_runtime::io::{AsyncRead, AsyncWrite, duplex};
///
/// wakering_runtime::run(async {
///     let (mut client, server) = duplex(1024);
///     let echo = async |request: Request<_>| {
///         Ok::<_, Infallible>(Response::new(request.into_body()))
///     };
///     let connection = Builder::new().connection(server, service_fn(echo));
///     let connection = wakering_runtime::spawn(connection);
///
///     client.write_all("PUT / HTTP/1.0\r\nContent-Length: 5\r\n\r\nhello").await?;
///     let (_, answer) = client.read_to_string(String::new()).await?;
///     assert!(answer.ends_with("\r\n\r\nhello"));
///     connection.await?
/// })
/// # .unwrap();
/// ```
///
/// # Cancellation
///
/// **Weak**: a response whose request has been read may not be sent.
#[must_use = "a connection is served while this future is polled"]
pub struct Connection<I, S: HttpService<Incoming>> {
    state: State<I, S>,
    head_timeout: Duration,
    watch: Arc<Watch>,
    /// Goes off when the state has to be looked at again, or earlier.
    alarm: Sleep,
    may_park: bool,
    closing: bool,
    /// hyper knows that it is closing.
    told: bool,
}

enum State<I, S: HttpService<Incoming>> {
    /// Waits for a first byte until the deadline.
    Parked(Watched<I>, S, Instant),
    /// hyper has the stream.
    Busy(Box<http1::Connection<Watched<I>, S>>),
    Done,
}

impl<I, S> Connection<I, S>
where
    I: Source + Sink + Unpin,
    S: HttpService<Incoming, ResBody: Body<Error: Into<BoxError>> + 'static>,
{
    pub(crate) fn new(head_timeout: Duration, stream: I, service: S) -> Connection<I, S> {
        let watch = Watch::new();
        let stream = Watched::new(stream, Arc::clone(&watch));
        let state = State::Parked(stream, service, Instant::now() + head_timeout);
        let alarm = sleep(Duration::MAX);
        let (may_park, closing, told) = (true, false, false);
        Connection { state, head_timeout, watch, alarm, may_park, closing, told }
    }

    /// Asks the connection to end: at once if it is idle, otherwise after the response to the
    /// request that has come. A response that has not begun says `Connection: close`.
    ///
    /// ```
    /// use std::convert::Infallible;
    /// use wakering_http::{Builder, Request, Response, body::Incoming, service::service_fn};
    /// use wakering_runtime::io::duplex;
    ///
    /// wakering_runtime::run(async {
    ///     let (_client, server) = duplex(1024);
    ///     let hello = async |_: Request<Incoming>| {
    ///         Ok::<_, Infallible>(Response::new(String::new()))
    ///     };
    ///     let mut connection = Builder::new().connection(server, service_fn(hello));
    ///     connection.close();
    ///     connection.await
    /// })
    /// # .unwrap();
    /// ```
    pub fn close(&mut self) {
        self.closing = true;
    }

    fn poll_connection(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            match &mut self.state {
                State::Parked(stream, _, deadline) => {
                    let deadline = *deadline;
                    match stream.poll_arrival(cx)? {
                        Poll::Ready(true) => self.engage(),
                        Poll::Ready(false) => return Poll::Ready(Ok(())),
                        Poll::Pending if self.closing => return Poll::Ready(Ok(())),
                        Poll::Pending => {
                            ready!(self.poll_alarm(deadline, cx));
                            return Poll::Ready(Ok(()));
                        }
                    }
                }
                State::Busy(connection) => {
                    let mut connection = Pin::new(&mut **connection);
                    if let Poll::Ready(result) = connection.as_mut().poll(cx) {
                        return Poll::Ready(self.verdict(result));
                    }
                    if self.closing && !self.told {
                        // Only now, when hyper has seen the request that may have come.
                        connection.graceful_shutdown();
                        self.told = true;
                        continue;
                    }
                    // Without a deadline hyper does not wait for a head, and takes its time.
                    let Some(deadline) = self.watch.deadline().map(Instant::from_std) else {
                        return Poll::Pending;
                    };
                    if self.may_park && self.watch.is_idle() {
                        let waiting_since = deadline - self.head_timeout;
                        ready!(self.poll_alarm(deadline.min(waiting_since + PARKED_AFTER), cx));
                        self.park(deadline);
                    } else {
                        // When it has come, the next poll finds hyper out of patience.
                        ready!(self.poll_alarm(deadline, cx));
                    }
                }
                State::Done => return Poll::Ready(Ok(())),
            }
        }
    }

    /// Gives the stream to hyper.
    fn engage(&mut self) {
        if let State::Parked(stream, service, _) = mem::replace(&mut self.state, State::Done) {
            let connection = http1::Builder::new()
                .timer(HeadTimer(Arc::clone(&self.watch)))
                .header_read_timeout(self.head_timeout)
                .serve_connection(stream, service);
            self.state = State::Busy(Box::new(connection));
        }
    }

    /// Takes the stream back from hyper.
    fn park(&mut self, deadline: Instant) {
        if let State::Busy(connection) = mem::replace(&mut self.state, State::Done) {
            let http1::Parts { mut io, read_buf, service, .. } = connection.into_parts();
            // Part of a head may have come with the request before it. Then this was in vain, and
            // would be again.
            self.may_park = read_buf.is_empty();
            io.put_back(read_buf);
            self.state = State::Parked(io, service, deadline);
        }
    }

    /// Waits until `at`; an alarm that was set for an earlier time goes off in vain.
    fn poll_alarm(&mut self, at: Instant, cx: &mut Context<'_>) -> Poll<()> {
        if self.alarm.deadline().is_none_or(|set| set > at) {
            self.alarm.reset(at);
        }
        loop {
            ready!(Pin::new(&mut self.alarm).poll(cx));
            if at <= Instant::now() {
                return Poll::Ready(());
            }
            self.alarm.reset(at);
        }
    }

    fn verdict(&self, result: hyper::Result<()>) -> io::Result<()> {
        match result {
            // Nobody was in the middle of anything.
            Err(error) if error.is_timeout() && self.watch.is_idle() => Ok(()),
            result => result.map_err(describe),
        }
    }
}

/// What a service's errors, and those of its bodies, can be made into.
pub(crate) type BoxError = Box<dyn StdError + Send + Sync>;

impl<I, S> Future for Connection<I, S>
where
    I: Source + Sink + Unpin,
    S: HttpService<Incoming, ResBody: Body<Error: Into<BoxError>> + 'static>,
{
    type Output = io::Result<()>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let polled = this.poll_connection(cx);
        if polled.is_ready() {
            this.state = State::Done;
        }
        polled
    }
}

// Nothing here is pinned in place: hyper boxes the futures and bodies of the service.
impl<I, S: HttpService<Incoming>> Unpin for Connection<I, S> {}

impl<I, S: HttpService<Incoming>> fmt::Debug for Connection<I, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::Parked(..) => "parked",
            State::Busy(_) => "busy",
            State::Done => "done",
        };
        f.debug_struct("Connection").field("state", &state).finish_non_exhaustive()
    }
}

fn describe(error: hyper::Error) -> io::Error {
    io::Error::new(kind_of(&error), error)
}

fn kind_of(error: &hyper::Error) -> io::ErrorKind {
    let source = error.source();
    if error.is_user() {
        // A service may pass on what reading the request failed with. Whatever else it fails with
        // is its own, also a connection of its own that broke.
        let passed_on = source.and_then(|source| source.downcast_ref::<hyper::Error>());
        return passed_on.map_or(io::ErrorKind::Other, kind_of);
    }
    match source.and_then(|source| source.downcast_ref::<io::Error>()) {
        Some(cause) => cause.kind(),
        None if error.is_timeout() => io::ErrorKind::TimedOut,
        None if error.is_parse() => io::ErrorKind::InvalidData,
        None if error.is_incomplete_message() => io::ErrorKind::UnexpectedEof,
        None => io::ErrorKind::Other,
    }
}
