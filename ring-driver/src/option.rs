//! Socket options by their own names, and the names of sockets.
//!
//! Each is one getsockopt(2) or setsockopt(2) that never waits, made through the driver like every
//! other effect on a descriptor. Names and units are those of std where std has them.

#![allow(unsafe_code)]

use std::io;
use std::mem::{MaybeUninit, size_of};
use std::time::Duration;

use libc::{IPPROTO_IP, IPPROTO_IPV6, IPPROTO_TCP, SOL_SOCKET};

use crate::address::SocketAddress;
use crate::fd::Fd;
use crate::op::Domain;
use crate::request::Request;

/// Membership of groups.
mod multicast;

pub use multicast::{
    join_multicast_v4, join_multicast_v6, leave_multicast_v4, leave_multicast_v6,
    set_multicast_interface_v4, set_multicast_interface_v6,
};

/// Defines getter and setter of options that are an integer to the kernel.
macro_rules! options {
    ($(
        $(#[$doc:meta])*
        $get:ident, $set:ident: $type:ty = $level:ident $name:ident,
        $sample:literal on $domain:ident $kind:ident reads $read:literal;
    )*) => {
        $(
            $(#[$doc])*
            ///
            /// ```
            /// use wakering_ring_driver::op::{self, Domain, SocketKind};
            /// use wakering_ring_driver::option;
            ///
            /// # wakering_ring_driver::testing::block_on(async {
            #[doc = concat!(
                "let socket = op::socket(Domain::", stringify!($domain), ", SocketKind::",
                stringify!($kind), ").await?;"
            )]
            #[doc = concat!("option::", stringify!($set), "(&socket, ", $sample, ")?;")]
            #[doc = concat!("assert_eq!(option::", stringify!($get), "(&socket)?, ", $read, ");")]
            /// # Ok::<_, std::io::Error>(())
            /// # }).unwrap();
            /// ```
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
    nodelay, set_nodelay: bool = IPPROTO_TCP TCP_NODELAY,
        true on V4 Stream reads true;
    /// How many routers an IPv4 packet may pass, 1 to 255.
    ttl, set_ttl: u32 = IPPROTO_IP IP_TTL,
        9 on V4 Stream reads 9;
    /// How many routers an IPv6 packet may pass, 1 to 255.
    hop_limit, set_hop_limit: u32 = IPPROTO_IPV6 IPV6_UNICAST_HOPS,
        9 on V6 Stream reads 9;
    /// Lets an address be bound of which old connections are still winding down.
    reuse_address, set_reuse_address: bool = SOL_SOCKET SO_REUSEADDR,
        true on V4 Stream reads true;
    /// Lets several sockets of one user be bound to the same address and share what comes.
    reuse_port, set_reuse_port: bool = SOL_SOCKET SO_REUSEPORT,
        true on V4 Stream reads true;
    /// Whether an idle connection is probed.
    keepalive, set_keepalive: bool = SOL_SOCKET SO_KEEPALIVE,
        true on V4 Stream reads true;
    /// After how many unanswered probes the connection is given up, 1 to 127.
    keepalive_retries, set_keepalive_retries: u32 = IPPROTO_TCP TCP_KEEPCNT,
        5 on V4 Stream reads 5;
    /// The size in bytes of the receive buffer. The system doubles what is set, and has a limit
    /// (`net.core.rmem_max`).
    recv_buffer_size, set_recv_buffer_size: u32 = SOL_SOCKET SO_RCVBUF,
        20_000 on V4 Stream reads 40_000;
    /// The size in bytes of the send buffer. The system doubles what is set, and has a limit
    /// (`net.core.wmem_max`).
    send_buffer_size, set_send_buffer_size: u32 = SOL_SOCKET SO_SNDBUF,
        20_000 on V4 Stream reads 40_000;
    /// Whether datagrams may be sent to broadcast addresses.
    broadcast, set_broadcast: bool = SOL_SOCKET SO_BROADCAST,
        true on V4 Datagram reads true;
    /// Whether an IPv6 socket leaves IPv4 alone.
    only_v6, set_only_v6: bool = IPPROTO_IPV6 IPV6_V6ONLY,
        true on V6 Stream reads true;
    /// Whether this machine gets the IPv4 multicasts that it sends.
    multicast_loop_v4, set_multicast_loop_v4: bool = IPPROTO_IP IP_MULTICAST_LOOP,
        false on V4 Datagram reads false;
    /// Whether this machine gets the IPv6 multicasts that it sends.
    multicast_loop_v6, set_multicast_loop_v6: bool = IPPROTO_IPV6 IPV6_MULTICAST_LOOP,
        false on V6 Datagram reads false;
    /// How many routers an IPv4 multicast may pass, 0 to 255.
    multicast_ttl_v4, set_multicast_ttl_v4: u32 = IPPROTO_IP IP_MULTICAST_TTL,
        3 on V4 Datagram reads 3;
    /// How many routers an IPv6 multicast may pass, 0 to 255.
    multicast_hops_v6, set_multicast_hops_v6: u32 = IPPROTO_IPV6 IPV6_MULTICAST_HOPS,
        3 on V6 Datagram reads 3;
}

/// How long a connection is idle before it is probed, in whole seconds, 1 to 32,767; fractions are
/// rounded up.
///
/// ```
/// use std::time::Duration;
/// use wakering_ring_driver::op::{self, Domain, SocketKind};
/// use wakering_ring_driver::option;
///
/// # wakering_ring_driver::testing::block_on(async {
/// let socket = op::socket(Domain::V4, SocketKind::Stream).await?;
/// option::set_keepalive_idle(&socket, Duration::from_millis(29_500))?;
/// assert_eq!(option::keepalive_idle(&socket)?, Duration::from_secs(30));
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
pub fn set_keepalive_idle(fd: &Fd, idle: Duration) -> io::Result<()> {
    set(fd, IPPROTO_TCP, libc::TCP_KEEPIDLE, &seconds(idle))
}

/// What [`set_keepalive_idle`] has set, or the system's default.
pub fn keepalive_idle(fd: &Fd) -> io::Result<Duration> {
    get(fd, IPPROTO_TCP, libc::TCP_KEEPIDLE).map(from_seconds)
}

/// The time between two probes, in whole seconds, 1 to 32,767; fractions are rounded up.
///
/// ```
/// use std::time::Duration;
/// use wakering_ring_driver::op::{self, Domain, SocketKind};
/// use wakering_ring_driver::option;
///
/// # wakering_ring_driver::testing::block_on(async {
/// let socket = op::socket(Domain::V4, SocketKind::Stream).await?;
/// option::set_keepalive_interval(&socket, Duration::from_secs(5))?;
/// assert_eq!(option::keepalive_interval(&socket)?, Duration::from_secs(5));
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
pub fn set_keepalive_interval(fd: &Fd, interval: Duration) -> io::Result<()> {
    set(fd, IPPROTO_TCP, libc::TCP_KEEPINTVL, &seconds(interval))
}

/// What [`set_keepalive_interval`] has set, or the system's default.
pub fn keepalive_interval(fd: &Fd) -> io::Result<Duration> {
    get(fd, IPPROTO_TCP, libc::TCP_KEEPINTVL).map(from_seconds)
}

/// What close(2) does with bytes that are not sent yet: `None` sends them in the background, zero
/// throws them away and resets the connection, more waits so long (in whole seconds, rounded up).
///
/// ```
/// use std::time::Duration;
/// use wakering_ring_driver::op::{self, Domain, SocketKind};
/// use wakering_ring_driver::option;
///
/// # wakering_ring_driver::testing::block_on(async {
/// let socket = op::socket(Domain::V4, SocketKind::Stream).await?;
/// option::set_linger(&socket, Some(Duration::ZERO))?;
/// assert_eq!(option::linger(&socket)?, Some(Duration::ZERO));
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
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

/// Whether each datagram brings [`PacketInfo`](crate::op::ControlMessage::PacketInfo): where it was
/// sent to.
///
/// ```
/// use wakering_ring_driver::op::{self, Domain, SocketKind};
/// use wakering_ring_driver::option;
///
/// # wakering_ring_driver::testing::block_on(async {
/// let socket = op::socket(Domain::V4, SocketKind::Datagram).await?;
/// option::set_recv_packet_info(&socket, true)?;
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
pub fn set_recv_packet_info(fd: &Fd, on: bool) -> io::Result<()> {
    by_domain(fd, (libc::IP_PKTINFO, libc::IPV6_RECVPKTINFO), on)
}

/// Whether each datagram brings its [`TrafficClass`](crate::op::ControlMessage::TrafficClass).
///
/// ```
/// use wakering_ring_driver::op::{self, Domain, SocketKind};
/// use wakering_ring_driver::option;
///
/// # wakering_ring_driver::testing::block_on(async {
/// let socket = op::socket(Domain::V4, SocketKind::Datagram).await?;
/// option::set_recv_traffic_class(&socket, true)?;
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
pub fn set_recv_traffic_class(fd: &Fd, on: bool) -> io::Result<()> {
    by_domain(fd, (libc::IP_RECVTOS, libc::IPV6_RECVTCLASS), on)
}

/// Whether datagrams of one sender may arrive joined, with their
/// [`SegmentSize`](crate::op::ControlMessage::SegmentSize) (UDP).
///
/// ```
/// use wakering_ring_driver::op::{self, Domain, SocketKind};
/// use wakering_ring_driver::option;
///
/// # wakering_ring_driver::testing::block_on(async {
/// let socket = op::socket(Domain::V4, SocketKind::Datagram).await?;
/// option::set_recv_segments(&socket, true)?;
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
pub fn set_recv_segments(fd: &Fd, on: bool) -> io::Result<()> {
    set(fd, libc::SOL_UDP, libc::UDP_GRO, &i32::from(on))
}

/// Takes the error that the socket has met and told nobody yet.
///
/// ```
/// use wakering_ring_driver::op::{self, Domain, SocketKind};
/// use wakering_ring_driver::option;
///
/// # wakering_ring_driver::testing::block_on(async {
/// let socket = op::socket(Domain::V4, SocketKind::Stream).await?;
/// assert!(option::take_error(&socket)?.is_none());
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
pub fn take_error(fd: &Fd) -> io::Result<Option<io::Error>> {
    let errno: i32 = get(fd, SOL_SOCKET, libc::SO_ERROR)?;
    Ok((errno != 0).then(|| io::Error::from_raw_os_error(errno)))
}

/// Which addresses the socket uses.
///
/// ```
/// use wakering_ring_driver::op::{self, Domain, SocketKind};
/// use wakering_ring_driver::option;
///
/// # wakering_ring_driver::testing::block_on(async {
/// let socket = op::socket(Domain::V6, SocketKind::Stream).await?;
/// assert_eq!(option::domain(&socket)?, Domain::V6);
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
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
///
/// ```
/// use std::os::unix::net::UnixStream;
/// use wakering_ring_driver::{Driver, Fd, Sharing, option};
///
/// # wakering_ring_driver::testing::block_on(async {
/// let (ours, _theirs) = UnixStream::pair()?;
/// let ours = Fd::adopt(&Driver::current()?, ours.into(), Sharing::Private)?;
/// assert_eq!(option::peer_credentials(&ours)?.pid, Some(std::process::id()));
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
pub fn peer_credentials(fd: &Fd) -> io::Result<PeerCredentials> {
    let ucred: libc::ucred = get(fd, SOL_SOCKET, libc::SO_PEERCRED)?;
    let pid = u32::try_from(ucred.pid).ok().filter(|&pid| pid != 0);
    Ok(PeerCredentials { pid, uid: ucred.uid, gid: ucred.gid })
}

/// The address that the socket is bound to.
///
/// ```
/// use std::os::unix::net::UnixStream;
/// use wakering_ring_driver::{Driver, Fd, Sharing, option};
///
/// # wakering_ring_driver::testing::block_on(async {
/// let (ours, _theirs) = UnixStream::pair()?;
/// let ours = Fd::adopt(&Driver::current()?, ours.into(), Sharing::Private)?;
/// let address = option::local_address(&ours)?.to_unix().expect("a Unix socket");
/// assert!(address.is_unnamed());
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
pub fn local_address(fd: &Fd) -> io::Result<SocketAddress> {
    let mut cell = SocketAddress::empty();
    let (address, len) = cell.as_out_ptrs();
    fd.call_now(|fd| Request::GetSockName { fd, address, len })?;
    Ok(cell)
}

/// The address that the socket is connected to.
///
/// ```
/// use wakering_ring_driver::op::{self, Domain, SocketKind};
/// use wakering_ring_driver::option;
///
/// # wakering_ring_driver::testing::block_on(async {
/// let socket = op::socket(Domain::V4, SocketKind::Stream).await?;
/// assert!(option::peer_address(&socket).is_err(), "it is not connected");
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
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
