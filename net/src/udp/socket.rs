//! A socket for datagrams.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;

use wakering_ring_driver::buffer::{BufError, BufResult, IoBuf, IoBufMut};
use wakering_ring_driver::op::{Domain, SocketKind};
use wakering_ring_driver::{Driver, Failure, Fd, PooledBuf, Sharing, SocketAddress, op, option};

use super::meta::source;
use super::{RecvMeta, SendMeta};
use crate::address::inet;
use crate::messages::Messages;
use crate::resolve::{ToSocketAddrs, resolve, resolve_first};

/// The most that UDP carries, and more.
const ROOM: usize = 1 << 16;

/// A UDP socket.
///
/// All its methods take `&self`: several tasks may send and receive at once.
///
/// ```
/// use wakering_net::UdpSocket;
///
/// wakering_runtime::run(async {
///     let server = UdpSocket::bind("127.0.0.1:0").await?;
///     let client = UdpSocket::bind("127.0.0.1:0").await?;
///     client.send_to("ping", server.local_addr()?).await?;
///     let ((n, from), buf) = server.recv_from(Vec::with_capacity(16)).await?;
///     assert_eq!((n, from), (4, client.local_addr()?));
///     server.send_to(buf, from).await?;
///     assert_eq!(client.recv(vec![0; 16]).await?.1, b"ping");
///     Ok::<_, std::io::Error>(())
/// })
/// # .unwrap();
/// ```
#[derive(Debug)]
pub struct UdpSocket {
    messages: Messages,
}

impl UdpSocket {
    /// A socket that is bound to the first of the addresses that can be bound.
    ///
    /// ```
    /// use wakering_net::UdpSocket;
    ///
    /// wakering_runtime::run(async {
    ///     let socket = UdpSocket::bind("localhost:0").await?;
    ///     assert!(socket.local_addr()?.ip().is_loopback());
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    /// That of the last address, with the address: `AddrInUse`, `AddrNotAvailable`.
    ///
    /// # Cancellation
    /// **Strict**.
    pub async fn bind(address: impl ToSocketAddrs) -> io::Result<UdpSocket> {
        let mut last = None;
        for address in resolve(address).await? {
            match UdpSocket::bind_one(address) {
                Ok(socket) => return Ok(socket),
                Err(error) => last = Some(Failure::wrap("bind", address.to_string(), error)),
            }
        }
        Err(last.expect("resolving gives at least one address"))
    }

    fn bind_one(address: SocketAddr) -> io::Result<UdpSocket> {
        let fd = op::socket(Domain::of(&address), SocketKind::Datagram).now()?;
        op::bind(&fd, address).now()?;
        Ok(UdpSocket { messages: Messages::pooled(fd, ROOM) })
    }

    /// Sends to the first of the addresses that it can, and receives from there alone, from now on.
    ///
    /// ```
    /// use wakering_net::UdpSocket;
    ///
    /// wakering_runtime::run(async {
    ///     let server = UdpSocket::bind("127.0.0.1:0").await?;
    ///     let client = UdpSocket::bind("127.0.0.1:0").await?;
    ///     client.connect(server.local_addr()?).await?;
    ///     client.send("hello").await?;
    ///     assert_eq!(server.recv(vec![0; 16]).await?.1, b"hello");
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    /// That of the last address, with the address: `NetworkUnreachable`.
    ///
    /// # Cancellation
    /// **Weak**: the socket may be connected all the same.
    pub async fn connect(&self, address: impl ToSocketAddrs) -> io::Result<()> {
        let mut last = None;
        for address in resolve(address).await? {
            match op::connect(self.as_fd(), address).await {
                Ok(()) => return Ok(()),
                Err(error) => last = Some(Failure::wrap("connect", address.to_string(), error)),
            }
        }
        Err(last.expect("resolving gives at least one address"))
    }

    /// Sends `buf` as one datagram to where the socket is connected.
    ///
    /// # Errors
    /// EDESTADDRREQ if it is not; `ConnectionRefused` where an earlier datagram met a closed port;
    /// EMSGSIZE above 65,507 bytes (65,527 over IPv6).
    ///
    /// # Cancellation
    /// **Strict**: a submitted datagram is sent; the next one waits for it.
    pub async fn send<B: IoBuf>(&self, buf: B) -> BufResult<usize, B> {
        self.messages.send(buf, None, Vec::new()).await
    }

    /// Sends `buf` as one datagram to the first of the addresses.
    ///
    /// ```
    /// use wakering_net::UdpSocket;
    ///
    /// wakering_runtime::run(async {
    ///     let server = UdpSocket::bind("127.0.0.1:0").await?;
    ///     let client = UdpSocket::bind("127.0.0.1:0").await?;
    ///     let to = server.local_addr()?;
    ///     assert_eq!(client.send_to("hello", to).await?.0, 5);
    ///     assert_eq!(server.recv(vec![0; 16]).await?.1, b"hello");
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    /// With the address: `NetworkUnreachable`, EMSGSIZE above 65,507 bytes (65,527 over IPv6).
    ///
    /// # Cancellation
    /// **Strict**: a submitted datagram is sent; the next one waits for it.
    pub async fn send_to<B: IoBuf>(
        &self,
        buf: B,
        address: impl ToSocketAddrs,
    ) -> BufResult<usize, B> {
        match resolve_first(address).await {
            Ok(address) => self.send_msg(buf, SendMeta::new().to(address)).await,
            Err(error) => Err(BufError::new(error, buf)),
        }
    }

    /// Sends `buf` as `meta` says.
    ///
    /// # Errors
    /// As [`send_to`](UdpSocket::send_to); what sendmsg(2) says.
    ///
    /// # Cancellation
    /// **Strict**: a submitted datagram is sent; the next one waits for it.
    pub async fn send_msg<B: IoBuf>(&self, buf: B, meta: SendMeta) -> BufResult<usize, B> {
        let to = meta.to.map(SocketAddress::from);
        let sent = self.messages.send(buf, to, meta.control()).await;
        sent.map_err(|failure| match meta.to {
            Some(address) => {
                let error = Failure::wrap("send", address.to_string(), failure.error);
                BufError::new(error, failure.buf)
            }
            None => failure,
        })
    }

    /// Receives one datagram; what does not fit into `buf` is lost.
    ///
    /// # Errors
    /// `InvalidInput` if `buf` has no capacity; `ConnectionRefused` where an earlier datagram of a
    /// connected socket met a closed port; what recvmsg(2) says.
    ///
    /// # Cancellation
    /// **Strict**: a datagram that comes while nobody waits is given whole to the next call.
    pub async fn recv<B: IoBufMut>(&self, buf: B) -> BufResult<usize, B> {
        self.messages.receive(buf, |_, copied| Ok(copied)).await
    }

    /// Receives one datagram and tells who sent it; what does not fit into `buf` is lost.
    ///
    /// ```
    /// use wakering_net::UdpSocket;
    ///
    /// wakering_runtime::run(async {
    ///     let server = UdpSocket::bind("127.0.0.1:0").await?;
    ///     let client = UdpSocket::bind("127.0.0.1:0").await?;
    ///     client.send_to("hello", server.local_addr()?).await?;
    ///     let ((n, from), _) = server.recv_from(vec![0; 16]).await?;
    ///     assert_eq!((n, from), (5, client.local_addr()?));
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    /// As [`recv`](UdpSocket::recv).
    ///
    /// # Cancellation
    /// **Strict**: a datagram that comes while nobody waits is given whole to the next call.
    pub async fn recv_from<B: IoBufMut>(&self, buf: B) -> BufResult<(usize, SocketAddr), B> {
        self.messages.receive(buf, |datagram, copied| Ok((copied, source(datagram)?))).await
    }

    /// Receives one datagram and tells what came with it.
    ///
    /// # Errors
    /// As [`recv`](UdpSocket::recv).
    ///
    /// # Cancellation
    /// **Strict**: a datagram that comes while nobody waits is given whole to the next call.
    pub async fn recv_msg<B: IoBufMut>(&self, buf: B) -> BufResult<RecvMeta, B> {
        self.messages.receive(buf, |datagram, copied| RecvMeta::of(datagram, copied)).await
    }

    /// Receives one datagram whole, in the buffer of the runtime's pool into which it was received,
    /// and tells what came with it.
    ///
    /// ```
    /// use wakering_net::UdpSocket;
    ///
    /// wakering_runtime::run(async {
    ///     let server = UdpSocket::bind("127.0.0.1:0").await?;
    ///     let client = UdpSocket::bind("127.0.0.1:0").await?;
    ///     client.send_to("hello", server.local_addr()?).await?;
    ///     let (meta, bytes) = server.recv_pooled().await?;
    ///     assert_eq!((meta.source, &*bytes), (client.local_addr()?, &b"hello"[..]));
    ///     // As it lies, or a part of it.
    ///     server.send_to(bytes, meta.source).await?;
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    /// `ConnectionRefused` where an earlier datagram of a connected socket met a closed port; what
    /// recvmsg(2) says.
    ///
    /// # Cancellation
    /// **Strict**: a datagram that comes while nobody waits is given whole to the next call.
    pub async fn recv_pooled(&self) -> io::Result<(RecvMeta, PooledBuf)> {
        let datagram = self.messages.take().await?;
        let meta = RecvMeta::of(&datagram, datagram.data().len())?;
        Ok((meta, datagram.into_bytes()))
    }

    /// Waits for the next datagram and copies it without taking it.
    ///
    /// ```
    /// use wakering_net::UdpSocket;
    ///
    /// wakering_runtime::run(async {
    ///     let server = UdpSocket::bind("127.0.0.1:0").await?;
    ///     let client = UdpSocket::bind("127.0.0.1:0").await?;
    ///     client.send_to("hello", server.local_addr()?).await?;
    ///     assert_eq!(server.peek_from(vec![0; 2]).await?.1, b"he");
    ///     assert_eq!(server.recv(vec![0; 16]).await?.1, b"hello");
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    /// As [`recv`](UdpSocket::recv).
    ///
    /// # Cancellation
    /// **Strict.**
    pub async fn peek_from<B: IoBufMut>(&self, buf: B) -> BufResult<(usize, SocketAddr), B> {
        self.messages.peek(buf, |datagram, copied| Ok((copied, source(datagram)?))).await
    }

    /// The address of this socket.
    ///
    /// # Errors
    /// What getsockname(2) says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        inet(option::local_address(self.as_fd())?)
    }

    /// The address that it is connected to.
    ///
    /// # Errors
    /// `NotConnected`.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        inet(option::peer_address(self.as_fd())?)
    }

    /// Takes over a socket of std's.
    ///
    /// ```
    /// use wakering_net::UdpSocket;
    ///
    /// wakering_runtime::run(async {
    ///     let std = std::net::UdpSocket::bind("127.0.0.1:0")?;
    ///     let socket = UdpSocket::from_std(std)?;
    ///     socket.send_to("hello", socket.local_addr()?).await?;
    ///     assert_eq!(socket.recv(vec![0; 16]).await?.1, b"hello");
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    /// Outside of a runtime; where its mode cannot be changed.
    pub fn from_std(socket: std::net::UdpSocket) -> io::Result<UdpSocket> {
        let fd = Fd::adopt(&Driver::current()?, OwnedFd::from(socket), Sharing::Private)?;
        Ok(UdpSocket { messages: Messages::pooled(fd, ROOM) })
    }

    /// Gives the socket to std, with the datagrams that were received and that nobody has taken. An
    /// error that a receive has brought, of a peer that refuses say, and nobody was told, is lost.
    ///
    /// ```
    /// use wakering_net::UdpSocket;
    ///
    /// wakering_runtime::run(async {
    ///     let server = UdpSocket::bind("127.0.0.1:0").await?;
    ///     let client = UdpSocket::bind("127.0.0.1:0").await?;
    ///     client.send_to("looked at", server.local_addr()?).await?;
    ///     server.peek_from(vec![0; 1]).await?;
    ///     let (std, received) = server.into_std().await?;
    ///     assert_eq!(received[0].1, b"looked at");
    ///     assert_eq!(received[0].0.source, client.local_addr()?);
    ///     // What comes from now on is in the socket, behind what was received ahead.
    ///     client.send_to("late", std.local_addr()?).await?;
    ///     assert_eq!(std.recv(&mut [0; 16])?, 4);
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    /// `ResourceBusy` where the descriptor is shared, by a clone of [`as_fd`](UdpSocket::as_fd)
    /// say.
    ///
    /// # Cancellation
    /// **Weak**: the socket is closed.
    pub async fn into_std(self) -> io::Result<(std::net::UdpSocket, Vec<(RecvMeta, Vec<u8>)>)> {
        let (owned, datagrams) = self.messages.detach().await?;
        let received = datagrams.into_iter().map(|datagram| {
            let meta = RecvMeta::of(&datagram, datagram.data().len())?;
            Ok((meta, datagram.data().to_vec()))
        });
        Ok((std::net::UdpSocket::from(owned), received.collect::<io::Result<_>>()?))
    }

    /// The descriptor, for operations of the driver.
    pub fn as_fd(&self) -> &Fd {
        &self.messages.fd
    }
}
