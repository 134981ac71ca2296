//! What is dropped in the middle loses nothing, and ends with the task that dropped it.

use std::io::{ErrorKind, Write};
use std::time::Duration;

use wakering_net::{TcpListener, TcpStream, UdpSocket, UnixStream};
use wakering_runtime::io::{AsyncRead, AsyncWrite};
use wakering_runtime::time::{sleep, timeout};
use wakering_runtime::{spawn, task::yield_now};

use crate::{tcp, within_bounds};

/// Given a read that is cancelled as its byte arrives; when it is read again; then the byte is
/// there. Both sides of the race must win some of the rounds.
#[test]
fn case_k12_a_cancelled_read_loses_no_byte() {
    within_bounds(async {
        let (ours, mut theirs) = std::os::unix::net::UnixStream::pair()?;
        let mut ours = UnixStream::from_std(ours)?;
        let (mut read, mut expired) = (0, 0);
        let mut expected = 0u8;
        // Where hardly anything is in time, limits become longer.
        let mut patience = 1;
        for round in 0..2000u32 {
            if round % 200 == 199 && read < round / 20 {
                patience *= 2;
            }
            theirs.write_all(&[expected])?;
            // A limit of nothing polls once, which submits; then the byte is on its way.
            let limit = Duration::from_micros(u64::from(round % 40)) * patience;
            let buf = match timeout(limit, ours.read(vec![0; 1])).await {
                Ok(done) => {
                    read += 1;
                    done?.1
                }
                Err(_) => {
                    expired += 1;
                    ours.read(vec![0; 1]).await?.1
                }
            };
            assert_eq!(buf, [expected], "round {round}");
            expected = expected.wrapping_add(1);
        }
        println!("read first {read}, expired first {expired}");
        assert!(read >= 20 && expired >= 20, "no race: {read} to {expired}");
        Ok(())
    });
}

/// Given an accept that is cancelled as a client connects; when it accepts again; then that client
/// is served.
#[test]
fn case_w06_a_cancelled_accept_loses_no_client() {
    within_bounds(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (mut accepted, mut expired) = (0, 0);
        // Where nothing is in time, limits become longer.
        let mut patience = 1;
        for round in 0..500u64 {
            if round % 100 == 99 && accepted < 5 {
                patience *= 4;
            }
            let client = std::net::TcpStream::connect(address)?;
            let limit = Duration::from_micros(round % 40) * patience;
            let peer = match timeout(limit, listener.accept()).await {
                Ok(done) => {
                    accepted += 1;
                    done?.1
                }
                Err(_) => {
                    expired += 1;
                    listener.accept().await?.1
                }
            };
            assert_eq!(peer, client.local_addr()?, "round {round}");
        }
        println!("accepted first {accepted}, expired first {expired}");
        assert!(accepted >= 5 && expired >= 5, "no race: {accepted} to {expired}");
        Ok(())
    });
}

/// Given a datagram that comes to a dropped receive; when the next receive has less room; then
/// nothing of the datagram was cut for the sake of the first.
#[test]
fn a_cancelled_receive_loses_no_datagram() {
    within_bounds(async {
        let server = UdpSocket::bind("127.0.0.1:0").await?;
        let client = std::net::UdpSocket::bind("127.0.0.1:0")?;
        client.connect(server.local_addr()?)?;
        for round in 0..200u64 {
            client.send(format!("datagram {round}").as_bytes())?;
            let limit = Duration::from_micros(round % 20);
            let buf = match timeout(limit, server.recv(vec![0; 4])).await {
                Ok(done) => {
                    assert_eq!(done?.1, b"data");
                    continue;
                }
                Err(_) => server.recv(Vec::with_capacity(64)).await?.1,
            };
            assert_eq!(buf, format!("datagram {round}").as_bytes());
        }
        Ok(())
    });
}

/// Given a parked read and a parked write in two tasks; when a third closes the stream; then both
/// end with an error and the peer sees the end.
#[test]
fn case_k11_closing_ends_parked_tasks() {
    within_bounds(async {
        let (ours, mut theirs) = tcp().await?;
        let handle = ours.as_fd().clone();
        let (mut read, mut write) = ours.into_split();
        let reader = spawn(async move { read.read(vec![0; 8]).await.map(|(n, _)| n) });
        let writer = spawn(async move {
            loop {
                if let Err(failed) = write.write(vec![1; 1 << 20]).await {
                    return failed.error;
                }
            }
        });
        sleep(Duration::from_millis(20)).await;
        assert!(!reader.is_finished() && !writer.is_finished());
        let drained = spawn(async move { theirs.read_to_end(Vec::new()).await });
        handle.close().await?;
        let read = reader.await.unwrap().unwrap_err().error;
        let written = writer.await.unwrap();
        assert_eq!(
            (read.kind(), written.kind()),
            (ErrorKind::NotConnected, ErrorKind::NotConnected),
            "{read}; {written}"
        );
        assert!(drained.await.unwrap()?.0 > 0, "what was sent, and then the end");
        Ok(())
    });
}

/// Given a task that is cancelled while it reads; when its handle resolves; then nothing of it is
/// in flight, and the stream that it held is closed.
#[test]
fn a_cancelled_task_leaves_nothing_in_flight() {
    within_bounds(async {
        let (mut ours, mut theirs) = tcp().await?;
        let task = spawn(async move { theirs.read(vec![0; 64]).await.map(drop) });
        yield_now().await;
        sleep(Duration::from_millis(2)).await;
        assert!(task.cancel());
        assert!(task.await.unwrap_err().is_cancelled());
        assert_eq!(ours.read(vec![0; 1]).await?.0, 0, "the stream ended with its task");
        Ok(())
    });
}

/// Given a connect to an address that never answers; when it is dropped; then its socket is closed.
#[test]
fn a_dropped_connect_gives_up() {
    within_bounds(async {
        // A listener whose queue is full leaves further clients without an answer.
        let full = wakering_net::TcpSocket::new_v4()?;
        full.bind("127.0.0.1:0".parse().unwrap())?;
        let listener = full.listen(0)?;
        let address = listener.local_addr()?;
        let _first = TcpStream::connect(address).await?;
        let mut limit = Duration::from_millis(20);
        let mut waiting = Vec::new();
        // How many fit into the queue is the system's affair.
        while let Ok(stream) = timeout(limit, TcpStream::connect(address)).await {
            waiting.push(stream?);
            limit = Duration::from_millis(20);
            assert!(waiting.len() < 10);
        }
        Ok(())
    });
}

/// Given two tasks that write to one stream by turns; when one is cancelled; then what it has
/// submitted arrives whole, and the other goes on.
#[test]
fn a_cancelled_write_is_not_cut_short() {
    within_bounds(async {
        let (mut ours, mut theirs) = tcp().await?;
        let reader = spawn(async move { theirs.read_to_end(Vec::new()).await });
        let limit = Duration::from_micros(200);
        let submitted = timeout(limit, ours.write(vec![b'a'; 8 << 20])).await;
        ours.write_all(vec![b'b'; 1000]).await?;
        ours.shutdown().await?;
        let (total, bytes) = reader.await.unwrap()?;
        let a = bytes.iter().take_while(|&&byte| byte == b'a').count();
        assert!(bytes[a..].iter().all(|&byte| byte == b'b'));
        assert_eq!(total - a, 1000);
        assert!(a == 8 << 20 || submitted.is_err() && a == 0, "{a} bytes of the first write");
        Ok(())
    });
}
