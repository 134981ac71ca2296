//! A server on all cores of the runtime.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::sync::Arc;

use wakering_runtime::task::CancelToken;
use wakering_runtime::{Handle, spawn_on};

use super::Server;
use super::part::Part;
use super::placing::{Loads, Placing};
use crate::listen::Listen;

/// Serves the connections of `listener` on all [cores](wakering_runtime::Builder::cores) of the
/// runtime, on each with a handler that `make` makes there, and prints on standard error what
/// fails.
///
/// Each core accepts at a socket of its own that is bound to the same address (`SO_REUSEPORT`), and
/// passes connections on to others that serve fewer or are less busy. Where the address cannot be
/// shared (a Unix socket's, one that was bound by another user) the calling core accepts for all.
/// On one core this is [`serve`](crate::serve()).
///
/// ```
/// use wakering_net::{TcpListener, TcpStream, serve_on_cores};
/// use wakering_runtime::{Builder, Cores, io::{AsyncRead, AsyncWrite, copy}};
///
/// Builder::new().cores(Cores::All).run(async {
///     let listener = TcpListener::bind("127.0.0.1:0").await?;
///     let address = listener.local_addr()?;
///     let server = serve_on_cores(listener, || async |stream: TcpStream, _peer| {
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
/// # .unwrap().unwrap();
/// ```
///
/// # Panics
/// On a thread that is not running a runtime.
pub fn serve_on_cores<L, M, H>(listener: L, make: M) -> Server
where
    L: Listen + 'static,
    M: Fn() -> H + Clone + Send + 'static,
    H: AsyncFn(L::Stream, L::Address) -> io::Result<()> + 'static,
{
    let report = |error: &io::Error| eprintln!("wakering: {error}");
    serve_on_cores_reporting(listener, move || (make(), report))
}

/// As [`serve_on_cores`], with what `make` makes on each core: a handler, and whom to tell what
/// fails there.
///
/// ```
/// use std::sync::mpsc;
/// use wakering_net::{TcpListener, TcpStream, serve_on_cores_reporting};
/// use wakering_runtime::io::AsyncRead;
///
/// let (tell, told) = mpsc::channel();
/// wakering_runtime::run(async {
///     let listener = TcpListener::bind("127.0.0.1:0").await?;
///     let address = listener.local_addr()?;
///     let server = serve_on_cores_reporting(listener, move || {
///         let fails = async |_: TcpStream, _| Err(std::io::Error::other("no service today"));
///         let tell = tell.clone();
///         (fails, move |error: &std::io::Error| tell.send(error.to_string()).unwrap())
///     });
///     let mut client = TcpStream::connect(address).await?;
///     assert_eq!(client.read(vec![0; 1]).await?.0, 0, "the connection has ended");
///     server.close();
///     server.wait_closed().await;
///     Ok::<_, std::io::Error>(())
/// })?;
/// assert!(told.recv()?.ends_with("no service today"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Panics
/// On a thread that is not running a runtime.
pub fn serve_on_cores_reporting<L, M, H, R>(listener: L, make: M) -> Server
where
    L: Listen + 'static,
    M: Fn() -> (H, R) + Clone + Send + 'static,
    H: AsyncFn(L::Stream, L::Address) -> io::Result<()> + 'static,
    R: Fn(&io::Error) + 'static,
{
    let (handler, report) = make();
    let handle = Handle::current();
    if handle.cores() == 1 {
        return super::serve_reporting(listener, handler, report);
    }
    let (placing, loads) = Placing::of(&handle);
    let mut elsewhere = Elsewhere {
        closing: CancelToken::new(),
        aborting: CancelToken::new(),
        over: Vec::new(),
        loads,
    };
    let mut own = None;
    for (core, placing) in placing.into_iter().enumerate() {
        if core == handle.core() {
            own = Some(placing);
            continue;
        }
        let (closing, aborting) = (elsewhere.closing.clone(), elsewhere.aborting.clone());
        let over = CancelToken::new();
        elsewhere.over.push(over.clone());
        let (beside, make) = (listener.beside(), make.clone());
        let part = move || async move {
            // However this ends, nobody waits for it in vain.
            let _over = over.drop_guard();
            let (handler, report) = make();
            let part = Part::new(report, Some(placing));
            // Where the address cannot be shared, other cores accept for this one.
            part.start::<L, H>(beside.and_then(|listen| listen().ok()), handler);
            let (mut closing, mut aborting) =
                (pin!(closing.cancelled()), pin!(aborting.cancelled()));
            poll_fn(|cx| {
                if closing.as_mut().poll(cx).is_ready() {
                    part.close();
                }
                if aborting.as_mut().poll(cx).is_ready() {
                    part.abort();
                }
                part.poll_closed(cx)
            })
            .await;
        };
        // It goes on without its handle: a server lives until it is closed.
        drop(spawn_on(core, part));
    }
    let part = Part::new(report, own);
    part.start(Some(listener), handler);
    Server { part, elsewhere: Some(elsewhere) }
}

/// The parts of a server on other cores.
pub(super) struct Elsewhere {
    closing: CancelToken,
    aborting: CancelToken,
    /// For each part, cancelled when it is closed.
    over: Vec<CancelToken>,
    loads: Arc<Loads>,
}

impl Elsewhere {
    pub(super) fn close(&self) {
        self.closing.cancel();
    }

    pub(super) fn abort(&self) {
        self.aborting.cancel();
    }

    pub(super) async fn closed(&self) {
        for over in &self.over {
            over.cancelled().await;
        }
    }

    pub(super) fn connections(&self) -> usize {
        self.loads.connections()
    }
}
