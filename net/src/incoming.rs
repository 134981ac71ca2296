//! Connections as a stream.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use wakering_ring_driver::op::{self, Accept, Op};

use crate::TcpListener;
use crate::address::failed;
use crate::listen::Listen;

/// The connections of a listener, made by [`TcpListener::incoming`] or
/// [`UnixListener::incoming`](crate::UnixListener::incoming).
///
/// ```
/// use futures_util::StreamExt;
/// use wakering_net::{TcpListener, TcpStream};
///
/// wakering_runtime::run(async {
///     let listener = TcpListener::bind("127.0.0.1:0").await?;
///     let client = TcpStream::connect(listener.local_addr()?).await?;
///     let first = listener.incoming().next().await.expect("it never ends")?;
///     assert_eq!(first.peer_addr()?, client.local_addr()?);
///     Ok::<_, std::io::Error>(())
/// })
/// # .unwrap();
/// ```
pub struct Incoming<'a, L = TcpListener> {
    listener: &'a L,
    accept: Option<Op<Accept>>,
}

impl<'a, L> Incoming<'a, L> {
    pub(crate) fn new(listener: &'a L) -> Incoming<'a, L> {
        Incoming { listener, accept: None }
    }
}

impl<L: Listen> Incoming<'_, L> {
    /// The next connection.
    ///
    /// ```
    /// use wakering_net::{TcpListener, TcpStream};
    ///
    /// wakering_runtime::run(async {
    ///     let listener = TcpListener::bind("127.0.0.1:0").await?;
    ///     let client = TcpStream::connect(listener.local_addr()?).await?;
    ///     let mut incoming = listener.incoming();
    ///     assert_eq!(incoming.accept().await?.peer_addr()?, client.local_addr()?);
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    /// As [`TcpListener::accept`].
    ///
    /// # Cancellation
    /// **Strict**: a connection that comes while nobody waits is given to the next call.
    pub async fn accept(&mut self) -> io::Result<L::Stream> {
        poll_fn(|cx| self.poll_accept(cx)).await
    }

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<L::Stream>> {
        let fd = self.listener.fd();
        let accept = self.accept.get_or_insert_with(|| op::accept(fd));
        let accepted = ready!(Pin::new(accept).poll(cx));
        self.accept = None;
        let accepted = accepted.map_err(|error| failed("accept", fd, error));
        Poll::Ready(accepted.map(|(fd, peer)| L::connection(fd, Some(peer)).0))
    }
}

impl<L: Listen> Stream for Incoming<'_, L> {
    type Item = io::Result<L::Stream>;

    fn poll_next(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<L::Stream>>> {
        self.poll_accept(cx).map(Some)
    }
}

impl<L: fmt::Debug> fmt::Debug for Incoming<'_, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Incoming").field("listener", self.listener).finish_non_exhaustive()
    }
}
