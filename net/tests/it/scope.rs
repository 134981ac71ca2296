//! Streams that live in scopes, timeouts and shared futures.

use std::time::Duration;

use futures_util::{FutureExt, poll};
use wakering_net::{TcpListener, TcpStream};
use wakering_runtime::io::{AsyncRead, AsyncWrite};
use wakering_runtime::task::{TaskGroup, group, scope, yield_now};
use wakering_runtime::time::{sleep, timeout};
use wakering_runtime::{io, spawn};

use crate::{tcp, within_bounds};

const MS: Duration = Duration::from_millis(1);
const LONG: Duration = Duration::from_secs(60);

/// Given a stream that was made inside a timeout, when the timeout is over, then the stream is read and
/// written outside of it, under other timeouts, and by another task.
#[test]
fn a_stream_outlives_the_timeout_in_which_it_was_made() {
    within_bounds(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let connected = timeout(LONG, async {
            let mut stream = TcpStream::connect(address).await?;
            // A read that is still in flight when the timeout is over.
            assert!(poll!(Box::pin(stream.read(vec![0; 8]))).is_pending());
            std::io::Result::Ok(stream)
        });
        let mut ours = connected.await.unwrap()?;
        let (mut theirs, _) = listener.accept().await?;
        yield_now().await;
        theirs.write_all("first").await?;
        let (n, bytes) = timeout(LONG, ours.read(vec![0; 8])).await.unwrap()?;
        assert_eq!(&bytes[..n], b"first");
        assert!(timeout(MS, ours.read(vec![0; 8])).await.is_err());
        let reader = spawn(async move {
            let (n, bytes) = ours.read(vec![0; 8]).await?;
            ours.write_all("answer").await?;
            std::io::Result::Ok(bytes[..n].to_vec())
        });
        theirs.write_all("second").await?;
        assert_eq!(reader.await.unwrap()?, b"second");
        let (_, answer) = theirs.read_to_end(Vec::new()).await?;
        assert_eq!(answer, b"answer");
        Ok(())
    });
}

/// Given a read that two tasks share inside a timeout, when the task that polled it last ends, then the
/// other one gets the bytes.
#[test]
fn a_shared_read_outlives_the_task_that_polled_it() {
    within_bounds(async {
        let (mut ours, mut theirs) = tcp().await?;
        let reading = async move {
            let read = timeout(LONG, ours.read(vec![0; 8])).await;
            read.map(|read| read.map(|(n, bytes)| bytes[..n].to_vec()).map_err(|e| e.to_string()))
        };
        let shared = reading.boxed_local().shared();
        let staying = spawn(shared.clone());
        yield_now().await;
        spawn(async move {
            let mut shared = shared;
            assert!(poll!(&mut shared).is_pending());
            yield_now().await;
        })
        .await
        .unwrap();
        sleep(2 * MS).await;
        theirs.write_all("bytes").await?;
        assert_eq!(staying.await.unwrap(), Ok(Ok(b"bytes".to_vec())));
        Ok(())
    });
}

/// Given scopes that are cancelled again and again while a child reads, when the stream is read
/// afterwards, then every byte is there, once and in order.
#[test]
fn cancelled_scopes_lose_no_byte() {
    within_bounds(async {
        let (mut ours, mut theirs) = tcp().await?;
        let mut received = Vec::new();
        let sender = spawn(async move {
            for byte in 0..200_u8 {
                theirs.write_all(vec![byte]).await?;
                if byte % 8 == 0 {
                    sleep(Duration::from_micros(200)).await;
                }
            }
            theirs.shutdown().await
        });
        let (mut cut, mut is_over) = (0, false);
        while !is_over && cut < 1000 {
            let (stream, bytes, over) = (&mut ours, &mut received, &mut is_over);
            scope(async |scope| {
                let child = scope.spawn(async move {
                    loop {
                        let (n, read) = stream.read(vec![0; 3]).await.unwrap();
                        bytes.extend_from_slice(&read[..n]);
                        if n == 0 {
                            *over = true;
                            return;
                        }
                    }
                });
                sleep(Duration::from_micros(300)).await;
                child.cancel();
            })
            .await;
            cut += 1;
        }
        let (_, rest) = ours.read_to_end(Vec::new()).await?;
        received.extend(rest);
        assert_eq!(received, (0..200).collect::<Vec<u8>>());
        assert!(cut > 1, "nothing was cut");
        sender.await.unwrap()
    });
}

/// Given a group whose children copy between streams for ever, when it is cancelled, then all streams
/// are closed by the time it is over, and their peers see the end.
#[test]
fn a_group_that_is_over_has_closed_the_streams_of_its_children() {
    within_bounds(async {
        let mut peers = Vec::new();
        let ended = group(async |group: &TaskGroup<std::io::Error>| {
            for _ in 0..8 {
                let (mut ours, theirs) = tcp().await?;
                peers.push(theirs);
                group.spawn(async move {
                    let mut sink = io::duplex(64).0;
                    io::copy(&mut ours, &mut sink).await.map(drop)
                });
            }
            yield_now().await;
            group.cancel();
            Ok(())
        });
        ended.await.unwrap();
        for mut peer in peers {
            let (_, rest) = peer.read_to_end(Vec::new()).await?;
            assert!(rest.is_empty());
        }
        Ok(())
    });
}
