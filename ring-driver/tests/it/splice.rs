//! Moving bytes between descriptors: what arrives, what is refused, and who keeps the two of them
//! as long as it takes.

use std::fs::{self, File};
use std::io::{self, Read, Write, pipe};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::task::Poll;
use std::thread;
use std::time::Duration;

use wakering_ring_driver::op::{self, Op, OpenHow, Splice};
use wakering_ring_driver::testing::{Memory, Submitted, skip};
use wakering_ring_driver::{Config, Driver, Fd, Instant, RuntimeError, Wait};

use crate::drop_in_flight::{MOMENTS, drop_at};
use crate::{Wakes, adopt, block_on, driver, each_way, poll_once, settle};

fn room(capacity: usize) -> Vec<u8> {
    Vec::with_capacity(capacity)
}

/// The two ends of a pipe.
fn piped(driver: &Driver) -> io::Result<(Fd, Fd)> {
    let (reader, writer) = pipe()?;
    Ok((adopt(driver, reader), adopt(driver, writer)))
}

/// A peer, and the socket that it talks to.
fn socket(driver: &Driver) -> io::Result<(UnixStream, Fd)> {
    let (peer, socket) = UnixStream::pair()?;
    Ok((peer, adopt(driver, socket)))
}

/// Given a file and a pipe; when bytes go from the one through the other to a second file; then they
/// arrive where they were to go, as many as there are, and the end of the file is 0.
#[test]
fn a_file_goes_through_a_pipe() {
    each_way(&["splice"], async |driver: &Driver| {
        let dir = tempfile::tempdir()?;
        let (from, to) = (dir.path().join("from"), dir.path().join("to"));
        fs::write(&from, "0123456789")?;
        let source = adopt(driver, File::open(&from)?);
        let target = adopt(driver, File::create(&to)?);
        let (reader, writer) = piped(driver)?;

        assert_eq!(op::splice(&source, Some(4), &writer, None, 3).await?, 3, "as many as asked");
        assert_eq!(op::splice(&reader, None, &target, Some(2), 64).await?, 3, "as many as there");
        assert_eq!(fs::read(&to)?, b"\0\x00456");

        // At the position, which moves.
        assert_eq!(op::splice(&source, None, &writer, None, 8).await?, 8);
        assert_eq!(op::splice(&source, None, &writer, None, 8).await?, 2);
        assert_eq!(op::splice(&source, None, &writer, None, 8).await?, 0, "the end");
        assert_eq!(op::splice(&source, Some(10), &writer, None, 8).await?, 0, "the end");
        assert_eq!(op::splice(&reader, None, &target, None, 64).await?, 10);
        assert_eq!(fs::read(&to)?, b"0123456789");
        writer.close().await?;
        assert_eq!(op::splice(&reader, None, &target, None, 64).await?, 0, "the end of the pipe");
        Ok(())
    });
}

/// Given a socket at each end of a pipe; when bytes come in; then they go out, also to a splice that
/// waited for them, and a peer that has gone is told of.
#[test]
fn a_socket_goes_through_a_pipe() {
    each_way(&["splice"], async |driver: &Driver| {
        let (mut client, source) = socket(driver)?;
        let (mut server, target) = socket(driver)?;
        let (reader, writer) = piped(driver)?;

        let mut waiting = op::splice(&source, None, &writer, None, 64);
        assert!(poll_once(driver, &mut waiting, &Arc::new(Wakes::default())).is_pending());
        driver.turn(Wait::Now);
        client.write_all(b"hello")?;
        assert_eq!(waiting.await?, 5);
        assert_eq!(op::splice(&reader, None, &target, None, 64).await?, 5);
        let mut received = [0; 5];
        server.read_exact(&mut received)?;
        assert_eq!(&received, b"hello");

        client.write_all(b"!")?;
        drop(client);
        assert_eq!(op::splice(&source, None, &writer, None, 64).await?, 1);
        assert_eq!(op::splice(&source, None, &writer, None, 64).await?, 0, "the end");
        drop(server);
        let error = op::splice(&reader, None, &target, None, 64).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
        Ok(())
    });
}

/// Given ends that do not fit together; when one is spliced to the other; then the error says why.
#[test]
fn what_cannot_be_spliced_is_refused() {
    each_way(&["splice"], async |driver: &Driver| {
        let dir = tempfile::tempdir()?;
        let path = dir.path().join("file");
        fs::write(&path, "content")?;
        let file = adopt(driver, File::open(&path)?);
        let how = OpenHow { append: true, ..OpenHow::default() };
        let appending = op::open(None, &path, how).await?;
        let (_peer, socket) = socket(driver)?;
        let (reader, writer) = piped(driver)?;
        op::write(&writer, "x").await?;
        let errno = |moved: io::Result<usize>| moved.unwrap_err().raw_os_error();

        let neither = op::splice(&file, None, &socket, None, 64).await;
        assert_eq!(errno(neither), Some(libc::EINVAL), "no pipe");
        let append = op::splice(&reader, None, &appending, None, 64).await;
        assert_eq!(errno(append), Some(libc::EINVAL));
        let offset = op::splice(&reader, Some(0), &socket, None, 64).await;
        assert_eq!(errno(offset), Some(libc::ESPIPE), "a pipe has no offsets");
        let direction = op::splice(&writer, None, &socket, None, 64).await;
        assert_eq!(errno(direction), Some(libc::EBADF), "not open for reading");
        Ok(())
    });
}

/// Given bytes that this driver has read, or has yet to send; when a splice would overtake them;
/// then it is refused, and goes on once they are out of the way.
#[test]
fn a_splice_overtakes_nothing() {
    each_way(&["splice"], async |driver: &Driver| {
        let (mut client, source) = socket(driver)?;
        let (mut server, target) = socket(driver)?;
        let (reader, writer) = piped(driver)?;
        let kind = |moved: io::Result<usize>| moved.unwrap_err().kind();
        let busy = io::ErrorKind::ResourceBusy;

        let mut recv = op::recv(&source, room(8));
        assert!(poll_once(driver, &mut recv, &Arc::new(Wakes::default())).is_pending());
        let moved = op::splice(&source, None, &writer, None, 64).await;
        assert_eq!(kind(moved), busy, "a receive is in flight");
        client.write_all(b"first")?;
        op::timeout(Duration::from_millis(1)).await?;
        drop(recv);
        op::timeout(Duration::from_millis(1)).await?;
        client.write_all(b"second")?;
        let moved = op::splice(&source, None, &writer, None, 64).await;
        assert_eq!(kind(moved), busy, "a dropped receive has left bytes");
        assert_eq!(op::recv(&source, room(5)).await?.1, b"first");
        assert_eq!(op::splice(&source, None, &writer, None, 64).await?, 6);

        target.queue(b"before ")?;
        let moved = op::splice(&reader, None, &target, None, 64).await;
        assert_eq!(kind(moved), busy, "output is queued");
        std::future::poll_fn(|cx| target.poll_flush(cx)).await?;
        assert_eq!(op::splice(&reader, None, &target, None, 64).await?, 6);
        let mut received = [0; 13];
        server.read_exact(&mut received)?;
        assert_eq!(&received, b"before second");
        Ok(())
    });
}

/// Given ends of which one belongs to another driver, or is closed; when they are spliced; then the
/// error says so and nothing is submitted.
#[test]
fn both_ends_are_open_and_of_one_driver() {
    let (ours, other) = (driver(), Driver::new(&Config::default()).unwrap());
    let (reader, writer) = pipe().unwrap();
    let (reader, stranger) = (adopt(&ours, reader), adopt(&other, writer));
    let runtime_error = |moved: io::Result<usize>| {
        let error = moved.unwrap_err();
        error.get_ref().and_then(|error| error.downcast_ref::<RuntimeError>()).copied()
    };
    block_on(&ours, async {
        let moved = op::splice(&reader, None, &stranger, None, 1).await;
        assert_eq!(runtime_error(moved), Some(RuntimeError::WrongRuntime));
        let writer = adopt(&ours, pipe().unwrap().1);
        let unpolled = op::splice(&reader, None, &writer, None, 1);
        writer.clone().close().await.unwrap();
        assert_eq!(runtime_error(unpolled.await), Some(RuntimeError::Closed));
        let moved = op::splice(&reader, None, &writer, None, 1).await;
        assert_eq!(runtime_error(moved), Some(RuntimeError::Closed));
    });
    assert_eq!(ours.counters().used("splice"), 0);
}

/// A splice that the kernel has, between two descriptors of a test's own world.
fn in_flight() -> (Driver, Memory, [Fd; 2], Op<Splice>, Submitted) {
    let (driver, memory) = Driver::memory().unwrap();
    memory.set_cancel_wins(false);
    let ends = [memory.descriptor(&driver), memory.descriptor(&driver)];
    let mut moving = op::splice(&ends[0], None, &ends[1], None, 64);
    assert!(poll_once(&driver, &mut moving, &Arc::new(Wakes::default())).is_pending());
    let submitted = memory.next_request().unwrap();
    assert_eq!(submitted.name(), "splice");
    (driver, memory, ends, moving, submitted)
}

/// Given a splice in flight; when its future and all handles of both ends are dropped; then neither
/// is closed before its final completion, and both are after it.
#[test]
fn both_ends_outlive_a_dropped_splice() {
    let (driver, memory, ends, moving, submitted) = in_flight();
    drop((moving, ends));
    for _ in 0..3 {
        driver.turn(Wait::Now);
    }
    assert_eq!((memory.closed(), driver.counters().descriptors), (0, 2));
    assert_eq!(driver.counters().cancels, 1, "nobody wants it any more");
    submitted.complete(5);
    driver.turn(Wait::Now);
    assert_eq!((memory.closed(), driver.counters().descriptors), (2, 0));
}

/// Given a splice in flight; when either end is closed; then it is cancelled, and the closing waits
/// until it is over.
#[test]
fn closing_either_end_ends_a_splice() {
    for end in [0, 1] {
        let (driver, memory, ends, mut moving, submitted) = in_flight();
        let wakes = Arc::new(Wakes::default());
        let mut closing = Box::pin(ends[end].clone().close());
        assert!(poll_once(&driver, &mut closing, &wakes).is_pending());
        driver.turn(Wait::Now);
        assert!(poll_once(&driver, &mut closing, &wakes).is_pending(), "the kernel has its number");
        assert_eq!((memory.closed(), driver.counters().cancels), (0, 1));
        submitted.complete(-libc::ECANCELED);
        driver.turn(Wait::Now);
        assert!(matches!(poll_once(&driver, &mut closing, &wakes), Poll::Ready(Ok(()))));
        assert_eq!(memory.closed(), 1);
        let Poll::Ready(moved) = poll_once(&driver, &mut moving, &wakes) else { panic!("over") };
        assert_eq!(moved.unwrap_err().raw_os_error(), Some(libc::ECANCELED));
    }
}

/// Given a splice that waits for a socket in the kernel; when it is dropped, queued or submitted, or
/// taken back; then it ends, and what comes later is for whoever reads next.
#[test]
fn a_splice_that_waits_can_be_dropped() {
    let driver = driver();
    if !driver.capabilities().has("splice") {
        return skip("a_splice_that_waits_can_be_dropped", "the pool cannot take one back");
    }
    let (mut client, source) = UnixStream::pair().unwrap();
    let source = adopt(&driver, source);
    let (_reader, writer) = pipe().unwrap();
    let writer = adopt(&driver, writer);
    for moment in MOMENTS {
        drop_at(&driver, op::splice(&source, None, &writer, None, 64), moment);
        settle(&driver);
    }
    // Before and after a worker of the kernel has begun to wait.
    for pause in [Duration::ZERO, Duration::from_millis(5)] {
        let mut moving = op::splice(&source, None, &writer, None, 64);
        assert!(poll_once(&driver, &mut moving, &Arc::new(Wakes::default())).is_pending());
        driver.turn(Wait::Now);
        block_on(&driver, op::timeout(pause)).unwrap();
        let error = block_on(&driver, moving.cancel()).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ECANCELED), "{error}");
    }
    client.write_all(b"later").unwrap();
    let received = block_on(&driver, op::recv(&source, room(8))).unwrap();
    assert_eq!(received.1, b"later");
}

/// Given splices on several threads that workers of the kernel are just about to begin; when each is
/// dropped; then it ends, as often as that is tried.
#[test]
fn a_splice_that_is_about_to_begin_can_be_dropped() {
    if !driver().capabilities().has("splice") {
        let name = "a_splice_that_is_about_to_begin_can_be_dropped";
        return skip(name, "the pool cannot take one back");
    }
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(drop_splices_as_they_begin);
        }
    });
}

fn drop_splices_as_they_begin() {
    let driver = driver();
    let (_client, source) = UnixStream::pair().unwrap();
    let source = adopt(&driver, source);
    let (_reader, writer) = pipe().unwrap();
    let writer = adopt(&driver, writer);
    let end = Instant::now() + Duration::from_secs(1);
    for round in 0.. {
        let moment = MOMENTS[round % MOMENTS.len()];
        drop_at(&driver, op::splice(&source, None, &writer, None, 64), moment);
        // The gap is a few microseconds wide, and where it lies differs by machine.
        let pause = Instant::now() + Duration::from_micros(round as u64 % 50);
        while Instant::now() < pause {}
        settle(&driver);
        if Instant::now() > end {
            break;
        }
    }
}
