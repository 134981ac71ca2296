//! What every byte stream keeps, whatever carries it: one checker for TCP, Unix sockets, pipes in
//! memory and TLS.
//!
//! Each check gets a fresh pair of connected streams and a limit in time, and panics with the
//! check's name. The limit is there for streams that hang; how fast a stream is, is not looked at.

use std::future::{Future, poll_fn};
use std::io::{self, ErrorKind};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use wakering_ring_driver::testing::patience;

use crate::io::{AsyncBufRead, AsyncRead, AsyncWrite, Sink, Source};
use crate::task::yield_now;
use crate::time::timeout;

/// Checks that the streams that `pair` makes, connected to each other, behave as streams have to:
///
/// - what is written arrives whole and in order, from 1 byte to 4 MiB, through either kind of
///   trait;
/// - a short write says how much it took, and so does a vectored one;
/// - the end of the stream is the end for ever, and one direction may end before the other;
/// - a read, look or line that is dropped at any point loses nothing;
/// - reading into nothing is refused, and writing nothing is nothing;
/// - a peer that has gone is the end or an error within bounded rounds, not a hang.
///
/// ```
/// use wakering_runtime::io::duplex;
/// use wakering_runtime::testing::check_stream;
///
/// wakering_runtime::run(check_stream(async || duplex(1000)));
/// ```
///
/// # Panics
///
/// If one of these does not hold: that is what it is for.
pub async fn check_stream<S>(mut pair: impl AsyncFnMut() -> (S, S))
where
    S: Source + Sink + AsyncRead + AsyncWrite,
{
    for len in [1, 2, 64, 1000, 64 << 10, (64 << 10) + 1, 4 << 20] {
        within("echo", echo(pair().await, len)).await;
        within("queued echo", queued_echo(pair().await, len)).await;
    }
    within("short writes", short_writes(pair().await)).await;
    within("vectored", vectored(pair().await)).await;
    within("end for ever", end_for_ever(pair().await)).await;
    within("half close", half_close(pair().await)).await;
    within("dropped reads", dropped_reads(pair().await)).await;
    within("dropped lines", dropped_lines(pair().await)).await;
    within("nothing", nothing(pair().await)).await;
    within("gone peer", gone_peer(pair().await)).await;
}

/// Runs a check with a limit in time, and names it should it fail.
async fn within(name: &str, check: impl Future<Output = io::Result<()>>) {
    match timeout(patience(Duration::from_secs(30)), check).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => panic!("stream check `{name}` failed: {error}"),
        Err(_) => panic!("stream check `{name}` hangs"),
    }
}

async fn echo<S: AsyncRead + AsyncWrite>(
    (mut near, mut far): (S, S),
    len: usize,
) -> io::Result<()> {
    let sent = pattern(len);
    let server = async {
        let (n, buf) = far.read_exact(vec![0; len]).await?;
        assert_eq!(n, len);
        far.write_all(buf).await?;
        far.shutdown().await
    };
    let client = async {
        assert_eq!(near.write_all(sent.clone()).await?.0, len);
        near.flush().await?;
        let (n, back) = near.read_to_end(Vec::new()).await?;
        assert_eq!(n, len);
        assert!(back == sent, "{len} bytes came back changed");
        Ok(())
    };
    both(server, client).await
}

/// The same through the primitive, in pieces that fit nothing. The client is one task at both sides
/// of its stream: it writes while it may and reads all the time.
async fn queued_echo<S: Source + Sink>((mut near, mut far): (S, S), len: usize) -> io::Result<()> {
    let server = async {
        let mut echoed = 0;
        while echoed < len {
            let shown = poll_fn(|cx| far.poll_fill(cx).map_ok(<[u8]>::to_vec)).await?;
            assert!(!shown.is_empty(), "the stream ended after {echoed} of {len} bytes");
            let used = shown.len().div_ceil(2);
            far.consume(used);
            echoed += used;
            poll_fn(|cx| far.poll_ready(cx)).await?;
            let (first, second) = shown[..used].split_at(used / 3);
            far.queue(first)?;
            far.queue(second)?;
        }
        poll_fn(|cx| far.poll_flush(cx)).await?;
        poll_fn(|cx| far.poll_shutdown(cx)).await
    };
    let sent = pattern(len);
    let (mut queued, mut back) = (0, Vec::new());
    let client = poll_fn(|cx| {
        while queued < len && near.poll_ready(cx)?.is_ready() {
            let piece = &sent[queued..len.min(queued + 4093)];
            near.queue(piece)?;
            queued += piece.len();
        }
        let _ = near.poll_flush(cx)?;
        loop {
            let shown = ready!(near.poll_fill(cx))?;
            if shown.is_empty() {
                return Poll::Ready(Ok(()));
            }
            let used = shown.len().min(1021);
            back.extend_from_slice(&shown[..used]);
            near.consume(used);
        }
    });
    both(server, client).await?;
    assert!(back == sent, "{} of {len} bytes came back, or changed", back.len());
    Ok(())
}

async fn short_writes<S: AsyncRead + AsyncWrite>((mut near, mut far): (S, S)) -> io::Result<()> {
    let sent = pattern(1 << 20);
    let writer = async {
        let mut written = 0;
        while written < sent.len() {
            let (n, buf) = near.write(sent[written..].to_vec()).await?;
            assert!(n > 0 && n <= buf.len(), "a write of {} bytes took {n}", buf.len());
            written += n;
        }
        near.shutdown().await
    };
    let reader = async {
        let mut received = Vec::new();
        for room in (1..10_000).step_by(97).cycle() {
            let (n, buf) = far.read(Vec::with_capacity(room)).await?;
            assert_eq!(n, buf.len());
            assert!(n <= buf.capacity());
            if n == 0 {
                break;
            }
            received.extend_from_slice(&buf);
        }
        assert!(received == sent, "{} bytes came of {}", received.len(), sent.len());
        Ok(())
    };
    both(writer, reader).await
}

async fn vectored<S: AsyncRead + AsyncWrite>((mut near, mut far): (S, S)) -> io::Result<()> {
    let sent = pattern(100_000);
    let writer = async {
        let mut rest = &sent[..];
        while !rest.is_empty() {
            let (head, tail) = rest.split_at(rest.len().min(7));
            let bufs = vec![Vec::new(), head.to_vec(), Vec::new(), tail.to_vec()];
            let (n, bufs) = near.write_vectored(bufs).await?;
            assert_eq!(bufs.concat(), rest);
            assert!(n > 0 && n <= rest.len(), "a write of {} bytes took {n}", rest.len());
            rest = &rest[n..];
        }
        near.shutdown().await
    };
    let reader = async {
        let mut received = Vec::new();
        loop {
            let bufs = [0, 5, 1000, 0, 3].map(Vec::with_capacity).into();
            let (n, bufs) = far.read_vectored(bufs).await?;
            assert_eq!(n, bufs.iter().map(Vec::len).sum::<usize>());
            if n == 0 {
                break;
            }
            received.extend_from_slice(&bufs.concat());
        }
        assert!(received == sent, "{} bytes came of {}", received.len(), sent.len());
        Ok(())
    };
    both(writer, reader).await
}

async fn end_for_ever<S: Source + AsyncRead + AsyncWrite>(
    (mut near, mut far): (S, S),
) -> io::Result<()> {
    far.write_all("x").await?;
    far.shutdown().await?;
    assert_eq!(near.read(vec![0; 8]).await?.1, b"x");
    for _ in 0..3 {
        assert_eq!(near.read(vec![0; 8]).await?.0, 0);
        assert_eq!(poll_fn(|cx| near.poll_fill(cx).map_ok(<[u8]>::len)).await?, 0);
        yield_now().await;
    }
    Ok(())
}

async fn half_close<S: AsyncRead + AsyncWrite>((mut near, mut far): (S, S)) -> io::Result<()> {
    let sent = pattern(100_000);
    near.shutdown().await?;
    let failure = near.write_all("too late").await.expect_err("a write after the end");
    assert_eq!(failure.error.kind(), ErrorKind::BrokenPipe);
    near.shutdown().await?;

    assert_eq!(far.read(vec![0; 8]).await?.0, 0);
    let writer = async {
        far.write_all(sent.clone()).await?;
        far.shutdown().await
    };
    let reader = async {
        let (_, received) = near.read_to_end(Vec::new()).await?;
        assert!(received == sent, "{} bytes came of {}", received.len(), sent.len());
        Ok(())
    };
    both(writer, reader).await
}

/// Reads and looks, of which most are dropped: before they are polled, at once, or when data has
/// arrived for them.
async fn dropped_reads<S: Source + AsyncRead + AsyncWrite>(
    (mut near, mut far): (S, S),
) -> io::Result<()> {
    let sent = pattern(20_000);
    let writer = async {
        for piece in sent.chunks(61) {
            far.write_all(piece.to_vec()).await?;
            yield_now().await;
        }
        far.shutdown().await
    };
    let reader = async {
        let mut received = Vec::new();
        for round in 0.. {
            match round % 7 {
                6 => {
                    let (n, buf) = near.read(Vec::with_capacity(100)).await?;
                    received.extend_from_slice(&buf);
                    if n == 0 {
                        break;
                    }
                }
                5 => {
                    let look = poll_fn(|cx| near.poll_fill(cx).map_ok(|_| ()));
                    polled(2, look).await.transpose()?;
                }
                polls => {
                    let read = polled(polls, near.read(Vec::with_capacity(100)));
                    if let Some((_, buf)) = read.await.transpose()? {
                        received.extend_from_slice(&buf);
                    }
                }
            }
        }
        assert!(received == sent, "{} bytes came of {}", received.len(), sent.len());
        Ok(())
    };
    both(writer, reader).await
}

async fn dropped_lines<S: Source + AsyncWrite>((mut near, mut far): (S, S)) -> io::Result<()> {
    let sent: Vec<Vec<u8>> = (0..300).map(|len| vec![b'x'; len]).collect();
    let mut text = sent.join(&b"\r\n"[..]);
    text.extend_from_slice(b"\r\n");
    let writer = async {
        for piece in text.chunks(53) {
            far.write_all(piece.to_vec()).await?;
            yield_now().await;
        }
        far.shutdown().await
    };
    let reader = async {
        let (mut received, mut line) = (Vec::new(), Vec::new());
        for round in 0.. {
            let read = AsyncBufRead::read_until(&mut near, b"\r\n", &mut line, 300);
            let Some(n) = polled(round % 4, read).await.transpose()? else { continue };
            if n == 0 && line.is_empty() {
                break;
            }
            assert_eq!(line.split_off(line.len() - 2), b"\r\n");
            received.push(std::mem::take(&mut line));
        }
        assert!(received == sent, "{} lines came of {}", received.len(), sent.len());
        Ok(())
    };
    both(writer, reader).await
}

async fn nothing<S: AsyncRead + AsyncWrite>((mut near, mut far): (S, S)) -> io::Result<()> {
    let failure = near.read(Vec::new()).await.expect_err("a read into nothing");
    assert_eq!(failure.error.kind(), ErrorKind::InvalidInput);
    let failure = near.read_vectored(vec![Vec::new(); 2]).await.expect_err("a read into nothing");
    assert_eq!(failure.error.kind(), ErrorKind::InvalidInput);

    assert_eq!(far.write(Vec::new()).await?.0, 0);
    assert_eq!(far.write_vectored(vec![Vec::new(); 2]).await?.0, 0);
    far.write_all("something").await?;
    assert_eq!(near.read_exact(vec![0; 9]).await?.1, b"something");
    Ok(())
}

async fn gone_peer<S: AsyncRead + AsyncWrite>((mut near, far): (S, S)) -> io::Result<()> {
    drop(far);
    let mut rounds = 0;
    let failure = loop {
        match near.write_all(vec![0; 1024]).await {
            Ok(_) => rounds += 1,
            Err(failure) => break failure,
        }
        assert!(rounds < 100_000, "nobody reads, and writes go on");
        yield_now().await;
    };
    let gone = [ErrorKind::BrokenPipe, ErrorKind::ConnectionReset];
    assert!(gone.contains(&failure.error.kind()), "{failure}");
    match near.read(vec![0; 8]).await {
        Ok((n, _)) => assert_eq!(n, 0),
        Err(failure) => assert!(gone.contains(&failure.error.kind()), "{failure}"),
    }
    Ok(())
}

/// Bytes that do not repeat with a power of two, so that a piece that is lost or swapped shows.
fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at % 251) as u8).collect()
}

/// Polls `future` that many times, with turns of the loop in between, and drops it if that was not
/// enough.
async fn polled<F: Future>(polls: usize, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    for _ in 0..polls {
        let outcome = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await;
        if let Poll::Ready(output) = outcome {
            return Some(output);
        }
        yield_now().await;
    }
    None
}

/// Runs two futures in this task until both are done or one has failed.
async fn both(
    first: impl Future<Output = io::Result<()>>,
    second: impl Future<Output = io::Result<()>>,
) -> io::Result<()> {
    let (mut first, mut second) = (pin!(first), pin!(second));
    let mut waiting = [true, true];
    poll_fn(|cx| {
        step(first.as_mut(), &mut waiting[0], cx)?;
        step(second.as_mut(), &mut waiting[1], cx)?;
        if waiting == [false, false] { Poll::Ready(Ok(())) } else { Poll::Pending }
    })
    .await
}

/// Polls a future that is not done yet.
fn step(
    future: Pin<&mut impl Future<Output = io::Result<()>>>,
    waiting: &mut bool,
    cx: &mut Context<'_>,
) -> io::Result<()> {
    if *waiting && let Poll::Ready(outcome) = future.poll(cx) {
        *waiting = false;
        outcome?;
    }
    Ok(())
}
