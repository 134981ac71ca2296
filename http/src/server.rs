//! A server: `net`'s accept loop with a [`Connection`](crate::Connection) behind every stream.
//!
//! Accepting, counting and aborting are `net`'s. What HTTP adds is a gentle end: every connection
//! is told that the server closes, and finishes what it has in hand.

use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;

use http_body::Body;
use hyper::body::Incoming;
use hyper::service::HttpService;
use wakering_net::{TcpListener, TcpStream};
use wakering_runtime::io::{Sink, Source};
use wakering_runtime::spawn;
use wakering_runtime::task::CancelToken;

use crate::Builder;
use crate::closing::Closing;
use crate::connection::{BoxError, Connection};

/// Serves HTTP/1 on `listener`, every connection with a clone of `service`.
///
/// A service is whatever implements hyper's [`Service`](crate::service::Service), most simply a
/// closure in [`service_fn`](crate::service::service_fn); it stays on this thread, so it may hold
/// an `Rc`. Connections are tasks of the runtime. One that fails ends alone, and why is said on
/// standard error unless the client is to blame. [`Builder`] has other settings.
///
/// ```
/// use std::{cell::Cell, convert::Infallible, rc::Rc};
/// use wakering_http::{Request, Response, body::Incoming, service::service_fn};
/// use wakering_net::{TcpListener, TcpStream};
/// use wakering_runtime::io::{AsyncRead, AsyncWrite};
///
/// wakering_runtime::run(async {
///     let listener = TcpListener::bind("127.0.0.1:0").await?;
///     let address = listener.local_addr()?;
///     let visits = Rc::new(Cell::new(0));
///     let count = move |_: Request<Incoming>| {
///         visits.set(visits.get() + 1);
///         let text = format!("visit {}", visits.get());
///         async { Ok::<_, Infallible>(Response::new(text)) }
///     };
///     let server = wakering_http::serve(listener, Rc::new(service_fn(count)));
///
///     let mut client = TcpStream::connect(address).await?;
///     client.write_all("GET / HTTP/1.1\r\nConnection: close\r\n\r\n").await?;
///     let (_, answer) = client.read_to_string(String::new()).await?;
///     assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"));
///     assert!(answer.ends_with("\r\n\r\nvisit 1"));
///
///     server.close();
///     server.wait_closed().await;
///     Ok::<_, std::io::Error>(())
/// })
/// # .unwrap();
/// ```
///
/// # Panics
///
/// On a thread that is not running a runtime.
pub fn serve<S>(listener: TcpListener, service: S) -> Server
where
    S: HttpService<Incoming, ResBody: Body<Error: Into<BoxError>> + 'static> + Clone + 'static,
{
    Builder::new().serve(listener, service)
}

/// Serves HTTP/1 on `listener`, every connection over the stream and with the service that
/// `accept` makes of it.
///
/// So a service may know its peer, and a stream may be wrapped. An error of `accept` ends that
/// connection and is reported.
///
/// ```
/// use std::convert::Infallible;
/// use wakering_http::{Request, Response, body::Incoming, service::service_fn};
/// use wakering_net::{TcpListener, TcpStream};
/// use wakering_runtime::io::{AsyncRead, AsyncWrite};
///
/// wakering_runtime::run(async {
///     let listener = TcpListener::bind("127.0.0.1:0").await?;
///     let address = listener.local_addr()?;
///     let _server = wakering_http::serve_each(listener, async |stream: TcpStream, peer| {
///         stream.set_nodelay(true)?;
///         let who = move |_: Request<Incoming>| {
///             let name = peer.to_string();
///             async { Ok::<_, Infallible>(Response::new(name)) }
///         };
///         Ok((stream, service_fn(who)))
///     });
///
///     let mut client = TcpStream::connect(address).await?;
///     client.write_all("GET / HTTP/1.1\r\nConnection: close\r\n\r\n").await?;
///     let (_, answer) = client.read_to_string(String::new()).await?;
///     assert!(answer.ends_with(&client.local_addr()?.to_string()));
///     Ok::<_, std::io::Error>(())
/// })
/// # .unwrap();
/// ```
///
/// # Panics
///
/// On a thread that is not running a runtime.
pub fn serve_each<A, I, S>(listener: TcpListener, accept: A) -> Server
where
    A: AsyncFn(TcpStream, SocketAddr) -> io::Result<(I, S)> + 'static,
    I: Source + Sink + Unpin + 'static,
    S: HttpService<Incoming, ResBody: Body<Error: Into<BoxError>> + 'static> + 'static,
{
    Builder::new().serve_each(listener, accept)
}

/// Serves HTTP/1 on `listener` on all [cores](wakering_runtime::Builder::cores) of the runtime: on
/// each with the settings, and with the function from a connection to its stream and service, that
/// `make` makes there.
///
/// Connections are spread over the cores as
/// [`net::serve_on_cores`](wakering_net::serve_on_cores) does. On one core this is
/// [`Builder::serve_each`].
///
/// ```
/// use std::{convert::Infallible, rc::Rc};
/// use wakering_http::{Builder, Request, Response, body::Incoming, service::service_fn};
/// use wakering_net::{TcpListener, TcpStream};
/// use wakering_runtime::{Cores, Handle, io::{AsyncRead, AsyncWrite}};
///
/// wakering_runtime::Builder::new().cores(Cores::All).run(async {
///     let listener = TcpListener::bind("127.0.0.1:0").await?;
///     let address = listener.local_addr()?;
///     let server = wakering_http::serve_on_cores(listener, || {
///         // What stays on one core need not be `Send`.
///         let core = Rc::new(Handle::current().core());
///         let accept = async move |stream: TcpStream, _peer| {
///             let core = core.clone();
///             let tell = move |_: Request<Incoming>| {
///                 let text = format!("core {core}");
///                 async { Ok::<_, Infallible>(Response::new(text)) }
///             };
///             Ok((stream, service_fn(tell)))
///         };
///         (Builder::new(), accept)
///     });
///
///     let mut client = TcpStream::connect(address).await?;
///     client.write_all("GET / HTTP/1.1\r\nConnection: close\r\n\r\n").await?;
///     let (_, answer) = client.read_to_string(String::new()).await?;
///     assert!(answer.contains("\r\n\r\ncore "));
///
///     server.close();
///     server.wait_closed().await;
///     Ok::<_, std::io::Error>(())
/// })
/// # .unwrap().unwrap();
/// ```
///
/// # Panics
///
/// On a thread that is not running a runtime.
pub fn serve_on_cores<M, A, I, S>(listener: TcpListener, make: M) -> Server
where
    M: Fn() -> (Builder, A) + Clone + Send + 'static,
    A: AsyncFn(TcpStream, SocketAddr) -> io::Result<(I, S)> + 'static,
    I: Source + Sink + Unpin + 'static,
    S: HttpService<Incoming, ResBody: Body<Error: Into<BoxError>> + 'static> + 'static,
{
    let told = CancelToken::new();
    let server = told.clone();
    let accepting = wakering_net::serve_on_cores_reporting(listener, move || {
        let (builder, accept) = make();
        let closing = Rc::new(Closing::default());
        let (told, here) = (server.clone(), Rc::clone(&closing));
        // The word comes from the core where the server was made.
        drop(spawn(async move {
            told.cancelled().await;
            here.begin();
        }));
        let on_error = Rc::clone(&builder.on_error);
        (handler(builder, accept, closing), move |error: &io::Error| on_error(error))
    });
    Server { accepting, closing: Rc::default(), told }
}

/// A server that runs; made by [`serve`], [`serve_each`] and [`serve_on_cores`].
///
/// Dropping it lets the server run on until the end of the runtime.
#[derive(Debug)]
pub struct Server {
    accepting: wakering_net::Server,
    closing: Rc<Closing>,
    /// Passes the word on to all cores.
    told: CancelToken,
}

impl Server {
    /// Stops accepting and closes the listener; idle connections end at once, the others after the
    /// response to the request in hand. May be called again.
    ///
    /// ```
    /// use std::convert::Infallible;
    /// use wakering_http::{Request, Response, body::Incoming, service::service_fn};
    /// use wakering_net::{TcpListener, TcpStream};
    ///
    /// wakering_runtime::run(async {
    ///     let listener = TcpListener::bind("127.0.0.1:0").await?;
    ///     let address = listener.local_addr()?;
    ///     let hello = async |_: Request<Incoming>| {
    ///         Ok::<_, Infallible>(Response::new(String::new()))
    ///     };
    ///     let server = wakering_http::serve(listener, service_fn(hello));
    ///     server.close();
    ///     server.wait_closed().await;
    ///     assert!(TcpStream::connect(address).await.is_err());
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    pub fn close(&self) {
        self.accepting.close();
        self.closing.begin();
        self.told.cancel();
    }

    /// Stops accepting and drops every connection, with whatever it is doing.
    ///
    /// ```
    /// use std::convert::Infallible;
    /// use wakering_http::{Request, Response, body::Incoming, service::service_fn};
    /// use wakering_net::TcpListener;
    ///
    /// wakering_runtime::run(async {
    ///     let listener = TcpListener::bind("127.0.0.1:0").await?;
    ///     let hello = async |_: Request<Incoming>| {
    ///         Ok::<_, Infallible>(Response::new(String::new()))
    ///     };
    ///     let server = wakering_http::serve(listener, service_fn(hello));
    ///     server.abort();
    ///     server.wait_closed().await;
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    pub fn abort(&self) {
        self.accepting.abort();
        self.told.cancel();
    }

    /// Waits until the listener is closed and the last connection has ended.
    ///
    /// ```
    /// use std::convert::Infallible;
    /// use wakering_http::{Request, Response, body::Incoming, service::service_fn};
    /// use wakering_net::TcpListener;
    ///
    /// wakering_runtime::run(async {
    ///     let listener = TcpListener::bind("127.0.0.1:0").await?;
    ///     let hello = async |_: Request<Incoming>| {
    ///         Ok::<_, Infallible>(Response::new(String::new()))
    ///     };
    ///     let server = wakering_http::serve(listener, service_fn(hello));
    ///     server.close();
    ///     server.wait_closed().await;
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Cancellation
    ///
    /// **Strict.**
    pub async fn wait_closed(&self) {
        self.accepting.wait_closed().await;
    }
}

pub(crate) fn start<A, I, S>(builder: Builder, listener: TcpListener, accept: A) -> Server
where
    A: AsyncFn(TcpStream, SocketAddr) -> io::Result<(I, S)> + 'static,
    I: Source + Sink + Unpin + 'static,
    S: HttpService<Incoming, ResBody: Body<Error: Into<BoxError>> + 'static> + 'static,
{
    let closing = Rc::new(Closing::default());
    let on_error = Rc::clone(&builder.on_error);
    let handler = handler(builder, accept, Rc::clone(&closing));
    let accepting = wakering_net::serve_reporting(listener, handler, move |error| on_error(error));
    Server { accepting, closing, told: CancelToken::new() }
}

/// Serves one connection.
fn handler<A, I, S>(
    builder: Builder,
    accept: A,
    server: Rc<Closing>,
) -> impl AsyncFn(TcpStream, SocketAddr) -> io::Result<()> + 'static
where
    A: AsyncFn(TcpStream, SocketAddr) -> io::Result<(I, S)> + 'static,
    I: Source + Sink + Unpin + 'static,
    S: HttpService<Incoming, ResBody: Body<Error: Into<BoxError>> + 'static> + 'static,
{
    async move |stream, peer| {
        let (stream, service) = accept(stream, peer).await?;
        match serve_until(&server, builder.connection(stream, service)).await {
            Err(error) if is_the_clients(error.kind()) => Ok(()),
            outcome => outcome,
        }
    }
}

/// Serves a connection that closes with its server.
async fn serve_until<I, S>(server: &Closing, mut connection: Connection<I, S>) -> io::Result<()>
where
    I: Source + Sink + Unpin,
    S: HttpService<Incoming, ResBody: Body<Error: Into<BoxError>> + 'static>,
{
    let listener = server.listen();
    let mut told = false;
    poll_fn(|cx| {
        if !told && server.has_begun(&listener, cx) {
            connection.close();
            told = true;
        }
        Pin::new(&mut connection).poll(cx)
    })
    .await
}

/// Whether a connection failed because of what its client did, which is no news to a server.
fn is_the_clients(kind: io::ErrorKind) -> bool {
    use io::ErrorKind::{
        BrokenPipe, ConnectionAborted, ConnectionReset, InvalidData, TimedOut, UnexpectedEof,
    };
    let clients =
        [BrokenPipe, ConnectionAborted, ConnectionReset, InvalidData, TimedOut, UnexpectedEof];
    clients.contains(&kind)
}
