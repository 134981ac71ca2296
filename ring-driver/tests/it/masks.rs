//! Whatever a mask takes away is not used, and everything still works: each operation that has a
//! system call, each capability, the classes of kernels, and all of it at once. The driver's
//! counters are the proof.

use std::io::pipe;
use std::net::{Ipv4Addr, Shutdown};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use wakering_ring_driver::op::{
    self, Allocation, DatagramBuffer, Domain, Interest, OpenHow, SocketKind,
};
use wakering_ring_driver::testing::ring_or_skip;
use wakering_ring_driver::{
    Backend, Config, Driver, Fd, IoBuf, SetupCause, SetupError, Sharing, option,
};

use crate::{Wakes, block_on, poll_once};

/// The operations that have a system call, or need none.
const REPLACEABLE: [&str; 28] = [
    "nop",
    "read",
    "write",
    "readv",
    "writev",
    "fsync",
    "ftruncate",
    "fallocate",
    "openat",
    "close",
    "statx",
    "unlinkat",
    "renameat",
    "mkdirat",
    "linkat",
    "symlinkat",
    "splice",
    "socket",
    "bind",
    "listen",
    "connect",
    "accept",
    "recv",
    "send",
    "send_zc",
    "recvmsg",
    "sendmsg",
    "shutdown",
];

type Tried = Result<(), Box<dyn std::error::Error>>;

fn driver(mask: &str) -> Result<Driver, SetupError> {
    let mut config = Config::default();
    config.backend = Backend::Uring;
    config.mask = Some(mask.parse().expect(mask));
    Driver::new(&config)
}

/// Runs every kind of operation once under `mask` and returns the driver for its counters.
fn all_operations(mask: &str) -> Driver {
    let driver = driver(mask).unwrap_or_else(|error| panic!("{mask}: {error}"));
    block_on(&driver, every_operation(&driver)).unwrap_or_else(|error| panic!("{mask}: {error}"));
    driver
}

/// Runs every kind of operation once.
pub(crate) async fn every_operation(driver: &Driver) -> Result<(), String> {
    files().await.map_err(|error| format!("files: {error}"))?;
    pipes(driver).await.map_err(|error| format!("pipes: {error}"))?;
    sockets(driver).await.map_err(|error| format!("sockets: {error}"))?;
    datagrams().await.map_err(|error| format!("datagrams: {error}"))?;
    waits(driver).await.map_err(|error| format!("waits: {error}"))
}

async fn files() -> Tried {
    let temporary = tempfile::tempdir()?;
    let dir = temporary.path().join("dir");
    let (old, new) = (dir.join("old"), dir.join("new"));
    op::mkdir(None, &dir, 0o700).await?;
    let how = OpenHow { read: true, write: true, create_new: true, ..OpenHow::default() };
    let file = op::open(None, &old, how).await?;
    assert_eq!(op::write_at(&file, "0123456789", 0).await?.0, 10);
    assert_eq!(op::write_vectored_at(&file, vec!["ab".slice(..), "c".slice(..)], 4).await?.0, 3);
    op::ftruncate(&file, 8).await?;
    op::fallocate(&file, 0, 9, Allocation::Extend).await?;
    op::fsync(&file).await?;
    op::fdatasync(&file).await?;
    assert_eq!(op::stat(&file).await?.len, 9);
    assert_eq!(op::read_at(&file, Vec::with_capacity(64), 2).await?.1, b"23abc7\0");
    let (count, parts) =
        op::read_vectored_at(&file, vec![Vec::with_capacity(3), Vec::with_capacity(9)], 0).await?;
    assert_eq!((count, parts.concat().as_slice()), (9, &b"0123abc7\0"[..]));
    file.close().await?;
    op::rename(None, &old, &new).await?;
    assert_eq!(op::statx(None, &new, true).await?.len, 9);
    op::link(None, &new, &old).await?;
    op::unlink(None, &new).await?;
    op::symlink(None, "old", &new).await?;
    assert_eq!(op::read_link(None, &new).await?.to_str(), Some("old"));
    assert_eq!(op::statx(None, &new, true).await?.len, 9);
    op::unlink(None, &old).await?;
    op::unlink(None, &new).await?;
    op::rmdir(None, &dir).await?;
    assert!(!dir.exists());
    Ok(())
}

async fn pipes(driver: &Driver) -> Tried {
    let (reader, writer) = pipe()?;
    let reader = Fd::adopt(driver, reader.into(), Sharing::Private)?;
    let writer = Fd::adopt(driver, writer.into(), Sharing::Private)?;
    let mut waiting = op::read(&reader, Vec::with_capacity(4));
    assert!(poll_once(driver, &mut waiting, &Arc::new(Wakes::default())).is_pending());
    assert_eq!(op::write(&writer, "abc").await?.0, 3);
    assert_eq!(waiting.await?.1, b"abc");
    assert_eq!(op::write_vectored(&writer, vec!["de".slice(..)]).await?.0, 2);
    assert_eq!(op::read_vectored(&reader, vec![Vec::with_capacity(4)]).await?.1, [b"de"]);
    let (far_reader, far_writer) = pipe()?;
    let far_reader = Fd::adopt(driver, far_reader.into(), Sharing::Private)?;
    let far_writer = Fd::adopt(driver, far_writer.into(), Sharing::Private)?;
    assert_eq!(op::write(&writer, "fgh").await?.0, 3);
    assert_eq!(op::splice(&reader, None, &far_writer, None, 64).await?, 3);
    assert_eq!(op::read(&far_reader, Vec::with_capacity(4)).await?.1, b"fgh");
    writer.close().await?;
    assert_eq!(op::read(&reader, Vec::with_capacity(4)).await?.0, 0);
    Ok(())
}

async fn sockets(driver: &Driver) -> Tried {
    let listener = op::socket(Domain::V4, SocketKind::Stream).await?;
    op::bind(&listener, std::net::SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?;
    op::listen(&listener, 16).await?;
    let address = option::local_address(&listener)?;
    let to = address.to_inet().ok_or("an address of the internet")?;

    let mut incoming = op::accept(&listener);
    assert!(poll_once(driver, &mut incoming, &Arc::new(Wakes::default())).is_pending());
    let client = op::socket(Domain::V4, SocketKind::Stream).await?;
    op::connect(&client, to).await?;
    let (server, peer) = incoming.await?;
    assert_eq!(peer.to_inet(), option::local_address(&client)?.to_inet());

    let mut waiting = op::recv(&server, Vec::with_capacity(4));
    assert!(poll_once(driver, &mut waiting, &Arc::new(Wakes::default())).is_pending());
    assert_eq!(op::send(&client, "abcdef").await?.0, 6);
    assert_eq!(waiting.await?.1, b"abcd");
    assert_eq!(op::peek(&server, Vec::with_capacity(4)).await?.1, b"ef");
    assert_eq!(op::recv(&server, Vec::with_capacity(4)).await?.1, b"ef");
    assert_eq!(op::send_vectored(&client, vec!["g", "hi"]).await?.0, 3);
    assert_eq!(op::recv(&server, Vec::with_capacity(4)).await?.1, b"ghi");
    op::shutdown(&client, Shutdown::Write).await?;
    assert_eq!(op::recv(&server, Vec::with_capacity(4)).await?.0, 0);

    let other = op::socket(Domain::V4, SocketKind::Stream).await?;
    op::connect(&other, to).await?;
    let server = op::accept_multi(&listener).next().await.ok_or("a connection")??;
    assert_eq!(op::send(&other, "pooled").await?.0, 6);
    let filled = std::future::poll_fn(|cx| server.poll_fill(cx)).await?;
    assert_eq!(&*filled, b"pooled");
    let (sent, lent) = op::send_zc(&other, vec![7; 40_000]).await?;
    let mut received = 0;
    while received < sent {
        received += op::recv(&server, Vec::with_capacity(40_000)).await?.0;
    }
    assert_eq!((received, lent.await.len()), (40_000, 40_000));
    for end in [client, server, other, listener] {
        end.close().await?;
    }
    Ok(())
}

async fn datagrams() -> Tried {
    let receiver = op::socket(Domain::V4, SocketKind::Datagram).await?;
    op::bind(&receiver, std::net::SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?;
    let to = option::local_address(&receiver)?;
    let sender = op::socket(Domain::V4, SocketKind::Datagram).await?;
    assert_eq!(op::send_msg(&sender, "whole", Some(to), Vec::new()).await?.0, 5);
    let datagram = op::recv_msg(&receiver, DatagramBuffer::new()).await?;
    assert_eq!(datagram.data(), b"whole");
    Ok(())
}

async fn waits(driver: &Driver) -> Tried {
    op::nop().await?;
    op::close(std::fs::File::open("/dev/null")?.into()).await?;
    op::timeout(Duration::from_millis(1)).await?;
    let (reader, writer) = pipe()?;
    let ready = op::poll(Rc::new(writer), Interest::WRITABLE).await?;
    assert!(ready.writable);
    let reader = Fd::adopt(driver, reader.into(), Sharing::Private)?;
    assert_eq!(op::read(&reader, Vec::with_capacity(1)).await?.0, 0, "the writer is gone");

    let (ours, _theirs) = std::os::unix::net::UnixStream::pair()?;
    let ours = Fd::adopt(driver, ours.into(), Sharing::Private)?;
    let mut waiting = op::recv(&ours, Vec::with_capacity(1));
    assert!(matches!(poll_once(driver, &mut waiting, &Arc::new(Wakes::default())), Poll::Pending));
    let error = waiting.cancel().await.expect_err("nobody sends");
    assert_eq!(error.error.raw_os_error(), Some(125), "ECANCELED");
    Ok(())
}

/// What a driver has used, measured by what it says it can do.
fn used_only_what_it_has(driver: &Driver) {
    let counters = driver.counters();
    assert_eq!(counters.beyond(&driver.capabilities()), [""; 0], "{}", driver.capabilities());
    assert_eq!((counters.leaked, counters.in_flight), (0, 0), "{counters:?}");
}

/// Given no mask; when every kind of operation has run; then the ring was given each of those that
/// the next tests take away, as far as the kernel has it: they do take something away.
#[test]
fn without_a_mask_everything_goes_through_the_ring() {
    if !ring_or_skip("masks::without_a_mask_everything_goes_through_the_ring") {
        return;
    }
    let driver = all_operations("");
    used_only_what_it_has(&driver);
    let counters = driver.counters();
    for name in REPLACEABLE.into_iter().filter(|name| driver.capabilities().has(name)) {
        assert!(counters.used(name) > 0, "{name} never went to the ring: {counters:?}");
    }
    assert!(counters.used("read") > 0 && counters.used("send") > 0, "{counters:?}");
}

/// Given a ring without one operation; when every kind of operation runs; then all succeed and that
/// one was not used.
#[test]
fn each_operation_has_something_that_stands_in_for_it() {
    if !ring_or_skip("masks::each_operation_has_something_that_stands_in_for_it") {
        return;
    }
    for name in REPLACEABLE {
        let driver = all_operations(&format!("-{name}"));
        used_only_what_it_has(&driver);
        let counters = driver.counters();
        assert_eq!(counters.used(name), 0, "{counters:?}");
    }
}

/// Given a ring without any of them; when every kind of operation runs; then all succeed by system
/// calls on the pool and after readiness.
#[test]
fn all_operations_at_once_have_something_that_stands_in_for_them() {
    if !ring_or_skip("masks::all_operations_at_once_have_something_that_stands_in_for_them") {
        return;
    }
    let mask: Vec<String> = REPLACEABLE.iter().map(|name| format!("-{name}")).collect();
    let driver = all_operations(&mask.join(","));
    used_only_what_it_has(&driver);
    let counters = driver.counters();
    let used: Vec<&str> = counters.operations().map(|(name, _)| name).collect();
    assert!(
        used.iter().all(|name| ["poll_add", "timeout", "async_cancel"].contains(name)),
        "{counters:?}"
    );
    assert!(counters.pool_calls > 0 && counters.readiness_calls > 0, "{counters:?}");
}

/// Given a ring without one capability, or of an older class; when every kind of operation runs;
/// then all succeed.
#[test]
fn each_capability_and_each_tier_can_be_done_without() {
    if !ring_or_skip("masks::each_capability_and_each_tier_can_be_done_without") {
        return;
    }
    let full = driver("").expect("a ring").capabilities();
    let list = full.to_string();
    for name in list.split_whitespace().filter(|&name| name != "ext_arg") {
        let driver = all_operations(&format!("-{name}"));
        used_only_what_it_has(&driver);
        assert!(
            !driver.capabilities().has(name),
            "{name} is still among {}",
            driver.capabilities()
        );
    }
    for (mask, tier) in [("t0", "T0"), ("t1", "T1")] {
        let driver = all_operations(mask);
        used_only_what_it_has(&driver);
        assert!(driver.capabilities().tier() <= tier, "{mask}: {}", driver.capabilities());
    }
}

/// Given a mask that takes away what nothing can stand in for; when a driver is asked for; then the
/// error says what it is.
#[test]
fn what_nothing_can_stand_in_for_is_named() {
    if !ring_or_skip("masks::what_nothing_can_stand_in_for_is_named") {
        return;
    }
    for name in ["ext_arg", "poll_add", "timeout", "async_cancel"] {
        let error = driver(&format!("-{name}")).expect_err("no driver can do without it");
        assert_eq!(error.cause(), SetupCause::Unsupported, "{error}");
        assert!(error.evidence().contains(&name.to_uppercase()), "{error}");
    }
}
