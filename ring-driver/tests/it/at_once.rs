//! Sends that a plain call carries out because a ring would have nothing else to do.

use std::future::poll_fn;
use std::io::{IoSlice, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use wakering_ring_driver::testing::patience;
use wakering_ring_driver::{Config, Driver, Instant, Wait, op};

use crate::{Wakes, adopt, block_on, driver, poll_once, settle};

/// How many sends a ring has been handed.
fn handed_over(driver: &Driver) -> u64 {
    let counters = driver.counters();
    counters.used("send") + counters.used("sendmsg")
}

/// How many sends a driver without a turn has carried out, if it has a ring.
fn at_once(driver: &Driver, count: u64) -> u64 {
    if driver.backend() == "uring" { count } else { 0 }
}

/// Given two sends in one turn; then the first goes at once, since nothing may come that could go
/// with it, and the second with the turn.
#[test]
fn the_first_send_of_a_quiet_turn_goes_at_once() {
    let (driver, wakes) = (driver(), Arc::new(Wakes::default()));
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let (ours2, mut theirs2) = UnixStream::pair().unwrap();
    let (ours, ours2) = (adopt(&driver, ours), adopt(&driver, ours2));

    let mut first = op::send(&ours, "one");
    let Poll::Ready(sent) = poll_once(&driver, &mut first, &wakes) else { panic!("it waits") };
    assert_eq!(sent.unwrap().0, 3);
    assert_eq!(driver.counters().sent_at_once, at_once(&driver, 1));
    assert_eq!(handed_over(&driver), 0);

    assert_eq!(block_on(&driver, op::send(&ours2, "two")).unwrap().0, 3);
    assert_eq!(driver.counters().sent_at_once, at_once(&driver, 1));
    assert_eq!(handed_over(&driver), at_once(&driver, 1));

    let mut buf = [0; 3];
    theirs.read_exact(&mut buf).unwrap();
    assert_eq!(&buf, b"one");
    theirs2.read_exact(&mut buf).unwrap();
    assert_eq!(&buf, b"two");
}

/// Given two completions in one turn; then what is sent in answer goes with the next turn, together.
#[test]
fn answers_to_several_leave_together() {
    let (driver, wakes) = (driver(), Arc::new(Wakes::default()));
    let pairs = [(); 2].map(|()| UnixStream::pair().unwrap());
    let ends = pairs.map(|(ours, theirs)| (adopt(&driver, ours), theirs));
    let mut receives = [0, 1].map(|index: usize| op::recv(&ends[index].0, vec![0; 8]));
    for receive in &mut receives {
        assert!(poll_once(&driver, receive, &wakes).is_pending());
    }
    for (_, theirs) in &ends {
        (&mut &*theirs).write_all(b"ask").unwrap();
    }
    settle(&driver);
    for receive in &mut receives {
        assert!(poll_once(&driver, receive, &wakes).is_ready());
    }
    let before = handed_over(&driver);
    let mut sends = [0, 1].map(|index: usize| op::send(&ends[index].0, "answer"));
    for send in &mut sends {
        let waits = poll_once(&driver, send, &wakes).is_pending();
        assert_eq!(waits, driver.backend() == "uring");
    }
    settle(&driver);
    assert_eq!(driver.counters().sent_at_once, 0);
    assert_eq!(handed_over(&driver) - before, at_once(&driver, 2));
    for (_, mut theirs) in ends {
        let mut buf = [0; 6];
        theirs.read_exact(&mut buf).unwrap();
        assert_eq!(&buf, b"answer");
    }
}

/// Given sends that are alone and find room for a part of what they send, or for nothing; then they
/// wait for it, and are not short.
#[test]
fn a_send_without_room_waits_for_it() {
    const LEN: usize = 60_000;
    let (driver, wakes) = (driver(), Arc::new(Wakes::default()));
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let ours = adopt(&driver, ours);
    let mut before = 0;
    let mut waiting = loop {
        let mut send = op::send(&ours, vec![b'x'; LEN]);
        match poll_once(&driver, &mut send, &wakes) {
            Poll::Ready(sent) => assert_eq!(sent.unwrap().0, LEN),
            Poll::Pending => {
                driver.turn(Wait::Now);
                match poll_once(&driver, &mut send, &wakes) {
                    Poll::Ready(sent) => assert_eq!(sent.unwrap().0, LEN),
                    Poll::Pending => break send,
                }
            }
        }
        driver.turn(Wait::Now);
        before += 1;
    };
    assert!(before > 0, "there was room for none");
    let reader = std::thread::spawn(move || {
        let mut all = Vec::new();
        theirs.read_to_end(&mut all).map(|_| all)
    });
    assert_eq!(block_on(&driver, &mut waiting).unwrap().0, LEN);
    block_on(&driver, ours.close()).unwrap();
    assert!(reader.join().unwrap().unwrap() == vec![b'x'; LEN * (before + 1)]);
}

/// Given a driver that looks for something to do before it sleeps; when what was queued goes at once,
/// and nothing else is to come; then whoever waits for that is told, and the driver does not sleep.
#[test]
fn a_driver_that_looks_does_not_sleep_on_what_has_gone_at_once() {
    let mut config = Config::default();
    config.busy_poll = Duration::from_millis(1);
    let (driver, wakes) = (Driver::new(&config).unwrap(), Arc::new(Wakes::default()));
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let ours = adopt(&driver, ours);
    let entered = driver.enter();
    ours.queue(b"queued").unwrap();
    let mut flush = poll_fn(|cx| ours.poll_flush(cx));
    assert!(poll_once(&driver, &mut flush, &wakes).is_pending());
    driver.turn(Wait::Until(Some(Instant::now() + patience(Duration::from_secs(2)))));
    assert_eq!((wakes.count(), driver.counters().waits), (1, 0));
    assert!(poll_once(&driver, &mut flush, &wakes).is_ready());
    drop(entered);
    let mut buf = [0; 6];
    theirs.read_exact(&mut buf).unwrap();
    assert_eq!(&buf, b"queued");
}

/// Given bytes to be sent from where they lie; then few are better queued, and many go at once,
/// unless something is before them.
#[test]
fn many_bytes_are_sent_from_where_they_lie() {
    let driver = driver();
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let ours = adopt(&driver, ours);
    let large = vec![b'l'; 100_000];
    let bufs = [IoSlice::new(b"head"), IoSlice::new(&large)];
    block_on(&driver, async {
        assert_eq!(ours.send_at_once(&bufs[..1])?, None, "a copy is cheaper");
        ours.queue(b"queued")?;
        assert_eq!(ours.send_at_once(&bufs)?, None, "something is before it");
        poll_fn(|cx| ours.poll_flush(cx)).await?;
        let sent = ours.send_at_once(&bufs)?;
        assert_eq!(sent.is_some(), driver.backend() == "uring");
        let Some(sent) = sent else { return Ok(()) };
        assert!(sent > 0);
        let mut received = vec![0; 6 + sent];
        theirs.read_exact(&mut received)?;
        let whole = [&b"queued"[..], b"head", &large].concat();
        assert!(received == whole[..6 + sent]);
        drop(theirs);
        assert_eq!(ours.send_at_once(&bufs).unwrap_err().kind(), std::io::ErrorKind::BrokenPipe);
        Ok::<_, std::io::Error>(())
    })
    .unwrap();
}

/// Given a peer that takes all that comes, and a file in the page cache; when more and more is sent
/// from where it lies, or read; then a turn comes before much was copied, for others to run.
#[test]
fn what_goes_at_once_leaves_time_for_others() {
    const MUCH: usize = 3 << 20;
    let (driver, wakes) = (driver(), Arc::new(Wakes::default()));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let ours = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (ours, mut theirs) = (adopt(&driver, ours), listener.accept().unwrap().0);
    let reader = std::thread::spawn(move || std::io::copy(&mut theirs, &mut std::io::sink()));
    let large = vec![b'l'; 64 << 20];
    let entered = driver.enter();
    let mut sent = 0;
    while sent <= MUCH
        && let Some(n) = ours.send_at_once(&[IoSlice::new(&large[sent..])]).unwrap()
    {
        sent += n;
    }
    drop(entered);
    assert!(sent <= MUCH, "{sent} bytes were sent");
    block_on(&driver, ours.close()).unwrap();
    assert_eq!(reader.join().unwrap().unwrap(), sent as u64);

    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("file"), &large[..2 * MUCH]).unwrap();
    let file = adopt(&driver, std::fs::File::open(dir.path().join("file")).unwrap());
    let mut read = 0;
    while read <= MUCH {
        let mut next = op::read_at(&file, Vec::with_capacity(64 << 10), read as u64);
        let Poll::Ready(bytes) = poll_once(&driver, &mut next, &wakes) else { break };
        read += bytes.unwrap().0;
    }
    assert!(read <= MUCH, "{read} bytes were read");
}

/// Given more pieces than go in one call; when the first of them are empty; then nothing is not said
/// to be sent, for the rest would wait for ever.
#[test]
fn what_begins_with_nothing_is_queued() {
    let driver = driver();
    let (ours, _theirs) = UnixStream::pair().unwrap();
    let ours = adopt(&driver, ours);
    let large = [b'l'; 40_000];
    let mut bufs = vec![IoSlice::new(&[]); 1024];
    bufs.push(IoSlice::new(&large));
    let _entered = driver.enter();
    assert_eq!(ours.send_at_once(&bufs).unwrap(), None);
}
