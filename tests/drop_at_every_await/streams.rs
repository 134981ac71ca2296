//! Rows of streams, tasks and timers.

use std::time::Duration;

use wakering::driver::testing::in_child;
use wakering::io::{self, AsyncBufRead, AsyncRead, AsyncWrite, DuplexStream, duplex};
use wakering::task::yield_now;
use wakering::time::{Instant, interval, sleep, timeout, timeout_at};
use wakering::{blocking, spawn};

use crate::row;

const MS: Duration = Duration::from_millis(1);

/// A stream on which six bytes come one by one, and then the end.
fn fed() -> DuplexStream {
    let (near, mut far) = duplex(64);
    spawn(async move {
        for byte in *b"ab\ncd\n" {
            // Whoever was to read it may be gone.
            let _ = far.write_all(vec![byte]).await;
            yield_now().await;
        }
    });
    near
}

/// A stream that takes two bytes at a time, as its other end reads them.
fn drained() -> DuplexStream {
    let (near, mut far) = duplex(2);
    spawn(async move { far.read_to_end(Vec::new()).await });
    near
}

#[test]
fn reading() {
    in_child("streams::reading", || {
        row("runtime::AsyncRead::read_vectored", async || {
            fed().read_vectored(vec![vec![0; 2], vec![0; 2]]).await.unwrap()
        });
        row("runtime::AsyncRead::read_append", async || fed().read_append(b"0".to_vec()).await);
        row("runtime::AsyncRead::read_exact", async || fed().read_exact(vec![0; 5]).await.unwrap());
        row("runtime::AsyncRead::read_to_end", async || {
            fed().read_to_end(Vec::new()).await.unwrap()
        });
        row("runtime::AsyncRead::read_to_string", async || {
            fed().read_to_string(String::new()).await.unwrap()
        });
        row("runtime::AsyncBufRead::read_until", async || {
            fed().read_until(b"\n", &mut Vec::new(), 80).await.unwrap()
        });
        row("runtime::Lines::next_line", async || fed().lines(80).next_line().await.unwrap());
        row("runtime::Records::next_record", async || fed().records(b"d", 80).next_record().await);
        row("runtime::read_from", async || io::read_from(&mut fed(), vec![0; 4]).await.unwrap());
        row("runtime::copy", async || io::copy(&mut fed(), &mut drained()).await.unwrap());
    });
}

#[test]
fn writing() {
    in_child("streams::writing", || {
        row("runtime::AsyncWrite::write_all", async || {
            drained().write_all(vec![0; 9]).await.unwrap()
        });
        row("runtime::AsyncWrite::write_vectored", async || {
            drained().write_vectored(vec!["ab", "cd"]).await.unwrap()
        });
        row("runtime::AsyncWrite::write_all_vectored", async || {
            drained().write_all_vectored(vec!["ab", "cd"]).await.unwrap()
        });
        row("runtime::AsyncWrite::flush", async || {
            let mut stream = drained();
            stream.write("a").await.unwrap();
            stream.flush().await.unwrap();
        });
        row("runtime::AsyncWrite::shutdown", async || {
            let mut stream = drained();
            stream.write("a").await.unwrap();
            AsyncWrite::shutdown(&mut stream).await.unwrap();
        });
        row("runtime::write_to", async || io::write_to(&mut drained(), "abcd").await.unwrap());
    });
}

#[test]
fn tasks_and_timers() {
    in_child("streams::tasks_and_timers", || {
        row("runtime::Sleep", async || sleep(MS).await);
        row("runtime::Timeout", async || timeout(10_000 * MS, sleep(MS)).await.unwrap());
        row("runtime::Timeout", async || timeout_at(Instant::now() + MS, sleep(10_000 * MS)).await);
        row("runtime::Interval::tick", async || {
            let mut interval = interval(MS);
            interval.tick().await;
            interval.tick().await;
        });
        row("runtime::YieldNow", async || yield_now().await);
        row("runtime::JoinHandle", async || spawn(sleep(MS)).abort_on_drop().await.unwrap());
        row("runtime::Unblock", async || blocking::unblock(|| std::thread::sleep(MS)).await);
        row("runtime::Pool::unblock", async || {
            blocking::Pool::new(1).unblock(|| std::thread::sleep(MS)).await
        });
    });
}
