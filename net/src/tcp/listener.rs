//! Accepting connections.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;

use wakering_ring_driver::{Driver, Failure, Fd, Sharing, op, option};

use super::{TcpSocket, TcpStream};
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
    /// Listens on the first of the addresses that can be bound. The address may be bound again at once after the end of the
    /// program (`SO_REUSEADDR`), as with std.
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

    /// The next connection, and the address of its other side.
    ///
    /// # Errors
    /// EMFILE and ENFILE at the limit of descriptors: the connection waits on, so wait before trying again.
    ///
    /// # Cancellation
    /// **Strict**: a connection that comes while nobody waits is given to the next call.
    ///
    /// # Kernel
    /// `IORING_OP_ACCEPT`, 5.5.
    pub async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let (fd, peer) = op::accept(&self.fd).await.map_err(|error| self.failed(error))?;
        // A connection whose other side is gone already has no address any more, but is still a connection.
        let peer = peer.to_inet().unwrap_or_else(|| SocketAddr::from(([0, 0, 0, 0], 0)));
        Ok((TcpStream::from_fd(fd), peer))
    }

    fn failed(&self, error: io::Error) -> io::Error {
        let object = self.local_addr().map_or_else(|_| "listener".to_owned(), |a| a.to_string());
        Failure::wrap("accept", object, error)
    }

    /// The connections, one after the other. It never ends; errors are items.
    ///
    /// ```
    /// use wakering_net::{TcpListener, TcpStream};
    ///
    /// wakering_runtime::run(async {
    ///     let listener = TcpListener::bind("127.0.0.1:0").await?;
    ///     let address = listener.local_addr()?;
    ///     let client = wakering_runtime::spawn(async move { TcpStream::connect(address).await });
    ///     let mut incoming = listener.incoming();
    ///     let server = incoming.next().await?;
    ///     assert_eq!(server.local_addr()?, address);
    ///     client.await.expect("connect does not panic")?;
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    pub fn incoming(&self) -> Incoming<'_> {
        Incoming { listener: self }
    }

    /// The address it listens on.
    ///
    /// # Errors
    /// What getsockname(2) says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        inet(option::local_address(&self.fd)?)
    }

    /// Takes over a listener of std's.
    ///
    /// # Errors
    /// Outside of a runtime; where its mode cannot be changed.
    pub fn from_std(listener: std::net::TcpListener) -> io::Result<TcpListener> {
        let fd = Fd::adopt(&Driver::current()?, OwnedFd::from(listener), Sharing::Private)?;
        Ok(TcpListener { fd })
    }

    /// Stops listening: accepts that are parked end with an error, and when this completes the address is free.
    ///
    /// # Errors
    /// What close(2) says.
    pub async fn close(self) -> io::Result<()> {
        self.fd.close().await
    }

    /// The descriptor, for operations of the driver.
    pub fn as_fd(&self) -> &Fd {
        &self.fd
    }
}

/// The connections of a listener, made by [`TcpListener::incoming`].
#[derive(Debug)]
pub struct Incoming<'a> {
    listener: &'a TcpListener,
}

impl Incoming<'_> {
    /// The next connection.
    ///
    /// # Errors
    /// As [`TcpListener::accept`].
    ///
    /// # Cancellation
    /// **Strict**.
    pub async fn next(&mut self) -> io::Result<TcpStream> {
        Ok(self.listener.accept().await?.0)
    }
}

pub(super) fn inet(address: wakering_ring_driver::SocketAddress) -> io::Result<SocketAddr> {
    address
        .to_inet()
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "not an internet address"))
}
