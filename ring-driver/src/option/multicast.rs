//! Membership of multicast groups.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};

use libc::{IPPROTO_IP, IPPROTO_IPV6};

use super::set;
use crate::fd::Fd;

/// Joins the IPv4 multicast group on the interface that has the address, or on one that the system
/// picks (`UNSPECIFIED`).
///
/// ```
/// use std::net::Ipv4Addr;
/// use wakering_ring_driver::op::{self, Domain, SocketKind};
/// use wakering_ring_driver::option;
///
/// # wakering_ring_driver::testing::block_on(async {
/// let socket = op::socket(Domain::V4, SocketKind::Datagram).await?;
/// let group = Ipv4Addr::new(224, 0, 0, 251);
/// if option::join_multicast_v4(&socket, group, Ipv4Addr::LOCALHOST).is_ok() {
///     option::leave_multicast_v4(&socket, group, Ipv4Addr::LOCALHOST)?;
/// }
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
pub fn join_multicast_v4(fd: &Fd, group: Ipv4Addr, interface: Ipv4Addr) -> io::Result<()> {
    set(fd, IPPROTO_IP, libc::IP_ADD_MEMBERSHIP, &membership_v4(group, interface))
}

/// Leaves what [`join_multicast_v4`] has joined.
pub fn leave_multicast_v4(fd: &Fd, group: Ipv4Addr, interface: Ipv4Addr) -> io::Result<()> {
    set(fd, IPPROTO_IP, libc::IP_DROP_MEMBERSHIP, &membership_v4(group, interface))
}

/// Joins the IPv6 multicast group on the interface with this index, 0 for one that the system
/// picks.
pub fn join_multicast_v6(fd: &Fd, group: Ipv6Addr, interface: u32) -> io::Result<()> {
    set(fd, IPPROTO_IPV6, libc::IPV6_ADD_MEMBERSHIP, &membership_v6(group, interface))
}

/// Leaves what [`join_multicast_v6`] has joined.
pub fn leave_multicast_v6(fd: &Fd, group: Ipv6Addr, interface: u32) -> io::Result<()> {
    set(fd, IPPROTO_IPV6, libc::IPV6_DROP_MEMBERSHIP, &membership_v6(group, interface))
}

/// Sends IPv4 multicasts out of the interface that has this address, or of one that the system
/// picks (`UNSPECIFIED`).
///
/// ```
/// use std::net::Ipv4Addr;
/// use wakering_ring_driver::op::{self, Domain, SocketKind};
/// use wakering_ring_driver::option;
///
/// # wakering_ring_driver::testing::block_on(async {
/// let socket = op::socket(Domain::V4, SocketKind::Datagram).await?;
/// option::set_multicast_interface_v4(&socket, Ipv4Addr::LOCALHOST)?;
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
pub fn set_multicast_interface_v4(fd: &Fd, interface: Ipv4Addr) -> io::Result<()> {
    set(fd, IPPROTO_IP, libc::IP_MULTICAST_IF, &in_addr(interface))
}

/// Sends IPv6 multicasts out of the interface with this index, 0 for one that the system picks.
pub fn set_multicast_interface_v6(fd: &Fd, interface: u32) -> io::Result<()> {
    set(fd, IPPROTO_IPV6, libc::IPV6_MULTICAST_IF, &interface)
}

fn in_addr(address: Ipv4Addr) -> libc::in_addr {
    libc::in_addr { s_addr: u32::from(address).to_be() }
}

fn membership_v4(group: Ipv4Addr, interface: Ipv4Addr) -> libc::ip_mreq {
    libc::ip_mreq { imr_multiaddr: in_addr(group), imr_interface: in_addr(interface) }
}

fn membership_v6(group: Ipv6Addr, interface: u32) -> libc::ipv6_mreq {
    let ipv6mr_multiaddr = libc::in6_addr { s6_addr: group.octets() };
    libc::ipv6_mreq { ipv6mr_multiaddr, ipv6mr_interface: interface }
}
