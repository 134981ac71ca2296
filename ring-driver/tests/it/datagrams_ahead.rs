//! Receiving datagrams ahead of whoever takes them: one request for many, each whole and with its
//! sender, none lost whoever goes away, and no more than somebody takes.

use std::future::poll_fn;
use std::io;
use std::net::UdpSocket;
use std::sync::Arc;
use std::task::Poll;

use wakering_ring_driver::op::{self, ControlMessage, Datagram, DatagramBuffer};
use wakering_ring_driver::testing::{Memory, Submitted, skip};
use wakering_ring_driver::{Driver, Fd, Wait, option};

use crate::{Wakes, adopt, block_on, driver, each_way, poll_once, settle};

/// How many datagrams wait before the kernel is stopped.
const DATAGRAMS_AHEAD: usize = 16;
/// How many a multishot may bring at once, whoever wants to stop it.
const BURST: usize = 64;

async fn next(fd: &Fd) -> io::Result<Datagram> {
    poll_fn(|cx| fd.poll_datagram(cx)).await
}

/// Polls once, as somebody who then goes away.
fn look(driver: &Driver, fd: &Fd) -> Poll<io::Result<Datagram>> {
    poll_once(driver, &mut poll_fn(|cx| fd.poll_datagram(cx)), &Arc::new(Wakes::default()))
}

fn ready(driver: &Driver, fd: &Fd) -> Datagram {
    match look(driver, fd) {
        Poll::Ready(Ok(datagram)) => datagram,
        other => panic!("no datagram, but {other:?}"),
    }
}

/// A socket of `driver`'s, and one that is connected to it.
fn udp(driver: &Driver) -> (Fd, UdpSocket) {
    let [ours, theirs] = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").unwrap());
    theirs.connect(ours.local_addr().unwrap()).unwrap();
    (adopt(driver, ours), theirs)
}

/// A socket on a kernel that the test plays, and the request that it waits with.
fn played() -> (Driver, Memory, Fd, Submitted) {
    let (driver, memory) = Driver::memory().unwrap();
    let fd = memory.descriptor(&driver);
    assert!(look(&driver, &fd).is_pending());
    let prefetch = memory.next_request().unwrap();
    assert_eq!(prefetch.name(), "recvmsgmulti");
    (driver, memory, fd, prefetch)
}

/// Given a socket; when datagrams come one by one, empty ones and the longest among them; then each
/// is whole and has its sender, whoever can receive ahead or not.
#[test]
fn datagrams_come_whole_and_with_their_senders() {
    each_way(&["multishot_recvmsg"], async |driver: &Driver| {
        let (ours, theirs) = udp(driver);
        for len in [5, 0, 1400, 65_507, 1] {
            theirs.send(&vec![len as u8; len])?;
            let datagram = next(&ours).await?;
            assert_eq!(datagram.data(), vec![len as u8; len]);
            assert_eq!(datagram.address.unwrap().to_inet(), theirs.local_addr().ok());
            assert!(!datagram.truncated && !datagram.control_truncated);
            assert!(datagram.control.is_empty());
            assert_eq!(*datagram.into_bytes(), vec![len as u8; len]);
        }
        Ok(())
    });
}

/// Given a socket that receives ahead; when a hundred datagrams come; then the kernel was asked
/// once.
#[test]
fn one_request_serves_many_datagrams() {
    let driver = driver();
    let (ours, theirs) = udp(&driver);
    if !ours.receives_datagrams_ahead() {
        return skip("one_request_serves_many_datagrams", "no multishot_recvmsg");
    }
    block_on(&driver, async {
        for round in 0..100u8 {
            theirs.send(&[round])?;
            assert_eq!(next(&ours).await?.data(), [round]);
        }
        io::Result::Ok(())
    })
    .unwrap();
    let counters = driver.counters();
    assert_eq!((counters.used("recvmsg"), counters.used("RECVMSG_MULTISHOT")), (1, 1));
}

/// Given control data asked for; when datagrams bring some; then it is theirs.
#[test]
fn control_data_comes_with_its_datagram() {
    each_way(&["multishot_recvmsg"], async |driver: &Driver| {
        let (ours, theirs) = udp(driver);
        option::set_recv_packet_info(&ours, true)?;
        option::set_recv_traffic_class(&ours, true)?;
        for round in 0..3u8 {
            theirs.send(&[round])?;
            let datagram = next(&ours).await?;
            assert_eq!((datagram.data(), datagram.control.len()), (&[round][..], 2));
            let here = |message: &ControlMessage| {
                matches!(message, ControlMessage::PacketInfo { address, .. }
                    if address.is_loopback())
            };
            assert!(datagram.control.iter().any(here), "{datagram:?}");
        }
        Ok(())
    });
}

/// Given a reader that goes away; when datagrams come all the same; then the next ones get them, by
/// whichever way, whole, and in order.
#[test]
fn a_reader_that_goes_loses_no_datagram() {
    each_way(&["multishot_recvmsg"], async |driver: &Driver| {
        let (ours, theirs) = udp(driver);
        assert!(look(driver, &ours).is_pending());
        for round in 0..20u8 {
            theirs.send(&[round; 9])?;
            theirs.send(&[round; 8])?;
            let buffer = DatagramBuffer::with_capacity(64);
            let datagram = op::recv_msg(&ours, buffer).await?;
            assert_eq!(datagram.data(), [round; 9]);
            assert_eq!(datagram.address.unwrap().to_inet(), theirs.local_addr().ok());
            assert!(datagram.into_buffer().capacity() >= 64, "the memory comes back");
            assert_eq!(next(&ours).await?.data(), [round; 8]);
            assert!(look(driver, &ours).is_pending());
        }
        Ok(())
    });
}

/// Given datagrams that somebody keeps; when all buffers are in use; then others still come.
#[test]
fn a_full_pool_stops_nobody() {
    each_way(&["multishot_recvmsg"], async |driver: &Driver| {
        let (ours, theirs) = udp(driver);
        let mut held = Vec::new();
        for round in 0..300u16 {
            // Too long to be copied out of the pool where buffers are scarce.
            theirs.send(&[round.to_ne_bytes(); 5000].concat())?;
            held.push(next(&ours).await?.into_bytes());
        }
        for (round, bytes) in held.iter().enumerate() {
            assert_eq!(**bytes, [(round as u16).to_ne_bytes(); 5000].concat());
        }
        held.clear();
        theirs.send(b"and on")?;
        assert_eq!(next(&ours).await?.data(), b"and on");
        Ok(())
    });
}

/// Given a datagram that met a closed port; when the next one is awaited; then the refusal is told,
/// once.
#[test]
fn a_refusal_is_told_once() {
    each_way(&["multishot_recvmsg"], async |driver: &Driver| {
        let (ours, theirs) = udp(driver);
        op::connect(&ours, theirs.local_addr()?).await?;
        assert!(look(driver, &ours).is_pending());
        // It hears somebody else only, so nobody takes what we send.
        theirs.connect("127.0.0.1:9")?;
        op::send_msg(&ours, "anybody?", None, vec![]).await?;
        let refused = next(&ours).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        assert!(look(driver, &ours).is_pending());
        Ok(())
    });
}

/// Given datagrams that were received ahead; when the socket is given back or closed, or its driver
/// ends; then those that were received leave with it, and nothing stays in flight.
#[test]
fn what_was_received_ahead_leaves_with_the_socket() {
    let driver = driver();
    let (ours, theirs) = udp(&driver);
    assert!(look(&driver, &ours).is_pending());
    driver.turn(Wait::Now);
    theirs.send(b"one").unwrap();
    theirs.send(b"two").unwrap();
    driver.turn(Wait::Now);
    let (owned, left) = block_on(&driver, ours.detach()).unwrap();
    assert_eq!(driver.counters().in_flight, 0);
    let mut all: Vec<_> = left.datagrams.iter().map(|left| left.bytes.clone()).collect();
    let sender = |address: wakering_ring_driver::SocketAddress| address.to_inet();
    let senders = left.datagrams.iter().map(|left| left.address.and_then(sender));
    assert!(senders.eq(left.datagrams.iter().map(|_| theirs.local_addr().ok())));
    let std = UdpSocket::from(owned);
    std.set_nonblocking(true).unwrap();
    let mut buf = [0; 9];
    while let Ok(n) = std.recv(&mut buf) {
        all.push(buf[..n].to_vec());
    }
    assert_eq!(all, [b"one", b"two"]);

    let (ours, theirs) = udp(&driver);
    assert!(look(&driver, &ours).is_pending());
    theirs.send(b"unread").unwrap();
    driver.turn(Wait::Now);
    drop(ours);
    settle(&driver);
    assert_eq!(driver.counters().descriptors, 0);

    let (ours, _theirs) = udp(&driver);
    assert!(look(&driver, &ours).is_pending());
    assert_eq!(driver.shutdown(std::time::Duration::from_secs(5)).leaked, 0);
    drop(ours);
}

/// Given a kernel that writes what it likes before a message; when that names more than there is
/// room for, or less than there must be; then only what is there is read, and the buffer goes home.
#[test]
fn what_is_written_before_a_message_is_not_trusted() {
    let (driver, memory, fd, prefetch) = played();
    let name = [libc::AF_INET as u8, 0, 0, 9, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0];
    prefetch.receive_message([16, 0, 5, 0], &name, b"", b"hello", true);
    driver.turn(Wait::Now);
    let datagram = ready(&driver, &fd);
    assert_eq!((datagram.data(), datagram.truncated), (&b"hello"[..], false));
    assert_eq!(datagram.address.unwrap().to_inet(), "127.0.0.1:9".parse().ok());

    let (cut, cut_control) = (libc::MSG_TRUNC as u32, libc::MSG_CTRUNC as u32);
    for (said, truncated, control_truncated) in [
        ([u32::MAX; 4], true, true),
        ([u32::MAX, u32::MAX, 0, cut], true, false),
        ([0, 192, u32::MAX, cut_control], false, true),
        ([113, 193, 3, 0], false, false),
    ] {
        let control = [0xff; 192];
        prefetch.receive_message(said, &name, &control, b"abc", true);
        driver.turn(Wait::Now);
        let datagram = ready(&driver, &fd);
        assert_eq!(datagram.data(), b"abc", "{said:?}");
        assert_eq!(
            (datagram.truncated, datagram.control_truncated),
            (truncated, control_truncated)
        );
        assert!(datagram.control.is_empty(), "{datagram:?}");
        assert_eq!(datagram.address.is_some(), said[0] > 0);
    }
    prefetch.fail_message();
    driver.turn(Wait::Now);
    assert!(look(&driver, &fd).is_pending(), "there was none");
    assert_eq!(memory.next_request().unwrap().name(), "recvmsgmulti");
}

/// Given a series that ends with an empty datagram, as the kernel ends it; when somebody comes; then
/// he gets that one, and the next one begins a new series.
#[test]
fn an_empty_datagram_may_end_the_series() {
    let (driver, memory, fd, prefetch) = played();
    prefetch.receive_message([0, 0, 1, 0], b"", b"", b"1", true);
    prefetch.receive_message([0; 4], b"", b"", b"", false);
    driver.turn(Wait::Now);
    assert_eq!(ready(&driver, &fd).data(), b"1");
    let empty = ready(&driver, &fd);
    assert!(empty.data().is_empty() && empty.address.is_none());
    assert!(memory.next_request().is_none());
    assert!(look(&driver, &fd).is_pending());
    assert_eq!(memory.next_request().unwrap().name(), "recvmsgmulti");
}

/// Given datagrams that nobody takes; when as many wait as may; then the kernel is stopped, and
/// whoever comes gets all of them before it is asked again.
#[test]
fn a_flood_that_nobody_takes_is_stopped() {
    let (driver, memory, fd, prefetch) = played();
    memory.set_cancel_wins(false);
    for datagram in 1..=BURST / 2 {
        prefetch.receive_message([0, 0, 1, 0], b"", b"", &[datagram as u8], true);
        driver.turn(Wait::Now);
        driver.turn(Wait::Now);
        let asked = (datagram + 1).saturating_sub(DATAGRAMS_AHEAD) as u64;
        assert_eq!(driver.counters().cancels, asked, "{datagram} datagrams");
    }
    prefetch.complete(-libc::ECANCELED);
    driver.turn(Wait::Now);
    for datagram in 1..=BURST / 2 {
        assert_eq!(ready(&driver, &fd).data(), [datagram as u8]);
        assert!(memory.next_request().is_none());
    }
    assert!(look(&driver, &fd).is_pending());
    assert_eq!(memory.next_request().unwrap().name(), "recvmsgmulti");
}

/// Given datagrams that were received ahead; when they are received as bytes; then one at a time, and
/// what there is no room for is lost with its datagram, as the kernel does it.
#[test]
fn datagrams_stay_apart_for_whoever_wants_bytes() {
    each_way(&["multishot_recvmsg"], async |driver: &Driver| {
        let (ours, theirs) = udp(driver);
        theirs.send(b"zero")?;
        assert_eq!(next(&ours).await?.data(), b"zero");
        for datagram in ["one", "two", "three", "", "four"] {
            theirs.send(datagram.as_bytes())?;
        }
        for expected in ["one", "two", "th", "", "fo"] {
            let room = if expected.len() < 3 { 2 } else { 16 };
            let (n, buf) = op::recv(&ours, vec![0; room]).await?;
            assert_eq!(std::str::from_utf8(&buf[..n]).unwrap(), expected);
        }
        theirs.send(b"five")?;
        assert_eq!(next(&ours).await?.data(), b"five");
        Ok(())
    });
}
