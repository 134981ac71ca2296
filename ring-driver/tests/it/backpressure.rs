//! What happens when something is full: the queues of a ring, the pool of buffers, a peer that does
//! not read, the threads that a process may have. Everything slows down; nothing is lost and
//! nothing waits for ever.

use std::future::{Future, poll_fn};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use wakering_ring_driver::op;
use wakering_ring_driver::pool::{Class, Pool};
use wakering_ring_driver::testing::{
    Limit, StoppedClock, drop_privileges, in_child, limit, patience, skip,
};
use wakering_ring_driver::{Config, Driver, Failure, Fd, Instant, RuntimeError, Wait};

use crate::{Wakes, adopt, block_on, driver, poll_once, settle};

fn small(entries: u32, completions: u32) -> Driver {
    let mut config = Config::default();
    (config.entries, config.completions) = (entries, completions);
    Driver::new(&config).unwrap()
}

/// Turns until all of `futures` are ready; their outputs in order.
fn join<F: Future + Unpin>(driver: &Driver, mut futures: Vec<F>) -> Vec<F::Output> {
    let mut outputs: Vec<Option<F::Output>> = futures.iter().map(|_| None).collect();
    block_on(
        driver,
        poll_fn(|cx| {
            for (future, output) in futures.iter_mut().zip(&mut outputs) {
                if output.is_none()
                    && let Poll::Ready(ready) = Pin::new(future).poll(cx)
                {
                    *output = Some(ready);
                }
            }
            if outputs.iter().all(Option::is_some) { Poll::Ready(()) } else { Poll::Pending }
        }),
    );
    outputs.into_iter().flatten().collect()
}

/// U05. Given a completion queue of two, four or eight entries; when 1,000 operations complete
/// between two looks at it; then it overflows into kernel memory, and each future gets its own
/// outcome.
#[test]
fn case_u05_an_overflowing_completion_queue_loses_nothing() {
    let id = "backpressure::case_u05_an_overflowing_completion_queue_loses_nothing";
    if driver().backend() != "uring" {
        return skip(id, "there is no completion queue");
    }
    for (entries, completions) in [(1, 2), (2, 4), (8, 8)] {
        let driver = small(entries, completions);
        let fd = adopt(&driver, tempfile::tempfile().unwrap());
        block_on(&driver, op::write_at(&fd, (0..=255).collect::<Vec<u8>>(), 0)).unwrap();
        // Into one buffer alone they would be looked for in the page cache, and need no completion.
        let bufs = || vec![Vec::with_capacity(1)];
        let reads = (0..1000).map(|at| op::read_vectored_at(&fd, bufs(), at % 256)).collect();
        for (at, outcome) in join(&driver, reads).into_iter().enumerate() {
            let (count, bytes) = outcome.unwrap();
            assert_eq!((count, usize::from(bytes[0][0])), (1, at % 256), "somebody else's outcome");
        }
        let counters = driver.counters();
        assert!(counters.overflows > 0, "{completions} entries were enough: {counters:?}");
        assert_eq!((counters.in_flight, counters.stale), (0, 0));
        assert_eq!(driver.shutdown(Duration::from_secs(5)).leaked, 0);
    }
}

/// U05 for multishots. Given the smallest queue and 200 streams whose multishot receives all bring
/// data at once; when the overflow ends series early; then each stream's bytes come whole and in
/// order all the same.
#[test]
fn case_u05_an_overflow_ends_multishots_without_losing_their_bytes() {
    let driver = small(2, 4);
    if !driver.capabilities().multishot_recv {
        let id = "case_u05_an_overflow_ends_multishots_without_losing_their_bytes";
        return skip(id, "the ring has no multishot receive");
    }
    let message: Vec<u8> = (0..20_000u32).map(|byte| (byte % 251) as u8).collect();
    let mut streams = Vec::new();
    let mut peers = Vec::new();
    for _ in 0..200 {
        let (ours, theirs) = UnixStream::pair().unwrap();
        peers.push(theirs);
        let (fd, len) = (adopt(&driver, ours), message.len());
        let collect = async move {
            let mut bytes = Vec::new();
            let mut items = op::recv_multi(&fd)?;
            while bytes.len() < len {
                match items.next().await {
                    Some(Ok(item)) => bytes.extend_from_slice(&item),
                    // The pool is empty for the moment, or the queue was full.
                    Some(Err(error)) if error.raw_os_error() == Some(libc::ENOBUFS) => {}
                    Some(Err(error)) => return Err(error),
                    None => items = op::recv_multi(&fd)?,
                }
            }
            std::io::Result::Ok(bytes)
        };
        streams.push(Box::pin(collect));
    }
    let wakes = Arc::new(Wakes::default());
    for stream in &mut streams {
        assert!(poll_once(&driver, stream, &wakes).is_pending());
    }
    driver.turn(Wait::Now);
    for peer in &mut peers {
        peer.write_all(&message).unwrap();
    }
    for bytes in join(&driver, streams) {
        assert!(bytes.unwrap() == message, "bytes are missing or out of order");
    }
    assert!(driver.counters().overflows > 0, "{:?}", driver.counters());
}

/// Given a submission queue of one entry; when a thousand bytes go to and fro, with reads, writes
/// and timers beside them; then all is as with a larger one.
#[test]
fn a_submission_queue_of_one_entry_is_enough() {
    let driver = small(1, 2);
    let (ours, theirs) = UnixStream::pair().unwrap();
    let (here, there) = (adopt(&driver, ours), adopt(&driver, theirs));
    block_on(&driver, async {
        for round in 0..1000u32 {
            let bytes = round.to_ne_bytes().to_vec();
            op::send(&here, bytes.clone()).await.unwrap();
            let (_, received) = op::recv(&there, Vec::with_capacity(8)).await.unwrap();
            assert_eq!(received, bytes);
        }
        op::timeout(Duration::from_millis(1)).await.unwrap();
        here.close().await.unwrap();
        assert_eq!(op::recv(&there, vec![0]).await.unwrap().0, 0);
    });
}

/// Given somebody who holds all pooled buffers; when a multishot receive finds none; then its
/// series ends with ENOBUFS, what the peer sends meanwhile stays in the socket, and after some
/// buffers are back the next series goes on where the first one ended.
#[test]
fn a_multishot_receive_survives_an_empty_pool() {
    let driver = driver();
    if !driver.capabilities().multishot_recv {
        let id = "a_multishot_receive_survives_an_empty_pool";
        return skip(id, "the ring has no multishot receive");
    }
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let fd = adopt(&driver, ours);
    let mut held = Vec::new();
    let mut sent = 0u32;
    let error = block_on(&driver, async {
        let mut items = op::recv_multi(&fd).unwrap();
        loop {
            theirs.write_all(&sent.to_ne_bytes()).unwrap();
            sent += 1;
            match items.next().await.expect("the series ends with an error") {
                Ok(item) => held.push(item),
                Err(error) => break error,
            }
        }
    });
    assert_eq!(error.raw_os_error(), Some(libc::ENOBUFS));
    assert!(held.len() >= 16, "{} buffers", held.len());
    for (number, item) in held.iter().enumerate() {
        assert_eq!(**item, (number as u32).to_ne_bytes());
    }
    assert_eq!(held.len() as u32, sent - 1, "one message has found no buffer");
    held.truncate(8);
    theirs.write_all(b"more").unwrap();
    block_on(&driver, async {
        let mut items = op::recv_multi(&fd).unwrap();
        let first = items.next().await.unwrap().unwrap();
        assert_eq!(first[..4], (sent - 1).to_ne_bytes());
        let rest: Vec<u8> = match first.len() {
            4 => items.next().await.unwrap().unwrap().into_vec(),
            _ => first[4..].to_vec(),
        };
        assert_eq!(rest, b"more");
    });
}

/// Given somebody who holds all pooled buffers and does not let go; when others read from their
/// streams; then they get their bytes in memory of their own: an empty pool slows down and does not
/// stop anybody.
#[test]
fn reading_goes_on_without_pooled_buffers() {
    let driver = driver();
    let mut held = Vec::new();
    let mut pairs: Vec<_> = (0..200)
        .map(|_| UnixStream::pair().unwrap())
        .map(|(ours, theirs)| (adopt(&driver, ours), theirs))
        .collect();
    for round in 0..7u8 {
        for (number, (fd, theirs)) in pairs.iter_mut().enumerate() {
            theirs.write_all(&[round, number as u8]).unwrap();
            let bytes = block_on(&driver, poll_fn(|cx| fd.poll_fill(cx))).unwrap();
            assert_eq!(*bytes, [round, number as u8]);
            held.push(bytes);
        }
    }
    assert_eq!(held.len(), 1400, "more than the pool has");
}

/// U07. Given receives that pick their buffer from the pool; when each is dropped, with data there
/// or without; then the data goes to the next read and no buffer is missing, however often.
#[test]
fn case_u07_a_dropped_receive_gives_its_buffer_back_and_keeps_the_data() {
    let driver = driver();
    if !driver.capabilities().multishot_recv {
        let id = "case_u07_a_dropped_receive_gives_its_buffer_back_and_keeps_the_data";
        return skip(id, "the ring has no multishot receive");
    }
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let fd = adopt(&driver, ours);
    let wakes = Arc::new(Wakes::default());
    // Far more rounds than there are buffers.
    for round in 0..1000u32 {
        let mut items = op::recv_multi(&fd).unwrap();
        let mut next = Box::pin(items.next());
        assert!(poll_once(&driver, &mut next, &wakes).is_pending());
        driver.turn(Wait::Now);
        theirs.write_all(&round.to_ne_bytes()).unwrap();
        // The data is in the completion queue, on its way, or still in the socket.
        for _ in 0..round % 3 {
            driver.turn(Wait::Now);
        }
        drop(next);
        drop(items);
        if round % 2 == 0 {
            settle(&driver);
        }
        let (_, bytes) = block_on(&driver, op::recv(&fd, Vec::with_capacity(8))).unwrap();
        assert_eq!(bytes, round.to_ne_bytes());
    }
    let mut items = op::recv_multi(&fd).unwrap();
    theirs.write_all(b"!").unwrap();
    let item = block_on(&driver, items.next()).unwrap();
    assert_eq!(*item.expect("the pool has buffers"), *b"!");
}

/// A TCP connection whose peer does not read and has no room left, with much more queued.
fn stalled(driver: &Driver) -> (Fd, TcpStream) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let theirs = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let fd = adopt(driver, listener.accept().unwrap().0);
    let entered = driver.enter();
    fd.queue(&vec![b'x'; 32 << 20]).unwrap();
    drop(entered);
    for _ in 0..10 {
        driver.turn(Wait::Now);
    }
    assert_eq!(driver.counters().in_flight, 1, "the send waits for the peer");
    (fd, theirs)
}

/// Given a peer that does not read; when its connection is aborted; then half a send that has gone
/// out is not followed by the other half, other handles are refused, the peer sees a reset, and the
/// number is free.
#[test]
fn aborting_does_not_wait_for_a_stalled_peer() {
    let driver = driver();
    let (fd, mut theirs) = stalled(&driver);
    let other = fd.clone();
    fd.abort();
    let entered = driver.enter();
    let refused = other.queue(b"more").unwrap_err();
    assert_eq!(RuntimeError::of(&refused), Some(RuntimeError::Closed));
    drop((other, entered));
    settle(&driver);
    assert_eq!(driver.counters().descriptors, 0);
    let error = theirs.read_to_end(&mut Vec::new()).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
}

/// Given a peer that does not read; when its connection is closed; then the output has its five
/// seconds, and closing ends with an error that says that bytes were lost.
#[test]
fn closing_a_stalled_connection_ends_within_its_linger_time() {
    let driver = driver();
    let (fd, theirs) = stalled(&driver);
    let start = Instant::now();
    let error = block_on(&driver, fd.close()).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::ECANCELED));
    assert!(start.elapsed() >= Duration::from_secs(5), "{:?}", start.elapsed());
    assert!(start.elapsed() < patience(Duration::from_secs(10)), "{:?}", start.elapsed());
    assert_eq!(driver.counters().descriptors, 0);
    drop(theirs);
}

/// Given a peer that does not read; when the driver ends; then it gives the peer half of its time,
/// cuts the send short and has nothing to leak.
#[test]
fn ending_a_driver_does_not_wait_for_a_stalled_peer() {
    let driver = driver();
    let (fd, theirs) = stalled(&driver);
    let start = Instant::now();
    let allowed = Duration::from_secs(3).max(patience(Duration::from_millis(400)));
    let drained = driver.shutdown(allowed);
    assert_eq!(drained.leaked, 0);
    assert!(start.elapsed() >= allowed / 2);
    assert!(start.elapsed() < allowed, "{:?}", start.elapsed());
    drop((fd, theirs));
}

/// Given an end without a limit in time; when nothing is in flight; then it is over at once.
#[test]
fn the_longest_deadline_is_not_too_long() {
    let driver = driver();
    let start = Instant::now();
    assert_eq!(driver.shutdown(Duration::MAX).leaked, 0);
    assert!(start.elapsed() < patience(Duration::from_secs(5)));
}

/// Given a user who may have no more threads; when a job is submitted; then there is an error that
/// names the call and what mends it, and no job is left behind.
#[test]
fn without_a_single_thread_a_job_is_refused() {
    let name = "backpressure::without_a_single_thread_a_job_is_refused";
    in_child(name, || {
        drop_privileges(65534);
        limit(Limit::Processes, 1);
        let pool = Pool::shared();
        let error = pool.submit(Class::User, Box::new(|| {})).unwrap_err();
        let failure = Failure::of(&error).unwrap();
        assert_eq!((failure.operation(), failure.errno()), ("clone", Some(libc::EAGAIN)));
        assert!(failure.remedy().unwrap().contains("ulimit -u"));
        assert_eq!(pool.counters(Class::User).queued, 0);
    });
}

/// Given a user who may have one thread more; when many jobs are submitted; then that one does them
/// all.
#[test]
fn with_a_single_thread_jobs_wait() {
    in_child("backpressure::with_a_single_thread_jobs_wait", || {
        drop_privileges(65533);
        let pool = Pool::shared();
        let (tell, told) = std::sync::mpsc::channel();
        let (begin, begun) = std::sync::mpsc::channel();
        let (release, held) = std::sync::mpsc::channel::<()>();
        let first = move || {
            begin.send(()).unwrap();
            held.recv().unwrap();
        };
        pool.submit(Class::User, Box::new(first)).unwrap();
        begun.recv().unwrap();
        limit(Limit::Processes, 1);
        for number in 0..100 {
            let tell = tell.clone();
            pool.submit(Class::User, Box::new(move || tell.send(number).unwrap())).unwrap();
        }
        let counters = pool.counters(Class::User);
        assert_eq!((counters.threads, counters.queued), (1, 100));
        release.send(()).unwrap();
        for number in 0..100 {
            assert_eq!(told.recv_timeout(patience(Duration::from_secs(20))), Ok(number));
        }
    });
}

/// Given a send that the kernel does not end, on a descriptor without handles, and a loop that has
/// other things to do; when the sending has taken long enough; then a turn is asked for, and the
/// send is cancelled.
#[test]
fn a_busy_loop_is_told_to_end_what_lingers() {
    let clock = StoppedClock::new();
    let (driver, memory) = Driver::memory().unwrap();
    let fd = memory.descriptor(&driver);
    let wakes = Arc::new(Wakes::default());
    let mut sending = op::send(&fd, "stalled");
    assert!(poll_once(&driver, &mut sending, &wakes).is_pending());
    drop((sending, fd));
    driver.turn(Wait::Now);
    assert!(!driver.needs_turn());
    StoppedClock::advance_to(Instant::now() + Duration::from_secs(5));
    assert!(driver.needs_turn());
    driver.turn(Wait::Now);
    driver.turn(Wait::Now);
    assert_eq!((memory.in_flight(), memory.closed()), (0, 1));
    drop(clock);
}
