//! Receiving without a copy: the buffer of the pool goes to the caller, and from there to a peer.

use std::future::poll_fn;
use std::time::Duration;

use futures_util::poll;
use wakering_net::{OwnedReadHalf, OwnedWriteHalf, TcpStream, UnixStream};
use wakering_runtime::io::{AsyncRead, AsyncWrite, Source};
use wakering_runtime::{spawn, time::sleep};

use crate::{tcp, within_bounds};

const WAIT: Duration = Duration::from_millis(5);

/// Given bytes of which a look has consumed some; when the rest is received; then it is the rest, and
/// what came later follows, however it is read.
#[test]
fn what_was_shown_and_not_consumed_is_received_first() {
    within_bounds(async {
        let (mut ours, mut theirs) = UnixStream::pair()?;
        theirs.write_all("0123456789").await?;
        assert_eq!(poll_fn(|cx| ours.poll_fill(cx).map_ok(<[u8]>::len)).await?, 10);
        ours.consume(4);
        theirs.write_all("abc").await?;
        assert_eq!(*ours.recv().await?, *b"456789");
        assert_eq!(*ours.recv().await?, *b"abc");
        theirs.write_all("def").await?;
        assert_eq!(ours.read(Vec::with_capacity(2)).await?.1[..], b"def"[..2]);
        assert_eq!(*ours.recv().await?, *b"f");
        drop(theirs);
        for _ in 0..3 {
            assert!(ours.recv().await?.is_empty());
            assert_eq!(ours.read(vec![0; 1]).await?.0, 0);
        }
        Ok(())
    });
}

/// Given a receive that is dropped at every moment; when bytes come before, meanwhile and after; then
/// the next one gets them, in order, and so does std.
#[test]
fn a_dropped_recv_loses_nothing() {
    within_bounds(async {
        let (mut ours, mut theirs) = tcp().await?;
        let mut received = Vec::new();
        for round in 0..30u8 {
            {
                let mut dropped = Box::pin(ours.recv());
                if let std::task::Poll::Ready(bytes) = poll!(&mut dropped) {
                    received.extend_from_slice(&bytes?);
                }
                theirs.write_all(vec![round; 3]).await?;
                if round % 3 == 0 {
                    sleep(WAIT).await;
                }
            }
            if round % 2 == 0 {
                received.extend_from_slice(&ours.recv().await?);
            }
        }
        sleep(WAIT).await;
        let (std, left) = ours.into_std().await?;
        received.extend(left);
        drop(theirs);
        std::io::Read::read_to_end(&mut &std, &mut received)?;
        let sent: Vec<u8> = (0..30).flat_map(|round| [round; 3]).collect();
        assert_eq!(received, sent);
        Ok(())
    });
}

/// Given a proxy that sends on what it receives, in both directions by split halves; when a megabyte
/// goes through it; then it comes out as it went in, and the end with it.
#[test]
fn a_proxy_sends_the_buffers_on() {
    within_bounds(async {
        let (client, near) = tcp().await?;
        let (far, server) = tcp().await?;
        let (near_read, near_write) = near.into_split();
        let (far_read, far_write) = far.into_split();
        let there = spawn(forward(near_read, far_write));
        let back = spawn(forward(far_read, near_write));
        let echo = spawn(echo(server));
        let sent: Vec<u8> = (0..1 << 20).map(|at: u32| (at % 251) as u8).collect();
        let (mut read, mut write) = client.into_split();
        let expected = sent.clone();
        let reader = spawn(async move { read.read_exact(vec![0; 1 << 20]).await });
        write.write_all(sent).await?;
        write.shutdown().await?;
        let (_, received) = reader.await.expect("the reader")?;
        assert!(received == expected);
        there.await.expect("there")?;
        back.await.expect("back")?;
        echo.await.expect("the echo")?;
        Ok(())
    });
}

async fn forward(mut from: OwnedReadHalf, mut to: OwnedWriteHalf) -> std::io::Result<()> {
    loop {
        let bytes = from.recv().await?;
        if bytes.is_empty() {
            return to.shutdown().await;
        }
        to.write_all(bytes).await?;
    }
}

async fn echo(mut stream: TcpStream) -> std::io::Result<()> {
    loop {
        let bytes = stream.recv().await?;
        if bytes.is_empty() {
            return Ok(());
        }
        stream.write_all(bytes).await?;
    }
}

/// Given buffers that are held for long, more than the pool has; when others receive; then they do,
/// and what is held stays as it was.
#[test]
fn who_keeps_buffers_stops_nobody() {
    within_bounds(async {
        let (mut ours, mut theirs) = UnixStream::pair()?;
        let (mut other, mut peer) = UnixStream::pair()?;
        let mut held = Vec::new();
        for round in 0..1200u32 {
            theirs.write_all(round.to_ne_bytes().to_vec()).await?;
            held.push(ours.recv().await?);
            if round % 100 == 99 {
                peer.write_all("still here").await?;
                assert_eq!(*other.recv().await?, *b"still here");
            }
        }
        assert!((0u32..).zip(&held).all(|(round, bytes)| **bytes == round.to_ne_bytes()));
        Ok(())
    });
}
