//! What travels beside the bytes of a message: descriptors, the address it came to, its class, its
//! segments.
//!
//! The kernel packs these into headers of its own (cmsg(3)). They are unpacked as soon as a message
//! has come, because a descriptor that lies in a byte buffer has no owner.

#![allow(unsafe_code)]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// One piece of control data. Unknown kinds are left out of what was received.
///
/// ```
/// use std::os::unix::net::UnixDatagram;
/// use wakering_ring_driver::op::{self, ControlMessage, DatagramBuffer};
/// use wakering_ring_driver::{Driver, Fd, Sharing};
///
/// # wakering_ring_driver::testing::block_on(async {
/// let (ours, theirs) = UnixDatagram::pair()?;
/// let driver = Driver::current()?;
/// let ours = Fd::adopt(&driver, ours.into(), Sharing::Private)?;
/// let theirs = Fd::adopt(&driver, theirs.into(), Sharing::Private)?;
/// let rights = ControlMessage::Rights(vec![std::fs::File::open("/dev/null")?.into()]);
/// op::send_msg(&ours, "take this", None, vec![rights]).await?;
/// let datagram = op::recv_msg(&theirs, DatagramBuffer::new()).await?;
/// assert!(matches!(&datagram.control[..], [ControlMessage::Rights(fds)] if fds.len() == 1));
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum ControlMessage {
    /// Unix sockets: descriptors, which the receiver owns. At most 253 in a message.
    Rights(Vec<OwnedFd>),
    /// Received: the address that a datagram was sent to and the index of the interface it came in
    /// by. Sent: the address it shall come from and the interface it shall leave by, 0 for any.
    PacketInfo {
        /// Where it was sent to, or shall come from.
        address: IpAddr,
        /// The index of the interface.
        interface: u32,
    },
    /// The traffic class (TOS) of the IP header; the two lowest bits are the congestion mark (ECN).
    TrafficClass(u8),
    /// The size in bytes of the datagrams that a received buffer is made of, or that a sent one is
    /// to be cut into.
    SegmentSize(u16),
}

const HEADER: usize = align(size_of::<usize>() + 8);

const fn align(len: usize) -> usize {
    len.next_multiple_of(size_of::<usize>())
}

/// Control data in the kernel's form, aligned, together with the descriptors that it names.
#[derive(Debug, Default)]
pub(super) struct ControlBytes {
    words: Vec<usize>,
    len: usize,
    /// Lent until the message has been sent, which duplicates them.
    _rights: Vec<OwnedFd>,
}

impl ControlBytes {
    pub(super) fn encode(messages: Vec<ControlMessage>) -> ControlBytes {
        let mut control = ControlBytes::default();
        for message in messages {
            match message {
                ControlMessage::Rights(fds) => {
                    let numbers: Vec<u8> =
                        fds.iter().flat_map(|fd| fd.as_raw_fd().to_ne_bytes()).collect();
                    control.push(libc::SOL_SOCKET, libc::SCM_RIGHTS, &numbers);
                    control._rights.extend(fds);
                }
                ControlMessage::PacketInfo { address: IpAddr::V4(source), interface } => {
                    let mut info = [0; 12];
                    info[..4].copy_from_slice(&interface.to_ne_bytes());
                    info[4..8].copy_from_slice(&source.octets());
                    control.push(libc::IPPROTO_IP, libc::IP_PKTINFO, &info);
                }
                ControlMessage::PacketInfo { address: IpAddr::V6(source), interface } => {
                    let mut info = [0; 20];
                    info[..16].copy_from_slice(&source.octets());
                    info[16..].copy_from_slice(&interface.to_ne_bytes());
                    control.push(libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, &info);
                }
                // The socket knows which protocol it speaks and passes over what is meant for the
                // other.
                ControlMessage::TrafficClass(class) => {
                    let class = i32::from(class).to_ne_bytes();
                    control.push(libc::IPPROTO_IP, libc::IP_TOS, &class);
                    control.push(libc::IPPROTO_IPV6, libc::IPV6_TCLASS, &class);
                }
                ControlMessage::SegmentSize(size) => {
                    control.push(libc::SOL_UDP, libc::UDP_SEGMENT, &size.to_ne_bytes());
                }
            }
        }
        control
    }

    fn push(&mut self, level: i32, kind: i32, data: &[u8]) {
        let mut bytes = Vec::with_capacity(HEADER + align(data.len()));
        bytes.extend((HEADER + data.len()).to_ne_bytes());
        bytes.extend(level.to_ne_bytes());
        bytes.extend(kind.to_ne_bytes());
        bytes.resize(HEADER, 0);
        bytes.extend(data);
        self.len = self.words.len() * size_of::<usize>() + bytes.len();
        bytes.resize(align(bytes.len()), 0);
        let (words, _) = bytes.as_chunks();
        self.words.extend(words.iter().map(|&word| usize::from_ne_bytes(word)));
    }

    pub(super) fn as_ptr(&self) -> *const usize {
        self.words.as_ptr()
    }

    /// In bytes, without the padding behind the last message.
    pub(super) fn len(&self) -> usize {
        self.len
    }
}

/// Unpacks what the kernel has written.
///
/// # Safety
/// The bytes come from a receive that has just completed and are unpacked once: the descriptors in
/// them belong to nobody yet.
pub(super) unsafe fn decode(mut bytes: &[u8]) -> Vec<ControlMessage> {
    let mut messages = Vec::new();
    while let Some(len) = number::<{ size_of::<usize>() }>(bytes, 0).map(usize::from_ne_bytes) {
        let Some(data) = bytes.get(HEADER..len) else { break };
        let level = number(bytes, size_of::<usize>()).map(i32::from_ne_bytes);
        let kind = number(bytes, size_of::<usize>() + 4).map(i32::from_ne_bytes);
        messages.extend(match (level, kind) {
            (Some(libc::SOL_SOCKET), Some(libc::SCM_RIGHTS)) => {
                let (numbers, _) = data.as_chunks();
                let own = |&number| {
                    // SAFETY: the kernel has put these descriptors into our table for this message;
                    // the caller vouches that nobody has taken them yet.
                    unsafe { OwnedFd::from_raw_fd(i32::from_ne_bytes(number)) }
                };
                Some(ControlMessage::Rights(numbers.iter().map(own).collect()))
            }
            (Some(libc::IPPROTO_IP), Some(libc::IP_PKTINFO)) => {
                // interface, local address, destination in the header: the last is what the sender
                // wrote.
                let interface = number(data, 0).map(u32::from_ne_bytes);
                let address = number::<4>(data, 8).map(Ipv4Addr::from);
                packet_info(address, interface)
            }
            (Some(libc::IPPROTO_IPV6), Some(libc::IPV6_PKTINFO)) => {
                let address = number::<16>(data, 0).map(Ipv6Addr::from);
                packet_info(address, number(data, 16).map(u32::from_ne_bytes))
            }
            // A byte here and an integer there.
            (Some(libc::IPPROTO_IP), Some(libc::IP_TOS)) => {
                data.first().map(|&class| ControlMessage::TrafficClass(class))
            }
            (Some(libc::IPPROTO_IPV6), Some(libc::IPV6_TCLASS)) => {
                let class = number(data, 0).map(i32::from_ne_bytes);
                class.map(|class| ControlMessage::TrafficClass(class as u8))
            }
            (Some(libc::SOL_UDP), Some(libc::UDP_GRO)) => {
                let size = number(data, 0).map(i32::from_ne_bytes);
                size.map(|size| ControlMessage::SegmentSize(size as u16))
            }
            _ => None,
        });
        bytes = bytes.get(align(len)..).unwrap_or_default();
    }
    messages
}

fn packet_info<A: Into<IpAddr>>(
    address: Option<A>,
    interface: Option<u32>,
) -> Option<ControlMessage> {
    let (address, interface) = (address?.into(), interface?);
    Some(ControlMessage::PacketInfo { address, interface })
}

fn number<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(control: &ControlBytes) -> Vec<u8> {
        let mut bytes: Vec<u8> = control.words.iter().flat_map(|word| word.to_ne_bytes()).collect();
        bytes.truncate(control.len());
        bytes
    }

    #[test]
    fn headers_are_laid_out_as_libc_lays_them_out() {
        // SAFETY: arithmetic only.
        unsafe {
            assert_eq!(HEADER, libc::CMSG_LEN(0) as usize);
            for len in 0..20 {
                assert_eq!(HEADER + align(len as usize), libc::CMSG_SPACE(len) as usize);
            }
        }
        let control = ControlBytes::encode(vec![ControlMessage::SegmentSize(1200)]);
        // SAFETY: the words are aligned and hold one whole header.
        let header = unsafe { control.as_ptr().cast::<libc::cmsghdr>().read() };
        assert_eq!(header.cmsg_len as usize, control.len());
        assert_eq!((header.cmsg_level, header.cmsg_type), (libc::SOL_UDP, libc::UDP_SEGMENT));
    }

    #[test]
    fn what_was_packed_is_unpacked() {
        let (one, two) = std::os::unix::net::UnixStream::pair().unwrap();
        let numbers = [one.as_raw_fd(), two.as_raw_fd()];
        let control = ControlBytes::encode(vec![
            ControlMessage::PacketInfo { address: "::1".parse().unwrap(), interface: 7 },
            ControlMessage::TrafficClass(0xb9),
            ControlMessage::Rights(vec![one.into(), two.into()]),
        ]);
        let bytes = bytes(&control);
        std::mem::forget(control._rights);
        // SAFETY: the descriptors were just given up.
        let messages = unsafe { decode(&bytes) };
        let [info, v4, v6, rights] = &messages[..] else { panic!("{messages:?}") };
        let here: IpAddr = "::1".parse().unwrap();
        assert!(
            matches!(info, ControlMessage::PacketInfo { address, interface: 7 } if *address == here)
        );
        assert!(matches!(v4, ControlMessage::TrafficClass(0xb9)));
        assert!(matches!(v6, ControlMessage::TrafficClass(0xb9)));
        let ControlMessage::Rights(fds) = rights else { panic!("{rights:?}") };
        assert_eq!(fds.iter().map(AsRawFd::as_raw_fd).collect::<Vec<_>>(), numbers);
    }

    #[test]
    fn damaged_and_unknown_control_data_is_passed_over() {
        let known = bytes(&ControlBytes::encode(vec![ControlMessage::TrafficClass(1)]));
        for cut in 0..HEADER {
            // SAFETY: no descriptors in there.
            assert!(unsafe { decode(&known[..cut]) }.is_empty());
        }
        let mut unknown = ControlBytes::default();
        unknown.push(libc::SOL_SOCKET, 9999, b"abc");
        unknown.push(libc::IPPROTO_IP, libc::IP_TOS, &[4]);
        // SAFETY: no descriptors in there.
        let messages = unsafe { decode(&bytes(&unknown)) };
        assert!(matches!(messages[..], [ControlMessage::TrafficClass(4)]));
        // SAFETY: no descriptors in there. A length of zero must not loop for ever.
        assert!(unsafe { decode(&[0; 64]) }.is_empty());
    }
}
