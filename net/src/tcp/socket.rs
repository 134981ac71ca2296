//! A socket before it is connected or listens: the place for options that must be set first.

use std::io;
use std::net::SocketAddr;

use wakering_ring_driver::op::{Domain, SocketKind};
use wakering_ring_driver::{Failure, Fd, op, option};

use super::{TcpListener, TcpStream};
use crate::address::{failed, inet};

/// A TCP socket that is not connected yet.
///
/// ```
/// use wakering_net::{TcpListener, TcpSocket};
///
/// wakering_runtime::run(async {
///     let listener = TcpListener::bind("127.0.0.1:0").await?;
///     let socket = TcpSocket::new_v4()?;
///     socket.bind("127.0.0.1:0".parse().expect("an address"))?;
///     let own = socket.local_addr()?;
///     let stream = socket.connect(listener.local_addr()?).await?;
///     assert_eq!(stream.local_addr()?, own);
///     Ok::<_, std::io::Error>(())
/// })
/// # .unwrap();
/// ```
#[derive(Debug)]
pub struct TcpSocket {
    fd: Fd,
}

impl TcpSocket {
    /// A socket for IPv4.
    ///
    /// ```
    /// use wakering_net::TcpSocket;
    ///
    /// wakering_runtime::run(async {
    ///     let socket = TcpSocket::new_v4()?;
    ///     assert!(socket.local_addr()?.ip().is_unspecified());
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    /// Outside of a runtime; at the limit of descriptors.
    pub fn new_v4() -> io::Result<TcpSocket> {
        TcpSocket::new(Domain::V4)
    }

    /// A socket for IPv6.
    ///
    /// # Errors
    /// As [`new_v4`](TcpSocket::new_v4).
    pub fn new_v6() -> io::Result<TcpSocket> {
        TcpSocket::new(Domain::V6)
    }

    pub(super) fn of(address: &SocketAddr) -> io::Result<TcpSocket> {
        TcpSocket::new(Domain::of(address))
            .map_err(|error| Failure::wrap("socket", address.to_string(), error))
    }

    fn new(domain: Domain) -> io::Result<TcpSocket> {
        Ok(TcpSocket { fd: op::socket(domain, SocketKind::Stream).now()? })
    }

    /// Binds it to an address of this machine.
    ///
    /// ```
    /// use wakering_net::TcpSocket;
    ///
    /// wakering_runtime::run(async {
    ///     let socket = TcpSocket::new_v4()?;
    ///     socket.bind(([127, 0, 0, 1], 0).into())?;
    ///     assert!(socket.local_addr()?.ip().is_loopback());
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    /// `AddrInUse`, `AddrNotAvailable`, `PermissionDenied`, with the address.
    pub fn bind(&self, address: SocketAddr) -> io::Result<()> {
        op::bind(&self.fd, address)
            .now()
            .map_err(|error| Failure::wrap("bind", address.to_string(), error))
    }

    /// Connects it.
    ///
    /// ```
    /// use wakering_net::{TcpListener, TcpSocket};
    ///
    /// wakering_runtime::run(async {
    ///     let listener = TcpListener::bind("127.0.0.1:0").await?;
    ///     let stream = TcpSocket::new_v4()?.connect(listener.local_addr()?).await?;
    ///     assert_eq!(stream.peer_addr()?, listener.local_addr()?);
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    /// `ConnectionRefused`, `TimedOut`, `NetworkUnreachable`, with the address.
    ///
    /// # Cancellation
    /// **Weak**: the attempt is given up and the socket closed.
    ///
    /// # Kernel
    /// `IORING_OP_CONNECT`, 5.5.
    pub async fn connect(self, address: SocketAddr) -> io::Result<TcpStream> {
        op::connect(&self.fd, address)
            .await
            .map_err(|error| Failure::wrap("connect", address.to_string(), error))?;
        Ok(TcpStream::from_fd(self.fd))
    }

    /// Listens, with room for `backlog` connections that nobody has accepted yet.
    ///
    /// ```
    /// use wakering_net::{TcpSocket, TcpStream};
    ///
    /// wakering_runtime::run(async {
    ///     let socket = TcpSocket::new_v4()?;
    ///     socket.bind(([127, 0, 0, 1], 0).into())?;
    ///     let listener = socket.listen(16)?;
    ///     let _client = TcpStream::connect(listener.local_addr()?).await?;
    ///     listener.accept().await?;
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    /// What listen(2) says.
    pub fn listen(self, backlog: u32) -> io::Result<TcpListener> {
        let listening = op::listen(&self.fd, backlog).now();
        listening.map_err(|error| failed("listen", &self.fd, error))?;
        Ok(TcpListener::from_fd(self.fd))
    }

    /// Lets an address be bound of which old connections are still winding down (`SO_REUSEADDR`).
    ///
    /// # Errors
    /// What setsockopt(2) says.
    pub fn set_reuse_address(&self, reuse: bool) -> io::Result<()> {
        option::set_reuse_address(&self.fd, reuse)
    }

    /// Lets several sockets listen on one address and share its connections (`SO_REUSEPORT`).
    ///
    /// ```
    /// use wakering_net::TcpSocket;
    ///
    /// wakering_runtime::run(async {
    ///     let (one, two) = (TcpSocket::new_v4()?, TcpSocket::new_v4()?);
    ///     for socket in [&one, &two] {
    ///         socket.set_reuse_port(true)?;
    ///     }
    ///     one.bind(([127, 0, 0, 1], 0).into())?;
    ///     two.bind(one.local_addr()?)?;
    ///     let _both = (one.listen(16)?, two.listen(16)?);
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    /// What setsockopt(2) says.
    pub fn set_reuse_port(&self, reuse: bool) -> io::Result<()> {
        option::set_reuse_port(&self.fd, reuse)
    }

    /// Sets the size in bytes of the receive buffer; the system doubles and caps it.
    ///
    /// # Errors
    /// What setsockopt(2) says.
    pub fn set_recv_buffer_size(&self, size: u32) -> io::Result<()> {
        option::set_recv_buffer_size(&self.fd, size)
    }

    /// Sets the size in bytes of the send buffer; the system doubles and caps it.
    ///
    /// # Errors
    /// What setsockopt(2) says.
    pub fn set_send_buffer_size(&self, size: u32) -> io::Result<()> {
        option::set_send_buffer_size(&self.fd, size)
    }

    /// Sends small pieces at once (`TCP_NODELAY`).
    ///
    /// # Errors
    /// What setsockopt(2) says.
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        option::set_nodelay(&self.fd, nodelay)
    }

    /// The address it is bound to.
    ///
    /// # Errors
    /// What getsockname(2) says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        inet(option::local_address(&self.fd)?)
    }
}
