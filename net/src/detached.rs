//! A connection on its way to another thread.

use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::os::fd::OwnedFd;

use wakering_ring_driver::{Driver, Fd, Leftovers, Sharing};

use crate::TcpStream;
use crate::side::ReadSide;
use crate::split::Split;

/// A connection that belongs to no runtime: nothing of it is in flight, so that it may be sent to
/// another core, or to another runtime, and [attached](Detached::attach) there.
///
/// It carries the bytes that were received and that nobody has read, and errors that nobody has been
/// told. Dropping it closes the connection.
///
/// ```
/// use wakering_net::{TcpListener, TcpStream};
/// use wakering_runtime::{Builder, Cores, Handle, spawn_on};
/// use wakering_runtime::io::{AsyncRead, AsyncWrite};
///
/// Builder::new().cores(Cores::All).run(async {
///     let listener = TcpListener::bind("127.0.0.1:0").await?;
///     let mut client = TcpStream::connect(listener.local_addr()?).await?;
///     let (server, _) = listener.accept().await?;
///     client.write_all("hello").await?;
///
///     let detached = server.detach().await?;
///     let last = Handle::current().cores() - 1;
///     let heard = spawn_on(last, move || async move {
///         let mut server = detached.attach()?;
///         std::io::Result::Ok(server.read_exact(vec![0; 5]).await?.1)
///     });
///     assert_eq!(heard.await??, b"hello");
///     Ok::<_, std::io::Error>(())
/// })
/// # .unwrap().unwrap();
/// ```
#[must_use = "dropping it closes the connection"]
pub struct Detached<S = TcpStream> {
    socket: OwnedFd,
    /// Received and not read, failed and not told.
    left: Leftovers,
    stream: PhantomData<fn() -> S>,
}

impl<S> Detached<S> {
    pub(crate) fn new((socket, left): (OwnedFd, Leftovers)) -> Detached<S> {
        Detached { socket, left, stream: PhantomData }
    }
}

impl<S: Split> Detached<S> {
    /// The connection as a stream of the runtime that is running on this thread.
    ///
    /// # Errors
    /// Outside of a runtime.
    pub fn attach(self) -> io::Result<S> {
        let fd = Fd::attach(&Driver::current()?, self.socket, Sharing::Private, self.left)?;
        Ok(S::of_side(ReadSide::of(fd)))
    }
}

impl<S> fmt::Debug for Detached<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Detached")
            .field("socket", &self.socket)
            .field("received", &self.left.bytes.len())
            .finish_non_exhaustive()
    }
}
