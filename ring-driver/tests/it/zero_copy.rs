//! Sending without copying: the buffer stays the kernel's until the second completion, whatever
//! becomes of the future, the socket and the driver; and where borrowing gains nothing it is given
//! up.

use std::io::{ErrorKind, Read};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::task::Poll;
use std::thread;
use std::time::Duration;

use wakering_ring_driver::op::{self, Domain, Lent, SocketKind, ZeroCopy};
use wakering_ring_driver::testing::{CheckingBuf, Submitted, Witness, patience, skip};
use wakering_ring_driver::{Driver, Fd, Instant, IoBuf, Wait, option};

use crate::world::World;
use crate::{Wakes, adopt, block_on, driver, each_way, poll_once, settle};

const LEN: usize = 64 * 1024;

impl World {
    /// Begins to send a buffer that notices whether it is dropped.
    fn send(&self) -> (ZeroCopy<CheckingBuf>, Submitted, Witness) {
        let (buf, witness) = CheckingBuf::of(&[7; LEN]);
        let mut sending = op::send_zc(&self.fd, buf);
        let submitted = self.submit(&mut sending);
        assert_eq!((submitted.name().as_str(), submitted.bytes().len()), ("sendzc", LEN));
        (sending, submitted, witness)
    }

    /// Finds that `sending` has sent everything.
    fn sent(&self, sending: &mut ZeroCopy<CheckingBuf>) -> Lent<CheckingBuf> {
        match self.poll(sending) {
            Poll::Ready(Ok((LEN, lent))) => lent,
            _ => panic!("the first completion has come, and says that all was sent"),
        }
    }
}

/// U06. Given a send that borrows its buffer; when its future is dropped before the first of its two
/// completions, between them, or with the buffer only lent; then nobody asks the kernel to cut it
/// short, the next send begins after the first completion, and the buffer is kept until the second.
#[test]
fn case_u06_what_the_kernel_has_borrowed_is_kept_until_it_says_so() {
    for moment in ["in flight", "sent", "lent"] {
        let world = World::new();
        let (mut sending, submitted, witness) = world.send();
        let mut next = op::send(&world.fd, "next");
        world.waits(&mut next);
        match moment {
            "in flight" => {
                drop(sending);
                world.turn();
                assert!(world.memory.next_request().is_none(), "the side is taken");
                submitted.sent(LEN as i32);
            }
            "sent" => {
                submitted.sent(LEN as i32);
                world.turn();
                drop(sending);
            }
            _ => {
                submitted.sent(LEN as i32);
                world.turn();
                drop(world.sent(&mut sending));
            }
        }
        world.turn();
        world.waits(&mut next);
        let following = world.memory.next_request().expect("the side is free for the next");
        assert_eq!(following.bytes(), b"next");
        following.complete(4);
        world.turn();
        assert!(!witness.is_dropped(), "{moment}: the kernel reads it");
        assert_eq!(world.driver.counters().in_flight, 1, "{moment}: it counts until then");
        submitted.notify(false);
        world.turn();
        assert!(witness.is_dropped(), "{moment}: nobody wants it, and the kernel is done");
        let counters = world.driver.counters();
        assert_eq!((counters.in_flight, counters.cancels), (0, 0), "{moment}");
    }
}

/// Given a send that borrows; when its completions come, apart or together; then the count is told
/// with the first and the buffer comes back with the second, and each wakes whoever waits.
#[test]
fn the_buffer_comes_back_in_a_second_step() {
    let world = World::new();
    let (mut sending, submitted, witness) = world.send();
    submitted.sent(LEN as i32);
    world.turn();
    assert_eq!(world.wakes.count(), 1);
    let mut lent = world.sent(&mut sending);
    world.waits(&mut lent);
    submitted.notify(false);
    world.turn();
    assert_eq!(world.wakes.count(), 2);
    let buf = world.ended(&mut lent);
    assert!(buf.as_slice().iter().all(|&byte| byte == 7) && !witness.is_dropped());

    let (mut sending, submitted, _witness) = world.send();
    submitted.sent(LEN as i32);
    submitted.notify(false);
    world.turn();
    let mut lent = world.sent(&mut sending);
    assert!(world.poll(&mut lent).is_ready());
    assert_eq!(world.driver.counters().in_flight, 0);
}

/// Given a send that fails although it was to borrow; when the kernel says so and, later, that it
/// reads nothing; then only then the error is told and the buffer given back, and a dropped one
/// leaves the error to the next send.
#[test]
fn a_failed_send_is_over_with_its_second_completion() {
    let world = World::new();
    let (mut sending, submitted, _witness) = world.send();
    submitted.sent(-libc::EPIPE);
    world.turn();
    world.waits(&mut sending);
    submitted.notify(false);
    world.turn();
    let Err(failed) = world.ended(&mut sending) else { panic!("it has failed") };
    assert_eq!((failed.error.kind(), failed.buf.len()), (ErrorKind::BrokenPipe, LEN));

    let (sending, submitted, witness) = world.send();
    drop(sending);
    submitted.sent(-libc::ECONNRESET);
    world.turn();
    assert!(!witness.is_dropped());
    submitted.notify(false);
    world.turn();
    assert!(witness.is_dropped());
    let mut next = op::send(&world.fd, "next");
    let Err(failed) = world.ended(&mut next) else { panic!("the kernel tells it once") };
    assert_eq!(failed.error.kind(), ErrorKind::ConnectionReset);
}

/// Given a process that may lock no more memory; when a send was to borrow; then it is sent by
/// copying, and so are those behind it.
#[test]
fn what_cannot_be_borrowed_is_copied() {
    let world = World::new();
    let (mut sending, submitted, witness) = world.send();
    submitted.complete(-libc::ENOMEM);
    world.turn();
    for _ in 0..2 {
        world.waits(&mut sending);
        let copying = world.memory.next_request().unwrap();
        assert_eq!((copying.name().as_str(), copying.bytes().len()), ("send", LEN));
        copying.complete(LEN as i32);
        world.turn();
        let mut lent = world.sent(&mut sending);
        let buf = world.poll(&mut lent);
        let Poll::Ready(buf) = buf else { panic!("it is back at once") };
        sending = op::send_zc(&world.fd, buf);
    }
    assert!(!witness.is_dropped());
}

/// Given a kernel that copies what it was to borrow; when it tells; then the socket's next sends
/// copy, and those of another one do not.
#[test]
fn where_the_kernel_copies_nothing_is_borrowed_any_more() {
    let world = World::new();
    let (mut sending, submitted, _witness) = world.send();
    submitted.sent(LEN as i32);
    submitted.notify(true);
    world.turn();
    drop(world.sent(&mut sending));
    let mut again = op::send_zc(&world.fd, vec![7; LEN]);
    world.waits(&mut again);
    let copying = world.memory.next_request().unwrap();
    assert_eq!(copying.name(), "send");
    copying.complete(LEN as i32);
    world.turn();
    let other = World { fd: world.memory.descriptor(&world.driver), ..world };
    let (_sending, submitted, _witness) = other.send();
    submitted.complete(LEN as i32);
}

/// Both ends of a TCP connection, of which the other takes little before it reads.
fn connection(driver: &Driver) -> (Fd, TcpStream) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let small = adopt(driver, listener.try_clone().unwrap());
    option::set_recv_buffer_size(&small, 4096).unwrap();
    let ours = block_on(driver, async {
        let ours = op::socket(Domain::V4, SocketKind::Stream).await?;
        op::connect(&ours, listener.local_addr()?).await?;
        option::set_send_buffer_size(&ours, 200_000)?;
        Ok::<_, std::io::Error>(ours)
    });
    (ours.unwrap(), listener.accept().unwrap().0)
}

/// Given connections on this machine; when much is sent without copying, again and again; then it
/// arrives, all buffers come back, and the kernel has been asked to borrow at most a few times, since
/// it copies here. Short ones and those on Unix sockets are not even tried.
#[test]
fn all_of_it_arrives_on_this_machine() {
    each_way(&["send_zc"], async |driver: &Driver| {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let ours = TcpStream::connect(listener.local_addr()?)?;
        let (ours, mut theirs) = (adopt(driver, ours), listener.accept()?.0);
        let reader = thread::spawn(move || {
            let mut bytes = Vec::new();
            theirs.read_to_end(&mut bytes).unwrap();
            bytes
        });
        let mut expected = Vec::new();
        for round in 0..20u8 {
            let buf = vec![round; 300_000];
            expected.extend_from_slice(&buf);
            let (sent, lent) = op::send_zc(&ours, buf).await?;
            assert_eq!(sent, 300_000);
            assert_eq!(lent.await, vec![round; 300_000]);
        }
        let borrowed = driver.counters().used("send_zc");
        assert_eq!(borrowed, u64::from(driver.capabilities().has("send_zc")));
        assert_eq!(op::send_zc(&ours, "short").await?.1.await, "short");
        expected.extend_from_slice(b"short");
        ours.close().await?;
        assert!(reader.join().unwrap() == expected);

        let (ours, mut theirs) = UnixStream::pair()?;
        let ours = adopt(driver, ours);
        assert_eq!(op::send_zc(&ours, vec![1; LEN]).await?.0, LEN);
        drop(ours);
        assert_eq!(theirs.read_to_end(&mut Vec::new())?, LEN);
        assert_eq!(driver.counters().used("send_zc"), borrowed, "no Unix socket can");
        Ok(())
    });
}

/// Given a peer that takes nothing, and a buffer that the kernel has sent and still reads; when the
/// peer reads or goes; then the buffer comes back.
#[test]
fn a_peer_that_reads_or_goes_gives_the_buffer_back() {
    let id = "a_peer_that_reads_or_goes_gives_the_buffer_back";
    for reads in [true, false] {
        let driver = driver();
        if !driver.capabilities().has("send_zc") {
            return skip(id, "nothing is borrowed");
        }
        let (ours, mut theirs) = connection(&driver);
        let (buf, witness) = CheckingBuf::of(&[7; 100_000]);
        let (sent, mut lent) = block_on(&driver, op::send_zc(&ours, buf)).unwrap();
        let wakes = Arc::new(Wakes::default());
        assert!(poll_once(&driver, &mut lent, &wakes).is_pending(), "the peer has not all of it");
        let reader = thread::spawn(move || {
            let mut bytes = vec![0; sent];
            if reads { theirs.read_exact(&mut bytes).map(|()| bytes) } else { Ok(Vec::new()) }
        });
        let buf = block_on(&driver, lent);
        let bytes = reader.join().unwrap().unwrap();
        assert!(bytes.iter().all(|&byte| byte == 7) && !witness.is_dropped());
        drop(buf);
        settle(&driver);
    }
}

/// Given a buffer that the kernel still reads; when the socket is dropped or given back meanwhile;
/// then that waits for nobody, and the peer gets all of it and the end.
#[test]
fn a_lent_buffer_does_not_keep_the_socket_open() {
    for gives_back in [false, true] {
        let driver = driver();
        let (ours, mut theirs) = connection(&driver);
        theirs.set_read_timeout(Some(patience(Duration::from_secs(10)))).unwrap();
        let (sent, lent) = block_on(&driver, op::send_zc(&ours, vec![7; 100_000])).unwrap();
        if gives_back {
            let (owned, _) = block_on(&driver, ours.detach()).expect("there is no other handle");
            drop(owned);
        } else {
            drop(ours);
        }
        let mut received = Vec::new();
        theirs.read_to_end(&mut received).expect("the end comes");
        assert_eq!(received, vec![7; sent]);
        assert_eq!(block_on(&driver, lent), vec![7; 100_000]);
        settle(&driver);
    }
}

/// Given a peer that takes nothing, and a buffer that the kernel still reads; when the driver ends;
/// then it does not wait for the peer, and the buffer is leaked, and counted. Where nothing is
/// borrowed nothing is leaked.
#[test]
fn the_end_of_a_driver_leaks_what_a_stalled_peer_holds() {
    let driver = driver();
    let (ours, theirs) = connection(&driver);
    let (buf, witness) = CheckingBuf::of(&[7; 100_000]);
    let (_, lent) = block_on(&driver, op::send_zc(&ours, buf)).unwrap();
    drop((lent, ours));
    for _ in 0..3 {
        driver.turn(Wait::Now);
    }
    let borrows = driver.capabilities().has("send_zc");
    assert_eq!(witness.is_dropped(), !borrows);
    let (start, time) = (Instant::now(), Duration::from_millis(200));
    let leaked = driver.shutdown(time).leaked;
    let bound = patience(Duration::from_secs(5));
    assert!(start.elapsed() < bound, "{:?}", start.elapsed());
    assert_eq!((leaked, witness.is_dropped()), (usize::from(borrows), !borrows));
    drop(theirs);
}
