//! A server: an accept loop, and a task for every connection.
//!
//! One task supervises: it accepts, it takes in what the tasks of the connections came to, and once
//! it is told to close it stops accepting and waits for the last of them. A handler that fails or
//! panics ends its own connection and is reported; where the system has no descriptor left, the
//! loop waits instead of spinning, and the clients wait in the listener's queue.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fmt;
use std::future::{Future, poll_fn};
use std::io::{self, ErrorKind};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use wakering_ring_driver::{Failure, Fd, RuntimeError, WeakFd};
use wakering_runtime::task::{self, JoinHandle};
use wakering_runtime::time::sleep;

use crate::accepting::Accepting;
use crate::address::{failed, own_address};
use crate::listen::Listen;

/// How long nothing is accepted after the system has refused for want of something.
const BACK_OFF: Duration = Duration::from_millis(100);

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
/// panic (its [`JoinError`](task::JoinError) in an [`io::Error`]), an accept that failed.
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
    let shared = Rc::new(Shared {
        connections: RefCell::default(),
        ended: RefCell::default(),
        accepted: Cell::new(0),
        phase: Cell::new(Phase::Open),
        supervisor: Cell::new(None),
        waiting: RefCell::default(),
        report: Box::new(report),
    });
    let supervised = Rc::clone(&shared);
    let name = format!("accept on {}", own_address(listener.fd()));
    let supervisor = async move { supervise(listener, Rc::new(handler), supervised).await };
    // The task goes on without its handle: a server lives until it is closed.
    drop(task::Builder::new().name(name).spawn(supervisor));
    Server { shared }
}

/// A server that runs; made by [`serve`](serve()).
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
    shared: Rc<Shared>,
}

impl Server {
    /// Stops accepting and closes the listener; connections go on until their handlers return. May
    /// be called again.
    pub fn close(&self) {
        self.shared.close();
    }

    /// Stops accepting, and drops the handlers of all connections with whatever they are doing.
    /// What they have not sent by then is thrown away, and TCP peers see a reset.
    pub fn abort(&self) {
        self.shared.close();
        for connection in self.shared.connections.borrow().values() {
            // A stream that is only dropped goes on sending what it was given.
            if let Some(fd) = connection.fd.upgrade() {
                fd.abort();
            }
            connection.task.cancel();
        }
    }

    /// Waits until the listener is closed and the last connection is over.
    ///
    /// # Cancellation
    /// **Strict.**
    pub async fn wait_closed(&self) {
        poll_fn(|cx| self.shared.poll_closed(cx)).await;
    }

    /// How many connections are being served.
    pub fn connections(&self) -> usize {
        self.shared.connections.borrow().len()
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("connections", &self.connections())
            .field("phase", &self.shared.phase.get())
            .finish()
    }
}

/// What the server, its supervisor and its connections share.
struct Shared {
    /// By the number under which it was accepted.
    connections: RefCell<HashMap<u64, Connection>>,
    /// Numbers of tasks whose handler is gone. They are over once nothing of them is in flight.
    ended: RefCell<Vec<u64>>,
    accepted: Cell<u64>,
    phase: Cell<Phase>,
    supervisor: Cell<Option<Waker>>,
    waiting: RefCell<Vec<Waker>>,
    report: Box<dyn Fn(&io::Error)>,
}

/// A connection that is being served.
struct Connection {
    task: JoinHandle<io::Result<()>>,
    /// The stream is the handler's.
    fd: WeakFd,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Open,
    Closing,
    Closed,
}

impl Shared {
    fn close(&self) {
        if self.phase.get() == Phase::Open {
            self.phase.set(Phase::Closing);
            self.wake_supervisor();
        }
    }

    fn wake_supervisor(&self) {
        if let Some(waker) = self.supervisor.take() {
            waker.wake();
        }
    }

    /// Takes in the outcomes of tasks that are over.
    fn reap(&self, cx: &mut Context<'_>) {
        self.supervisor.set(Some(cx.waker().clone()));
        for number in self.ended.take() {
            let mut connections = self.connections.borrow_mut();
            let Some(connection) = connections.get_mut(&number) else { continue };
            let Poll::Ready(outcome) = Pin::new(&mut connection.task).poll(cx) else {
                self.ended.borrow_mut().push(number);
                continue;
            };
            connections.remove(&number);
            drop(connections);
            match outcome {
                Ok(Ok(())) => {}
                Ok(Err(error)) => (self.report)(&error),
                Err(error) if error.is_panic() => (self.report)(&io::Error::other(error)),
                Err(_) => {}
            }
        }
    }

    fn poll_closed(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.phase.get() == Phase::Closed {
            return Poll::Ready(());
        }
        let mut waiting = self.waiting.borrow_mut();
        if !waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
            waiting.push(cx.waker().clone());
        }
        Poll::Pending
    }

    /// `future`'s output, or `None` as soon as the server is told to close.
    async fn while_open<F: Future>(&self, future: F) -> Option<F::Output> {
        let mut future = pin!(future);
        poll_fn(|cx| {
            self.reap(cx);
            match self.phase.get() {
                Phase::Open => future.as_mut().poll(cx).map(Some),
                Phase::Closing | Phase::Closed => Poll::Ready(None),
            }
        })
        .await
    }

    /// Waits until no connection is left.
    async fn drain(&self) {
        poll_fn(|cx| {
            self.reap(cx);
            match self.connections.borrow().is_empty() {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        })
        .await;
    }
}

async fn supervise<L, H>(listener: L, handler: Rc<H>, shared: Rc<Shared>)
where
    L: Listen + 'static,
    H: AsyncFn(L::Stream, L::Address) -> io::Result<()> + 'static,
{
    // However this ends, nobody waits for it in vain.
    let _closed = Closed(&shared);
    accept_all::<L, H>(listener.fd(), &handler, &shared).await;
    shared.phase.set(Phase::Closing);
    if let Err(error) = listener.into_fd().close().await {
        (shared.report)(&Failure::wrap("close", "listener", error));
    }
    shared.drain().await;
}

/// Accepts until the server is told to close, or the listener is good for nothing any more.
async fn accept_all<L, H>(listener: &Fd, handler: &Rc<H>, shared: &Rc<Shared>)
where
    L: Listen + 'static,
    H: AsyncFn(L::Stream, L::Address) -> io::Result<()> + 'static,
{
    let mut accepting = Accepting::new(listener);
    let mut refused = false;
    while let Some(accepted) = shared.while_open(poll_fn(|cx| accepting.poll_next(cx))).await {
        match accepted {
            Ok((fd, peer)) => {
                refused = false;
                let weak = fd.downgrade();
                let (stream, peer) = L::connection(fd, peer);
                start(stream, weak, peer, handler, shared);
            }
            // The client's own fault, and its own loss.
            Err(error) if is_the_clients(error.kind()) => {}
            Err(error) => {
                let useless = is_useless(&error);
                // Told once, however often it happens in a row.
                if !std::mem::replace(&mut refused, true) {
                    (shared.report)(&failed("accept", listener, error));
                }
                if useless || shared.while_open(sleep(BACK_OFF)).await.is_none() {
                    return;
                }
            }
        }
    }
}

/// Errors that accept(2) has inherited from a connection in the queue.
fn is_the_clients(kind: ErrorKind) -> bool {
    use ErrorKind::*;
    matches!(
        kind,
        ConnectionAborted
            | ConnectionReset
            | TimedOut
            | NetworkDown
            | NetworkUnreachable
            | HostUnreachable
            | PermissionDenied
    )
}

/// Whether trying again can never help.
fn is_useless(error: &io::Error) -> bool {
    RuntimeError::of(error).is_some() || error.kind() == ErrorKind::InvalidInput
}

fn start<S, A, H>(stream: S, fd: WeakFd, peer: A, handler: &Rc<H>, shared: &Rc<Shared>)
where
    S: 'static,
    A: fmt::Debug + 'static,
    H: AsyncFn(S, A) -> io::Result<()> + 'static,
{
    let number = shared.accepted.get();
    shared.accepted.set(number + 1);
    let ended = Ended { number, shared: Rc::clone(shared) };
    let handler = Rc::clone(handler);
    let object = format!("{peer:?}");
    let name = format!("serve {object}");
    let task = task::Builder::new().name(name).spawn(async move {
        let _ended = ended;
        let served = handler(stream, peer).await;
        served.map_err(|error| Failure::wrap("serve", object, error))
    });
    shared.connections.borrow_mut().insert(number, Connection { task, fd });
}

/// Tells the supervisor that a handler is gone, however it went.
struct Ended {
    number: u64,
    shared: Rc<Shared>,
}

impl Drop for Ended {
    fn drop(&mut self) {
        self.shared.ended.borrow_mut().push(self.number);
        self.shared.wake_supervisor();
    }
}

/// Tells those who wait that the server is closed.
struct Closed<'a>(&'a Shared);

impl Drop for Closed<'_> {
    fn drop(&mut self) {
        self.0.phase.set(Phase::Closed);
        for waker in self.0.waiting.take() {
            waker.wake();
        }
    }
}
