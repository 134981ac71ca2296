//! Every kind of future is dropped after k polls, for k from 0 until it completes by itself, and
//! afterwards everything is accounted for: bytes, datagrams, connections, descriptors, operations
//! in flight.
//!
//! A case is a world, a future in it, an event that lets the next poll make progress, and an
//! account of the world that must hold whether the future was dropped or not. *Strict* cases ask
//! for every byte; *Weak* ones for everything else.
//!
//! Each public future is named here by a case of its own or by a row in one of the modules, which
//! asks only that nothing is left behind; `cargo xtask ci --only futures` compares.

/// Files and directories.
mod files;
/// What runs other futures within itself.
mod inner;
/// Child processes and pipes.
mod processes;
/// Signals.
mod signals;
/// Children, and what limits them.
mod scopes;
/// Sockets.
mod sockets;
/// Streams, tasks and timers.
mod streams;
/// Several futures in one task.
mod together;
/// Locks, permits, flags, channels.
mod sync;

use std::cell::RefCell;
use std::fmt::Debug;
use std::future::{Future, poll_fn};
use std::io::{Read, Write};
use std::pin::pin;
use std::task::Poll;
use std::thread;
use std::time::Duration;

use wakering::driver::Driver;
use wakering::driver::testing::{open_descriptors, patience};
use wakering::fs;
use wakering::io::{AsyncBufRead, AsyncRead, AsyncWrite, duplex};
use wakering::net::{TcpListener, TcpStream, UdpSocket, UnixStream};
use wakering::time::{Instant, sleep};

/// No case needs more polls than this.
const POLLS_MAX: usize = 64;

/// Polls `future` up to `k` times, with `event` and a turn of the loop before each poll but the
/// first; then drops it. The output, if it came to that.
async fn drop_after<F: Future>(k: usize, future: F, mut event: impl FnMut()) -> Option<F::Output> {
    let mut future = pin!(future);
    for poll in 0..k {
        if poll > 0 {
            event();
            sleep(Duration::from_micros(200)).await;
        }
        if let Poll::Ready(output) = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await {
            return Some(output);
        }
    }
    None
}

/// Runs `case` for each k until it reports that its future completes by itself; each time nothing may
/// be left behind.
fn for_every_k<C: AsyncFn(usize) -> bool>(name: &str, case: C) {
    wakering::run(async {
        for k in 0..=POLLS_MAX {
            let completed = case(k).await;
            let held = || {
                let counters = Driver::current().unwrap().counters();
                (counters.in_flight, counters.descriptors, counters.leaked)
            };
            soon(&format!("{name}: what is left behind at k = {k}"), held, (0, 0, 0)).await;
            if completed {
                assert!(k > 0, "{name}: what was never polled has not completed");
                return;
            }
        }
        panic!("{name} did not complete within {POLLS_MAX} polls");
    });
}

/// A row of the table, in a process where nobody else opens anything: `make` makes a world and
/// awaits the future `name` in it.
fn row<T>(name: &str, make: impl AsyncFn() -> T) {
    row_in_steps(name, Duration::from_micros(200), make);
}

/// The same for what takes longer: before each poll but the first, `step` goes by.
fn row_in_steps<T>(name: &str, step: Duration, make: impl AsyncFn() -> T) {
    let before = RefCell::default();
    for_every_k(name, async |k| {
        if k == 0 {
            // What is made once and kept is made before counting.
            make().await;
            // What it has left behind may keep descriptors open until it has ended.
            let in_flight = || Driver::current().unwrap().counters().in_flight;
            soon(&format!("{name}: what is in flight afterwards"), in_flight, 0).await;
            before.replace(open_descriptors());
        }
        let output = drop_after(k, make(), || thread::sleep(step)).await;
        let completed = output.is_some();
        drop(output);
        // What the first one has left behind may have been closed since.
        let left = || -> Vec<_> {
            open_descriptors().into_iter().filter(|open| !before.borrow().contains(open)).collect()
        };
        soon(&format!("{name}: what is left open at k = {k}"), left, Vec::new()).await;
        completed
    });
}

/// Waits a while until `now` gives what is expected, and fails if it does not.
async fn soon<T: PartialEq + Debug>(what: &str, now: impl Fn() -> T, expected: T) {
    let end = Instant::now() + patience(Duration::from_secs(5));
    let mut seen = now();
    while seen != expected && Instant::now() < end {
        sleep(Duration::from_micros(200)).await;
        seen = now();
    }
    assert_eq!(seen, expected, "{what}");
}

async fn tcp_pair() -> (TcpStream, std::net::TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let peer = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (listener.accept().await.unwrap().0, peer)
}

#[test]
fn read_loses_no_byte() {
    for_every_k("runtime::AsyncRead::read", async |k| {
        let (mut stream, mut peer) = tcp_pair().await;
        let mut sent = 0;
        let first = drop_after(k, stream.read(Vec::with_capacity(3)), || {
            peer.write_all(&[sent]).unwrap();
            sent += 1;
        })
        .await;
        peer.write_all(&[sent]).unwrap();
        drop(peer);
        let completed = first.is_some();
        let mut received = first.map_or(Vec::new(), |read| read.unwrap().1);
        let (_, rest) = stream.read_to_end(Vec::new()).await.unwrap();
        received.extend(rest);
        assert_eq!(received, (0..=sent).collect::<Vec<_>>());
        completed
    });
}

#[test]
fn fill_buf_loses_no_byte() {
    for_every_k("runtime::AsyncBufRead::fill_buf", async |k| {
        let (mut stream, mut peer) = tcp_pair().await;
        let mut sent = 0;
        let completed = drop_after(k, stream.fill_buf(), || {
            peer.write_all(&[sent]).unwrap();
            sent += 1;
        })
        .await
        .is_some();
        drop(peer);
        let (_, received) = stream.read_to_end(Vec::new()).await.unwrap();
        assert_eq!(received, (0..sent).collect::<Vec<_>>());
        completed
    });
}

#[test]
fn read_line_loses_no_byte() {
    for_every_k("runtime::AsyncBufRead::read_line", async |k| {
        let (mut stream, mut peer) = tcp_pair().await;
        let text = b"ab\ncd\n";
        let mut sent = 0;
        let mut line = Vec::new();
        let completed = drop_after(k, stream.read_line(&mut line, 80), || {
            let part = &text[sent..text.len().min(sent + 1)];
            peer.write_all(part).unwrap();
            sent += part.len();
        })
        .await
        .is_some();
        peer.write_all(&text[sent..]).unwrap();
        drop(peer);
        let (_, rest) = stream.read_to_end(Vec::new()).await.unwrap();
        assert_eq!([line, rest].concat(), text);
        completed
    });
}

#[test]
fn accept_loses_no_connection() {
    for_every_k("net::TcpListener::accept", async |k| {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut peers = Vec::new();
        let first = drop_after(k, listener.accept(), || {
            peers.push(std::net::TcpStream::connect(address).unwrap());
        })
        .await;
        peers.push(std::net::TcpStream::connect(address).unwrap());
        let completed = first.is_some();
        let mut accepted: Vec<_> = first.into_iter().map(|accept| accept.unwrap().1).collect();
        while accepted.len() < peers.len() {
            accepted.push(listener.accept().await.unwrap().1);
        }
        let addresses: Vec<_> = peers.iter().map(|peer| peer.local_addr().unwrap()).collect();
        assert_eq!(accepted, addresses, "each connection once, in order");
        completed
    });
}

#[test]
fn recv_from_loses_no_datagram() {
    for_every_k("net::UdpSocket::recv_from", async |k| {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let peer = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        peer.connect(socket.local_addr().unwrap()).unwrap();
        let mut sent = 0;
        // Too small a buffer for the datagrams to come: what an abandoned receive brings is whole
        // all the same.
        let first = drop_after(k, socket.recv_from(Vec::with_capacity(1)), || {
            peer.send(&[sent; 9]).unwrap();
            sent += 1;
        })
        .await;
        peer.send(&[sent; 9]).unwrap();
        let from = usize::from(first.is_some()) as u8;
        for expected in from..=sent {
            let (_, datagram) = socket.recv_from(Vec::with_capacity(64)).await.unwrap();
            assert_eq!(datagram, [expected; 9]);
        }
        first.is_some()
    });
}

#[test]
fn a_submitted_write_is_not_cut_short() {
    for_every_k("runtime::AsyncWrite::write", async |k| {
        let (mut stream, mut peer) = tcp_pair().await;
        peer.set_nonblocking(true).unwrap();
        // Larger than both socket buffers, so that the write has to wait for the reader.
        let payload: Vec<u8> = (0..8 << 20).map(|index: u32| index as u8).collect();
        let mut received = Vec::new();
        let mut chunk = vec![0; 1 << 20];
        let first = drop_after(k, stream.write(payload.clone()), || {
            while let Ok(n @ 1..) = peer.read(&mut chunk) {
                received.extend_from_slice(&chunk[..n]);
            }
        })
        .await;
        let completed = first.is_some();
        let closing = wakering::spawn(stream.close());
        while !closing.is_finished() || peer.peek(&mut chunk).is_ok_and(|n| n > 0) {
            match peer.read(&mut chunk) {
                Ok(0) => break,
                Ok(n) => received.extend_from_slice(&chunk[..n]),
                Err(_) => sleep(Duration::from_micros(200)).await,
            }
        }
        closing.await.unwrap().unwrap();
        let expected = if k == 0 { 0 } else { payload.len() };
        assert_eq!(received.len(), expected, "all of a submitted write, or nothing");
        assert!(received == payload[..expected]);
        completed
    });
}

#[test]
fn duplex_reads_lose_no_byte() {
    for_every_k("runtime::AsyncRead::read", async |k| {
        let (mut near, mut far) = duplex(64);
        let mut sent = 0;
        let first = drop_after(k, near.read(Vec::with_capacity(4)), || {
            wakering::io::Sink::queue(&mut far, &[sent]).unwrap();
            sent += 1;
        })
        .await;
        far.write_all([sent].to_vec()).await.unwrap();
        drop(far);
        let completed = first.is_some();
        let mut received = first.map_or(Vec::new(), |read| read.unwrap().1);
        received.extend(near.read_to_end(Vec::new()).await.unwrap().1);
        assert_eq!(received, (0..=sent).collect::<Vec<_>>());
        completed
    });
}

#[test]
fn unix_streams_lose_no_byte() {
    for_every_k("runtime::AsyncRead::read", async |k| {
        let (mut near, mut far) = UnixStream::pair().unwrap();
        let first = drop_after(k, near.read(Vec::with_capacity(2)), || {
            wakering::io::Sink::queue(&mut far, b"x").unwrap();
        })
        .await;
        far.write_all("y").await.unwrap();
        drop(far);
        let completed = first.is_some();
        let mut received = first.map_or(Vec::new(), |read| read.unwrap().1);
        received.extend(near.read_to_end(Vec::new()).await.unwrap().1);
        let expected = [vec![b'x'; k.saturating_sub(1)], b"y".to_vec()].concat();
        assert!(received.ends_with(b"y") && received.len() <= expected.len(), "{received:?}");
        completed
    });
}

#[test]
fn reading_a_whole_file_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("file");
    std::fs::write(&path, vec![7; 100_000]).unwrap();
    for_every_k("fs::read", async |k| {
        let read = fs::read(&path);
        let read = drop_after(k, read, || thread::sleep(Duration::from_millis(1))).await;
        if let Some(read) = &read {
            assert_eq!(read.as_ref().unwrap().len(), 100_000);
        }
        read.is_some()
    });
}

#[test]
fn awaiting_a_task_can_be_given_up_and_taken_up_again() {
    for_every_k("runtime::JoinHandle", async |k| {
        let mut task = wakering::spawn(async {
            sleep(Duration::from_millis(1)).await;
            42
        });
        let first = drop_after(k, &mut task, || {}).await;
        let completed = first.is_some();
        let output = match first {
            Some(output) => output,
            None => task.await,
        };
        assert_eq!(output.unwrap(), 42);
        completed
    });
}
