//! One stream, several kinds of receive: what one was dropped with is served to whichever comes next.

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use wakering_ring_driver::op::{self, ControlMessage, DatagramBuffer};
use wakering_ring_driver::testing::patience;
use wakering_ring_driver::{Driver, Fd, Instant, Wait};

use crate::{Wakes, adopt, block_on, driver, poll_once};

/// A stream on which `receive` was dropped after it had taken `abc`, and which goes on with `def`.
fn left_by<F: Future + Unpin>(driver: &Driver, receive: impl Fn(&Fd) -> F) -> (Fd, UnixStream) {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let fd = adopt(driver, ours);
    let mut dropped = receive(&fd);
    assert!(poll_once(driver, &mut dropped, &Arc::new(Wakes::default())).is_pending());
    driver.turn(Wait::Now);
    theirs.write_all(b"abc").unwrap();
    let end = Instant::now() + patience(std::time::Duration::from_secs(10));
    let completed = driver.counters().completions;
    while driver.counters().completions == completed && Instant::now() < end {
        driver.turn(Wait::Now);
    }
    drop(dropped);
    theirs.write_all(b"def").unwrap();
    (fd, theirs)
}

/// Given bytes that a dropped `recv` has taken; when a message is received; then it is those bytes,
/// and the next one is what follows.
#[test]
fn what_a_receive_left_is_the_next_message() {
    let driver = driver();
    let (fd, _theirs) = left_by(&driver, |fd| op::recv(fd, vec![0; 8]));
    block_on(&driver, async {
        let first = op::recv_msg(&fd, DatagramBuffer::new()).await.unwrap();
        assert_eq!(first.data(), b"abc");
        let second = op::recv_msg(&fd, first.into_buffer()).await.unwrap();
        assert_eq!(second.data(), b"def");
    });
}

/// Given bytes that a dropped `recv_msg` has taken; when they are received as a stream, by whatever
/// kind of receive; then they come first, in parts if there is little room.
#[test]
fn what_a_message_left_is_the_next_bytes() {
    let driver = driver();
    let left = || left_by(&driver, |fd| op::recv_msg(fd, DatagramBuffer::new()));
    block_on(&driver, async {
        let (fd, _theirs) = left();
        assert_eq!(op::peek(&fd, vec![0; 8]).await.unwrap().1, b"abc");
        assert_eq!(op::recv(&fd, Vec::with_capacity(2)).await.unwrap().1[..], b"abc"[..2]);
        assert_eq!(op::recv(&fd, vec![0; 8]).await.unwrap().1, b"c");
        assert_eq!(op::recv(&fd, vec![0; 8]).await.unwrap().1, b"def");
        let (fd, _theirs) = left();
        let filled = std::future::poll_fn(|cx| fd.poll_fill(cx)).await.unwrap();
        assert_eq!(*filled, *b"abc");
        let (fd, _theirs) = left();
        let (n, parts) = op::read_vectored(&fd, vec![vec![0; 2], vec![0; 8]]).await.unwrap();
        assert_eq!((n, parts.concat()), (3, b"abc".to_vec()));
    });
}

/// Given a message with a descriptor that a dropped `recv_msg` has taken; when somebody looks at its
/// bytes and then receives it; then the descriptor is still with it.
#[test]
fn a_look_leaves_the_message_whole() {
    let driver = driver();
    let (ours, theirs) = UnixStream::pair().unwrap();
    let (fd, theirs) = (adopt(&driver, ours), adopt(&driver, theirs));
    let mut dropped = op::recv_msg(&fd, DatagramBuffer::new());
    assert!(poll_once(&driver, &mut dropped, &Arc::new(Wakes::default())).is_pending());
    block_on(&driver, async {
        let rights = vec![ControlMessage::Rights(vec![std::io::pipe().unwrap().0.into()])];
        op::send_msg(&theirs, "take this", None, rights).await.unwrap();
        drop(dropped);
        assert_eq!(op::peek(&fd, vec![0; 4]).await.unwrap().1, b"take");
        let message = op::recv_msg(&fd, DatagramBuffer::new()).await.unwrap();
        assert_eq!(message.data(), b"take this");
        assert!(matches!(&message.control[..], [ControlMessage::Rights(_)]), "{message:?}");
    });
}
