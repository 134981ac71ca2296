//! Socket options by their own names, and the names of sockets.
//!
//! Each is one getsockopt(2) or setsockopt(2) that never waits, made through the driver like every
//! other effect on a descriptor. Names and units are those of std where std has them.

#![allow(unsafe_code)]

use std::io;
use std::mem::{MaybeUninit, size_of};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use libc::{IPPROTO_IP, IPPROTO_IPV6, IPPROTO_TCP, SOL_SOCKET};

use crate::address::SocketAddress;
use crate::fd::Fd;
use crate::op::Domain;
use crate::request::Request;

/// Defines getter and setter of options that are an integer to the kernel.
macro_rules! options {
    ($($(#[$doc:meta])* $get:ident, $set:ident: $type:ty = $level:ident $name:ident;)*) => {
        $(
            $(#[$doc])*
            pub fn $set(fd: &Fd, value: $type) -> io::Result<()> {
                set(fd, $level, libc::$name, &integer(value.into()))
            }

            #[doc = concat!("What [`", stringify!($set), "`] has set, or the system's default.")]
            pub fn $get(fd: &Fd) -> io::Result<$type> {
                let value: i32 = get(fd, $level, libc::$name)?;
                Ok(FromInteger::from_integer(value))
            }
        )*
    };
}

options! {
    /// Sends small pieces at once instead of waiting for acknowledgements to gather more (TCP).
    nodelay, set_nodelay: bool = IPPROTO_TCP TCP_NODELAY;
    /// How many routers an IPv4 packet may pass, 1 to 255.
    ttl, set_ttl: u32 = IPPROTO_IP IP_TTL;
    /// How many routers an IPv6 packet may pass, 1 to 255.
    hop_limit, set_hop_limit: u32 = IPPROTO_IPV6 IPV6_UNICAST_HOPS;
    /// Lets an address be bound of which old connections are still winding down.
    reuse_address, set_reuse_address: bool = SOL_SOCKET SO_REUSEADDR;
    /// Lets several sockets of one user be bound to the same address and share what comes.
    reuse_port, set_reuse_port: bool = SOL_SOCKET SO_REUSEPORT;
    /// Whether an idle connection is probed.
    keepalive, set_keepalive: bool = SOL_SOCKET SO_KEEPALIVE;
    /// After how many unanswered probes the connection is given up, 1 to 127.
    keepalive_retries, set_keepalive_retries: u32 = IPPROTO_TCP TCP_KEEPCNT;
    /// The size in bytes of the receive buffer. The system doubles what is set, and has a limit
    /// (`net.core.rmem_max`).
    recv_buffer_size, set_recv_buffer_size: u32 = SOL_SOCKET SO_RCVBUF;
    /// The size in bytes of the send buffer. The system doubles what is set, and has a limit
    /// (`net.core.wmem_max`).
    send_buffer_size, set_send_buffer_size: u32 = SOL_SOCKET SO_SNDBUF;
    /// Whether datagrams may be sent to broadcast addresses.
    broadcast, set_broadcast: bool = SOL_SOCKET SO_BROADCAST;
    /// Whether an IPv6 socket leaves IPv4 alone.
    only_v6, set_only_v6: bool = IPPROTO_IPV6 IPV6_V6ONLY;
    /// Whether this machine gets the IPv4 multicasts that it sends.
    multicast_loop_v4, set_multicast_loop_v4: bool = IPPROTO_IP IP_MULTICAST_LOOP;
    /// Whether this machine gets the IPv6 multicasts that it sends.
    multicast_loop_v6, set_multicast_loop_v6: bool = IPPROTO_IPV6 IPV6_MULTICAST_LOOP;
    /// How many routers an IPv4 multicast may pass, 0 to 255.
    multicast_ttl_v4, set_multicast_ttl_v4: u32 = IPPROTO_IP IP_MULTICAST_TTL;
    /// How many routers an IPv6 multicast may pass, 0 to 255.
    multicast_hops_v6, set_multicast_hops_v6: u32 = IPPROTO_IPV6 IPV6_MULTICAST_HOPS;
}

/// How long a connection is idle before it is probed, in whole seconds, 1 to 32,767; fractions are
/// rounded up.
pub fn set_keepalive_idle(fd: &Fd, idle: Duration) -> io::Result<()> {
    set(fd, IPPROTO_TCP, libc::TCP_KEEPIDLE, &seconds(idle))
}

/// What [`set_keepalive_idle`] has set, or the system's default.
pub fn keepalive_idle(fd: &Fd) -> io::Result<Duration> {
    get(fd, IPPROTO_TCP, libc::TCP_KEEPIDLE).map(from_seconds)
}

/// The time between two probes, in whole seconds, 1 to 32,767; fractions are rounded up.
pub fn set_keepalive_interval(fd: &Fd, interval: Duration) -> io::Result<()> {
    set(fd, IPPROTO_TCP, libc::TCP_KEEPINTVL, &seconds(interval))
}

/// What [`set_keepalive_interval`] has set, or the system's default.
pub fn keepalive_interval(fd: &Fd) -> io::Result<Duration> {
    get(fd, IPPROTO_TCP, libc::TCP_KEEPINTVL).map(from_seconds)
}

/// What close(2) does with bytes that are not sent yet: `None` sends them in the background, zero
/// throws them away and resets the connection, more waits so long (in whole seconds, rounded up).
pub fn set_linger(fd: &Fd, linger: Option<Duration>) -> io::Result<()> {
    let l_linger = linger.map_or(0, seconds);
    let value = libc::linger { l_onoff: i32::from(linger.is_some()), l_linger };
    set(fd, SOL_SOCKET, libc::SO_LINGER, &value)
}

/// What [`set_linger`] has set.
pub fn linger(fd: &Fd) -> io::Result<Option<Duration>> {
    let value: libc::linger = get(fd, SOL_SOCKET, libc::SO_LINGER)?;
    Ok((value.l_onoff != 0).then(|| from_seconds(value.l_linger)))
}

/// Joins the IPv4 multicast group on the interface that has the address, or on one that the system
/// picks (`UNSPECIFIED`).
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
pub fn set_multicast_interface_v4(fd: &Fd, interface: Ipv4Addr) -> io::Result<()> {
    set(fd, IPPROTO_IP, libc::IP_MULTICAST_IF, &in_addr(interface))
}

/// Sends IPv6 multicasts out of the interface with this index, 0 for one that the system picks.
pub fn set_multicast_interface_v6(fd: &Fd, interface: u32) -> io::Result<()> {
    set(fd, IPPROTO_IPV6, libc::IPV6_MULTICAST_IF, &interface)
}

/// Whether each datagram brings [`PacketInfo`](crate::op::ControlMessage::PacketInfo): where it was
/// sent to.
pub fn set_recv_packet_info(fd: &Fd, on: bool) -> io::Result<()> {
    by_domain(fd, (libc::IP_PKTINFO, libc::IPV6_RECVPKTINFO), on)
}

/// Whether each datagram brings its [`TrafficClass`](crate::op::ControlMessage::TrafficClass).
pub fn set_recv_traffic_class(fd: &Fd, on: bool) -> io::Result<()> {
    by_domain(fd, (libc::IP_RECVTOS, libc::IPV6_RECVTCLASS), on)
}

/// Whether datagrams of one sender may arrive joined, with their
/// [`SegmentSize`](crate::op::ControlMessage::SegmentSize) (UDP).
pub fn set_recv_segments(fd: &Fd, on: bool) -> io::Result<()> {
    set(fd, libc::SOL_UDP, libc::UDP_GRO, &i32::from(on))
}

/// Takes the error that the socket has met and told nobody yet.
pub fn take_error(fd: &Fd) -> io::Result<Option<io::Error>> {
    let errno: i32 = get(fd, SOL_SOCKET, libc::SO_ERROR)?;
    Ok((errno != 0).then(|| io::Error::from_raw_os_error(errno)))
}

/// Which addresses the socket uses.
///
/// # Errors
/// ENOTSOCK if it is none; `Unsupported` for other kinds of addresses than [`Domain`] names.
pub fn domain(fd: &Fd) -> io::Result<Domain> {
    match get(fd, SOL_SOCKET, libc::SO_DOMAIN)? {
        libc::AF_INET => Ok(Domain::V4),
        libc::AF_INET6 => Ok(Domain::V6),
        libc::AF_UNIX => Ok(Domain::Unix),
        family => {
            let message = format!("sockets of address family {family} are not supported");
            Err(io::Error::new(io::ErrorKind::Unsupported, message))
        }
    }
}

/// Who is at the other end of a Unix socket: as it was when the connection was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct PeerCredentials {
    /// The process, or `None` if it is not visible from here.
    pub pid: Option<u32>,
    /// Its effective user.
    pub uid: u32,
    /// Its effective group.
    pub gid: u32,
}

/// Who is at the other end of a connected Unix socket.
pub fn peer_credentials(fd: &Fd) -> io::Result<PeerCredentials> {
    let ucred: libc::ucred = get(fd, SOL_SOCKET, libc::SO_PEERCRED)?;
    let pid = u32::try_from(ucred.pid).ok().filter(|&pid| pid != 0);
    Ok(PeerCredentials { pid, uid: ucred.uid, gid: ucred.gid })
}

/// The address that the socket is bound to.
pub fn local_address(fd: &Fd) -> io::Result<SocketAddress> {
    let mut cell = SocketAddress::empty();
    let (address, len) = cell.as_out_ptrs();
    fd.call_now(|fd| Request::GetSockName { fd, address, len })?;
    Ok(cell)
}

/// The address that the socket is connected to.
///
/// # Errors
/// `NotConnected` also when the connection is over.
pub fn peer_address(fd: &Fd) -> io::Result<SocketAddress> {
    let mut cell = SocketAddress::empty();
    let (address, len) = cell.as_out_ptrs();
    fd.call_now(|fd| Request::GetPeerName { fd, address, len })?;
    Ok(cell)
}

/// `T` must be the plain type that the kernel reads for the option.
fn set<T: Copy>(fd: &Fd, level: i32, name: i32, value: &T) -> io::Result<()> {
    let (value, len) = ((&raw const *value).cast(), size_of::<T>() as u32);
    fd.call_now(|fd| Request::SetSockOpt { fd, level, name, value, len }).map(drop)
}

/// `T` must be the plain type that the kernel writes for the option, for which all zeros are valid.
fn get<T: Copy>(fd: &Fd, level: i32, name: i32) -> io::Result<T> {
    let mut cell = MaybeUninit::<T>::zeroed();
    let mut len = size_of::<T>() as u32;
    let (value, len) = (cell.as_mut_ptr().cast(), &raw mut len);
    fd.call_now(|fd| Request::GetSockOpt { fd, level, name, value, len })?;
    // SAFETY: integers and structures of integers, zeroed and then written to by the kernel.
    Ok(unsafe { cell.assume_init() })
}

fn by_domain(fd: &Fd, (v4, v6): (i32, i32), on: bool) -> io::Result<()> {
    match domain(fd)? {
        Domain::V6 => set(fd, IPPROTO_IPV6, v6, &i32::from(on)),
        _ => set(fd, IPPROTO_IP, v4, &i32::from(on)),
    }
}

/// What the kernel has as a signed integer; too large is as good as the largest.
fn integer(value: u32) -> i32 {
    value.try_into().unwrap_or(i32::MAX)
}

trait FromInteger {
    fn from_integer(value: i32) -> Self;
}

impl FromInteger for bool {
    fn from_integer(value: i32) -> bool {
        value != 0
    }
}

impl FromInteger for u32 {
    fn from_integer(value: i32) -> u32 {
        value.try_into().unwrap_or(0)
    }
}

fn seconds(duration: Duration) -> i32 {
    let up = u64::from(duration.subsec_nanos() > 0);
    duration.as_secs().saturating_add(up).try_into().unwrap_or(i32::MAX)
}

fn from_seconds(seconds: i32) -> Duration {
    Duration::from_secs(seconds.try_into().unwrap_or(0))
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
