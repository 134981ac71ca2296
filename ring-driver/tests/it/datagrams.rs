//! Datagrams: bounds, senders, what travels beside the bytes, and groups.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::sync::Arc;
use std::time::Duration;

use wakering_ring_driver::op::{
    self, ControlMessage, Datagram, DatagramBuffer, Domain, SocketKind,
};
use wakering_ring_driver::testing::skip;
use wakering_ring_driver::{Driver, Fd, SocketAddress, option};

use crate::sockets::loopback;
use crate::{Wakes, adopt, each_way, poll_once};

const OPERATIONS: &[&str] = &["socket", "bind", "connect", "send", "recvmsg", "sendmsg"];

async fn udp() -> io::Result<(Fd, SocketAddress)> {
    let socket = op::socket(Domain::V4, SocketKind::Datagram).await?;
    op::bind(&socket, loopback()).await?;
    let address = option::local_address(&socket)?;
    Ok((socket, address))
}

async fn receive(socket: &Fd) -> io::Result<Datagram> {
    op::recv_msg(socket, DatagramBuffer::new()).await
}

/// Given two sockets; when datagrams are sent; then each comes whole, with its sender, also an
/// empty one, and one that does not fit says so.
#[test]
fn datagrams_keep_their_bounds_and_senders() {
    each_way(OPERATIONS, async |_: &Driver| {
        let ((one, one_address), (two, two_address)) = (udp().await?, udp().await?);
        assert_eq!(op::send_msg(&one, "ping", Some(two_address), vec![]).await?.0, 4);
        assert_eq!(op::send_msg(&one, "", Some(two_address), vec![]).await?.0, 0);
        let datagram = receive(&two).await?;
        assert_eq!(datagram.data(), b"ping");
        assert_eq!(datagram.address.unwrap().to_inet(), one_address.to_inet());
        assert!(!datagram.truncated && datagram.control.is_empty());
        let datagram = op::recv_msg(&two, datagram.into_buffer()).await?;
        assert_eq!(datagram.data(), b"");

        op::connect(&two, one_address).await?;
        assert_eq!(op::send(&two, "pong").await?.0, 4);
        let datagram = op::recv_msg(&one, DatagramBuffer::with_capacity(3)).await?;
        assert_eq!(datagram.data(), b"pon");
        assert!(datagram.truncated);

        let longest = vec![1; 65_507];
        let (n, mut longer) = op::send_msg(&two, longest, None, vec![]).await?;
        assert_eq!((n, receive(&one).await?.data().len()), (65_507, 65_507));
        longer.push(1);
        let failed = op::send_msg(&two, longer, None, vec![]).await.unwrap_err();
        assert_eq!((failed.error.raw_os_error(), failed.buf.len()), (Some(libc::EMSGSIZE), 65_508));

        // A third socket is not who it is connected to.
        let (three, _) = udp().await?;
        op::send_msg(&three, "stranger", Some(two_address), vec![]).await?;
        op::send_msg(&one, "friend", Some(two_address), vec![]).await?;
        assert_eq!(receive(&two).await?.data(), b"friend");
        Ok(())
    });
}

/// Given a dropped receive of a datagram; when it comes all the same; then the next receive gets it
/// whole.
#[test]
fn a_dropped_receive_loses_no_datagram() {
    each_way(&["recvmsg"], async |driver: &Driver| {
        let ((one, one_address), (two, two_address)) = (udp().await?, udp().await?);
        let wakes = Arc::new(Wakes::default());
        let mut recv = op::recv_msg(&two, DatagramBuffer::new());
        assert!(poll_once(driver, &mut recv, &wakes).is_pending());
        op::nop().await?;
        op::send_msg(&one, "first", Some(two_address), vec![]).await?;
        // It comes in the turn that follows.
        op::nop().await?;
        drop(recv);
        op::timeout(Duration::from_millis(5)).await?;
        op::send_msg(&one, "second", Some(two_address), vec![]).await?;
        let datagram = op::recv_msg(&two, DatagramBuffer::with_capacity(1)).await?;
        assert_eq!(datagram.data(), b"first", "not cut to the room of the second receive");
        assert_eq!(datagram.address.unwrap().to_inet(), one_address.to_inet());
        assert_eq!(receive(&two).await?.data(), b"second");
        Ok(())
    });
}

/// Given sockets that ask for control data; when datagrams carry some; then it arrives as it was
/// sent.
#[test]
fn control_data_travels_with_its_datagram() {
    each_way(&["recvmsg", "sendmsg"], async |_: &Driver| {
        let ((one, _), (two, two_address)) = (udp().await?, udp().await?);
        option::set_recv_packet_info(&two, true)?;
        option::set_recv_traffic_class(&two, true)?;
        let class = vec![ControlMessage::TrafficClass(0x28)];
        op::send_msg(&one, "x", Some(two_address), class).await?;
        let datagram = receive(&two).await?;
        let here = two_address.to_inet().unwrap().ip();
        let [info, class] = &datagram.control[..] else { panic!("{datagram:?}") };
        // The kernel gives them in an order of its own.
        let (info, class) = match info {
            ControlMessage::PacketInfo { .. } => (info, class),
            _ => (class, info),
        };
        let ControlMessage::PacketInfo { address, interface: 1.. } = info else {
            panic!("{info:?}")
        };
        assert_eq!(*address, here);
        assert!(matches!(class, ControlMessage::TrafficClass(0x28)), "{class:?}");

        // One send, cut by the system into datagrams of 100 bytes.
        let segments = vec![ControlMessage::SegmentSize(100)];
        op::send_msg(&one, vec![3; 250], Some(two_address), segments).await?;
        for expected in [100, 100, 50] {
            assert_eq!(receive(&two).await?.data().len(), expected);
        }
        // And joined again on the other side.
        option::set_recv_segments(&two, true)?;
        let segments = vec![ControlMessage::SegmentSize(100)];
        op::send_msg(&one, vec![3; 250], Some(two_address), segments).await?;
        let datagram = receive(&two).await?;
        if datagram.data().len() == 100 {
            let reason = "the loopback cuts what it sends, nobody joins it again";
            skip("control_data::segments", reason);
            return Ok(());
        }
        assert_eq!(datagram.data().len(), 250);
        let size = |message: &ControlMessage| matches!(message, ControlMessage::SegmentSize(100));
        assert!(datagram.control.iter().any(size), "{datagram:?}");
        Ok(())
    });
}

/// Given a Unix socket; when descriptors are sent along, also to a receive that was dropped; then
/// they work over there and nowhere else.
#[test]
fn descriptors_travel_and_have_one_owner() {
    each_way(&["recvmsg", "sendmsg"], async |driver: &Driver| {
        let (ours, theirs) = UnixDatagram::pair()?;
        let (ours, theirs) = (adopt(driver, ours), adopt(driver, theirs));
        let (mut reader, writer) = io::pipe()?;
        let rights = vec![ControlMessage::Rights(vec![writer.into()])];
        let wakes = Arc::new(Wakes::default());
        let mut recv = op::recv_msg(&theirs, DatagramBuffer::new());
        assert!(poll_once(driver, &mut recv, &wakes).is_pending());
        op::send_msg(&ours, "take this", None, rights).await?;
        drop(recv);
        let mut datagram = receive(&theirs).await?;
        assert_eq!(datagram.data(), b"take this");
        let Some(ControlMessage::Rights(mut fds)) = datagram.control.pop() else {
            panic!("no descriptor came")
        };
        let mut writer = io::PipeWriter::from(fds.pop().expect("one descriptor"));
        writer.write_all(b"!")?;
        drop(writer);
        let mut all = Vec::new();
        reader.read_to_end(&mut all)?;
        assert_eq!(all, b"!", "and the end: no other owner is left");
        Ok(())
    });
}

/// Given a datagram to a closed port; when the next one is sent or received; then the refusal is
/// told once.
#[test]
fn a_refused_datagram_is_told() {
    each_way(&["recvmsg", "sendmsg"], async |_: &Driver| {
        // One that hears somebody else only, so nobody takes what we send.
        let nobody = UdpSocket::bind("127.0.0.1:0")?;
        nobody.connect("127.0.0.1:9")?;
        let (socket, _) = udp().await?;
        op::connect(&socket, nobody.local_addr()?).await?;
        op::send_msg(&socket, "anybody?", None, vec![]).await?;
        let refused = receive(&socket).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        Ok(())
    });
}

/// Given a multicast group joined on loopback; when somebody sends to it; then we get it, until we
/// leave.
#[test]
fn multicasts_come_to_members() {
    let driver = crate::driver();
    crate::block_on(&driver, async {
        let socket = op::socket(Domain::V4, SocketKind::Datagram).await?;
        let group = Ipv4Addr::new(224, 0, 0, 199);
        option::set_reuse_address(&socket, true)?;
        op::bind(&socket, SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0))).await?;
        let port = option::local_address(&socket)?.to_inet().unwrap().port();
        if let Err(error) = option::join_multicast_v4(&socket, group, Ipv4Addr::LOCALHOST) {
            skip("multicasts_come_to_members", &format!("cannot join on loopback: {error}"));
            return Ok(());
        }
        let (sender, _) = udp().await?;
        option::set_multicast_interface_v4(&sender, Ipv4Addr::LOCALHOST)?;
        option::set_multicast_loop_v4(&sender, true)?;
        option::set_multicast_ttl_v4(&sender, 1)?;
        assert_eq!(option::multicast_ttl_v4(&sender)?, 1);
        let to = SocketAddress::from(SocketAddr::from((group, port)));
        op::send_msg(&sender, "all", Some(to), vec![]).await?;
        assert_eq!(receive(&socket).await?.data(), b"all");
        option::leave_multicast_v4(&socket, group, Ipv4Addr::LOCALHOST)?;
        let again = option::leave_multicast_v4(&socket, group, Ipv4Addr::LOCALHOST);
        assert_eq!(again.unwrap_err().kind(), io::ErrorKind::AddrNotAvailable);

        let v6 = op::socket(Domain::V6, SocketKind::Datagram).await?;
        let group = Ipv6Addr::new(0xff01, 0, 0, 0, 0, 0, 0, 0x199);
        if option::join_multicast_v6(&v6, group, 1).is_ok() {
            option::leave_multicast_v6(&v6, group, 1)?;
        }
        option::set_multicast_interface_v6(&v6, 1)
    })
    .unwrap();
}
