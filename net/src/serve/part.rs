//! What a server does on one core.
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
use std::os::fd::OwnedFd;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use wakering_ring_driver::{Driver, Failure, Fd, RuntimeError, Sharing, SocketAddress, WeakFd};
use wakering_runtime::task::{self, JoinHandle};
use wakering_runtime::time::sleep;

use super::placing::{Passed, Placing};
use crate::accepting::{Accepting, Connection};
use crate::address::{failed, own_address};
use crate::listen::Listen;

/// How long nothing is accepted after the system has refused for want of something.
const BACK_OFF: Duration = Duration::from_millis(100);

/// What a server does on one core: what its supervisor and its connections share.
pub(super) struct Part {
    /// By the number under which it was accepted.
    connections: RefCell<HashMap<u64, Served>>,
    /// Numbers of tasks whose handler is gone. They are over once nothing of them is in flight.
    ended: RefCell<Vec<u64>>,
    accepted: Cell<u64>,
    phase: Cell<Phase>,
    supervisor: Cell<Option<Waker>>,
    waiting: RefCell<Vec<Waker>>,
    /// Whether connections that come now are not served any more.
    aborted: Cell<bool>,
    report: Box<dyn Fn(&io::Error)>,
    /// Where connections go, if there are several cores.
    placing: Option<Placing>,
}

/// A connection that is being served.
struct Served {
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

impl Part {
    pub(super) fn new(report: impl Fn(&io::Error) + 'static, placing: Option<Placing>) -> Rc<Part> {
        Rc::new(Part {
            connections: RefCell::default(),
            ended: RefCell::default(),
            accepted: Cell::new(0),
            phase: Cell::new(Phase::Open),
            supervisor: Cell::new(None),
            waiting: RefCell::default(),
            aborted: Cell::new(false),
            report: Box::new(report),
            placing,
        })
    }

    /// Begins to accept at `listener`, if there is one, and to take what other cores pass on.
    pub(super) fn start<L, H>(self: &Rc<Part>, listener: Option<L>, handler: H)
    where
        L: Listen + 'static,
        H: AsyncFn(L::Stream, L::Address) -> io::Result<()> + 'static,
    {
        let name = match &listener {
            Some(listener) => format!("accept on {}", own_address(listener.fd())),
            None => "accept from other cores".to_owned(),
        };
        let part = Rc::clone(self);
        let supervisor = async move { supervise(listener, Rc::new(handler), part).await };
        // The task goes on without its handle: a server lives until it is closed.
        drop(task::Builder::new().name(name).spawn(supervisor));
    }

    pub(super) fn close(&self) {
        if self.phase.get() == Phase::Open {
            self.phase.set(Phase::Closing);
            self.wake_supervisor();
        }
    }

    pub(super) fn abort(&self) {
        self.aborted.set(true);
        self.close();
        for connection in self.connections.borrow().values() {
            // A stream that is only dropped goes on sending what it was given.
            if let Some(fd) = connection.fd.upgrade() {
                fd.abort();
            }
            connection.task.cancel();
        }
    }

    pub(super) fn connections(&self) -> usize {
        self.connections.borrow().len()
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
            if let Some(placing) = &self.placing {
                placing.leave();
            }
            match outcome {
                Ok(Ok(())) => {}
                Ok(Err(error)) => (self.report)(&error),
                Err(error) if error.is_panic() => (self.report)(&io::Error::other(error)),
                Err(_) => {}
            }
        }
    }

    pub(super) fn poll_closed(&self, cx: &mut Context<'_>) -> Poll<()> {
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

    /// A connection that came from another core, or came back from there, as this core's own.
    fn adopt(&self, driver: &Driver, socket: OwnedFd) -> Option<Fd> {
        let adopted = match self.aborted.get() {
            true => None,
            false => Some(Fd::adopt(driver, socket, Sharing::Private)),
        };
        let fd = adopted.and_then(|adopted| adopted.inspect_err(|error| (self.report)(error)).ok());
        if let (None, Some(placing)) = (&fd, &self.placing) {
            placing.leave();
        }
        fd
    }

    /// The next connection that another core passes on; `None` when no more can come.
    async fn arrival(&self) -> Option<Passed> {
        let placing = self.placing.as_ref()?;
        poll_fn(|cx| {
            self.reap(cx);
            placing.poll_arrival(cx)
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

async fn supervise<L, H>(listener: Option<L>, handler: Rc<H>, part: Rc<Part>)
where
    L: Listen + 'static,
    H: AsyncFn(L::Stream, L::Address) -> io::Result<()> + 'static,
{
    // However this ends, nobody waits for it in vain.
    let _closed = Closed(&part);
    accept_all::<L, H>(listener.as_ref().map(L::fd), &handler, &part).await;
    part.phase.set(Phase::Closing);
    if let Some(listener) = listener
        && let Err(error) = listener.into_fd().close().await
    {
        (part.report)(&Failure::wrap("close", "listener", error));
    }
    if let Some(placing) = &part.placing {
        placing.close();
    }
    while let Some(passed) = part.arrival().await {
        take_in::<L, H>(passed, &handler, &part);
    }
    part.drain().await;
}

/// Accepts until the server is told to close, or the listener is good for nothing any more.
async fn accept_all<L, H>(listener: Option<&Fd>, handler: &Rc<H>, part: &Rc<Part>)
where
    L: Listen + 'static,
    H: AsyncFn(L::Stream, L::Address) -> io::Result<()> + 'static,
{
    let mut accepting = listener.map(Accepting::new);
    let mut next = |cx: &mut Context<'_>| {
        if let Some(placing) = &part.placing
            && let Poll::Ready(Some(passed)) = placing.poll_arrival(cx)
        {
            return Poll::Ready(Next::Passed(passed));
        }
        match &mut accepting {
            Some(accepting) => accepting.poll_next(cx).map(Next::Accepted),
            None => Poll::Pending,
        }
    };
    let mut refused = false;
    while let Some(next) = part.while_open(poll_fn(&mut next)).await {
        match next {
            Next::Passed(passed) => take_in::<L, H>(passed, handler, part),
            Next::Accepted(Ok((fd, peer))) => {
                refused = false;
                if let Some(fd) = place(fd, peer, part).await {
                    start::<L, H>(fd, peer, handler, part);
                }
            }
            // The client's own fault, and its own loss.
            Next::Accepted(Err(error)) if is_the_clients(error.kind()) => {}
            Next::Accepted(Err(error)) => {
                let useless = is_useless(&error);
                // Told once, however often it happens in a row.
                if !std::mem::replace(&mut refused, true) {
                    let error = match listener {
                        Some(listener) => failed("accept", listener, error),
                        None => error,
                    };
                    (part.report)(&error);
                }
                if useless || part.while_open(sleep(BACK_OFF)).await.is_none() {
                    return;
                }
            }
        }
    }
}

/// What a part is given to serve.
enum Next {
    Accepted(io::Result<Connection>),
    Passed(Passed),
}

/// Passes the connection on if another core is to serve it; else gives it back.
async fn place(fd: Fd, peer: Option<SocketAddress>, part: &Part) -> Option<Fd> {
    let Some(placing) = &part.placing else { return Some(fd) };
    let there = match placing.place() {
        None => return Some(fd),
        Some(there) => there,
    };
    let driver = fd.driver().clone();
    match fd.detach().await {
        Ok((socket, _nothing)) => {
            let refused = placing.pass(there, Passed { socket, peer })?;
            part.adopt(&driver, refused.socket)
        }
        Err(fd) => {
            placing.keep(there);
            Some(fd)
        }
    }
}

/// Serves what another core has passed on.
fn take_in<L, H>(passed: Passed, handler: &Rc<H>, part: &Rc<Part>)
where
    L: Listen + 'static,
    H: AsyncFn(L::Stream, L::Address) -> io::Result<()> + 'static,
{
    let Ok(driver) = Driver::current() else { return };
    if let Some(fd) = part.adopt(&driver, passed.socket) {
        start::<L, H>(fd, passed.peer, handler, part);
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

fn start<L, H>(fd: Fd, peer: Option<SocketAddress>, handler: &Rc<H>, part: &Rc<Part>)
where
    L: Listen + 'static,
    H: AsyncFn(L::Stream, L::Address) -> io::Result<()> + 'static,
{
    let weak = fd.downgrade();
    let (stream, peer) = L::connection(fd, peer);
    let number = part.accepted.get();
    part.accepted.set(number + 1);
    let ended = Ended { number, part: Rc::clone(part) };
    let handler = Rc::clone(handler);
    let object = format!("{peer:?}");
    let name = format!("serve {object}");
    let task = task::Builder::new().name(name).spawn(async move {
        let _ended = ended;
        let served = handler(stream, peer).await;
        served.map_err(|error| Failure::wrap("serve", object, error))
    });
    part.connections.borrow_mut().insert(number, Served { task, fd: weak });
}

/// Tells the supervisor that a handler is gone, however it went.
struct Ended {
    number: u64,
    part: Rc<Part>,
}

impl Drop for Ended {
    fn drop(&mut self) {
        self.part.ended.borrow_mut().push(self.number);
        self.part.wake_supervisor();
    }
}

impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Part")
            .field("connections", &self.connections())
            .field("phase", &self.phase.get())
            .finish_non_exhaustive()
    }
}

/// Tells those who wait that the server is closed, and the other cores that nothing comes from here
/// any more, nor is taken here: a report that panics ends the supervisor before it has told them.
struct Closed<'a>(&'a Part);

impl Drop for Closed<'_> {
    fn drop(&mut self) {
        self.0.phase.set(Phase::Closed);
        if let Some(placing) = &self.0.placing {
            placing.end();
        }
        for waker in self.0.waiting.take() {
            waker.wake();
        }
    }
}
