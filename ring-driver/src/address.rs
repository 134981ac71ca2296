//! Socket addresses and paths in the form the kernel reads and writes.
//!
//! The kernel wants a tagged union of unknown length; std has closed types and no pointers to give
//! away. A [`SocketAddress`] is the one cell between the two: it is large enough for every family,
//! is handed to the kernel by address, and is turned into std's types only where a person looks at
//! it. A [`KernelPath`] does the same for paths. Neither is parsed or resolved here; names are the
//! resolver's business.

#![allow(unsafe_code)]

use std::ffi::{CStr, CString, OsStr, c_char};
use std::fmt;
use std::io;
use std::mem::{offset_of, size_of};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net;
use std::path::Path;

/// The address of one end of a socket, of any family.
///
/// ```
/// use std::net::SocketAddr;
/// use wakering_ring_driver::SocketAddress;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let address: SocketAddr = "[::1]:8080".parse()?;
/// assert_eq!(SocketAddress::from(address).to_inet(), Some(address));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy)]
#[repr(C)]
pub struct SocketAddress {
    storage: libc::sockaddr_storage,
    /// How many bytes of `storage` count. The kernel may report more than it had room to write.
    len: u32,
}

const CAPACITY: u32 = size_of::<libc::sockaddr_storage>() as u32;
const UNIX_PATH: usize = offset_of!(libc::sockaddr_un, sun_path);

impl SocketAddress {
    /// A cell with no address in it, for the kernel to fill.
    pub(crate) fn empty() -> SocketAddress {
        // SAFETY: sockaddr_storage is plain bytes; all zeros is the valid value AF_UNSPEC.
        let storage = unsafe { std::mem::zeroed() };
        SocketAddress { storage, len: CAPACITY }
    }

    /// An address that the kernel has written elsewhere.
    pub(crate) fn from_bytes(name: &[u8]) -> SocketAddress {
        let mut address = SocketAddress::empty();
        let len = name.len().min(CAPACITY as usize);
        // SAFETY: the storage has room for as many bytes, and `address` is a value of ours.
        unsafe {
            (&raw mut address.storage).cast::<u8>().copy_from_nonoverlapping(name.as_ptr(), len);
        }
        address.len = len as u32;
        address
    }

    /// The address as IPv4 or IPv6, if it is one.
    pub fn to_inet(&self) -> Option<SocketAddr> {
        match self.family() {
            libc::AF_INET => {
                let v4: &libc::sockaddr_in = self.view()?;
                let ip = Ipv4Addr::from(u32::from_be(v4.sin_addr.s_addr));
                Some(SocketAddr::V4(SocketAddrV4::new(ip, u16::from_be(v4.sin_port))))
            }
            libc::AF_INET6 => {
                let v6: &libc::sockaddr_in6 = self.view()?;
                let ip = Ipv6Addr::from(v6.sin6_addr.s6_addr);
                let port = u16::from_be(v6.sin6_port);
                Some(SocketAddr::V6(SocketAddrV6::new(
                    ip,
                    port,
                    v6.sin6_flowinfo,
                    v6.sin6_scope_id,
                )))
            }
            _ => None,
        }
    }

    /// The address as that of a Unix socket (a path, an abstract name or unnamed), if it is one.
    ///
    /// A socket that was never bound has no address at all, which counts as unnamed.
    pub fn to_unix(&self) -> Option<net::SocketAddr> {
        if self.len != 0 && self.family() != libc::AF_UNIX {
            return None;
        }
        let name = self.unix_name();
        match name.first() {
            None => net::SocketAddr::from_pathname("").ok(),
            Some(0) => net::SocketAddr::from_abstract_name(&name[1..]).ok(),
            Some(_) => {
                let end = name.iter().position(|&byte| byte == 0).unwrap_or(name.len());
                net::SocketAddr::from_pathname(OsStr::from_bytes(&name[..end])).ok()
            }
        }
    }

    /// What the kernel reads: the address and how long it is.
    pub(crate) fn as_ptr(&self) -> *const libc::sockaddr {
        (&raw const self.storage).cast()
    }

    pub(crate) fn len(&self) -> u32 {
        self.len.min(CAPACITY)
    }

    /// What the kernel writes: room for an address, and a length that says how much room before the
    /// call and how much was needed after it.
    pub(crate) fn as_out_ptrs(&mut self) -> (*mut libc::sockaddr, *mut u32) {
        self.len = CAPACITY;
        ((&raw mut self.storage).cast(), &raw mut self.len)
    }

    /// Takes over the length that the kernel wrote elsewhere, in a message header say.
    pub(crate) fn set_len(&mut self, len: u32) {
        self.len = len;
    }

    pub(crate) fn family(&self) -> i32 {
        match self.len() >= 2 {
            true => i32::from(self.storage.ss_family),
            false => libc::AF_UNSPEC,
        }
    }

    /// The storage as the address type of its family, if it is long enough to be one.
    fn view<T>(&self) -> Option<&T> {
        const { assert!(size_of::<T>() <= CAPACITY as usize) };
        if (self.len() as usize) < size_of::<T>() {
            return None;
        }
        // SAFETY: only called with sockaddr_in and sockaddr_in6, plain integers for which every bit
        // pattern is valid. sockaddr_storage is at least as large (asserted above) and as aligned
        // as any address type, by its contract.
        Some(unsafe { &*(&raw const self.storage).cast::<T>() })
    }

    fn unix_name(&self) -> &[u8] {
        let len = (self.len() as usize).saturating_sub(UNIX_PATH);
        // SAFETY: the range lies within `storage`, because len() is capped by its size, and all of
        // it is initialised.
        unsafe {
            let start = (&raw const self.storage).cast::<u8>().add(UNIX_PATH);
            std::slice::from_raw_parts(start, len)
        }
    }

    /// `value` must be one of the sockaddr types.
    fn from_kernel<T: Copy>(value: T) -> SocketAddress {
        const { assert!(size_of::<T>() <= CAPACITY as usize) };
        let mut address = SocketAddress::empty();
        // SAFETY: the storage is large and aligned enough for any address type (see `view`).
        unsafe { (&raw mut address.storage).cast::<T>().write(value) };
        address.len = size_of::<T>() as u32;
        address
    }
}

impl From<SocketAddr> for SocketAddress {
    fn from(address: SocketAddr) -> SocketAddress {
        match address {
            SocketAddr::V4(v4) => SocketAddress::from_kernel(libc::sockaddr_in {
                sin_family: libc::AF_INET as libc::sa_family_t,
                sin_port: v4.port().to_be(),
                sin_addr: libc::in_addr { s_addr: u32::from(*v4.ip()).to_be() },
                sin_zero: [0; 8],
            }),
            SocketAddr::V6(v6) => SocketAddress::from_kernel(libc::sockaddr_in6 {
                sin6_family: libc::AF_INET6 as libc::sa_family_t,
                sin6_port: v6.port().to_be(),
                sin6_flowinfo: v6.flowinfo(),
                sin6_addr: libc::in6_addr { s6_addr: v6.ip().octets() },
                sin6_scope_id: v6.scope_id(),
            }),
        }
    }
}

impl From<&net::SocketAddr> for SocketAddress {
    fn from(address: &net::SocketAddr) -> SocketAddress {
        let mut out = SocketAddress::empty();
        out.storage.ss_family = libc::AF_UNIX as libc::sa_family_t;
        // An abstract name begins with a zero byte and ends where the length says; a path ends with
        // a zero byte, which the storage already holds.
        let (skip, name, terminator) = match (address.as_pathname(), address.as_abstract_name()) {
            (Some(path), _) => (0, path.as_os_str().as_bytes(), 1),
            (None, Some(name)) => (1, name, 0),
            (None, None) => (0, &[][..], 0),
        };
        // SAFETY: std's type holds at most the 108 bytes of sun_path, marker and terminator
        // included, and the storage is larger than a sockaddr_un.
        unsafe {
            let start = (&raw mut out.storage).cast::<u8>().add(UNIX_PATH + skip);
            start.copy_from_nonoverlapping(name.as_ptr(), name.len());
        }
        out.len = (UNIX_PATH + skip + name.len() + terminator) as u32;
        out
    }
}

impl fmt::Debug for SocketAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.to_inet(), self.to_unix()) {
            (Some(inet), _) => inet.fmt(f),
            (None, Some(unix)) => unix.fmt(f),
            (None, None) => write!(f, "(address of family {})", self.family()),
        }
    }
}

/// A path as the kernel takes it, or the fact that there is none because it has a zero byte in it.
///
/// The error waits until the operation is awaited, so that making an operation cannot fail.
#[derive(Debug)]
pub(crate) struct KernelPath(Option<CString>);

impl KernelPath {
    pub(crate) fn new(path: &Path) -> KernelPath {
        KernelPath(CString::new(path.as_os_str().as_bytes()).ok())
    }

    pub(crate) fn as_ptr(&self) -> *const c_char {
        self.0.as_deref().unwrap_or(c"").as_ptr()
    }

    /// The error that std gives for the same path, if it is not usable.
    pub(crate) fn refuse(&self) -> Option<io::Error> {
        let message = "file name contained an unexpected NUL byte";
        self.0.is_none().then(|| io::Error::new(io::ErrorKind::InvalidInput, message))
    }
}

impl From<CString> for KernelPath {
    fn from(path: CString) -> KernelPath {
        KernelPath(Some(path))
    }
}

impl fmt::Display for KernelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.as_deref().map(CStr::to_string_lossy).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inet_addresses_survive_the_round_trip() {
        let addresses = [
            "127.0.0.1:80".parse().unwrap(),
            "255.255.255.255:65535".parse().unwrap(),
            "[::1]:8080".parse().unwrap(),
            SocketAddr::V6(SocketAddrV6::new(Ipv6Addr::LOCALHOST, 1, 0x1234_5678, 9)),
        ];
        for address in addresses {
            let cell = SocketAddress::from(address);
            assert_eq!(cell.to_inet(), Some(address));
            assert!(cell.to_unix().is_none());
        }
    }

    #[test]
    fn unix_addresses_survive_the_round_trip() {
        let longest = "x".repeat(107);
        let path = net::SocketAddr::from_pathname(&longest).unwrap();
        let cell = SocketAddress::from(&path);
        assert_eq!(cell.to_unix().unwrap().as_pathname(), Some(Path::new(&longest)));
        assert_eq!(cell.len(), 110);

        let hidden = net::SocketAddr::from_abstract_name(b"with\0zero").unwrap();
        let back = SocketAddress::from(&hidden).to_unix().unwrap();
        assert_eq!(back.as_abstract_name(), Some(&b"with\0zero"[..]));

        let unnamed = net::SocketAddr::from_pathname("").unwrap();
        assert!(SocketAddress::from(&unnamed).to_unix().unwrap().is_unnamed());
        assert!(SocketAddress::from(&unnamed).to_inet().is_none());
    }

    #[test]
    fn a_length_beyond_the_cell_is_not_believed() {
        let mut cell = SocketAddress::from("127.0.0.1:80".parse::<SocketAddr>().unwrap());
        cell.set_len(4096);
        assert_eq!(cell.len(), CAPACITY);
        assert!(cell.to_inet().is_some());
        cell.set_len(1);
        assert!(cell.to_inet().is_none());
    }

    #[test]
    fn a_path_with_a_zero_byte_is_refused_as_std_refuses_it() {
        let bad = Path::new("a\0b");
        let ours = KernelPath::new(bad).refuse().unwrap();
        let std = std::fs::File::open(bad).unwrap_err();
        assert_eq!(ours.kind(), std.kind());
        assert_eq!(ours.to_string(), std.to_string());
        assert!(KernelPath::new(Path::new("fine")).refuse().is_none());
    }
}
