//! Accepting connections from programs of this machine.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::{self, SocketAddr};
use std::path::Path;

use wakering_ring_driver::op::{Domain, SocketKind};
use wakering_ring_driver::{Driver, Fd, Sharing, SocketAddress, op, option};

use super::socket_file::SocketFile;
use super::{UnixStream, failed, of_path, shown};
use crate::address::{self, unix};
use crate::detach::detach;
use crate::incoming::Incoming;
use crate::listen::Listen;

/// How many connections may wait to be accepted; the system caps it (`net.core.somaxconn`).
const BACKLOG: u32 = 4096;

/// A Unix socket that accepts connections.
///
/// The file of a path is removed when the listener is closed or dropped, unless another one has
/// taken its place. It stays with listeners that came from std or go there, and where the process
/// ends without dropping them: remove it before binding again.
///
/// ```
/// use wakering_net::{UnixListener, UnixStream};
///
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("socket");
/// wakering_runtime::run(async {
///     let listener = UnixListener::bind(&path)?;
///     let _client = UnixStream::connect(&path).await?;
///     let (server, _) = listener.accept().await?;
///     assert_eq!(server.local_addr()?.as_pathname(), Some(&*path));
///     listener.close().await?;
///     assert!(!path.exists());
///     Ok::<_, std::io::Error>(())
/// })
/// # ?;
/// # Ok::<_, std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct UnixListener {
    fd: Fd,
    file: Option<SocketFile>,
}

impl UnixListener {
    /// Listens on `path`.
    ///
    /// # Errors
    /// `AddrInUse` if there is a file of that name, also one that nobody listens on any more;
    /// `InvalidInput` if the path is longer than 107 bytes.
    pub fn bind(path: impl AsRef<Path>) -> io::Result<UnixListener> {
        UnixListener::bind_addr(&of_path("bind", path.as_ref())?)
    }

    /// Listens on an address, which may be an abstract name.
    ///
    /// ```
    /// use std::os::{linux::net::SocketAddrExt, unix::net::SocketAddr};
    /// use wakering_net::{UnixListener, UnixStream};
    ///
    /// wakering_runtime::run(async {
    ///     let name = format!("wakering {}", std::process::id());
    ///     let address = SocketAddr::from_abstract_name(name)?;
    ///     let listener = UnixListener::bind_addr(&address)?;
    ///     let _client = UnixStream::connect_addr(&address).await?;
    ///     listener.accept().await?;
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    /// As [`bind`](UnixListener::bind).
    pub fn bind_addr(address: &SocketAddr) -> io::Result<UnixListener> {
        let bound = || {
            let fd = op::socket(Domain::Unix, SocketKind::Stream).now()?;
            op::bind(&fd, address).now()?;
            op::listen(&fd, BACKLOG).now()?;
            Ok(UnixListener { fd, file: SocketFile::of(address) })
        };
        bound().map_err(failed("bind", shown(address)))
    }

    /// The next connection, and the address of its other side, which is unnamed as a rule.
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
    pub async fn accept(&self) -> io::Result<(UnixStream, SocketAddr)> {
        let accepted = op::accept(&self.fd).await;
        let (fd, peer) = accepted.map_err(|error| address::failed("accept", &self.fd, error))?;
        Ok(UnixListener::connection(fd, Some(peer)))
    }

    /// The connections, one after the other: a `Stream` that never ends, whose items may be errors.
    ///
    /// ```
    /// use futures_util::StreamExt;
    /// use wakering_net::{UnixListener, UnixStream};
    ///
    /// # let dir = tempfile::tempdir()?;
    /// # let path = dir.path().join("socket");
    /// wakering_runtime::run(async {
    ///     let listener = UnixListener::bind(&path)?;
    ///     let _client = UnixStream::connect(&path).await?;
    ///     assert!(listener.incoming().next().await.expect("it never ends").is_ok());
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # ?;
    /// # Ok::<_, std::io::Error>(())
    /// ```
    pub fn incoming(&self) -> Incoming<'_, UnixListener> {
        Incoming::new(self)
    }

    /// The address it listens on.
    ///
    /// # Errors
    /// What getsockname(2) says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        unix(option::local_address(&self.fd)?)
    }

    /// Takes over a listener of std's.
    ///
    /// ```
    /// use std::os::linux::net::SocketAddrExt;
    /// use wakering_net::{UnixListener, UnixStream};
    ///
    /// wakering_runtime::run(async {
    ///     let name = format!("wakering std {}", std::process::id());
    ///     let address = std::os::unix::net::SocketAddr::from_abstract_name(name)?;
    ///     let std = std::os::unix::net::UnixListener::bind_addr(&address)?;
    ///     let listener = UnixListener::from_std(std)?;
    ///     let _client = UnixStream::connect_addr(&address).await?;
    ///     listener.accept().await?;
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    /// Outside of a runtime; where its mode cannot be changed.
    pub fn from_std(listener: net::UnixListener) -> io::Result<UnixListener> {
        let fd = Fd::adopt(&Driver::current()?, OwnedFd::from(listener), Sharing::Private)?;
        Ok(UnixListener { fd, file: None })
    }

    /// Stops listening: accepts that are parked end with an error.
    ///
    /// # Errors
    /// What close(2) says.
    ///
    /// # Cancellation
    /// **Strict**: the closing goes on in the background.
    pub async fn close(self) -> io::Result<()> {
        self.into_fd().close().await
    }

    /// Gives the listener to std, and its file with it, and the connections that were accepted and
    /// that nobody has taken: a dropped [`accept`](UnixListener::accept) may leave one.
    ///
    /// # Errors
    /// `ResourceBusy` where the descriptor is shared, by a clone of [`as_fd`](UnixListener::as_fd)
    /// say.
    ///
    /// # Cancellation
    /// **Weak**: the listener is closed.
    pub async fn into_std(self) -> io::Result<(net::UnixListener, Vec<net::UnixStream>)> {
        if let Some(file) = self.file {
            file.keep();
        }
        let (owned, leftovers) = detach(self.fd).await?;
        let accepted = leftovers.connections.into_iter().map(net::UnixStream::from).collect();
        Ok((net::UnixListener::from(owned), accepted))
    }

    /// The descriptor, for operations of the driver.
    pub fn as_fd(&self) -> &Fd {
        &self.fd
    }
}

impl Listen for UnixListener {
    type Stream = UnixStream;
    type Address = SocketAddr;

    fn fd(&self) -> &Fd {
        &self.fd
    }

    fn into_fd(self) -> Fd {
        // Without its file nobody finds it any more, so nobody is refused.
        drop(self.file);
        self.fd
    }

    fn beside(&self) -> Option<Box<dyn FnOnce() -> io::Result<UnixListener> + Send>> {
        None
    }

    fn connection(fd: Fd, peer: Option<SocketAddress>) -> (UnixStream, SocketAddr) {
        let peer = peer.and_then(|peer| peer.to_unix());
        let peer = peer.unwrap_or_else(|| {
            SocketAddr::from_pathname("").expect("the empty path stands for no name")
        });
        (UnixStream::from_fd(fd), peer)
    }
}
