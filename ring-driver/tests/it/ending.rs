//! The end of descriptors and of drivers with operations in flight: numbers are not reused too
//! early, buffers not written to too late, and descriptors and threads are what they were before.

use std::fs::File;
use std::io::Write;
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use wakering_ring_driver::op;
use wakering_ring_driver::pool::{Class, Pool};
use wakering_ring_driver::testing::{CheckingBuf, Witness, in_child, open_descriptors, patience};
use wakering_ring_driver::{Config, Driver, Instant, Wait};

use crate::drop_in_flight::{Anything, MOMENTS, direct_file, drop_at};
use crate::world::World;
use crate::{Wakes, adopt, block_on, driver, poll_once};

/// Given a positioned read in the queue that the kernel has not seen; when the descriptor is closed
/// explicitly; then its number is not free before the read has ended, or the read would go to
/// whatever file gets the number next.
#[test]
fn closing_waits_for_operations_that_occupy_no_side() {
    let world = World::stubborn();
    let mut read = op::read_at(&world.fd, Vec::with_capacity(4), 0);
    world.waits(&mut read);
    let mut close = Box::pin(world.fd.clone().close());
    world.waits(&mut close);
    world.turn();
    world.waits(&mut close);
    assert_eq!(world.memory.closed(), 0, "the number is named by a request");
    world.memory.next_request().unwrap().receive(b"ours");
    world.turn();
    assert!(world.poll(&mut close).is_ready());
    assert_eq!(world.memory.closed(), 1);
    assert!(world.poll(&mut read).is_ready(), "what came is still its future's");
}

/// The same on the kernel: the number of a file with a queued read is closed, and another file is
/// opened at once.
#[test]
fn a_queued_read_never_meets_a_reused_number() {
    in_child("ending::a_queued_read_never_meets_a_reused_number", || {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("ours"), "ours").unwrap();
        std::fs::write(dir.path().join("theirs"), "theirs").unwrap();
        let driver = driver();
        let fd = adopt(&driver, File::open(dir.path().join("ours")).unwrap());
        let number = fd.os_number();
        let wakes = Arc::new(Wakes::default());
        // What is alone in a turn may be read on the spot.
        let mut other = op::nop();
        let _ = poll_once(&driver, &mut other, &wakes);
        let mut read = op::read_at(&fd, Vec::with_capacity(8), 0);
        assert!(poll_once(&driver, &mut read, &wakes).is_pending());
        let mut close = Box::pin(fd.clone().close());
        let closed = poll_once(&driver, &mut close, &wakes).is_ready();
        let theirs = File::open(dir.path().join("theirs")).unwrap();
        let reused = number == Some(theirs.as_raw_fd());
        match block_on(&driver, read) {
            Ok((_, bytes)) => assert_eq!(bytes, b"ours"),
            Err(error) => assert_eq!(error.error.raw_os_error(), Some(libc::ECANCELED)),
        }
        assert!(!closed && !reused);
        block_on(&driver, close).unwrap();
        assert_eq!(fd.os_number(), None);
    });
}

/// Given a descriptor without handles whose last operation is in flight and unwanted; when all
/// handles of the driver are gone; then it ends as if it had been told to.
#[test]
fn dropping_all_handles_ends_a_driver_with_operations_in_flight() {
    in_child("ending::dropping_all_handles_ends_a_driver_with_operations_in_flight", || {
        let before = open_descriptors();
        for moment in MOMENTS {
            let driver = driver();
            let (ours, _theirs) = UnixStream::pair().unwrap();
            let (buf, received) = CheckingBuf::new(64);
            let fd = adopt(&driver, ours);
            drop_at(&driver, op::recv(&fd, buf), moment);
            drop(fd);
            let file = adopt(&driver, tempfile::tempfile().unwrap());
            let (buf, written) = CheckingBuf::of(&[1; 4096]);
            drop_at(&driver, op::write_at(&file, buf, 0), moment);
            drop(file);
            drop(driver);
            received.assert_untouched();
            written.assert_untouched();
        }
        assert_eq!(open_descriptors(), before);
    });
}

/// How many threads the pool has.
fn pool_threads() -> usize {
    let threads = std::fs::read_dir("/proc/self/task").unwrap();
    let names = threads
        .filter_map(|thread| std::fs::read_to_string(thread.unwrap().path().join("comm")).ok());
    names.filter(|name| name.trim_end() == "wakering-pool").count()
}

/// Given a read past the page cache, a receive, an accept, a timer, a call on the pool and a
/// closure on the pool, all in flight; when the driver is dropped; then no buffer is written to
/// afterwards, and descriptors and threads are what they were before.
#[test]
fn a_dropped_driver_leaves_no_late_write_and_no_descriptor() {
    in_child("ending::a_dropped_driver_leaves_no_late_write_and_no_descriptor", || {
        let dir = tempfile::tempdir().unwrap();
        let before = open_descriptors();
        let mut config = Config::default();
        let lane = std::env::var("WAKERING_CAPS").unwrap_or_default();
        config.mask = Some(format!("{lane},-fsync").parse().unwrap());
        let driver = Driver::new(&config).unwrap();
        let wakes = Arc::new(Wakes::default());

        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let socket = adopt(&driver, ours);
        let (buf, received) = CheckingBuf::new(4096);
        let mut receive = op::recv(&socket, buf);
        let listener = adopt(&driver, TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
        let mut accept = op::accept(&listener);
        let mut timer = op::timeout(Duration::from_secs(3600));
        // Without O_DIRECT it reads from the page cache, which is late in its own way.
        let file = direct_file(dir.path()).or_else(|| File::open(dir.path().join("direct")).ok());
        let file = adopt(&driver, file.unwrap());
        let (buf, read) = CheckingBuf::new(4 << 20);
        let mut disk = op::read_at(&file, buf, 0);
        let mut sync = op::fsync(&file);
        assert!(poll_once(&driver, &mut receive, &wakes).is_pending());
        assert!(poll_once(&driver, &mut accept, &wakes).is_pending());
        assert!(poll_once(&driver, &mut timer, &wakes).is_pending());
        assert!(poll_once(&driver, &mut sync, &wakes).is_pending());
        assert!(poll_once(&driver, &mut disk, &wakes).is_pending());
        driver.turn(Wait::Now);
        let (tell, told) = mpsc::channel();
        let job = move || {
            tell.send("begun").unwrap();
            thread::sleep(Duration::from_millis(50));
            tell.send("ended").unwrap();
        };
        Pool::shared().submit(Class::User, Box::new(job)).unwrap();
        assert_eq!(told.recv().unwrap(), "begun");
        let calls = if driver.capabilities().has("read") { 1 } else { 2 };
        assert_eq!(driver.counters().pool_calls, calls);
        // A thread takes its name when it first runs.
        let end = Instant::now() + patience(Duration::from_secs(10));
        while pool_threads() < 2 {
            assert!(Instant::now() < end, "the pool has not begun");
            thread::yield_now();
        }

        drop((receive, accept, timer, sync, disk));
        drop((socket, listener, file, driver));
        assert_eq!(told.try_recv(), Ok("ended"), "the pool was not joined");
        let _ = theirs.write_all(&[b'!'; 4096]);
        drop(theirs);
        thread::sleep(Duration::from_millis(50));
        received.assert_untouched();
        read.assert_untouched();
        assert_eq!((open_descriptors(), pool_threads()), (before, 0));
    });
}

/// U09. Given 1,000 operations in flight, futures alive or dropped; when the driver ends; then all
/// have had their completion, and descriptors are what they were before.
#[test]
fn case_u09_a_thousand_operations_end_with_the_driver() {
    in_child("ending::case_u09_a_thousand_operations_end_with_the_driver", || {
        let before = open_descriptors();
        let driver = driver();
        let wakes = Arc::new(Wakes::default());
        let mut witnesses = Vec::new();
        let mut alive: Vec<Anything> = Vec::new();
        let mut peers = Vec::new();
        for number in 0..1000 {
            let mut future: Anything = match number % 4 {
                0 => {
                    let (ours, theirs) = UnixStream::pair().unwrap();
                    let fd = adopt(&driver, ours);
                    let (buf, witness) = CheckingBuf::new(4096);
                    peers.push(theirs);
                    witnesses.push(witness);
                    Box::pin(async move { drop(op::recv(&fd, buf).await) })
                }
                _ => Box::pin(async { op::timeout(Duration::from_secs(3600)).await.unwrap() }),
            };
            assert!(poll_once(&driver, &mut future, &wakes).is_pending());
            if number % 8 < 4 {
                alive.push(future);
            }
        }
        assert_eq!(driver.counters().in_flight, 1000);
        assert_eq!(driver.shutdown(patience(Duration::from_secs(10))).leaked, 0);
        let counters = driver.counters();
        assert_eq!((counters.in_flight, counters.stale), (0, 0), "{counters:?}");
        drop((alive, driver));
        for peer in &mut peers {
            let _ = peer.write_all(b"late");
        }
        drop(peers);
        witnesses.iter().for_each(Witness::assert_untouched);
        assert_eq!(open_descriptors(), before);
    });
}
