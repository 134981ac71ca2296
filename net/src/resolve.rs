//! Names to addresses, off the loop.
//!
//! An address that needs no look-up is used at once; a name goes to the system's resolver on a
//! thread of the pool, so that a slow name server does not stop the loop.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use wakering_ring_driver::Failure;
use wakering_runtime::blocking;

/// What can be turned into socket addresses, with the meaning of [`std::net::ToSocketAddrs`]:
/// addresses, pairs of host and port, and strings like `"localhost:80"`.
///
/// ```
/// use wakering_net::TcpListener;
///
/// wakering_runtime::run(async {
///     let by_text = TcpListener::bind("localhost:0").await?;
///     let by_pair = TcpListener::bind(("127.0.0.1", 0)).await?;
///     assert_ne!(by_text.local_addr()?.port(), by_pair.local_addr()?.port());
///     Ok::<_, std::io::Error>(())
/// })
/// # .unwrap();
/// ```
pub trait ToSocketAddrs: sealed::Sealed {}

impl<T: sealed::Sealed + ?Sized> ToSocketAddrs for T {}

/// All addresses of `host`, in the order in which the system prefers them.
///
/// ```
/// use wakering_net::lookup_host;
///
/// wakering_runtime::run(async {
///     let mut addresses = lookup_host("localhost:80").await?;
///     assert!(addresses.all(|address| address.port() == 80 && address.ip().is_loopback()));
///     Ok::<_, std::io::Error>(())
/// })
/// # .unwrap();
/// ```
///
/// # Errors
/// `InvalidInput` for text that is no `host:port`; what getaddrinfo(3) says, with the name.
///
/// # Cancellation
/// **Strict**. The look-up itself cannot be stopped and goes on without being waited for.
pub async fn lookup_host(host: impl ToSocketAddrs) -> io::Result<impl Iterator<Item = SocketAddr>> {
    Ok(resolve(host).await?.into_iter())
}

/// At least one address.
pub(crate) async fn resolve(host: impl ToSocketAddrs) -> io::Result<Vec<SocketAddr>> {
    let (name, found) = match host.target() {
        sealed::Target::Address(address) => return Ok(vec![address]),
        sealed::Target::Addresses(addresses) => (String::new(), Ok(addresses)),
        sealed::Target::Name(name) => {
            let asked = name.clone();
            (name, blocking::unblock(move || look_up(&asked)).abandon_on_cancel().await)
        }
    };
    match found {
        Ok(addresses) if addresses.is_empty() => {
            let error = io::Error::new(io::ErrorKind::InvalidInput, "there is no address to use");
            Err(Failure::wrap("resolve", name, error))
        }
        Ok(addresses) => Ok(addresses),
        Err(error) => Err(Failure::wrap("resolve", name, error)),
    }
}

/// The first one. What is an address already takes no memory for it.
pub(crate) async fn resolve_first(host: impl ToSocketAddrs) -> io::Result<SocketAddr> {
    match host.target() {
        sealed::Target::Address(address) => Ok(address),
        _ => Ok(resolve(host).await?[0]),
    }
}

fn look_up(name: &str) -> io::Result<Vec<SocketAddr>> {
    Ok(std::net::ToSocketAddrs::to_socket_addrs(name)?.collect())
}

mod sealed {
    use std::net::SocketAddr;

    /// Where an address comes from.
    pub enum Target {
        Address(SocketAddr),
        Addresses(Vec<SocketAddr>),
        Name(String),
    }

    pub trait Sealed {
        fn target(&self) -> Target;
    }
}

use sealed::{Sealed, Target};

impl Sealed for SocketAddr {
    fn target(&self) -> Target {
        Target::Address(*self)
    }
}

impl Sealed for SocketAddrV4 {
    fn target(&self) -> Target {
        SocketAddr::from(*self).target()
    }
}

impl Sealed for SocketAddrV6 {
    fn target(&self) -> Target {
        SocketAddr::from(*self).target()
    }
}

impl Sealed for (IpAddr, u16) {
    fn target(&self) -> Target {
        SocketAddr::from(*self).target()
    }
}

impl Sealed for (Ipv4Addr, u16) {
    fn target(&self) -> Target {
        SocketAddr::from(*self).target()
    }
}

impl Sealed for (Ipv6Addr, u16) {
    fn target(&self) -> Target {
        SocketAddr::from(*self).target()
    }
}

impl Sealed for [SocketAddr] {
    fn target(&self) -> Target {
        Target::Addresses(self.to_vec())
    }
}

impl Sealed for (&str, u16) {
    fn target(&self) -> Target {
        match self.0.parse::<IpAddr>() {
            Ok(ip) => (ip, self.1).target(),
            Err(_) => Target::Name(format!("{}:{}", self.0, self.1)),
        }
    }
}

impl Sealed for (String, u16) {
    fn target(&self) -> Target {
        (self.0.as_str(), self.1).target()
    }
}

impl Sealed for str {
    fn target(&self) -> Target {
        match self.parse::<SocketAddr>() {
            Ok(address) => address.target(),
            Err(_) => Target::Name(self.to_owned()),
        }
    }
}

impl Sealed for String {
    fn target(&self) -> Target {
        self.as_str().target()
    }
}

impl<T: Sealed + ?Sized> Sealed for &T {
    fn target(&self) -> Target {
        (**self).target()
    }
}
