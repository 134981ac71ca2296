//! Writing to streams: many queued pieces as one send, many buffers as one write, and buffers that
//! are sent from where they lie.

use std::future::{Future, poll_fn};
use std::io::{self, Write};
use std::task::Poll;
use std::time::Duration;

use wakering_net::{TcpSocket, TcpStream, UnixStream};
use wakering_ring_driver::Driver;
use wakering_runtime::io::{AsyncRead, AsyncWrite, Sink};
use wakering_runtime::spawn;
use wakering_runtime::task::scope;
use wakering_runtime::time::sleep;

use crate::{tcp, within_bounds};

/// How many sends there have been so far.
fn sends(driver: &Driver) -> u64 {
    let counters = driver.counters();
    // Where there is no ring nothing else is submitted while these tests count.
    match driver.backend() {
        "uring" => counters.used("send") + counters.sent_at_once,
        _ => counters.submitted,
    }
}

/// Given many connections; when one message goes to all of them in a turn, in several pieces each;
/// then each gets it in one send, and they all leave in a few enters.
#[test]
fn a_message_to_many_is_one_send_each() {
    const MANY: u64 = 200;
    within_bounds(async {
        let driver = Driver::current()?;
        let mut pairs = Vec::new();
        for _ in 0..MANY {
            pairs.push(UnixStream::pair()?);
        }
        for _ in 0..3 {
            let before = (sends(&driver), driver.counters().enters);
            for (ours, _) in &mut pairs {
                ours.queue(b"one ")?;
                ours.queue(b"message ")?;
                ours.queue(b"to many")?;
            }
            for (ours, _) in &mut pairs {
                ours.flush().await?;
            }
            assert_eq!(sends(&driver) - before.0, MANY);
            let enters = driver.counters().enters - before.1;
            assert!(enters <= MANY / 10, "{enters} enters");
            for (_, theirs) in &mut pairs {
                assert_eq!(theirs.read(vec![0; 64]).await?.1, b"one message to many");
            }
        }
        Ok(())
    });
}

/// Given more buffers than the kernel takes at once, empty ones among them, and more bytes than the
/// socket has room for; when all are written; then all arrives in order, and the buffers come back.
#[test]
fn all_buffers_are_written_however_many() {
    within_bounds(async {
        let bufs: Vec<Vec<u8>> = (0..5000usize).map(|at| vec![at as u8; at % 400]).collect();
        let (mut ours, mut theirs) = UnixStream::pair()?;
        let reader = spawn(async move { theirs.read_to_end(Vec::new()).await });
        let (n, back) = ours.write_all_vectored(bufs.clone()).await?;
        assert!(back == bufs);
        assert_eq!(ours.write_all_vectored(vec![""; 3]).await?, (0, vec![""; 3]));
        assert_eq!(ours.write_all_vectored(Vec::<Vec<u8>>::new()).await?.0, 0);
        ours.close().await?;
        let received = reader.await.unwrap()?.1;
        assert_eq!(received.len(), n);
        assert!(received == bufs.concat());
        Ok(())
    });
}

/// Given a peer that has gone; when buffers are written; then the error brings all of them back.
#[test]
fn a_failed_write_of_many_gives_them_back() {
    within_bounds(async {
        let (mut ours, theirs) = UnixStream::pair()?;
        theirs.close().await?;
        let failed = ours.write_all_vectored(vec!["a", "", "b"]).await.unwrap_err();
        assert_eq!(failed.error.kind(), io::ErrorKind::BrokenPipe);
        assert_eq!(failed.buf, ["a", "", "b"]);
        Ok(())
    });
}

/// Given received bytes in a buffer of the pool; when they are written; then they leave from where
/// they lie, the same buffer comes back, and however often that happens none is missing.
#[test]
fn a_pooled_buffer_is_sent_in_place() {
    within_bounds(async {
        let (mut ours, mut theirs) = tcp().await?;
        // Far more rounds than there are buffers.
        for round in 0..1000u32 {
            theirs.write_all(round.to_ne_bytes().to_vec()).await?;
            let received = poll_fn(|cx| ours.as_fd().poll_fill(cx)).await?;
            let place = received.as_ptr();
            let (n, received) = ours.write_all(received).await?;
            assert_eq!((n, received.as_ptr()), (4, place));
            assert_eq!(theirs.read(vec![0; 8]).await?.1, round.to_ne_bytes());
        }
        Ok(())
    });
}

/// Given a buffer of the pool whose write nobody waits for any more, to a peer that has no room; when
/// much is received meanwhile; then what was written arrives as it was.
#[test]
fn a_pooled_buffer_stays_with_a_dropped_write() {
    within_bounds(async {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        let mut filled = 0;
        while let Ok(n) = (&ours).write(&[1; 4096]) {
            filled += n;
        }
        let (mut ours, mut theirs) = (UnixStream::from_std(ours)?, UnixStream::from_std(theirs)?);
        let (mut source, sink) = tcp().await?;
        source.write_all(vec![7; 4000]).await?;
        let word = poll_fn(|cx| sink.as_fd().poll_fill(cx)).await?;
        let len = word.len();
        let mut writing = Box::pin(ours.write_all(word));
        assert!(poll_fn(|cx| Poll::Ready(writing.as_mut().poll(cx).is_pending())).await, "no room");
        sleep(Duration::from_millis(1)).await;
        drop(writing);
        let flood = spawn(async move { source.write_all(vec![9; 4_000_000]).await });
        let mut taken = len;
        while taken < 4_004_000 {
            let chunk = poll_fn(|cx| sink.as_fd().poll_fill(cx)).await?;
            assert!(!chunk.is_empty(), "the end after {taken} bytes");
            taken += chunk.len();
        }
        flood.await.unwrap()?;
        assert!(theirs.read_exact(vec![0; filled]).await?.1.iter().all(|&byte| byte == 1));
        ours.write_all("!").await?;
        let (_, rest) = theirs.read_exact(vec![0; len + 1]).await?;
        assert!(rest[..len].iter().all(|&byte| byte == 7) && rest[len] == b'!');
        Ok(())
    });
}

/// A connection whose other side takes little before it reads.
async fn to_slow_reader() -> io::Result<(TcpStream, TcpStream)> {
    let socket = TcpSocket::new_v4()?;
    socket.set_recv_buffer_size(4096)?;
    socket.bind(([127, 0, 0, 1], 0).into())?;
    let listener = socket.listen(1)?;
    let socket = TcpSocket::new_v4()?;
    socket.set_send_buffer_size(200_000)?;
    let ours = socket.connect(listener.local_addr()?).await?;
    Ok((ours, listener.accept().await?.0))
}

/// Given a peer that reads late; when buffers are written without copying, one after the other, from
/// the stream or from half of it; then no write waits until the one before it is acknowledged, and all
/// buffers come back once the peer has read.
#[test]
fn a_write_without_copying_does_not_wait_for_the_buffer() {
    within_bounds(async {
        let (mut ours, mut theirs) = to_slow_reader().await?;
        let (sent, first) = ours.write_zero_copy(vec![1; 40_000]).await?;
        assert_eq!(sent, 40_000);
        let (_read, mut write) = ours.into_split();
        let (_, second) = write.write_zero_copy(vec![2; 40_000]).await?;
        write.write_all("end").await?;
        let (_, received) = theirs.read_exact(vec![0; 80_003]).await?;
        assert!(received[..40_000].iter().all(|&byte| byte == 1));
        assert!(received[40_000..80_000].iter().all(|&byte| byte == 2));
        assert_eq!(&received[80_000..], b"end");
        assert_eq!((first.await, second.await), (vec![1; 40_000], vec![2; 40_000]));
        Ok(())
    });
}

/// Given a scope that has written without copying to a peer that reads nothing; when it ends; then it
/// does not wait for the peer.
#[test]
fn a_scope_does_not_wait_for_what_a_peer_holds() {
    within_bounds(async {
        let (mut ours, theirs) = to_slow_reader().await?;
        let sent = scope(async |_| ours.write_zero_copy(vec![1; 100_000]).await.map(|sent| sent.0));
        assert_eq!(sent.await?, 100_000);
        drop(theirs);
        while Driver::current()?.counters().in_flight > 0 {
            sleep(Duration::from_millis(1)).await;
        }
        Ok(())
    });
}
