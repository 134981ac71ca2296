//! What travels beside the bytes of a datagram: protocols that are built on UDP, QUIC first of all,
//! need to see and to choose it.

use std::io;
use std::net::{IpAddr, SocketAddr};

use wakering_ring_driver::op::{ControlMessage, Datagram};

use crate::address::inet;

/// What [`UdpSocket::recv_msg`](crate::UdpSocket::recv_msg) tells about a datagram.
///
/// ```
/// use wakering_net::UdpSocket;
///
/// wakering_runtime::run(async {
///     let server = UdpSocket::bind("127.0.0.1:0").await?;
///     server.set_recv_packet_info(true)?;
///     let client = UdpSocket::bind("127.0.0.1:0").await?;
///     client.send_to("0123456789", server.local_addr()?).await?;
///     let (meta, buf) = server.recv_msg(Vec::with_capacity(4)).await?;
///     assert_eq!((meta.len, meta.truncated, buf), (4, true, b"0123".to_vec()));
///     assert_eq!(meta.source, client.local_addr()?);
///     assert_eq!(meta.destination, Some(server.local_addr()?.ip()));
///     Ok::<_, std::io::Error>(())
/// })
/// # .unwrap();
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecvMeta {
    /// How many bytes there are in the buffer.
    pub len: usize,
    /// Whether there were more, which are lost.
    pub truncated: bool,
    /// Who sent it.
    pub source: SocketAddr,
    /// Where it was sent to: one of this machine's addresses, or a group. Needs
    /// [`set_recv_packet_info`](crate::UdpSocket::set_recv_packet_info).
    pub destination: Option<IpAddr>,
    /// The index of the interface that it came in by. Needs the same.
    pub interface: Option<u32>,
    /// The traffic class (TOS); its two lowest bits are the congestion mark (ECN). Needs
    /// [`set_recv_traffic_class`](crate::UdpSocket::set_recv_traffic_class).
    pub traffic_class: Option<u8>,
    /// The length in bytes of each of the datagrams that were joined here; the last may be shorter.
    /// Needs [`set_recv_segments`](crate::UdpSocket::set_recv_segments).
    pub segment_size: Option<u16>,
}

impl RecvMeta {
    pub(super) fn of(datagram: &Datagram, copied: usize) -> io::Result<RecvMeta> {
        let mut meta = RecvMeta {
            len: copied,
            truncated: datagram.truncated || copied < datagram.data().len(),
            source: source(datagram)?,
            destination: None,
            interface: None,
            traffic_class: None,
            segment_size: None,
        };
        for message in &datagram.control {
            match *message {
                ControlMessage::PacketInfo { address, interface } => {
                    meta.destination = Some(address);
                    meta.interface = Some(interface);
                }
                ControlMessage::TrafficClass(class) => meta.traffic_class = Some(class),
                ControlMessage::SegmentSize(size) => meta.segment_size = Some(size),
                _ => {}
            }
        }
        Ok(meta)
    }
}

pub(super) fn source(datagram: &Datagram) -> io::Result<SocketAddr> {
    let unnamed = || io::Error::new(io::ErrorKind::InvalidData, "a datagram without a sender");
    inet(datagram.address.ok_or_else(unnamed)?)
}

/// What [`UdpSocket::send_msg`](crate::UdpSocket::send_msg) says about a datagram. Where nothing is
/// said, the socket and the system decide.
///
/// ```
/// use wakering_net::{SendMeta, UdpSocket};
///
/// wakering_runtime::run(async {
///     let server = UdpSocket::bind("127.0.0.1:0").await?;
///     let client = UdpSocket::bind("127.0.0.1:0").await?;
///     // One call, and one walk through the system, for three datagrams.
///     let meta = SendMeta::new().to(server.local_addr()?).segment_size(4);
///     client.send_msg("one.two.tri.", meta).await?;
///     for expected in ["one.", "two.", "tri."] {
///         assert_eq!(server.recv(vec![0; 9]).await?.1, expected.as_bytes());
///     }
///     Ok::<_, std::io::Error>(())
/// })
/// # .unwrap();
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use = "it has an effect only when it is given to send_msg"]
pub struct SendMeta {
    pub(super) to: Option<SocketAddr>,
    source: Option<IpAddr>,
    interface: u32,
    traffic_class: Option<u8>,
    segment_size: Option<u16>,
}

impl SendMeta {
    /// Nothing special, to where the socket is connected.
    pub fn new() -> SendMeta {
        SendMeta::default()
    }

    /// Where it is sent to.
    pub fn to(mut self, address: SocketAddr) -> SendMeta {
        self.to = Some(address);
        self
    }

    /// The address of this machine that it comes from: the
    /// [`destination`](RecvMeta::destination) of what it answers, say.
    pub fn source(mut self, address: IpAddr) -> SendMeta {
        self.source = Some(address);
        self
    }

    /// The index of the interface that it leaves by; heeded together with a
    /// [`source`](SendMeta::source).
    pub fn interface(mut self, index: u32) -> SendMeta {
        self.interface = index;
        self
    }

    /// The traffic class (TOS); its two lowest bits are the congestion mark (ECN).
    pub fn traffic_class(mut self, class: u8) -> SendMeta {
        self.traffic_class = Some(class);
        self
    }

    /// Cuts the bytes into datagrams of this length each, the last of which may be shorter.
    pub fn segment_size(mut self, size: u16) -> SendMeta {
        self.segment_size = Some(size);
        self
    }

    pub(super) fn control(&self) -> Vec<ControlMessage> {
        let interface = self.interface;
        let info = self.source.map(|address| ControlMessage::PacketInfo { address, interface });
        let class = self.traffic_class.map(ControlMessage::TrafficClass);
        let size = self.segment_size.map(ControlMessage::SegmentSize);
        [info, class, size].into_iter().flatten().collect()
    }
}
