//! Socket and pipe operations on the real kernel, each in the ring and, where the ring is told to
//! do without it, as a plain call.

use std::future::{Future, poll_fn};
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::{Duration, Instant};

use wakering_ring_driver::op::{
    self, ControlMessage, Datagram, DatagramBuffer, Domain, Interest, SocketKind,
};
use wakering_ring_driver::testing::{patience, skip};
use wakering_ring_driver::{Driver, Fd, IoBuf, Sharing, SocketAddress, option};

use crate::{Wakes, each_way, poll_once};

const OPERATIONS: &[&str] = &[
    "read", "write", "readv", "writev", "socket", "bind", "listen", "connect", "accept", "recv",
    "send", "recvmsg", "sendmsg", "shutdown",
];

fn adopt(driver: &Driver, fd: impl Into<OwnedFd>) -> io::Result<Fd> {
    Fd::adopt(driver, fd.into(), Sharing::Private)
}

fn room(capacity: usize) -> Vec<u8> {
    Vec::with_capacity(capacity)
}

fn loopback() -> SocketAddress {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()
}

/// A listener on a free port, and its address.
async fn listener() -> io::Result<(Fd, SocketAddress)> {
    let listener = op::socket(Domain::V4, SocketKind::Stream).await?;
    op::bind(&listener, loopback()).await?;
    op::listen(&listener, 16).await?;
    let address = option::local_address(&listener)?;
    Ok((listener, address))
}

/// Both ends of a TCP connection.
async fn connection() -> io::Result<(Fd, Fd)> {
    let (listener, address) = listener().await?;
    let ours = op::socket(Domain::V4, SocketKind::Stream).await?;
    op::connect(&ours, address).await?;
    Ok((ours, op::accept(&listener).await?.0))
}

/// Given a listener; when a client connects; then both know each other's address and bytes go both
/// ways until the end.
#[test]
fn a_connection_from_socket_to_end_of_stream() {
    each_way(OPERATIONS, async |_: &Driver| {
        let (listener, address) = listener().await?;
        let client = op::socket(Domain::V4, SocketKind::Stream).await?;
        op::connect(&client, address).await?;
        let (server, peer) = op::accept(&listener).await?;
        assert_eq!(peer.to_inet(), option::local_address(&client)?.to_inet());
        assert_eq!(option::peer_address(&client)?.to_inet(), address.to_inet());
        assert_eq!(option::local_address(&server)?.to_inet(), address.to_inet());

        assert_eq!(op::send(&client, "hello").await?.0, 5);
        let (n, buf) = op::peek(&server, room(3)).await?;
        assert_eq!((n, buf.as_slice()), (3, b"hel".as_slice()));
        let (n, buf) = op::recv(&server, buf).await?;
        assert_eq!((n, buf.as_slice()), (3, b"hel".as_slice()));
        let (n, buf) = op::recv(&server, room(64)).await?;
        assert_eq!((n, buf.as_slice()), (2, b"lo".as_slice()));

        let bufs = vec![b"ab".to_vec(), vec![], b"cde".to_vec()];
        assert_eq!(op::send_vectored(&server, bufs).await?.0, 5);
        let (n, bufs) = op::read_vectored(&client, vec![room(1), room(0), room(9)]).await?;
        assert_eq!((n, bufs), (5, vec![b"a".to_vec(), vec![], b"bcde".to_vec()]));

        op::shutdown(&client, Shutdown::Write).await?;
        assert_eq!(op::recv(&server, room(8)).await?.0, 0);
        assert_eq!(op::send(&server, "bye").await?.0, 3, "the other direction lives");
        assert_eq!(op::recv(&client, room(8)).await?.1, b"bye");
        option::take_error(&client)?.map_or(Ok(()), Err)
    });
}

/// Given a receiver that is slower; when much is sent at once; then one send sends all of it.
#[test]
fn a_send_is_not_short() {
    each_way(&["recv"], async |driver: &Driver| {
        const LEN: usize = 8 << 20;
        let (ours, mut theirs) = UnixStream::pair()?;
        let ours = adopt(driver, ours)?;
        let reader = std::thread::spawn(move || {
            let mut all = Vec::new();
            theirs.read_to_end(&mut all).map(|_| all)
        });
        let buf: Vec<u8> = (0..LEN).map(|i| (i / 4096) as u8).collect();
        let (n, sent) = op::send(&ours, buf).await?;
        assert_eq!(n, LEN);
        drop(ours);
        assert!(reader.join().unwrap()? == sent);
        Ok(())
    });
}

/// Given peers that are gone; when they are spoken to; then the error has the right kind, and no
/// signal kills us.
#[test]
fn failures_have_their_kinds() {
    each_way(OPERATIONS, async |driver: &Driver| {
        let (taken, address) = listener().await?;
        let second = op::socket(Domain::V4, SocketKind::Stream).await?;
        let failed = op::bind(&second, address).await.unwrap_err();
        assert_eq!(failed.kind(), io::ErrorKind::AddrInUse);
        drop((taken, second));

        // Bound, and nobody listens.
        let unused = op::socket(Domain::V4, SocketKind::Stream).await?;
        op::bind(&unused, loopback()).await?;
        let client = op::socket(Domain::V4, SocketKind::Stream).await?;
        let address = option::local_address(&unused)?;
        let failed = op::connect(&client, address).await.unwrap_err();
        assert_eq!(failed.kind(), io::ErrorKind::ConnectionRefused);
        let failed = op::shutdown(&client, Shutdown::Both).await.unwrap_err();
        assert_eq!(failed.kind(), io::ErrorKind::NotConnected);

        let (ours, theirs) = connection().await?;
        option::set_linger(&theirs, Some(Duration::ZERO))?;
        op::send(&ours, "never read").await?;
        drop(theirs);
        let failed = op::recv(&ours, vec![7; 4]).await.unwrap_err();
        assert_eq!((failed.error.kind(), failed.buf), (io::ErrorKind::ConnectionReset, vec![7; 4]));
        let failed = op::send(&ours, vec![1]).await.unwrap_err();
        assert_eq!((failed.error.kind(), failed.buf), (io::ErrorKind::BrokenPipe, vec![1]));
        let failed = op::send_vectored(&ours, vec!["x"]).await.unwrap_err();
        assert_eq!(failed.error.kind(), io::ErrorKind::BrokenPipe);

        let (ours, _theirs) = UnixStream::pair()?;
        let ours = adopt(driver, ours)?;
        let failed = op::recv(&ours, Vec::new()).await.unwrap_err();
        assert_eq!(failed.error.kind(), io::ErrorKind::InvalidInput, "never Ok(0)");
        Ok(())
    });
}

/// Given a multishot accept; when it is dropped with connections waiting; then the next accept gets
/// each of them.
#[test]
fn connections_outlive_the_multishot_that_brought_them() {
    let driver = crate::driver();
    if !driver.capabilities().multishot_accept {
        return skip("connections_outlive_the_multishot_that_brought_them", "no multishot_accept");
    }
    crate::block_on(&driver, async {
        let (listener, address) = listener().await?;
        let address = address.to_inet().unwrap();
        let mut incoming = op::accept_multi(&listener);
        let first = TcpStream::connect(address)?;
        let accepted = incoming.next().await.expect("goes on")?;
        let peer = option::peer_address(&accepted)?.to_inet();
        assert_eq!(peer, Some(first.local_addr()?));

        let (second, third) = (TcpStream::connect(address)?, TcpStream::connect(address)?);
        op::timeout(Duration::from_millis(10)).await?;
        drop(incoming);
        let mut peers = vec![];
        for _ in 0..2 {
            peers.push(op::accept(&listener).await?.1.to_inet().unwrap());
        }
        assert_eq!(peers, [second.local_addr()?, third.local_addr()?]);
        io::Result::Ok(())
    })
    .unwrap();
}

/// Given a dropped one-shot accept; when a client had come in the meantime; then the next accept
/// gets it.
#[test]
fn a_dropped_accept_loses_no_client() {
    each_way(&["accept"], async |driver: &Driver| {
        let (listener, address) = listener().await?;
        let wakes = std::sync::Arc::new(Wakes::default());
        let mut accept = op::accept(&listener);
        assert!(poll_once(driver, &mut accept, &wakes).is_pending());
        let client = TcpStream::connect(address.to_inet().unwrap())?;
        drop(accept);
        let (_, peer) = op::accept(&listener).await?;
        assert_eq!(peer.to_inet(), Some(client.local_addr()?));
        Ok(())
    });
}

/// Given a multishot receive; when bytes come in pieces; then it yields them all and then the end.
#[test]
fn a_multishot_receive_yields_bytes_until_the_end() {
    let driver = crate::driver();
    crate::block_on(&driver, async {
        let (ours, mut theirs) = UnixStream::pair()?;
        let ours = adopt(&driver, ours)?;
        let mut stream = match op::recv_multi(&ours) {
            Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                skip("a_multishot_receive_yields_bytes_until_the_end", "no multishot_recv");
                return Ok(());
            }
            stream => stream?,
        };
        theirs.write_all(b"first")?;
        assert_eq!(*stream.next().await.expect("bytes")?, *b"first");
        theirs.write_all(b"second")?;
        assert_eq!(*stream.next().await.expect("bytes")?, *b"second");
        drop(theirs);
        assert!(stream.next().await.expect("the end")?.is_empty());
        assert!(stream.next().await.is_none());
        io::Result::Ok(())
    })
    .unwrap();
}

/// Given a multishot receive; when bytes come and at once the end; then both are told.
#[test]
fn a_multishot_receive_is_told_of_an_end_that_comes_with_bytes() {
    const NAME: &str = "a_multishot_receive_is_told_of_an_end_that_comes_with_bytes";
    let driver = crate::driver();
    if !driver.capabilities().multishot_recv {
        return skip(NAME, "no multishot_recv");
    }
    crate::block_on(&driver, async {
        let (ours, mut theirs) = UnixStream::pair()?;
        let ours = adopt(&driver, ours)?;
        let mut stream = op::recv_multi(&ours)?;
        theirs.write_all(b"first")?;
        assert_eq!(*stream.next().await.expect("bytes")?, *b"first");
        theirs.write_all(b"last")?;
        drop(theirs);
        assert_eq!(*stream.next().await.expect("bytes")?, *b"last");
        let mut limit = op::timeout(patience(Duration::from_secs(1)));
        let end = poll_fn(|cx| match stream.poll_next(cx) {
            Poll::Ready(end) => Poll::Ready(end),
            Poll::Pending => Pin::new(&mut limit).poll(cx).map(|_| None),
        });
        match end.await {
            Some(end) => assert!(end?.is_empty()),
            None => skip(NAME, "the kernel goes back to waiting for what has come already"),
        }
        io::Result::Ok(())
    })
    .unwrap();
}

/// Given a multishot receive that read ahead; when it is dropped; then the next receive gets its
/// bytes in order.
#[test]
fn bytes_outlive_the_multishot_that_brought_them() {
    let driver = crate::driver();
    if !driver.capabilities().multishot_recv {
        return skip("bytes_outlive_the_multishot_that_brought_them", "no multishot_recv");
    }
    crate::block_on(&driver, async {
        let (ours, mut theirs) = UnixStream::pair()?;
        let ours = adopt(&driver, ours)?;
        let mut stream = op::recv_multi(&ours)?;
        theirs.write_all(b"0123")?;
        assert_eq!(*stream.next().await.expect("bytes")?, *b"0123");
        theirs.write_all(b"4567")?;
        op::timeout(Duration::from_millis(10)).await?;
        drop(stream);
        theirs.write_all(b"89")?;
        let mut got = Vec::new();
        while got.len() < 6 {
            got.extend(op::recv(&ours, room(3)).await?.1);
        }
        assert_eq!(got, b"456789");

        // And the other way round: a multishot begins with what a one-shot left.
        let wakes = std::sync::Arc::new(Wakes::default());
        let mut recv = op::recv(&ours, room(8));
        assert!(poll_once(&driver, &mut recv, &wakes).is_pending());
        theirs.write_all(b"ab")?;
        drop(recv);
        op::timeout(Duration::from_millis(10)).await?;
        theirs.write_all(b"cd")?;
        drop(theirs);
        let mut stream = op::recv_multi(&ours)?;
        let mut got = Vec::new();
        while let Some(bytes) = stream.next().await {
            let bytes = bytes?;
            if bytes.is_empty() {
                break;
            }
            got.extend_from_slice(&bytes);
        }
        assert_eq!(got, b"abcd");
        io::Result::Ok(())
    })
    .unwrap();
}

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
        let wakes = std::sync::Arc::new(Wakes::default());
        let mut recv = op::recv_msg(&two, DatagramBuffer::new());
        assert!(poll_once(driver, &mut recv, &wakes).is_pending());
        op::nop().await?;
        op::send_msg(&one, "first", Some(two_address), vec![]).await?;
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
        let (ours, theirs) = (adopt(driver, ours)?, adopt(driver, theirs)?);
        let (mut reader, writer) = io::pipe()?;
        let rights = vec![ControlMessage::Rights(vec![writer.into()])];
        let wakes = std::sync::Arc::new(Wakes::default());
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

/// Given a pipe; when it is read and written; then it is a stream with an end and a broken one.
#[test]
fn a_pipe_is_a_stream() {
    each_way(OPERATIONS, async |driver: &Driver| {
        let (reader, writer) = io::pipe()?;
        let (reader, writer) = (adopt(driver, reader)?, adopt(driver, writer)?);
        assert_eq!(op::write(&writer, "abc").await?.0, 3);
        assert_eq!(op::write_vectored(&writer, vec!["", "de", "f"]).await?.0, 3);
        let (n, buf) = op::read(&reader, room(2)).await?;
        assert_eq!((n, buf.as_slice()), (2, b"ab".as_slice()));
        let (n, bufs) = op::read_vectored(&reader, vec![room(1), room(9)]).await?;
        assert_eq!((n, bufs), (4, vec![b"c".to_vec(), b"def".to_vec()]));

        let wakes = std::sync::Arc::new(Wakes::default());
        let mut read = op::read_vectored(&reader, vec![vec![0; 2].into_boxed_slice(); 2]);
        assert!(poll_once(driver, &mut read, &wakes).is_pending());
        op::write(&writer, "ghi").await?;
        drop(read);
        assert_eq!(op::read(&reader, room(8)).await?.1, b"ghi", "put back, in order and no more");

        drop(writer);
        assert_eq!(op::read(&reader, room(8)).await?.0, 0);
        let (reader, writer) = io::pipe()?;
        let writer = adopt(driver, writer)?;
        drop(reader);
        let failed = op::write(&writer, vec![1]).await.unwrap_err();
        assert_eq!((failed.error.kind(), failed.buf), (io::ErrorKind::BrokenPipe, vec![1]));
        Ok(())
    });
}

/// Given a foreign descriptor; when it becomes ready; then the one who waits is told for what.
#[test]
fn readiness_of_a_foreign_descriptor_is_told() {
    let driver = crate::driver();
    crate::block_on(&driver, async {
        let (ours, mut theirs) = UnixStream::pair()?;
        let ours = Rc::new(ours);
        let both = Interest { readable: true, writable: true };
        assert_eq!(op::poll(Rc::clone(&ours), both).await?, Interest::WRITABLE);
        let wakes = std::sync::Arc::new(Wakes::default());
        let mut poll = op::poll(Rc::clone(&ours), Interest::READABLE);
        assert!(poll_once(&driver, &mut poll, &wakes).is_pending());
        theirs.write_all(b"!")?;
        assert_eq!(poll.await?, Interest::READABLE);
        drop(theirs);
        assert!(op::poll(Rc::clone(&ours), both).await?.readable);
        io::Result::Ok(())
    })
    .unwrap();
}

/// Given timers; when they are awaited; then none is early, a long one can be taken back, and the
/// longest is accepted.
#[test]
fn a_timer_is_never_early() {
    let driver = crate::driver();
    crate::block_on(&driver, async {
        for millis in [0, 1, 20] {
            let start = Instant::now();
            op::timeout(Duration::from_millis(millis)).await?;
            assert!(start.elapsed() >= Duration::from_millis(millis));
        }
        for long in [Duration::from_secs(3600), Duration::MAX] {
            let wakes = std::sync::Arc::new(Wakes::default());
            let mut timeout = op::timeout(long);
            assert!(poll_once(&driver, &mut timeout, &wakes).is_pending());
            op::nop().await?;
            let outcome = timeout.cancel().await.unwrap_err();
            assert_eq!(outcome.raw_os_error(), Some(libc::ECANCELED), "{long:?}");
        }
        io::Result::Ok(())
    })
    .unwrap();
}

/// Given sockets; when options are set; then they read back, and the foreign side sees them where
/// it can.
#[test]
fn options_read_back_as_they_were_set() {
    let driver = crate::driver();
    crate::block_on(&driver, async {
        let tcp = op::socket(Domain::V4, SocketKind::Stream).await?;
        assert_eq!(option::domain(&tcp)?, Domain::V4);
        for on in [true, false] {
            option::set_nodelay(&tcp, on)?;
            option::set_reuse_address(&tcp, on)?;
            option::set_reuse_port(&tcp, on)?;
            option::set_keepalive(&tcp, on)?;
            assert_eq!((option::nodelay(&tcp)?, option::reuse_address(&tcp)?), (on, on));
            assert_eq!((option::reuse_port(&tcp)?, option::keepalive(&tcp)?), (on, on));
        }
        option::set_ttl(&tcp, 42)?;
        assert_eq!(option::ttl(&tcp)?, 42);
        assert_eq!(option::set_ttl(&tcp, 256).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        option::set_keepalive_idle(&tcp, Duration::from_millis(29_500))?;
        option::set_keepalive_interval(&tcp, Duration::from_secs(5))?;
        option::set_keepalive_retries(&tcp, 4)?;
        assert_eq!(option::keepalive_idle(&tcp)?, Duration::from_secs(30), "rounded up");
        assert_eq!(option::keepalive_interval(&tcp)?, Duration::from_secs(5));
        assert_eq!(option::keepalive_retries(&tcp)?, 4);
        for linger in [Some(Duration::from_secs(3)), Some(Duration::ZERO), None] {
            option::set_linger(&tcp, linger)?;
            assert_eq!(option::linger(&tcp)?, linger);
        }
        option::set_recv_buffer_size(&tcp, 20_000)?;
        option::set_send_buffer_size(&tcp, 30_000)?;
        assert_eq!(option::recv_buffer_size(&tcp)?, 40_000, "the system doubles it");
        assert_eq!(option::send_buffer_size(&tcp)?, 60_000);
        assert!(option::take_error(&tcp)?.is_none());

        let v6 = op::socket(Domain::V6, SocketKind::Datagram).await?;
        assert_eq!(option::domain(&v6)?, Domain::V6);
        option::set_only_v6(&v6, true)?;
        option::set_hop_limit(&v6, 9)?;
        option::set_multicast_hops_v6(&v6, 3)?;
        option::set_multicast_loop_v6(&v6, false)?;
        assert!(option::only_v6(&v6)? && !option::multicast_loop_v6(&v6)?);
        assert_eq!((option::hop_limit(&v6)?, option::multicast_hops_v6(&v6)?), (9, 3));
        option::set_recv_packet_info(&v6, true)?;

        let (ours, _theirs) = UnixStream::pair()?;
        let ours = adopt(&driver, ours)?;
        let credentials = option::peer_credentials(&ours)?;
        assert_eq!(credentials.pid, Some(std::process::id()));
        assert_eq!(option::domain(&ours)?, Domain::Unix);
        assert!(option::local_address(&ours)?.to_unix().unwrap().is_unnamed());

        let pipe = adopt(&driver, io::pipe()?.0)?;
        assert_eq!(option::nodelay(&pipe).unwrap_err().raw_os_error(), Some(libc::ENOTSOCK));
        io::Result::Ok(())
    })
    .unwrap();
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

/// Given parts of buffers; when they are sent and filled; then nothing beside the parts is touched.
#[test]
fn slices_lend_their_part_only() {
    each_way(&["recv", "send"], async |driver: &Driver| {
        let (ours, theirs) = UnixStream::pair()?;
        let (ours, theirs) = (adopt(driver, ours)?, adopt(driver, theirs)?);
        let (n, part) = op::send(&ours, b"0123456789".to_vec().slice(2..5)).await?;
        assert_eq!((n, part.into_inner()), (3, b"0123456789".to_vec()));
        let (n, part) = op::recv(&theirs, b"abcdefghij".to_vec().slice(4..8)).await?;
        assert_eq!((n, part.into_inner()), (3, b"abcd234hij".to_vec()));
        Ok(())
    });
}
