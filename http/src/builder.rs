//! Settings of a server, and of single connections.
//!
//! There are few: hyper's own defaults are good, and what is not settable cannot be set wrong.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use http_body::Body;
use hyper::body::Incoming;
use hyper::service::HttpService;
use wakering_net::{TcpListener, TcpStream};
use wakering_runtime::io::{Sink, Source};

use crate::connection::{BoxError, Connection};
use crate::server::{self, Server};

/// More than anybody waits, and little enough to be added to any clock.
const HEAD_TIMEOUT_MAX: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// How connections are served; [`serve`](crate::serve) uses the defaults.
///
/// ```
/// use std::convert::Infallible;
/// use std::time::Duration;
/// use wakering_http::{Builder, Request, Response, body::Incoming, service::service_fn};
/// use wakering_net::{TcpListener, TcpStream};
/// use wakering_runtime::io::AsyncRead;
///
/// wakering_runtime::run(async {
///     let listener = TcpListener::bind("127.0.0.1:0").await?;
///     let address = listener.local_addr()?;
///     let hello = async |_: Request<Incoming>| {
///         Ok::<_, Infallible>(Response::new(String::new()))
///     };
///     let impatient = Builder::new().head_timeout(Duration::from_millis(5));
///     let _server = impatient.serve(listener, service_fn(hello));
///
///     let mut silent = TcpStream::connect(address).await?;
///     assert_eq!(silent.read(vec![0; 16]).await?.0, 0);
///     Ok::<_, std::io::Error>(())
/// })
/// # .unwrap();
/// ```
#[derive(Clone)]
#[must_use = "a builder serves nothing until it is told to"]
pub struct Builder {
    head_timeout: Duration,
    pub(crate) on_error: Rc<OnError>,
}

/// Who is told of errors.
type OnError = dyn Fn(&io::Error);

impl Builder {
    /// Thirty seconds for the head of a request, errors said on standard error.
    ///
    /// ```
    /// let builder = wakering_http::Builder::new();
    /// # let _ = builder;
    /// ```
    pub fn new() -> Builder {
        let on_error = Rc::new(|error: &io::Error| eprintln!("wakering: {error}"));
        let head_timeout = Duration::from_secs(30);
        Builder { head_timeout, on_error }
    }

    /// How long a client may take until the head of its next request is complete, counted from the
    /// accept or from the end of the last response; at most a year. After that the connection is
    /// closed, whether the client has sent part of a head or nothing.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let builder = wakering_http::Builder::new().head_timeout(Duration::from_secs(5));
    /// # let _ = builder;
    /// ```
    pub fn head_timeout(mut self, timeout: Duration) -> Builder {
        self.head_timeout = timeout.min(HEAD_TIMEOUT_MAX);
        self
    }

    /// Who is told of errors: what `accept`, the service or a body failed with, a panic in one of
    /// them, an accept that failed. Not what clients do.
    ///
    /// ```
    /// use std::{cell::Cell, io, rc::Rc};
    /// use wakering_http::{Builder, Request, Response, body::Incoming, service::service_fn};
    /// use wakering_net::{TcpListener, TcpStream};
    /// use wakering_runtime::io::{AsyncRead, AsyncWrite};
    ///
    /// wakering_runtime::run(async {
    ///     let listener = TcpListener::bind("127.0.0.1:0").await?;
    ///     let address = listener.local_addr()?;
    ///     let failures = Rc::new(Cell::new(0));
    ///     let count = failures.clone();
    ///     let fail = async |_: Request<Incoming>| {
    ///         Err::<Response<String>, _>(io::Error::other("no"))
    ///     };
    ///     let builder = Builder::new().on_error(move |_error| count.set(count.get() + 1));
    ///     let _server = builder.serve(listener, service_fn(fail));
    ///
    ///     let mut client = TcpStream::connect(address).await?;
    ///     client.write_all("GET / HTTP/1.1\r\n\r\n").await?;
    ///     assert_eq!(client.read(vec![0; 16]).await?.0, 0);
    ///     assert_eq!(failures.get(), 1);
    ///     Ok::<_, io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    pub fn on_error(mut self, on_error: impl Fn(&io::Error) + 'static) -> Builder {
        self.on_error = Rc::new(on_error);
        self
    }

    /// Serves every connection of `listener` with a clone of `service`, as
    /// [`serve`](crate::serve) does.
    ///
    /// ```
    /// use std::convert::Infallible;
    /// use wakering_http::{Builder, Request, Response, body::Incoming, service::service_fn};
    /// use wakering_net::TcpListener;
    ///
    /// wakering_runtime::run(async {
    ///     let listener = TcpListener::bind("127.0.0.1:0").await?;
    ///     let hello = async |_: Request<Incoming>| {
    ///         Ok::<_, Infallible>(Response::new(String::new()))
    ///     };
    ///     let server = Builder::new().serve(listener, service_fn(hello));
    ///     server.close();
    ///     server.wait_closed().await;
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    pub fn serve<S>(self, listener: TcpListener, service: S) -> Server
    where
        S: HttpService<Incoming, ResBody: Body<Error: Into<BoxError>> + 'static> + Clone + 'static,
    {
        self.serve_each(listener, async move |stream, _| Ok((stream, service.clone())))
    }

    /// Serves every connection of `listener` as `accept` says, as
    /// [`serve_each`](crate::serve_each) does.
    ///
    /// ```
    /// use std::convert::Infallible;
    /// use wakering_http::{Builder, Request, Response, body::Incoming, service::service_fn};
    /// use wakering_net::TcpListener;
    ///
    /// wakering_runtime::run(async {
    ///     let listener = TcpListener::bind("127.0.0.1:0").await?;
    ///     let server = Builder::new().serve_each(listener, async |stream, peer| {
    ///         let name = move |_: Request<Incoming>| {
    ///             let name = peer.to_string();
    ///             async { Ok::<_, Infallible>(Response::new(name)) }
    ///         };
    ///         Ok((stream, service_fn(name)))
    ///     });
    ///     server.close();
    ///     server.wait_closed().await;
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    pub fn serve_each<A, I, S>(self, listener: TcpListener, accept: A) -> Server
    where
        A: AsyncFn(TcpStream, SocketAddr) -> io::Result<(I, S)> + 'static,
        I: Source + Sink + Unpin + 'static,
        S: HttpService<Incoming, ResBody: Body<Error: Into<BoxError>> + 'static> + 'static,
    {
        server::start(self, listener, accept)
    }

    /// Serves a single stream, of whatever kind.
    ///
    /// ```
    /// use std::convert::Infallible;
    /// use wakering_http::{Builder, Request, Response, body::Incoming, service::service_fn};
    /// use wakering_runtime::io::duplex;
    ///
    /// wakering_runtime::run(async {
    ///     let (client, server) = duplex(1024);
    ///     let hello = async |_: Request<Incoming>| {
    ///         Ok::<_, Infallible>(Response::new(String::new()))
    ///     };
    ///     let connection = Builder::new().connection(server, service_fn(hello));
    ///     drop(client);
    ///     connection.await
    /// })
    /// # .unwrap();
    /// ```
    pub fn connection<I, S>(&self, stream: I, service: S) -> Connection<I, S>
    where
        I: Source + Sink + Unpin,
        S: HttpService<Incoming, ResBody: Body<Error: Into<BoxError>> + 'static>,
    {
        Connection::new(self.head_timeout, stream, service)
    }
}

impl Default for Builder {
    fn default() -> Builder {
        Builder::new()
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Builder { head_timeout, on_error: _ } = self;
        f.debug_struct("Builder").field("head_timeout", head_timeout).finish_non_exhaustive()
    }
}
