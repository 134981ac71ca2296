//! Futures dropped while the kernel has their buffers: nothing is freed before the final
//! completion, nothing is written after it, and what was brought is not lost. The buffers check
//! themselves.

#![allow(unsafe_code)]

use std::fs::{File, OpenOptions};
use std::future::Future;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use wakering_ring_driver::op::SocketKind;
use wakering_ring_driver::op::{self, Allocation, DatagramBuffer, Domain, Interest, OpenHow};
use wakering_ring_driver::testing::{
    CheckingBuf, Witness, in_child, open_descriptors, patience, skip,
};
use wakering_ring_driver::{Driver, Fd, IoBuf, Wait};

use crate::{Wakes, adopt, block_on, driver, poll_once, settle};

/// How far an operation has got when its future is dropped.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Moment {
    /// Its request is in the queue, and the kernel has not seen it.
    Queued,
    /// The kernel has it.
    Submitted,
}

pub(crate) const MOMENTS: [Moment; 2] = [Moment::Queued, Moment::Submitted];

/// A buffer that tells if it is dropped while `driver` has anything in flight.
fn lent_by(driver: &Driver, bytes: &[u8]) -> (CheckingBuf, Witness) {
    let (buf, witness) = CheckingBuf::of(bytes);
    let driver = driver.clone();
    witness.lent_while(move || driver.counters().in_flight > 0);
    (buf, witness)
}

/// Polls `future` once and drops it at `moment`.
pub(crate) fn drop_at<F: Future + Unpin>(driver: &Driver, mut future: F, moment: Moment) {
    let wakes = Arc::new(Wakes::default());
    assert!(poll_once(driver, &mut future, &wakes).is_pending());
    if moment == Moment::Submitted {
        driver.turn(Wait::Now);
    }
    drop(future);
}

/// U01. Given an operation of each sort; when it is dropped without having been polled; then the
/// kernel has seen nothing and its buffer is free.
#[test]
fn case_u01_what_was_never_polled_was_never_asked() {
    let driver = driver();
    let fd = adopt(&driver, UnixStream::pair().unwrap().0);
    let (buf, witness) = CheckingBuf::new(64);
    drop(op::recv(&fd, buf));
    witness.assert_untouched();
    let (buf, witness) = CheckingBuf::of(b"data");
    drop(op::send(&fd, buf).cancel());
    witness.assert_untouched();
    drop((op::accept(&fd), op::accept_multi(&fd), op::recv_msg(&fd, DatagramBuffer::new())));
    drop((op::nop(), op::timeout(Duration::ZERO), op::fsync(&fd), op::stat(&fd)));
    drop((op::open(None, "/dev/null", OpenHow::default()), op::unlink(None, "/nowhere")));
    driver.turn(Wait::Now);
    let counters = driver.counters();
    assert_eq!((counters.submitted, counters.operations().count(), counters.in_flight), (0, 0, 0));
}

/// One case of U02: `start` on one end of what `ends` makes, with bytes written to the other end
/// right after the drop, before the cancellation can be sent, or not at all. `next` must then get
/// them.
fn check_incoming<R: Into<OwnedFd>, W: Write, F: Future + Unpin>(
    ends: impl Fn() -> (R, W),
    start: impl Fn(&Fd, CheckingBuf) -> F,
    next: impl AsyncFn(&Fd) -> Vec<u8>,
) {
    for moment in MOMENTS {
        for arrives in [false, true] {
            let driver = driver();
            let (ours, mut theirs) = ends();
            let fd = adopt(&driver, ours);
            let (buf, witness) = lent_by(&driver, &[b'.'; 512]);
            drop_at(&driver, start(&fd, buf), moment);
            assert!(!witness.is_dropped(), "{moment:?}: the kernel has it");
            if arrives {
                theirs.write_all(b"data").unwrap();
            }
            settle(&driver);
            witness.assert_untouched();
            if !arrives {
                theirs.write_all(b"data").unwrap();
            }
            assert_eq!(block_on(&driver, next(&fd)), b"data", "{moment:?}, arrives: {arrives}");
            witness.assert_untouched();
        }
    }
}

/// U02. Given a receive, peek or read in flight; when its future is dropped, before or after the
/// kernel has seen it, with bytes coming at that moment or later; then the buffer is dropped after
/// the final completion only, is not written to again, and the next one gets the bytes.
#[test]
fn case_u02_a_buffer_for_incoming_bytes_outlives_the_completion() {
    let sockets = || UnixStream::pair().unwrap();
    let pipe = || std::io::pipe().unwrap();
    let receive = async |fd: &Fd| op::recv(fd, Vec::with_capacity(64)).await.unwrap().1;
    let read = async |fd: &Fd| op::read(fd, Vec::with_capacity(64)).await.unwrap().1;
    check_incoming(sockets, op::recv, receive);
    check_incoming(sockets, op::peek, receive);
    check_incoming(pipe, op::read, read);
    check_incoming(pipe, |fd, buf| op::read_vectored(fd, vec![buf]), read);
}

/// One case of U02: `start` on an end that has no room, whose peer reads only later.
fn check_outgoing<W: Into<OwnedFd>, R: Read + Send + 'static, F: Future + Unpin>(
    ends: impl Fn() -> (W, R),
    start: impl Fn(&Fd, CheckingBuf) -> F,
) {
    const LEN: usize = 1 << 20;
    for moment in MOMENTS {
        let driver = driver();
        let (ours, mut theirs) = ends();
        let fd = adopt(&driver, ours);
        let (buf, witness) = lent_by(&driver, &[b'x'; LEN]);
        drop_at(&driver, start(&fd, buf), moment);
        for _ in 0..3 {
            driver.turn(Wait::Now);
        }
        assert!(!witness.is_dropped(), "{moment:?}: the peer has not taken all of it");
        let reader = thread::spawn(move || {
            let mut bytes = Vec::new();
            theirs.read_to_end(&mut bytes).unwrap();
            bytes
        });
        settle(&driver);
        witness.assert_untouched();
        block_on(&driver, fd.close()).unwrap();
        let bytes = reader.join().unwrap();
        let wrong = bytes.iter().position(|&byte| byte != b'x');
        assert_eq!(wrong, None, "{moment:?}: what was sent is not what was lent");
        assert!(bytes.len() > PIPE, "{moment:?}: nothing was sent after the drop");
    }
}

/// What a pipe holds.
const PIPE: usize = 1 << 16;

/// U02. Given a send or write in flight to somebody who does not read; when its future is dropped;
/// then the buffer stays as it is until the peer has taken the bytes.
#[test]
fn case_u02_a_buffer_for_outgoing_bytes_outlives_the_completion() {
    let sockets = || {
        let (ours, theirs) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        while (&ours).write(&[b'x'; 4096]).is_ok() {}
        ours.set_nonblocking(false).unwrap();
        (ours, theirs)
    };
    let pipe = || {
        let (reader, mut writer) = std::io::pipe().unwrap();
        writer.write_all(&[b'x'; PIPE]).unwrap();
        (writer, reader)
    };
    check_outgoing(sockets, op::send);
    check_outgoing(sockets, |fd, buf| op::send_vectored(fd, vec![buf]));
    check_outgoing(sockets, |fd, buf| op::send_msg(fd, buf, None, Vec::new()));
    check_outgoing(pipe, op::write);
    check_outgoing(pipe, |fd, buf| op::write_vectored(fd, vec![buf]));
}

/// A file of 4 MiB that is not in the page cache, so that reading it takes the disk's time. `None`
/// on file systems without `O_DIRECT`.
pub(crate) fn direct_file(dir: &Path) -> Option<File> {
    let path = dir.join("direct");
    let file = File::create(&path).unwrap();
    (&file).write_all(&vec![b'f'; 4 << 20]).unwrap();
    file.sync_all().unwrap();
    let mut options = OpenOptions::new();
    options.read(true).write(true).custom_flags(libc::O_DIRECT).open(&path).ok()
}

/// U02. Given a positioned read or write past the page cache; when its future is dropped; then the
/// disk's time passes before the buffer is dropped, and nothing is written to it afterwards.
#[test]
fn case_u02_a_buffer_for_a_disk_outlives_the_completion() {
    const LEN: usize = 4 << 20;
    let dir = tempfile::tempdir().unwrap();
    let Some(file) = direct_file(dir.path()) else {
        let id = "case_u02_a_buffer_for_a_disk_outlives_the_completion";
        return skip(id, "the file system has no O_DIRECT");
    };
    let driver = driver();
    let fd = adopt(&driver, file);
    fn boxed<F: Future + 'static>(future: F) -> Pin<Box<dyn Future<Output = ()>>> {
        Box::pin(async { drop(future.await) })
    }
    type Start = fn(&Fd, CheckingBuf) -> Pin<Box<dyn Future<Output = ()>>>;
    let starts: [Start; 6] = [
        |fd, buf| boxed(op::read_at(fd, buf, 0)),
        |fd, buf| boxed(op::read_vectored_at(fd, vec![buf], 0)),
        |fd, buf| boxed(op::write_at(fd, buf, 0)),
        |fd, buf| boxed(op::write_vectored_at(fd, vec![buf], 0)),
        |fd, buf| boxed(op::write_at_in_turn(fd, buf, 0)),
        |fd, buf| boxed(op::write_vectored_at_in_turn(fd, vec![buf], 0)),
    ];
    for start in starts {
        for moment in MOMENTS {
            let (buf, witness) = lent_by(&driver, &vec![b'w'; LEN]);
            drop_at(&driver, start(&fd, buf), moment);
            assert_eq!(witness.is_dropped(), driver.counters().in_flight == 0, "{moment:?}");
            settle(&driver);
            thread::sleep(Duration::from_millis(5));
            witness.assert_untouched();
        }
    }
    let read = op::read_at(&fd, CheckingBuf::new(LEN).0, 0);
    let (count, buf) = block_on(&driver, read).unwrap();
    assert_eq!(count, LEN);
    let (f, w) = (buf.as_slice().iter()).fold((0, 0), |(f, w), byte| match byte {
        b'f' => (f + 1, w),
        b'w' => (f, w + 1),
        other => panic!("the disk has read {other:#x} from a buffer that was dropped"),
    });
    assert_eq!(f + w, LEN);
}

pub(crate) type Anything = Pin<Box<dyn Future<Output = ()>>>;

/// Operations whose memory is their own, or that lend none, each with what makes it go on.
fn other_kinds(driver: &Driver, dir: &Path) -> Vec<(&'static str, Anything)> {
    fn boxed<F: Future + 'static>(future: F) -> Anything {
        Box::pin(async { drop(future.await) })
    }
    let file = adopt(driver, File::create(dir.join("file")).unwrap());
    let path = |name: &str| -> PathBuf { dir.join(name) };
    let unix = || adopt(driver, UnixStream::pair().unwrap().0);
    let listener = || {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        // Two wait already: the second is there when the first has been thrown away.
        let clients = [TcpStream::connect(address), TcpStream::connect(address)];
        (adopt(driver, listener), clients)
    };
    let (fd, clients) = listener();
    let accept = async move { drop((op::accept(&fd).await, clients)) };
    let (fd, clients) = listener();
    let accept_multi = async move { drop((op::accept_multi(&fd).next().await, clients)) };
    let datagrams = std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    datagrams.send_to(b"datagram", datagrams.local_addr().unwrap()).unwrap();
    let datagrams = adopt(driver, datagrams);
    let mut pooled = UnixStream::pair().unwrap();
    pooled.1.write_all(b"pooled").unwrap();
    let pooled = adopt(driver, pooled.0);
    let (client, server) = (TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap(), path("old"));
    let to = client.local_addr().unwrap();
    File::create(&server).unwrap();
    let socket = block_on(driver, op::socket(Domain::V4, SocketKind::Stream)).unwrap();
    let connect = async move { drop((op::connect(&socket, to).await, client)) };
    let how = OpenHow { write: true, create: true, ..OpenHow::default() };
    let existing = OpenHow { read: true, ..OpenHow::default() };
    // Without provided buffers a source waits for readiness before it takes one.
    let fill = if driver.capabilities().buf_ring { "recv" } else { "poll_add" };
    let mut kinds = vec![
        ("nop", boxed(op::nop())),
        ("timeout", boxed(op::timeout(Duration::from_secs(3600)))),
        ("poll_add", boxed(op::poll(UnixStream::pair().unwrap().0, Interest::READABLE))),
        ("accept", boxed(accept)),
        ("accept", boxed(accept_multi)),
        ("connect", boxed(connect)),
        ("recvmsg", boxed(op::recv_msg(&datagrams, DatagramBuffer::new()))),
        ("openat", boxed(op::open(None, path("new"), how))),
        ("openat", boxed(op::open(None, path("file"), existing))),
        ("close", boxed(op::close(File::open("/dev/null").unwrap().into()))),
        ("statx", boxed(op::stat(&file))),
        ("statx", boxed(op::statx(None, path("file"), true))),
        ("fsync", boxed(op::fsync(&file))),
        ("fallocate", boxed(op::fallocate(&file, 0, 4096, Allocation::Extend))),
        ("ftruncate", boxed(op::ftruncate(&file, 1))),
        ("mkdirat", boxed(op::mkdir(None, path("dir"), 0o700))),
        ("renameat", boxed(op::rename(None, path("old"), path("renamed")))),
        ("unlinkat", boxed(op::unlink(None, path("renamed")))),
        ("shutdown", boxed(op::shutdown(&unix(), std::net::Shutdown::Both))),
        (fill, boxed(async move { std::future::poll_fn(|cx| pooled.poll_fill(cx)).await })),
    ];
    if driver.capabilities().multishot_recv {
        let fd = unix();
        kinds.push(("recv", boxed(async move { op::recv_multi(&fd)?.next().await.transpose() })));
    }
    kinds
}

/// U02. Given an operation of each other kind; when its future is dropped, before or after the
/// kernel has seen it; then it ends, nothing stays in flight, and what it made is closed.
#[test]
fn case_u02_other_kinds_end_and_leave_no_descriptor() {
    let name = "drop_in_flight::case_u02_other_kinds_end_and_leave_no_descriptor";
    in_child(name, || {
        for moment in MOMENTS {
            let before = open_descriptors();
            let driver = driver();
            let dir = tempfile::tempdir().unwrap();
            for (kind, mut future) in other_kinds(&driver, dir.path()) {
                let carried_out = || {
                    let counters = driver.counters();
                    let elsewhere = counters.readiness_calls + counters.pool_calls;
                    counters.used(kind) + elsewhere + counters.cached_reads
                };
                let before = carried_out();
                let wakes = Arc::new(Wakes::default());
                if poll_once(&driver, &mut future, &wakes).is_pending() {
                    if moment == Moment::Submitted {
                        driver.turn(Wait::Now);
                    }
                    drop(future);
                    settle(&driver);
                }
                assert!(carried_out() > before, "{kind} was not in flight");
            }
            assert_eq!(driver.shutdown(patience(Duration::from_secs(10))).leaked, 0);
            drop((driver, dir));
            assert_eq!(open_descriptors(), before, "{moment:?}");
        }
    });
}

/// Given a backend that reports the end of what is cancelled and writes on; when a receive is
/// dropped; then the checks that all others here rest on find both.
#[test]
fn a_kernel_that_breaks_its_promise_is_found_out() {
    let (driver, memory) = Driver::memory().unwrap();
    // SAFETY: the only buffer that is lent here stays mapped after its drop.
    unsafe { memory.break_promises() };
    let fd = memory.descriptor(&driver);
    let (buf, witness) = CheckingBuf::new(64);
    let world = memory.clone();
    witness.lent_while(move || world.in_flight() > 0);
    let mut receive = op::recv(&fd, buf);
    assert!(poll_once(&driver, &mut receive, &Arc::new(Wakes::default())).is_pending());
    let submitted = memory.next_request().unwrap();
    drop(receive);
    driver.turn(Wait::Now);
    assert!(witness.is_dropped());
    let dropped_early = catch_unwind(AssertUnwindSafe(|| witness.assert_untouched())).unwrap_err();
    let dropped_early = dropped_early.downcast_ref::<&str>().copied().unwrap_or_default();
    assert_eq!(dropped_early, "the buffer was dropped while somebody still had it");

    let (buf, late) = CheckingBuf::new(64);
    let other = memory.descriptor(&driver);
    let mut receive = op::recv(&other, buf);
    assert!(poll_once(&driver, &mut receive, &Arc::new(Wakes::default())).is_pending());
    let written_late = memory.next_request().unwrap();
    drop(receive);
    driver.turn(Wait::Now);
    late.assert_untouched();
    written_late.receive(b"late");
    let touched = catch_unwind(AssertUnwindSafe(|| late.assert_untouched())).unwrap_err();
    let touched = touched.downcast_ref::<String>().unwrap();
    assert!(touched.contains("after the buffer was dropped"), "{touched}");
    drop(submitted);
    // Its drop panics too, for whoever does not ask.
    assert!(catch_unwind(AssertUnwindSafe(|| drop(witness))).is_err());
}
