//! Files that go out through a pipe: in turn with sends, held up by nobody, and told when the peer
//! has gone.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use wakering_ring_driver::op::{self, Relay};
use wakering_ring_driver::testing::patience;
use wakering_ring_driver::{Config, Driver, Fd, RuntimeError, Wait};

use crate::{Wakes, adopt, block_on, driver, each_way, poll_once, settle};

/// A file that `driver` may read, and one end of a connection that takes no more, of which the other
/// end has `n` bytes to read.
fn file_and_full_socket(driver: &Driver, content: &[u8]) -> (Fd, Fd, UnixStream, usize) {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(content).unwrap();
    let (ours, theirs) = UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    theirs.set_read_timeout(Some(patience(Duration::from_secs(10)))).unwrap();
    let mut n = 0;
    while let Ok(wrote) = (&ours).write(&[b'.'; 4096]) {
        n += wrote;
    }
    (adopt(driver, file), adopt(driver, ours), theirs, n)
}

/// Given a socket without room and a relay that holds bytes for it; when nobody waits for them any
/// more, or somebody does, and the relay is dropped; then that waits for nobody, and they go out when
/// the peer reads, before what is sent next.
#[test]
fn what_a_relay_holds_goes_out_in_turn() {
    each_way(&["splice"], async |driver: &Driver| {
        for dropped in [false, true] {
            let (file, ours, mut theirs, n) = file_and_full_socket(driver, b"0123456789");
            let relay = Relay::new(driver, 4096)?;
            assert_eq!(relay.fill(&file, 2, 5).await?, 5);
            let wakes = Arc::new(Wakes::default());
            let mut room = op::room(&ours);
            assert!(poll_once(driver, &mut room, &wakes).is_pending());
            let mut draining = relay.drain(&ours, 5);
            if let Poll::Ready(drained) = poll_once(driver, &mut draining, &wakes) {
                // Older kernels take the pages of a pipe where there is no room for bytes.
                assert_eq!(drained?, 5);
                let mut received = vec![0; n + 5];
                theirs.read_exact(&mut received)?;
                assert_eq!(&received[n..], b"23456");
                continue;
            }
            let mut next = op::send(&ours, "next");
            assert!(poll_once(driver, &mut next, &wakes).is_pending());
            driver.turn(Wait::Now);
            let draining = (!dropped).then_some(draining);
            drop(relay);
            let mut before = vec![0; n];
            theirs.read_exact(&mut before)?;
            assert!(before.iter().all(|&byte| byte == b'.'));
            room.await?;
            if let Some(draining) = draining {
                assert_eq!(draining.await?, 5);
            }
            assert_eq!(next.await?.0, 4);
            let mut received = [0; 9];
            theirs.read_exact(&mut received)?;
            assert_eq!(&received, b"23456next");
        }
        Ok(())
    });
}

/// Given a drain that waits and that nobody wants any more; when the kernel ends it with its own mark
/// of an interrupted wait; then the next send is not told.
#[test]
fn an_interrupted_drain_is_no_news_about_the_socket() {
    let (driver, memory) = Driver::memory().unwrap();
    let socket = memory.descriptor(&driver);
    let relay = Relay::new(&driver, 4096).unwrap();
    let wakes = Arc::new(Wakes::default());
    let mut draining = relay.drain(&socket, 5);
    assert!(poll_once(&driver, &mut draining, &wakes).is_pending());
    let submitted = memory.next_request().unwrap();
    drop(draining);
    submitted.complete(-512);
    driver.turn(Wait::Now);
    let mut next = op::send(&socket, "next");
    assert!(poll_once(&driver, &mut next, &wakes).is_pending());
    memory.next_request().unwrap().complete(4);
    driver.turn(Wait::Now);
    assert!(matches!(poll_once(&driver, &mut next, &wakes), Poll::Ready(Ok((4, _)))));
}

/// Given the end of a file, a peer that has gone, and a directory; when they are relayed; then the
/// count or the error says so.
#[test]
fn the_end_of_a_relay_is_told() {
    each_way(&["splice"], async |driver: &Driver| {
        let (file, ours, theirs, _) = file_and_full_socket(driver, b"0123456789");
        let relay = Relay::new(driver, 4096)?;
        assert_eq!(relay.fill(&file, 10, 5).await?, 0);
        assert_eq!(relay.fill(&file, 7, 5).await?, 3);
        drop(theirs);
        op::room(&ours).await?;
        assert_eq!(relay.drain(&ours, 3).await.unwrap_err().kind(), ErrorKind::BrokenPipe);
        let directory = adopt(driver, File::open(".")?);
        let relay = Relay::new(driver, 4096)?;
        let error = relay.fill(&directory, 0, 5).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "it has no pages to give");
        Ok(())
    });
}

/// Given a relay of one driver; when it is drained under another; then the error says so, and nothing
/// is submitted.
#[test]
fn a_relay_belongs_to_its_driver() {
    let (ours, other) = (driver(), Driver::new(&Config::default()).unwrap());
    let relay = Relay::new(&ours, 4096).unwrap();
    let socket = adopt(&other, UnixStream::pair().unwrap().0);
    let error = block_on(&other, relay.drain(&socket, 1)).unwrap_err();
    assert_eq!(RuntimeError::of(&error), Some(RuntimeError::WrongRuntime));
    assert_eq!(other.counters().submitted, 0);
    drop(relay);
    settle(&ours);
}
