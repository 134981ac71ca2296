//! Messages between programs of this machine.

use std::io;
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::{self, SocketAddr};
use std::path::Path;

use wakering_ring_driver::buffer::{BufError, BufResult, IoBuf, IoBufMut};
use wakering_ring_driver::op::{Datagram, Domain, SocketKind};
use wakering_ring_driver::{Driver, Fd, Sharing, SocketAddress, op, option};

use super::{failed, of_path, shown};
use crate::address::unix;
use crate::messages::Messages;

/// The most that a sender's buffer holds unless somebody with privileges has raised the limits
/// (`net.core.wmem_max` is 212,992 bytes, of which the system makes twice as much).
const ROOM: usize = 2 * 212_992;

/// A Unix socket for datagrams, which arrive whole and in order.
///
/// ```
/// use wakering_net::UnixDatagram;
///
/// wakering_runtime::run(async {
///     let (ours, theirs) = UnixDatagram::pair()?;
///     ours.send("one").await?;
///     ours.send("two").await?;
///     assert_eq!(theirs.recv(Vec::with_capacity(16)).await?.1, b"one");
///     assert_eq!(theirs.recv(Vec::with_capacity(16)).await?.1, b"two");
///     Ok::<_, std::io::Error>(())
/// })
/// # .unwrap();
/// ```
#[derive(Debug)]
pub struct UnixDatagram {
    messages: Messages,
}

impl UnixDatagram {
    /// A socket that is bound to `path`.
    ///
    /// ```
    /// use wakering_net::UnixDatagram;
    ///
    /// # let dir = tempfile::tempdir()?;
    /// # let path = dir.path().join("socket");
    /// wakering_runtime::run(async {
    ///     let server = UnixDatagram::bind(&path)?;
    ///     let client = UnixDatagram::unbound()?;
    ///     client.send_to("hello", &path).await?;
    ///     let ((n, from), buf) = server.recv_from(vec![0; 16]).await?;
    ///     assert_eq!((n, &buf[..]), (5, &b"hello"[..]));
    ///     assert!(from.is_unnamed());
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # ?;
    /// # Ok::<_, std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// `AddrInUse` if there is a file of that name; `InvalidInput` if the path is longer than 107
    /// bytes.
    pub fn bind(path: impl AsRef<Path>) -> io::Result<UnixDatagram> {
        UnixDatagram::bind_addr(&of_path("bind", path.as_ref())?)
    }

    /// A socket that is bound to an address, which may be an abstract name.
    ///
    /// ```
    /// use std::os::{linux::net::SocketAddrExt, unix::net::SocketAddr};
    /// use wakering_net::UnixDatagram;
    ///
    /// wakering_runtime::run(async {
    ///     let name = format!("wakering bind {}", std::process::id());
    ///     let address = SocketAddr::from_abstract_name(name)?;
    ///     let server = UnixDatagram::bind_addr(&address)?;
    ///     let client = UnixDatagram::unbound()?;
    ///     client.send_to_addr("hello", &address).await?;
    ///     assert_eq!(server.recv(vec![0; 9]).await?.1, b"hello");
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    /// As [`bind`](UnixDatagram::bind).
    pub fn bind_addr(address: &SocketAddr) -> io::Result<UnixDatagram> {
        let socket = UnixDatagram::unbound()?;
        let bound = op::bind(socket.as_fd(), address).now();
        bound.map_err(failed("bind", shown(address)))?;
        Ok(socket)
    }

    /// A socket without an address: it can send, and receive once it is connected.
    ///
    /// # Errors
    /// Outside of a runtime; at the limit of descriptors.
    pub fn unbound() -> io::Result<UnixDatagram> {
        Ok(UnixDatagram::from_fd(op::socket(Domain::Unix, SocketKind::Datagram).now()?))
    }

    /// Two sockets that are connected to each other.
    ///
    /// ```
    /// use wakering_net::UnixDatagram;
    ///
    /// wakering_runtime::run(async {
    ///     let (ours, theirs) = UnixDatagram::pair()?;
    ///     ours.send("hello").await?;
    ///     assert_eq!(theirs.recv(vec![0; 9]).await?.1, b"hello");
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    /// Outside of a runtime; at the limit of descriptors.
    pub fn pair() -> io::Result<(UnixDatagram, UnixDatagram)> {
        let (one, two) = net::UnixDatagram::pair()?;
        Ok((UnixDatagram::from_std(one)?, UnixDatagram::from_std(two)?))
    }

    fn from_fd(fd: Fd) -> UnixDatagram {
        UnixDatagram { messages: Messages::new(fd, ROOM) }
    }

    /// Sends to `path`, and receives from there alone, from now on.
    ///
    /// # Errors
    /// `NotFound`, `ConnectionRefused`, with the path.
    ///
    /// # Cancellation
    /// **Weak**: the socket may be connected all the same.
    pub async fn connect(&self, path: impl AsRef<Path>) -> io::Result<()> {
        self.connect_addr(&of_path("connect", path.as_ref())?).await
    }

    /// As [`connect`](UnixDatagram::connect), to an address, which may be an abstract name.
    ///
    /// ```
    /// use std::os::{linux::net::SocketAddrExt, unix::net::SocketAddr};
    /// use wakering_net::UnixDatagram;
    ///
    /// wakering_runtime::run(async {
    ///     let name = format!("wakering connect {}", std::process::id());
    ///     let address = SocketAddr::from_abstract_name(name)?;
    ///     let server = UnixDatagram::bind_addr(&address)?;
    ///     let client = UnixDatagram::unbound()?;
    ///     client.connect_addr(&address).await?;
    ///     client.send("hello").await?;
    ///     assert_eq!(server.recv(vec![0; 9]).await?.1, b"hello");
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    /// As [`connect`](UnixDatagram::connect).
    ///
    /// # Cancellation
    /// As [`connect`](UnixDatagram::connect).
    pub async fn connect_addr(&self, address: &SocketAddr) -> io::Result<()> {
        let connected = op::connect(self.as_fd(), address).await;
        connected.map_err(failed("connect", shown(address)))
    }

    /// Sends `buf` as one datagram to where the socket is connected; waits while the receiver's
    /// queue is full.
    ///
    /// # Errors
    /// `NotConnected`; `ConnectionRefused` once the other side has gone; EMSGSIZE if it is too
    /// long.
    ///
    /// # Cancellation
    /// **Strict**: a submitted datagram is sent; the next one waits for it.
    pub async fn send<B: IoBuf>(&self, buf: B) -> BufResult<usize, B> {
        self.messages.send(buf, None, Vec::new()).await
    }

    /// Sends `buf` as one datagram to `path`.
    ///
    /// # Errors
    /// `NotFound`, `ConnectionRefused`, with the path; EMSGSIZE if it is too long.
    ///
    /// # Cancellation
    /// **Strict**: a submitted datagram is sent; the next one waits for it.
    pub async fn send_to<B: IoBuf>(&self, buf: B, path: impl AsRef<Path>) -> BufResult<usize, B> {
        match of_path("send", path.as_ref()) {
            Ok(address) => self.send_to_addr(buf, &address).await,
            Err(error) => Err(BufError::new(error, buf)),
        }
    }

    /// Sends `buf` as one datagram to an address, which may be an abstract name.
    ///
    /// # Errors
    /// As [`send_to`](UnixDatagram::send_to).
    ///
    /// # Cancellation
    /// **Strict**: a submitted datagram is sent; the next one waits for it.
    pub async fn send_to_addr<B: IoBuf>(
        &self,
        buf: B,
        address: &SocketAddr,
    ) -> BufResult<usize, B> {
        let to = SocketAddress::from(address);
        let sent = self.messages.send(buf, Some(to), Vec::new()).await;
        sent.map_err(|failure| {
            let error = failed("send", shown(address))(failure.error);
            BufError::new(error, failure.buf)
        })
    }

    /// Receives one datagram; what does not fit into `buf` is lost.
    ///
    /// # Errors
    /// `InvalidInput` if `buf` has no capacity; what recvmsg(2) says.
    ///
    /// # Cancellation
    /// **Strict**: a datagram that comes while nobody waits is given whole to the next call.
    pub async fn recv<B: IoBufMut>(&self, buf: B) -> BufResult<usize, B> {
        self.messages.receive(buf, |_, copied| Ok(copied)).await
    }

    /// Receives one datagram and tells who sent it; what does not fit into `buf` is lost.
    ///
    /// ```
    /// use wakering_net::UnixDatagram;
    ///
    /// wakering_runtime::run(async {
    ///     let (ours, theirs) = UnixDatagram::pair()?;
    ///     ours.send("hello").await?;
    ///     let ((n, from), _) = theirs.recv_from(vec![0; 9]).await?;
    ///     assert!(n == 5 && from.is_unnamed());
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    /// As [`recv`](UnixDatagram::recv).
    ///
    /// # Cancellation
    /// **Strict**: a datagram that comes while nobody waits is given whole to the next call.
    pub async fn recv_from<B: IoBufMut>(&self, buf: B) -> BufResult<(usize, SocketAddr), B> {
        self.messages.receive(buf, |datagram, copied| Ok((copied, sender(datagram)?))).await
    }

    /// Ends one direction or both.
    ///
    /// # Errors
    /// `NotConnected`.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        op::shutdown(self.as_fd(), how).now()
    }

    /// The address of this socket.
    ///
    /// # Errors
    /// What getsockname(2) says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        unix(option::local_address(self.as_fd())?)
    }

    /// The address that it is connected to.
    ///
    /// # Errors
    /// `NotConnected`.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        unix(option::peer_address(self.as_fd())?)
    }

    /// The error that the socket holds, which is thereby cleared (`SO_ERROR`).
    ///
    /// # Errors
    /// What getsockopt(2) says.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        option::take_error(self.as_fd())
    }

    /// Takes over a socket of std's.
    ///
    /// ```
    /// use std::os::unix::net;
    /// use wakering_net::UnixDatagram;
    ///
    /// wakering_runtime::run(async {
    ///     let (ours, theirs) = net::UnixDatagram::pair()?;
    ///     UnixDatagram::from_std(ours)?.send("hello").await?;
    ///     assert_eq!(theirs.recv(&mut [0; 9])?, 5);
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    /// Outside of a runtime; where its mode cannot be changed.
    pub fn from_std(socket: net::UnixDatagram) -> io::Result<UnixDatagram> {
        let fd = Fd::adopt(&Driver::current()?, OwnedFd::from(socket), Sharing::Private)?;
        Ok(UnixDatagram::from_fd(fd))
    }

    /// Gives the socket to std, with the datagrams that were received and that nobody has taken,
    /// and who sent them.
    ///
    /// ```
    /// use wakering_net::UnixDatagram;
    ///
    /// wakering_runtime::run(async {
    ///     let (ours, theirs) = UnixDatagram::pair()?;
    ///     ours.send("hello").await?;
    ///     let (std, received) = theirs.into_std().await?;
    ///     assert!(received.is_empty(), "nobody has begun to receive");
    ///     assert_eq!(std.recv(&mut [0; 9])?, 5);
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    /// `ResourceBusy` where the descriptor is shared, by a clone of [`as_fd`](UnixDatagram::as_fd)
    /// say.
    ///
    /// # Cancellation
    /// **Weak**: the socket is closed.
    pub async fn into_std(self) -> io::Result<(net::UnixDatagram, Vec<(SocketAddr, Vec<u8>)>)> {
        let (owned, datagrams) = self.messages.detach().await?;
        let received = datagrams.into_iter().map(|datagram| {
            let from = sender(&datagram)?;
            Ok((from, datagram.data().to_vec()))
        });
        Ok((net::UnixDatagram::from(owned), received.collect::<io::Result<_>>()?))
    }

    /// The descriptor, for operations of the driver.
    pub fn as_fd(&self) -> &Fd {
        &self.messages.fd
    }
}

fn sender(datagram: &Datagram) -> io::Result<SocketAddr> {
    match datagram.address {
        Some(address) => unix(address),
        None => SocketAddr::from_pathname(""),
    }
}
