//! Files out through sockets.

use std::io::{ErrorKind, Write};
use std::rc::Rc;
use std::time::Duration;

use wakering_net::UnixStream;
use wakering_ring_driver::op::{self, OpenHow};
use wakering_ring_driver::{Driver, Fd, option};
use wakering_runtime::io::{AsyncRead, AsyncWrite, Sink};
use wakering_runtime::spawn;
use wakering_runtime::task::yield_now;
use wakering_runtime::time::timeout;

use crate::{failure, tcp, within_bounds};

/// What reading a directory comes to.
const EISDIR: i32 = 21;

/// A file of `len` bytes, opened, and what is in it.
async fn file(len: usize) -> std::io::Result<(Fd, Rc<[u8]>)> {
    let content: Rc<[u8]> = (0..len).map(|at| (at / 7 % 251) as u8).collect();
    let mut named = tempfile::NamedTempFile::new()?;
    named.write_all(&content)?;
    let fd = op::open(None, named.path(), OpenHow { read: true, ..OpenHow::default() }).await?;
    Ok((fd, content))
}

/// Given a file that is larger than any socket's buffer; when all of it or a part is sent, between
/// other bytes; then exactly that arrives in between, and the count says how much there was.
#[test]
fn a_range_of_a_file_goes_out_in_order() {
    within_bounds(async {
        let (file, content) = file(3_000_001).await?;
        let (mut ours, mut theirs) = tcp().await?;
        let reader = spawn(async move { theirs.read_to_end(Vec::new()).await });
        let mut expected = Vec::new();
        for (from, to) in [(0, 3_000_001), (1_000_000, 1_000_001), (2_999_990, 5_000_000), (7, 7)] {
            ours.queue(b"<")?;
            let sent = ours.send_file(&file, from..to).await?;
            ours.write_all(">").await?;
            let part = &content[from as usize..content.len().min(to as usize)];
            assert_eq!(sent, part.len() as u64);
            expected.extend_from_slice(&[b"<", part, b">"].concat());
        }
        assert_eq!(ours.send_file(&file, 3_000_000..).await?, 1);
        assert_eq!(ours.send_file(&file, 9_000_000..).await?, 0, "behind the end there is nothing");
        assert_eq!(ours.send_file(&file, ..=1).await?, 2);
        expected.extend_from_slice(&[&content[3_000_000..], &content[..2]].concat());
        let has_room = option::send_buffer_size(ours.as_fd())? >= 3 * 768 * 1024;
        ours.close().await?;
        assert!(reader.await.unwrap()?.1 == expected);
        let driver = Driver::current()?;
        let can_relay = driver.capabilities().has("splice") && has_room;
        assert!(driver.counters().used("splice") > 0 || !can_relay, "it was copied");
        Ok(())
    });
}

/// Given a peer that takes its time; when a file is sent on a Unix socket or on half of one; then it
/// waits for the peer and all of it arrives.
#[test]
fn a_slow_peer_gets_all_of_it() {
    within_bounds(async {
        let (file, content) = file(1_000_000).await?;
        let (ours, mut theirs) = UnixStream::pair()?;
        let (_read, mut write) = ours.into_split();
        let writer = spawn(async move { write.send_file(&file, ..).await });
        for _ in 0..50 {
            yield_now().await;
        }
        assert!(!writer.is_finished(), "the socket has no room for all of it");
        let (_, received) = theirs.read_to_end(Vec::new()).await?;
        assert_eq!(writer.await.unwrap()?, 1_000_000);
        assert!(received[..] == content[..]);
        Ok(())
    });
}

/// Given a file on its way to a peer that does not read yet; when nobody waits for it any more, and
/// something else is written; then the peer gets the file from its start to somewhere, and behind
/// that the other.
#[test]
fn what_is_written_after_a_dropped_file_comes_after_it() {
    within_bounds(async {
        let (file, content) = file(8_000_000).await?;
        for pause in [0, 1, 2, 5, 20].map(Duration::from_millis) {
            let (mut ours, mut theirs) = tcp().await?;
            drop(timeout(pause, ours.send_file(&file, ..)).await);
            let writer = spawn(async move {
                ours.write_all("the end").await?;
                ours.close().await
            });
            let (n, received) = theirs.read_to_end(Vec::new()).await?;
            writer.await.unwrap()?;
            let of_file = n - "the end".len();
            assert!(received[..of_file] == content[..of_file], "{of_file} bytes after {pause:?}");
            assert_eq!(&received[of_file..], b"the end");
        }
        Ok(())
    });
}

/// Given what cannot be read, and a peer that has gone; when it is sent; then the error tells which
/// of the two it was, and the connection can be used unless it is the one.
#[test]
fn an_error_says_which_side_it_was() {
    within_bounds(async {
        let (mut ours, mut theirs) = tcp().await?;
        let dir = op::open(None, ".", OpenHow { read: true, ..OpenHow::default() }).await?;
        let error = ours.send_file(&dir, ..).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::IsADirectory);
        assert_eq!(failure(&error), ("read", "the file to be sent", Some(EISDIR)));
        ours.write_all("still").await?;
        assert_eq!(theirs.read(vec![0; 8]).await?.1, b"still");

        let (file, _) = file(8_000_000).await?;
        theirs.abort();
        let mut rounds = 0;
        let error = loop {
            match ours.send_file(&file, ..).await {
                Ok(_) => rounds += 1,
                Err(error) => break error,
            }
            assert!(rounds < 10);
        };
        let kinds = [ErrorKind::BrokenPipe, ErrorKind::ConnectionReset];
        assert!(kinds.contains(&error.kind()), "{error}");
        Ok(())
    });
}
