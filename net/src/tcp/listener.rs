//! Accepting connections.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;

use wakering_ring_driver::{Driver, Fd, Sharing, SocketAddress, op, option};

use super::{TcpSocket, TcpStream};
use crate::address::{failed, inet};
use crate::detach::detach;
use crate::incoming::Incoming;
use crate::listen::Listen;
use crate::resolve::{ToSocketAddrs, resolve};

/// How many connections may wait to be accepted; the system caps it (`net.core.somaxconn`).
const BACKLOG: u32 = 4096;

/// A socket that accepts connections.
///
/// ```
/// use wakering_net::{TcpListener, TcpStream};
///
/// wakering_runtime::run(async {
///     let listener = TcpListener::bind("127.0.0.1:0").await?;
///     let client = TcpStream::connect(listener.local_addr()?).await?;
///     let (server, peer) = listener.accept().await?;
///     assert_eq!(peer, client.local_addr()?);
///     assert_eq!(server.local_addr()?, listener.local_addr()?);
///     Ok::<_, std::io::Error>(())
/// })
/// # .unwrap();
/// ```
#[derive(Debug)]
pub struct TcpListener {
    fd: Fd,
}

impl TcpListener {
    /// Listens on the first of the addresses that can be bound. The address may be bound again at
    /// once after the end of the program (`SO_REUSEADDR`), as with std.
    ///
    /// ```
    /// use wakering_net::TcpListener;
    ///
    /// wakering_runtime::run(async {
    ///     let listener = TcpListener::bind("localhost:0").await?;
    ///     assert!(listener.local_addr()?.ip().is_loopback());
    ///     let taken = TcpListener::bind(listener.local_addr()?).await.unwrap_err();
    ///     assert_eq!(taken.kind(), std::io::ErrorKind::AddrInUse);
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    /// That of the last address, with the address: `AddrInUse`, `PermissionDenied`.
    ///
    /// # Cancellation
    /// **Strict**.
    pub async fn bind(address: impl ToSocketAddrs) -> io::Result<TcpListener> {
        let mut last = None;
        for address in resolve(address).await? {
            match TcpListener::bind_one(address).await {
                Ok(listener) => return Ok(listener),
                Err(error) => last = Some(error),
            }
        }
        Err(last.expect("resolving gives at least one address"))
    }

    async fn bind_one(address: SocketAddr) -> io::Result<TcpListener> {
        let socket = TcpSocket::of(&address)?;
        socket.set_reuse_address(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    }

    pub(super) fn from_fd(fd: Fd) -> TcpListener {
        TcpListener { fd }
    }

    /// The next connection, and the address of its other side: unspecified (`0.0.0.0:0`) if that
    /// had gone before it was accepted.
    ///
    /// ```
    /// use wakering_net::{TcpListener, TcpStream};
    ///
    /// wakering_runtime::run(async {
    ///     let listener = TcpListener::bind("127.0.0.1:0").await?;
    ///     let client = TcpStream::connect(listener.local_addr()?).await?;
    ///     let (_server, peer) = listener.accept().await?;
    ///     assert_eq!(peer, client.local_addr()?);
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    /// EMFILE and ENFILE at the limit of descriptors: the connection waits on, so wait before
    /// trying again.
    ///
    /// # Cancellation
    /// **Strict**: a connection that comes while nobody waits is given to the next call.
    ///
    /// # Kernel
    /// `IORING_OP_ACCEPT`, 5.5.
    pub async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let accepted = op::accept(&self.fd).await;
        let (fd, peer) = accepted.map_err(|error| failed("accept", &self.fd, error))?;
        Ok(TcpListener::connection(fd, Some(peer)))
    }

    /// The connections, one after the other: a `Stream` that never ends, whose items may be errors.
    ///
    /// ```
    /// use wakering_net::{TcpListener, TcpStream};
    ///
    /// wakering_runtime::run(async {
    ///     let listener = TcpListener::bind("127.0.0.1:0").await?;
    ///     let address = listener.local_addr()?;
    ///     let client = wakering_runtime::spawn(async move { TcpStream::connect(address).await });
    ///     let mut incoming = listener.incoming();
    ///     let server = incoming.accept().await?;
    ///     assert_eq!(server.local_addr()?, address);
    ///     client.await.expect("connect does not panic")?;
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    pub fn incoming(&self) -> Incoming<'_> {
        Incoming::new(self)
    }

    /// The address it listens on.
    ///
    /// ```
    /// use wakering_net::TcpListener;
    ///
    /// wakering_runtime::run(async {
    ///     let listener = TcpListener::bind("127.0.0.1:0").await?;
    ///     assert_ne!(listener.local_addr()?.port(), 0, "the system has chosen one");
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    /// What getsockname(2) says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        inet(option::local_address(&self.fd)?)
    }

    /// Takes over a listener of std's.
    ///
    /// ```
    /// use wakering_net::{TcpListener, TcpStream};
    ///
    /// wakering_runtime::run(async {
    ///     let std = std::net::TcpListener::bind("127.0.0.1:0")?;
    ///     let listener = TcpListener::from_std(std)?;
    ///     let _client = TcpStream::connect(listener.local_addr()?).await?;
    ///     listener.accept().await?;
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    /// Outside of a runtime; where its mode cannot be changed.
    pub fn from_std(listener: std::net::TcpListener) -> io::Result<TcpListener> {
        let fd = Fd::adopt(&Driver::current()?, OwnedFd::from(listener), Sharing::Private)?;
        Ok(TcpListener { fd })
    }

    /// Stops listening: accepts that are parked end with an error, and when this completes the
    /// address is free.
    ///
    /// ```
    /// use wakering_net::{TcpListener, TcpStream};
    ///
    /// wakering_runtime::run(async {
    ///     let listener = TcpListener::bind("127.0.0.1:0").await?;
    ///     let address = listener.local_addr()?;
    ///     listener.close().await?;
    ///     assert!(TcpStream::connect(address).await.is_err());
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    /// What close(2) says.
    ///
    /// # Cancellation
    /// **Strict**: the closing goes on in the background.
    pub async fn close(self) -> io::Result<()> {
        self.fd.close().await
    }

    /// Gives the listener to std, with the connections that were accepted and that nobody has
    /// taken: a dropped [`accept`](TcpListener::accept) may leave one.
    ///
    /// ```
    /// use wakering_net::{TcpListener, TcpStream};
    ///
    /// wakering_runtime::run(async {
    ///     let listener = TcpListener::bind("127.0.0.1:0").await?;
    ///     let client = TcpStream::connect(listener.local_addr()?).await?;
    ///     let (std, accepted) = listener.into_std().await?;
    ///     assert!(accepted.is_empty(), "nobody has begun to accept");
    ///     assert_eq!(std.accept()?.1, client.local_addr()?);
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    /// `ResourceBusy` where the descriptor is shared, by a clone of [`as_fd`](TcpListener::as_fd)
    /// say.
    ///
    /// # Cancellation
    /// **Weak**: the listener is closed.
    pub async fn into_std(self) -> io::Result<(std::net::TcpListener, Vec<std::net::TcpStream>)> {
        let (owned, leftovers) = detach(self.fd).await?;
        let accepted = leftovers.connections.into_iter().map(std::net::TcpStream::from).collect();
        Ok((std::net::TcpListener::from(owned), accepted))
    }

    /// The descriptor, for operations of the driver.
    pub fn as_fd(&self) -> &Fd {
        &self.fd
    }
}

impl Listen for TcpListener {
    type Stream = TcpStream;
    type Address = SocketAddr;

    fn fd(&self) -> &Fd {
        &self.fd
    }

    fn into_fd(self) -> Fd {
        self.fd
    }

    fn beside(&self) -> Option<Box<dyn FnOnce() -> io::Result<TcpListener> + Send>> {
        let address = self.local_addr().ok()?;
        // Only now: until somebody wants to share the address, it is this listener's alone, and who
        // binds it as well is told.
        option::set_reuse_port(&self.fd, true).ok()?;
        Some(Box::new(move || {
            let socket = TcpSocket::of(&address)?;
            socket.set_reuse_address(true)?;
            socket.set_reuse_port(true)?;
            socket.bind(address)?;
            socket.listen(BACKLOG)
        }))
    }

    fn connection(fd: Fd, peer: Option<SocketAddress>) -> (TcpStream, SocketAddr) {
        let unknown = SocketAddr::from(([0, 0, 0, 0], 0));
        let peer = peer.and_then(|peer| peer.to_inet()).unwrap_or(unknown);
        (TcpStream::from_fd(fd), peer)
    }
}
