//! Options of a UDP socket, as std names them.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};

use wakering_ring_driver::option;

use super::UdpSocket;

impl UdpSocket {
    /// Allows sending to broadcast addresses.
    ///
    /// ```
    /// use wakering_net::UdpSocket;
    ///
    /// wakering_runtime::run(async {
    ///     let socket = UdpSocket::bind("127.0.0.1:0").await?;
    ///     socket.set_broadcast(true)?;
    ///     assert!(socket.broadcast()?);
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    /// What setsockopt(2) says.
    pub fn set_broadcast(&self, on: bool) -> io::Result<()> {
        option::set_broadcast(self.as_fd(), on)
    }

    /// Whether sending to broadcast addresses is allowed.
    ///
    /// # Errors
    /// What getsockopt(2) says.
    pub fn broadcast(&self) -> io::Result<bool> {
        option::broadcast(self.as_fd())
    }

    /// How many routers an IPv4 packet may pass, 1 to 255.
    ///
    /// ```
    /// use wakering_net::UdpSocket;
    ///
    /// wakering_runtime::run(async {
    ///     let socket = UdpSocket::bind("127.0.0.1:0").await?;
    ///     socket.set_ttl(9)?;
    ///     assert_eq!(socket.ttl()?, 9);
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    /// What setsockopt(2) says.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        option::set_ttl(self.as_fd(), ttl)
    }

    /// What [`set_ttl`](UdpSocket::set_ttl) has set.
    ///
    /// # Errors
    /// What getsockopt(2) says.
    pub fn ttl(&self) -> io::Result<u32> {
        option::ttl(self.as_fd())
    }

    /// Joins an IPv4 multicast group on the interface that has the address, or on one that the
    /// system picks (`UNSPECIFIED`).
    ///
    /// ```
    /// use std::net::Ipv4Addr;
    /// use wakering_net::UdpSocket;
    ///
    /// wakering_runtime::run(async {
    ///     let socket = UdpSocket::bind("0.0.0.0:0").await?;
    ///     let group = Ipv4Addr::new(224, 0, 0, 251);
    ///     if socket.join_multicast_v4(&group, &Ipv4Addr::LOCALHOST).is_ok() {
    ///         socket.leave_multicast_v4(&group, &Ipv4Addr::LOCALHOST)?;
    ///     }
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    /// `InvalidInput` if it is no group; what setsockopt(2) says.
    pub fn join_multicast_v4(&self, group: &Ipv4Addr, interface: &Ipv4Addr) -> io::Result<()> {
        option::join_multicast_v4(self.as_fd(), *group, *interface)
    }

    /// Leaves what [`join_multicast_v4`](UdpSocket::join_multicast_v4) has joined.
    ///
    /// # Errors
    /// `AddrNotAvailable` if it has not.
    pub fn leave_multicast_v4(&self, group: &Ipv4Addr, interface: &Ipv4Addr) -> io::Result<()> {
        option::leave_multicast_v4(self.as_fd(), *group, *interface)
    }

    /// Joins an IPv6 multicast group on the interface with this index, 0 for one that the system
    /// picks.
    ///
    /// # Errors
    /// `InvalidInput` if it is no group; what setsockopt(2) says.
    pub fn join_multicast_v6(&self, group: &Ipv6Addr, interface: u32) -> io::Result<()> {
        option::join_multicast_v6(self.as_fd(), *group, interface)
    }

    /// Leaves what [`join_multicast_v6`](UdpSocket::join_multicast_v6) has joined.
    ///
    /// # Errors
    /// `AddrNotAvailable` if it has not.
    pub fn leave_multicast_v6(&self, group: &Ipv6Addr, interface: u32) -> io::Result<()> {
        option::leave_multicast_v6(self.as_fd(), *group, interface)
    }

    /// Whether this machine gets the IPv4 multicasts that it sends.
    ///
    /// ```
    /// use wakering_net::UdpSocket;
    ///
    /// wakering_runtime::run(async {
    ///     let socket = UdpSocket::bind("127.0.0.1:0").await?;
    ///     socket.set_multicast_loop_v4(false)?;
    ///     assert!(!socket.multicast_loop_v4()?);
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    /// What setsockopt(2) says.
    pub fn set_multicast_loop_v4(&self, on: bool) -> io::Result<()> {
        option::set_multicast_loop_v4(self.as_fd(), on)
    }

    /// What [`set_multicast_loop_v4`](UdpSocket::set_multicast_loop_v4) has set.
    ///
    /// # Errors
    /// What getsockopt(2) says.
    pub fn multicast_loop_v4(&self) -> io::Result<bool> {
        option::multicast_loop_v4(self.as_fd())
    }

    /// Whether this machine gets the IPv6 multicasts that it sends.
    ///
    /// # Errors
    /// What setsockopt(2) says.
    pub fn set_multicast_loop_v6(&self, on: bool) -> io::Result<()> {
        option::set_multicast_loop_v6(self.as_fd(), on)
    }

    /// What [`set_multicast_loop_v6`](UdpSocket::set_multicast_loop_v6) has set.
    ///
    /// # Errors
    /// What getsockopt(2) says.
    pub fn multicast_loop_v6(&self) -> io::Result<bool> {
        option::multicast_loop_v6(self.as_fd())
    }

    /// How many routers an IPv4 multicast may pass, 0 to 255.
    ///
    /// ```
    /// use wakering_net::UdpSocket;
    ///
    /// wakering_runtime::run(async {
    ///     let socket = UdpSocket::bind("127.0.0.1:0").await?;
    ///     socket.set_multicast_ttl_v4(3)?;
    ///     assert_eq!(socket.multicast_ttl_v4()?, 3);
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    /// What setsockopt(2) says.
    pub fn set_multicast_ttl_v4(&self, ttl: u32) -> io::Result<()> {
        option::set_multicast_ttl_v4(self.as_fd(), ttl)
    }

    /// What [`set_multicast_ttl_v4`](UdpSocket::set_multicast_ttl_v4) has set.
    ///
    /// # Errors
    /// What getsockopt(2) says.
    pub fn multicast_ttl_v4(&self) -> io::Result<u32> {
        option::multicast_ttl_v4(self.as_fd())
    }

    /// Sends IPv4 multicasts out of the interface that has this address, or of one that the system
    /// picks (`UNSPECIFIED`).
    ///
    /// # Errors
    /// What setsockopt(2) says.
    pub fn set_multicast_interface_v4(&self, interface: &Ipv4Addr) -> io::Result<()> {
        option::set_multicast_interface_v4(self.as_fd(), *interface)
    }

    /// Sends IPv6 multicasts out of the interface with this index, 0 for one that the system picks.
    ///
    /// # Errors
    /// What setsockopt(2) says.
    pub fn set_multicast_interface_v6(&self, interface: u32) -> io::Result<()> {
        option::set_multicast_interface_v6(self.as_fd(), interface)
    }

    /// Has each datagram bring where it was sent to and the interface it came in by.
    ///
    /// # Errors
    /// What setsockopt(2) says.
    pub fn set_recv_packet_info(&self, on: bool) -> io::Result<()> {
        option::set_recv_packet_info(self.as_fd(), on)
    }

    /// Has each datagram bring its traffic class.
    ///
    /// ```
    /// use wakering_net::{SendMeta, UdpSocket};
    ///
    /// wakering_runtime::run(async {
    ///     let socket = UdpSocket::bind("127.0.0.1:0").await?;
    ///     socket.set_recv_traffic_class(true)?;
    ///     let meta = SendMeta::new().to(socket.local_addr()?).traffic_class(2);
    ///     socket.send_msg("!", meta).await?;
    ///     let (meta, _) = socket.recv_msg(vec![0; 8]).await?;
    ///     assert_eq!(meta.traffic_class, Some(2));
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    /// What setsockopt(2) says.
    pub fn set_recv_traffic_class(&self, on: bool) -> io::Result<()> {
        option::set_recv_traffic_class(self.as_fd(), on)
    }

    /// Lets the system join datagrams of one sender, so that one receive takes several in.
    ///
    /// # Errors
    /// What setsockopt(2) says.
    pub fn set_recv_segments(&self, on: bool) -> io::Result<()> {
        option::set_recv_segments(self.as_fd(), on)
    }

    /// Sets the size in bytes of the receive buffer; the system doubles and caps it.
    ///
    /// # Errors
    /// What setsockopt(2) says.
    pub fn set_recv_buffer_size(&self, size: u32) -> io::Result<()> {
        option::set_recv_buffer_size(self.as_fd(), size)
    }

    /// Sets the size in bytes of the send buffer; the system doubles and caps it.
    ///
    /// # Errors
    /// What setsockopt(2) says.
    pub fn set_send_buffer_size(&self, size: u32) -> io::Result<()> {
        option::set_send_buffer_size(self.as_fd(), size)
    }

    /// The error that the socket holds, which is thereby cleared (`SO_ERROR`). One that a receive has
    /// brought ahead is told by the next receive instead.
    ///
    /// # Errors
    /// What getsockopt(2) says.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        option::take_error(self.as_fd())
    }
}
