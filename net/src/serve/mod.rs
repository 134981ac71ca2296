//! Servers: an accept loop, and a task for every connection; on one core or on all.
//!
//! What a server does on one core is a [`Part`] of it. A server on all cores has a part on each,
//! which accepts at a socket of its own and passes on what another core is to serve.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::rc::Rc;

use self::cores::Elsewhere;
use self::part::Part;
use crate::listen::Listen;

/// A server on all cores.
mod cores;
/// What it does on one core.
mod part;
/// Which core serves a connection.
mod placing;

pub use cores::{serve_on_cores, serve_on_cores_reporting};

/// Serves every connection of `listener` with `handler`, each in a task of its own, and prints on
/// standard error what fails.
///
/// The handler gets the stream and the address of its other side. It stays on this thread, so it
/// may hold an `Rc`. An error that it returns, and a panic, end that connection alone.
///
/// Where the limit of descriptors is reached, clients wait: it is tried again every 100 ms.
///
/// ```
/// use wakering_net::{TcpListener, TcpStream, serve};
/// use wakering_runtime::io::{AsyncRead, AsyncWrite, copy};
///
/// wakering_runtime::run(async {
///     let listener = TcpListener::bind("127.0.0.1:0").await?;
///     let address = listener.local_addr()?;
///     let server = serve(listener, async |stream: TcpStream, _peer| {
///         let (mut read, mut write) = stream.into_split();
///         copy(&mut read, &mut write).await?;
///         Ok(())
///     });
///
///     let mut client = TcpStream::connect(address).await?;
///     client.write_all("echo").await?;
///     assert_eq!(client.read_exact(vec![0; 4]).await?.1, b"echo");
///     drop(client);
///
///     server.close();
///     server.wait_closed().await;
///     Ok::<_, std::io::Error>(())
/// })
/// # .unwrap();
/// ```
///
/// # Panics
/// On a thread that is not running a runtime.
pub fn serve<L, H>(listener: L, handler: H) -> Server
where
    L: Listen + 'static,
    H: AsyncFn(L::Stream, L::Address) -> io::Result<()> + 'static,
{
    serve_reporting(listener, handler, |error| eprintln!("wakering: {error}"))
}

/// As [`serve`](serve()), and calls `report` with what fails: an error of a handler, a handler's
/// panic (its [`JoinError`](wakering_runtime::task::JoinError) in an [`io::Error`]), an accept that failed.
///
/// ```
/// use std::{cell::RefCell, io, rc::Rc};
/// use wakering_net::{TcpListener, TcpStream, serve_reporting};
/// use wakering_runtime::io::AsyncRead;
///
/// let reported = wakering_runtime::run(async {
///     let listener = TcpListener::bind("127.0.0.1:0").await?;
///     let address = listener.local_addr()?;
///     let errors = Rc::new(RefCell::new(Vec::new()));
///     let log = Rc::clone(&errors);
///     let fails = async |_: TcpStream, _| Err(io::Error::other("no service today"));
///     let server = serve_reporting(listener, fails, move |error| {
///         log.borrow_mut().push(error.to_string());
///     });
///
///     let mut client = TcpStream::connect(address).await?;
///     assert_eq!(client.read(vec![0; 1]).await?.0, 0, "the connection has ended");
///     server.close();
///     server.wait_closed().await;
///     let reported = errors.borrow().clone();
///     Ok::<_, io::Error>(reported)
/// });
/// assert!(reported?[0].ends_with("no service today"));
/// # Ok::<(), io::Error>(())
/// ```
///
/// # Panics
/// On a thread that is not running a runtime.
pub fn serve_reporting<L, H>(
    listener: L,
    handler: H,
    report: impl Fn(&io::Error) + 'static,
) -> Server
where
    L: Listen + 'static,
    H: AsyncFn(L::Stream, L::Address) -> io::Result<()> + 'static,
{
    let part = Part::new(report, None);
    part.start(Some(listener), handler);
    Server { part, elsewhere: None }
}

/// A server that runs; made by [`serve`](serve()) and [`serve_on_cores`].
///
/// Dropping it lets the server run on until the end of the runtime.
///
/// ```
/// use wakering_net::{TcpListener, TcpStream, serve};
///
/// wakering_runtime::run(async {
///     let listener = TcpListener::bind("127.0.0.1:0").await?;
///     let address = listener.local_addr()?;
///     let server = serve(listener, async |_: TcpStream, _| std::future::pending().await);
///     let _client = TcpStream::connect(address).await?;
///     server.abort();
///     server.wait_closed().await;
///     assert_eq!(server.connections(), 0);
///     assert!(TcpStream::connect(address).await.is_err());
///     Ok::<_, std::io::Error>(())
/// })
/// # .unwrap();
/// ```
pub struct Server {
    part: Rc<Part>,
    /// Its parts on other cores.
    elsewhere: Option<Elsewhere>,
}

impl Server {
    /// Stops accepting and closes the listener; connections go on until their handlers return. May
    /// be called again.
    pub fn close(&self) {
        self.part.close();
        if let Some(elsewhere) = &self.elsewhere {
            elsewhere.close();
        }
    }

    /// Stops accepting, and drops the handlers of all connections with whatever they are doing.
    /// What they have not sent by then is thrown away, and TCP peers see a reset.
    pub fn abort(&self) {
        self.part.abort();
        if let Some(elsewhere) = &self.elsewhere {
            elsewhere.abort();
        }
    }

    /// Waits until the listener is closed and the last connection is over.
    ///
    /// # Cancellation
    /// **Strict.**
    pub async fn wait_closed(&self) {
        poll_fn(|cx| self.part.poll_closed(cx)).await;
        if let Some(elsewhere) = &self.elsewhere {
            elsewhere.closed().await;
        }
    }

    /// How many connections are being served, on all cores together.
    pub fn connections(&self) -> usize {
        match &self.elsewhere {
            Some(elsewhere) => elsewhere.connections(),
            None => self.part.connections(),
        }
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("connections", &self.connections())
            .field("part", &self.part)
            .finish()
    }
}
