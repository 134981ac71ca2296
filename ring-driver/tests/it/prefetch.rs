//! Receiving ahead of whoever reads: one request serves many reads, nothing that it brings is lost
//! whoever goes away, and neither a flood nor a slow reader is at the expense of others.

use std::future::poll_fn;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use wakering_ring_driver::testing::{Memory, patience, skip};
use wakering_ring_driver::{Driver, Fd, PooledBuf, Wait, op};

use crate::{Wakes, adopt, block_on, driver, poll_once, settle};

/// How many chunks wait before the kernel is stopped.
const CHUNKS_AHEAD: u64 = 8;

async fn fill(fd: &Fd) -> io::Result<PooledBuf> {
    poll_fn(|cx| fd.poll_fill(cx)).await
}

/// Polls once, as somebody who then goes away.
fn look(driver: &Driver, fd: &Fd) -> Poll<io::Result<PooledBuf>> {
    poll_once(driver, &mut poll_fn(|cx| fd.poll_fill(cx)), &Arc::new(Wakes::default()))
}

fn unix(driver: &Driver) -> (Fd, UnixStream) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    (adopt(driver, ours), theirs)
}

fn tcp(driver: &Driver) -> (Fd, TcpStream) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let theirs = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    theirs.set_nodelay(true).unwrap();
    (adopt(driver, listener.accept().unwrap().0), theirs)
}

/// Given a peer that plays ping-pong; when its hundred messages are read one by one; then the kernel
/// was asked once, where it has multishots.
#[test]
fn one_request_serves_many_reads() {
    let driver = driver();
    let (fd, mut theirs) = unix(&driver);
    block_on(&driver, async {
        for round in 0..100u8 {
            theirs.write_all(&[round])?;
            assert_eq!(*fill(&fd).await?, [round]);
        }
        io::Result::Ok(())
    })
    .unwrap();
    if driver.capabilities().multishot_recv {
        assert_eq!(driver.counters().used("recv"), 1);
    }
}

/// Given a prefetch on the kernel that the test plays; when readers come and go, by all ways of
/// reading; then it is never asked for its end, and each gets the bytes that are next.
#[test]
fn a_reader_that_goes_leaves_the_prefetch_armed() {
    let (driver, memory) = Driver::memory().unwrap();
    let fd = memory.descriptor(&driver);
    let wakes = Arc::new(Wakes::default());
    assert!(look(&driver, &fd).is_pending());
    let prefetch = memory.next_request().unwrap();
    assert_eq!(prefetch.name(), "recvmulti");
    for round in 0..20u8 {
        let mut dropped = op::recv(&fd, Vec::with_capacity(8));
        assert!(poll_once(&driver, &mut dropped, &wakes).is_pending());
        assert!(look(&driver, &fd).is_pending());
        drop(dropped);
        driver.turn(Wait::Now);
        prefetch.receive_more(&[round, round]);
        driver.turn(Wait::Now);
        let mut recv = op::recv(&fd, Vec::with_capacity(1));
        let Poll::Ready(Ok((_, byte))) = poll_once(&driver, &mut recv, &wakes) else {
            panic!("the bytes are here")
        };
        assert_eq!(byte, [round]);
        let Poll::Ready(Ok(rest)) = look(&driver, &fd) else { panic!("one more is here") };
        assert_eq!(*rest, [round]);
    }
    assert_eq!((driver.counters().cancels, memory.in_flight()), (0, 1));
    assert!(memory.next_request().is_none(), "nothing was asked beside it");
}

/// Given a reader that waits behind the prefetch; when bytes come, or the end; then it is woken each
/// time, once.
#[test]
fn every_kind_of_reader_is_woken() {
    let (driver, memory) = Driver::memory().unwrap();
    let fd = memory.descriptor(&driver);
    let (wakes, others) = (Arc::new(Wakes::default()), Arc::new(Wakes::default()));
    let mut fill = poll_fn(|cx| fd.poll_fill(cx));
    assert!(poll_once(&driver, &mut fill, &wakes).is_pending());
    let prefetch = memory.next_request().unwrap();
    let mut recv = op::recv(&fd, Vec::with_capacity(8));
    assert!(poll_once(&driver, &mut recv, &others).is_pending());
    prefetch.receive_more(b"first");
    driver.turn(Wait::Now);
    assert_eq!((wakes.count(), others.count()), (1, 1));
    assert!(poll_once(&driver, &mut fill, &wakes).is_ready());
    assert!(poll_once(&driver, &mut recv, &others).is_pending());
    prefetch.complete(0);
    driver.turn(Wait::Now);
    assert_eq!(others.count(), 2);
    assert!(poll_once(&driver, &mut recv, &others).is_pending(), "it asks for itself");
    memory.next_request().unwrap().complete(0);
    driver.turn(Wait::Now);
    assert!(poll_once(&driver, &mut recv, &others).is_ready());
}

/// Given a prefetch whose chunks nobody fetches; when it has brought as many as may wait; then it is
/// cancelled, again if the kernel was too busy to notice, and the reader gets all of them, in order,
/// before the kernel is asked again.
#[test]
fn a_prefetch_that_nobody_reads_is_stopped() {
    let (driver, memory) = Driver::memory().unwrap();
    memory.set_cancel_wins(false);
    let fd = memory.descriptor(&driver);
    assert!(look(&driver, &fd).is_pending());
    let prefetch = memory.next_request().unwrap();
    for chunk in 1..=2 * CHUNKS_AHEAD {
        prefetch.receive_more(&[chunk as u8]);
        driver.turn(Wait::Now);
        driver.turn(Wait::Now);
        let asked = (chunk + 1).saturating_sub(CHUNKS_AHEAD);
        assert_eq!(driver.counters().cancels, asked, "{chunk} chunks");
    }
    prefetch.complete(-libc::ECANCELED);
    driver.turn(Wait::Now);
    for chunk in 1..=2 * CHUNKS_AHEAD {
        let Poll::Ready(Ok(bytes)) = look(&driver, &fd) else { panic!("chunk {chunk} is missing") };
        assert_eq!(*bytes, [chunk as u8]);
        assert!(memory.next_request().is_none());
    }
    assert!(look(&driver, &fd).is_pending());
    assert_eq!(memory.next_request().unwrap().name(), "recvmulti");
}

/// Given streams on which a reader has once waited, and then nobody; when their peers send as much
/// as they can; then they are held up, most buffers are left for others, and later every byte comes
/// in order, then the end.
#[test]
fn floods_that_nobody_reads_are_held_up() {
    let driver = driver();
    let mut floods: Vec<_> = (0..4).map(|_| unix(&driver)).collect();
    for (fd, _) in &floods {
        assert!(look(&driver, fd).is_pending());
    }
    const ROUNDS: u32 = 150;
    for round in 0..ROUNDS {
        for (_, theirs) in &mut floods {
            theirs.write_all(&round.to_ne_bytes()).unwrap();
        }
        driver.turn(Wait::Now);
    }
    let received = driver.counters().completions;
    assert!(received < 4 * 2 * CHUNKS_AHEAD, "{received} completions");
    let (other, mut peer) = unix(&driver);
    block_on(&driver, async {
        peer.write_all(b"me too")?;
        assert_eq!(*fill(&other).await?, *b"me too");
        for (fd, theirs) in floods {
            drop(theirs);
            let mut bytes = Vec::new();
            loop {
                let chunk = fill(&fd).await?;
                if chunk.is_empty() {
                    break;
                }
                bytes.extend_from_slice(&chunk);
            }
            assert!(bytes.chunks_exact(4).eq((0..ROUNDS).map(u32::to_ne_bytes)), "out of order");
        }
        io::Result::Ok(())
    })
    .unwrap();
}

/// Given a peer that pours out more than all buffers hold, while its reader takes one chunk a turn;
/// when another connection plays ping-pong beside it; then both get on, and every byte comes.
#[test]
fn a_flood_does_not_stop_its_neighbour() {
    const PIECES: usize = 250;
    let driver = driver();
    let (fd, mut theirs) = tcp(&driver);
    let (other, mut peer) = tcp(&driver);
    let flood = std::thread::spawn(move || {
        let piece: Vec<u8> = (0..251).cycle().take(251 * 1000).collect();
        (0..PIECES).for_each(|_| theirs.write_all(&piece).unwrap());
    });
    block_on(&driver, async {
        let (mut received, mut rounds) = (0usize, 0);
        loop {
            let chunk = fill(&fd).await?;
            if chunk.is_empty() {
                break;
            }
            let is_right = (received..).zip(&*chunk).all(|(at, byte)| at % 251 == *byte as usize);
            assert!(is_right, "out of order at {received}");
            received += chunk.len();
            drop(chunk);
            if received / (1 << 20) > rounds {
                rounds += 1;
                peer.write_all(b"ping")?;
                assert_eq!(*fill(&other).await?, *b"ping");
            }
        }
        assert_eq!(received, PIECES * 251 * 1000);
        assert!(rounds >= 59, "{rounds} rounds");
        io::Result::Ok(())
    })
    .unwrap();
    flood.join().unwrap();
}

/// Given a peer that sends its last bytes and ends at once, or is reset; when its bytes are read;
/// then the end or the error follows, whether or not the reader waited for it.
#[test]
fn the_end_is_told_that_comes_with_the_last_bytes() {
    let driver = driver();
    block_on(&driver, async {
        for waits in [false, true] {
            let (fd, mut theirs) = unix(&driver);
            theirs.write_all(b"first")?;
            assert_eq!(*fill(&fd).await?, *b"first");
            if waits {
                assert!(look(&driver, &fd).is_pending());
                driver.turn(Wait::Now);
            }
            theirs.write_all(b"last")?;
            drop(theirs);
            assert_eq!(*fill(&fd).await?, *b"last");
            assert!(fill(&fd).await?.is_empty());
            assert!(fill(&fd).await?.is_empty(), "and stays the end");

            let (fd, mut theirs) = tcp(&driver);
            theirs.write_all(b"first")?;
            assert_eq!(*fill(&fd).await?, *b"first");
            if waits {
                assert!(look(&driver, &fd).is_pending());
                driver.turn(Wait::Now);
            }
            theirs.write_all(b"last")?;
            theirs.shutdown(Shutdown::Write)?;
            assert_eq!(*fill(&fd).await?, *b"last");
            assert!(fill(&fd).await?.is_empty());
        }
        let (fd, theirs) = tcp(&driver);
        assert!(look(&driver, &fd).is_pending());
        driver.turn(Wait::Now);
        // With bytes that nobody has read closing resets.
        op::send(&fd, "unread").await?;
        (&theirs).read_exact(&mut [0; 1])?;
        drop(theirs);
        assert_eq!(fill(&fd).await.unwrap_err().kind(), ErrorKind::ConnectionReset);
        io::Result::Ok(())
    })
    .unwrap();
}

/// Given somebody who holds all buffers of the pool but two; when fifty others play ping-pong; then
/// all of them get on, also when these two are held as well.
#[test]
fn fifty_connections_share_two_buffers() {
    let driver = driver();
    let (hoard, mut theirs) = unix(&driver);
    let mut held = Vec::new();
    block_on(&driver, async {
        for _ in 0..1022 {
            theirs.write_all(b"x")?;
            held.push(fill(&hoard).await?);
        }
        io::Result::Ok(())
    })
    .unwrap();
    if driver.capabilities().buf_ring {
        // One of them watches for other threads.
        assert!(driver.counters().used("poll_add") <= 1, "the pool has grown");
    }
    for round in 0..20u8 {
        let mut pairs: Vec<_> = (0..50).map(|_| unix(&driver)).collect();
        for (fd, _) in &pairs {
            assert!(look(&driver, fd).is_pending());
        }
        driver.turn(Wait::Now);
        for (_, theirs) in &mut pairs {
            theirs.write_all(&[round]).unwrap();
        }
        driver.turn(Wait::Now);
        block_on(&driver, async {
            for (fd, theirs) in &mut pairs {
                assert_eq!(*fill(fd).await?, [round]);
                theirs.write_all(&[round, round])?;
                assert_eq!(*fill(fd).await?, [round, round]);
            }
            if round == 10 {
                for _ in 0..100 {
                    theirs.write_all(b"x")?;
                    held.push(fill(&hoard).await?);
                }
            }
            io::Result::Ok(())
        })
        .unwrap();
    }
    assert!(held.iter().all(|bytes| **bytes == *b"x"));
}

/// Given armed prefetches, idle or with bytes on the way or already there; when their descriptors
/// are closed, given back or dropped, or the driver ends; then nothing stays in flight, and who
/// takes the descriptor gets the bytes.
#[test]
fn an_armed_prefetch_does_not_outlive_its_descriptor() {
    for bytes in [&b""[..], b"left"] {
        for turns in 0..3 {
            let driver = driver();
            let begun = |fd: &Fd, theirs: &mut UnixStream| {
                assert!(look(&driver, fd).is_pending());
                driver.turn(Wait::Now);
                theirs.write_all(bytes).unwrap();
                (0..turns).for_each(|_| driver.turn(Wait::Now));
            };
            let (fd, mut theirs) = unix(&driver);
            begun(&fd, &mut theirs);
            block_on(&driver, fd.close()).unwrap();
            assert_eq!(driver.counters().in_flight, 0);
            let end = theirs.read(&mut [0; 1]);
            assert!(matches!(&end, Ok(0)) || !bytes.is_empty(), "{end:?}");

            let (fd, mut theirs) = unix(&driver);
            begun(&fd, &mut theirs);
            let (owned, left) = block_on(&driver, fd.detach()).unwrap();
            assert_eq!(driver.counters().in_flight, 0);
            theirs.write_all(b"!").unwrap();
            drop(theirs);
            let (mut owned, mut all) = (UnixStream::from(owned), left.bytes);
            owned.read_to_end(&mut all).unwrap();
            assert_eq!(all, [bytes, b"!"].concat());

            let (fd, mut theirs) = unix(&driver);
            begun(&fd, &mut theirs);
            drop(fd);
            settle(&driver);
            assert_eq!(driver.counters().descriptors, 0);

            let (fd, mut theirs) = unix(&driver);
            begun(&fd, &mut theirs);
            let drained = driver.shutdown(patience(Duration::from_secs(5)));
            assert_eq!(drained.leaked, 0);
            drop(fd);
        }
    }
}

/// Given many descriptors with bytes that nobody has fetched; when they are closed although others
/// have handles; then the buffers are back, and the next receives find some.
#[test]
fn a_closed_descriptor_keeps_no_buffers() {
    let (driver, memory) = Driver::memory().unwrap();
    let mut handles = Vec::new();
    // More than there are buffers.
    for _ in 0..1100 {
        let fd = memory.descriptor(&driver);
        handles.push(fd.clone());
        assert!(look(&driver, &fd).is_pending());
        let prefetch = memory.next_request().unwrap();
        assert_eq!(prefetch.name(), "recvmulti", "after {}", handles.len());
        prefetch.receive_more(b"unread");
        driver.turn(Wait::Now);
        block_on(&driver, fd.close()).unwrap();
    }
}

/// Given a stream that is read by turns into buffers of the caller and from the pool, with readers
/// dropped in between at any moment; when all has come; then it is what was sent, in order.
#[test]
fn ways_of_reading_may_be_mixed() {
    let driver = driver();
    for make in [true, false] {
        let (fd, mut theirs): (Fd, Box<dyn Write>) = match make {
            true => {
                let (fd, theirs) = unix(&driver);
                (fd, Box::new(theirs))
            }
            false => {
                let (fd, theirs) = tcp(&driver);
                (fd, Box::new(theirs))
            }
        };
        let wakes = Arc::new(Wakes::default());
        let (mut sent, mut received) = (Vec::new(), Vec::new());
        for round in 0..2000u32 {
            if round % 3 != 2 {
                let piece = vec![round as u8; 1 + round as usize % 97];
                theirs.write_all(&piece).unwrap();
                sent.extend(piece);
            }
            let mut recv = op::recv(&fd, Vec::with_capacity(1 + round as usize % 13));
            match round % 5 {
                0 => {
                    if let Poll::Ready(bytes) = look(&driver, &fd) {
                        received.extend_from_slice(&bytes.unwrap());
                    }
                }
                1 if sent.len() > received.len() => {
                    received.extend(block_on(&driver, recv).unwrap().1);
                }
                2 => {
                    if let Poll::Ready(bytes) = poll_once(&driver, &mut recv, &wakes) {
                        received.extend(bytes.unwrap().1);
                    }
                }
                3 if sent.len() > received.len() => {
                    received.extend_from_slice(&block_on(&driver, fill(&fd)).unwrap());
                }
                _ => driver.turn(Wait::Now),
            }
        }
        drop(theirs);
        block_on(&driver, async {
            loop {
                let bytes = fill(&fd).await?;
                if bytes.is_empty() {
                    return io::Result::Ok(());
                }
                received.extend_from_slice(&bytes);
            }
        })
        .unwrap();
        assert!(sent == received, "{} of {} bytes, or out of order", received.len(), sent.len());
    }
    settle(&driver);
}

/// Given a kernel without multishots; when a stream is read; then it is asked for each piece, and
/// told to whoever comes.
#[test]
fn without_multishots_each_piece_is_asked_for() {
    let id = "prefetch::without_multishots_each_piece_is_asked_for";
    if driver().backend() != "uring" {
        return skip(id, "there is no ring");
    }
    crate::each_way(&["multishot_recv"], async |driver| {
        let (fd, mut theirs) = unix(driver);
        for round in 0..10u8 {
            theirs.write_all(&[round])?;
            assert_eq!(*fill(&fd).await?, [round]);
        }
        drop(theirs);
        assert!(fill(&fd).await?.is_empty());
        Ok(())
    });
}

/// A reader on the kernel that the test plays, for whom the prefetch has brought `bytes` that he
/// does not fetch.
fn stall(driver: &Driver, memory: &Memory, bytes: &[u8]) -> Fd {
    let fd = memory.descriptor(driver);
    assert!(look(driver, &fd).is_pending());
    let prefetch = memory.next_request().unwrap();
    assert_eq!(prefetch.name(), "recvmulti");
    assert_eq!(prefetch.receive_more(bytes), bytes.len(), "the pool is empty");
    driver.turn(Wait::Now);
    driver.turn(Wait::Now);
    fd
}

/// Given more readers than the pool has buffers, all of whom let a few bytes lie; when others read;
/// then there is a buffer for each, and what lies there is told in the end.
#[test]
fn short_messages_that_nobody_fetches_do_not_use_up_the_pool() {
    let (driver, memory) = Driver::memory().unwrap();
    let stalled: Vec<Fd> = (0..1100).map(|_| stall(&driver, &memory, b"short")).collect();
    for fd in &stalled {
        let Poll::Ready(Ok(bytes)) = look(&driver, fd) else { panic!("nothing lies there") };
        assert_eq!(*bytes, *b"short");
    }
}

/// Given readers who do not fetch what fills a buffer; when few buffers are left; then one is as
/// much as is received ahead of a reader.
#[test]
fn where_buffers_are_scarce_one_is_received_ahead() {
    let (driver, memory) = Driver::memory().unwrap();
    let large = vec![1; 4096];
    let mut stalled: Vec<Fd> = (0..800).map(|_| stall(&driver, &memory, &large)).collect();
    assert_eq!(driver.counters().cancels, 0);
    stalled.extend((0..200).map(|_| stall(&driver, &memory, &large)));
    let cancels = driver.counters().cancels;
    assert!((1..200).contains(&cancels), "{cancels}");
    assert_eq!(memory.in_flight() as u64, 1000 - cancels);
}
