//! Sockets go to std with all that came for them, and block as std's do.

use std::io::{ErrorKind, Read, Write};
use std::time::{Duration, Instant};

use futures_util::poll;
use wakering_net::{TcpListener, UdpSocket, UnixDatagram, UnixListener, UnixStream};
use wakering_ring_driver::op::{self, DatagramBuffer};
use wakering_runtime::io::{AsyncBufRead, AsyncRead, AsyncWrite, Sink};
use wakering_runtime::time::sleep;

use crate::accept::abstract_name;
use crate::{tcp, within_bounds};

const WAIT: Duration = Duration::from_millis(20);

/// Given a dropped receive that has taken a datagram, one that was looked at before, and one in the
/// socket; when the socket goes to std; then none of the three is missing, and it blocks.
#[test]
fn no_datagram_is_lost() {
    within_bounds(async {
        let (server, client) = (UdpSocket::bind("127.0.0.1:0").await?, udp().await?);
        let to = server.local_addr()?;
        client.send_to("looked at", to).await?;
        server.peek_from(vec![0; 1]).await?;
        let fd = server.as_fd().clone();
        let mut dropped = Box::pin(async move { op::recv_msg(&fd, DatagramBuffer::new()).await });
        assert!(poll!(&mut dropped).is_pending());
        client.send_to("received", to).await?;
        sleep(WAIT).await;
        drop(dropped);
        client.send_to("in the socket", to).await?;

        let (std, received) = server.into_std().await?;
        for (meta, bytes) in &received {
            assert_eq!((meta.len, meta.source), (bytes.len(), client.local_addr()?));
        }
        let mut texts: Vec<_> = received.into_iter().map(|(_, bytes)| bytes).collect();
        let mut buf = [0; 16];
        std.set_read_timeout(Some(WAIT))?;
        if texts.len() == 2 {
            // It has not been received ahead.
            let n = std.recv(&mut buf)?;
            texts.push(buf[..n].to_vec());
        }
        assert_eq!(texts, [&b"looked at"[..], b"received", b"in the socket"]);
        let start = Instant::now();
        assert_eq!(std.recv(&mut buf).unwrap_err().kind(), ErrorKind::WouldBlock);
        assert!(start.elapsed() >= WAIT / 2, "it does not block");

        let (ours, theirs) = UnixDatagram::pair()?;
        let mut dropped = Box::pin(ours.recv(vec![0; 1]));
        assert!(poll!(&mut dropped).is_pending());
        theirs.send("received").await?;
        sleep(WAIT).await;
        drop(dropped);
        theirs.send("in the socket").await?;
        let (std, received) = ours.into_std().await?;
        assert_eq!(received.len(), 1);
        assert!(received[0].0.is_unnamed() && received[0].1 == b"received");
        assert_eq!(std.recv(&mut buf)?, 13);
        Ok(())
    });
}

async fn udp() -> std::io::Result<UdpSocket> {
    UdpSocket::bind("127.0.0.1:0").await
}

/// Given a dropped accept that has taken a client, and another client in the queue; when the listener
/// goes to std; then both are served, and all of it blocks.
#[test]
fn no_connection_is_lost() {
    within_bounds(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let mut dropped = Box::pin(listener.accept());
        assert!(poll!(&mut dropped).is_pending());
        let mut one = std::net::TcpStream::connect(listener.local_addr()?)?;
        sleep(WAIT).await;
        drop(dropped);
        let mut two = std::net::TcpStream::connect(listener.local_addr()?)?;
        one.write_all(b"1")?;
        let (std, mut accepted) = listener.into_std().await?;
        assert_eq!(accepted.len(), 1);
        let mut first = accepted.remove(0);
        assert_eq!(first.peer_addr()?, one.local_addr()?);
        first.set_read_timeout(Some(WAIT))?;
        let mut buf = [0; 1];
        first.read_exact(&mut buf)?;
        let start = Instant::now();
        assert_eq!(first.read(&mut buf).unwrap_err().kind(), ErrorKind::WouldBlock);
        assert!(start.elapsed() >= WAIT / 2, "the connection does not block");
        two.write_all(b"2")?;
        std.accept()?.0.read_exact(&mut buf)?;
        assert_eq!(&buf, b"2");
        let address = std.local_addr()?;
        let late = std::thread::spawn(move || {
            std::thread::sleep(WAIT);
            std::net::TcpStream::connect(address)
        });
        std.accept()?;
        late.join().unwrap()?;

        let listener = UnixListener::bind_addr(&abstract_name("into_std")?)?;
        let mut dropped = Box::pin(listener.accept());
        assert!(poll!(&mut dropped).is_pending());
        let _one = UnixStream::connect_addr(&listener.local_addr()?).await?;
        sleep(WAIT).await;
        drop(dropped);
        let _two = UnixStream::connect_addr(&listener.local_addr()?).await?;
        let (std, accepted) = listener.into_std().await?;
        assert_eq!(accepted.len(), 1);
        std.accept()?;
        Ok(())
    });
}

/// Given bytes that were received ahead, and a reset behind them; when the connection goes to std, or
/// out of its runtime and back; then it does not look as if the stream were complete.
#[test]
fn a_reset_behind_what_came_is_told() {
    within_bounds(async {
        for goes_to_std in [true, false] {
            let (mut ours, mut theirs) = tcp().await?;
            assert!(poll!(Box::pin(ours.fill_buf())).is_pending());
            sleep(WAIT).await;
            theirs.write_all("abc").await?;
            sleep(WAIT).await;
            theirs.as_fd().clone().abort();
            drop(theirs);
            sleep(WAIT).await;
            let told = if goes_to_std {
                match ours.into_std().await {
                    Ok((mut std, received)) => {
                        assert!(b"abc".starts_with(&received));
                        std.read_exact(&mut vec![0; 3 - received.len()])?;
                        std.read(&mut [0; 1]).unwrap_err()
                    }
                    Err(error) => error,
                }
            } else {
                let mut back = ours.detach().await?.attach()?;
                assert_eq!(back.read_exact(vec![0; 3]).await?.1, b"abc");
                back.read(vec![0; 1]).await.unwrap_err().error
            };
            assert_eq!(told.kind(), ErrorKind::ConnectionReset);
        }
        Ok(())
    });
}

/// Given a peer that has gone, and bytes that are queued for it; when the connection goes to std, or
/// out of its runtime and back, at once or later; then somebody is told that they were not sent.
#[test]
fn a_queued_send_that_fails_is_told() {
    within_bounds(async {
        for wait in [Duration::ZERO, WAIT] {
            for goes_to_std in [true, false] {
                let (mut ours, theirs) = UnixStream::pair()?;
                theirs.close().await?;
                ours.queue(b"lost")?;
                sleep(wait).await;
                let told = if goes_to_std {
                    ours.into_std().await.unwrap_err()
                } else {
                    ours.detach().await?.attach()?.flush().await.unwrap_err()
                };
                assert_eq!(told.kind(), ErrorKind::BrokenPipe);
            }
        }
        Ok(())
    });
}

/// Given a socket whose descriptor somebody else has too; when it is to go to std; then it does not.
#[test]
fn a_shared_socket_stays() {
    within_bounds(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let shared = listener.as_fd().clone();
        let error = listener.into_std().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ResourceBusy);
        drop(shared);
        let socket = udp().await?;
        let shared = socket.as_fd().clone();
        assert_eq!(socket.into_std().await.unwrap_err().kind(), ErrorKind::ResourceBusy);
        drop(shared);
        Ok(())
    });
}
