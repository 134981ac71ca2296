//! Datagrams over UDP and Unix sockets.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;
use std::time::Duration;

use wakering_net::{SendMeta, UdpSocket, UnixDatagram};
use wakering_ring_driver::testing::skip;
use wakering_runtime::{spawn, time::sleep};

use crate::accept::abstract_name;
use crate::{failure, within_bounds};

async fn udp() -> io::Result<UdpSocket> {
    UdpSocket::bind("127.0.0.1:0").await
}

/// Given two senders; when their datagrams interleave; then each comes whole with its own sender,
/// also an empty one.
#[test]
fn datagrams_have_bounds_and_senders() {
    within_bounds(async {
        let (server, one, two) = (udp().await?, udp().await?, udp().await?);
        let address = server.local_addr()?;
        for round in 0..20 {
            one.send_to(format!("one {round}"), address).await?;
            two.send_to("", address).await?;
            let ((n, from), buf) = server.recv_from(vec![0; 64]).await?;
            assert_eq!((n, from), (buf.len(), one.local_addr()?));
            assert_eq!(buf, format!("one {round}").as_bytes());
            let ((n, from), buf) = server.recv_from(buf).await?;
            assert_eq!((n, from, buf.len()), (0, two.local_addr()?, 0));
        }
        let failed = server.recv(Vec::new()).await.unwrap_err();
        assert_eq!(failed.error.kind(), ErrorKind::InvalidInput, "it would be lost");
        Ok(())
    });
}

/// Given a connected socket; when a stranger sends to it; then it hears only its peer; and a closed
/// port is told.
#[test]
fn a_connected_socket_hears_its_peer_only() {
    within_bounds(async {
        let (server, client, stranger) = (udp().await?, udp().await?, udp().await?);
        server.connect(client.local_addr()?).await?;
        assert_eq!(server.peer_addr()?, client.local_addr()?);
        stranger.send_to("psst", server.local_addr()?).await?;
        client.send_to("hello", server.local_addr()?).await?;
        assert_eq!(server.recv(vec![0; 8]).await?.1, b"hello");
        server.send("back").await?;
        assert_eq!(client.recv(vec![0; 8]).await?.1, b"back");
        // The client hears somebody else from now on, so nobody takes what the server sends.
        client.connect(stranger.local_addr()?).await?;
        server.send("anybody?").await?;
        let failed = server.recv(vec![0; 8]).await.unwrap_err();
        assert_eq!(failed.error.kind(), ErrorKind::ConnectionRefused);
        Ok(())
    });
}

/// Given datagrams longer than the buffer and longer than the protocol; when they are received and
/// sent; then the first is cut and says so, the second is an error, and buffers come back.
#[test]
fn what_is_too_long_is_told() {
    within_bounds(async {
        let (server, client) = (udp().await?, udp().await?);
        client.send_to(vec![7; 65_507], server.local_addr()?).await?;
        let (meta, buf) = server.recv_msg(vec![0; 100].into_boxed_slice()).await?;
        assert_eq!((meta.len, meta.truncated), (100, true));
        assert!(buf.iter().all(|&byte| byte == 7));
        client.send_to("short", server.local_addr()?).await?;
        let (meta, _) = server.recv_msg(vec![0; 100]).await?;
        assert_eq!((meta.len, meta.truncated, meta.source), (5, false, client.local_addr()?));

        let to = server.local_addr()?;
        let failed = client.send_to(vec![7; 65_508], to).await.unwrap_err();
        assert_eq!(failure(&failed.error), ("send", to.to_string().as_str(), Some(90)));
        assert_eq!(failed.buf.len(), 65_508);
        Ok(())
    });
}

/// Given control data asked for; when datagrams carry it; then it arrives, and an answer can come
/// from the address that was asked.
#[test]
fn what_travels_beside_the_bytes_arrives() {
    within_bounds(async {
        let server = UdpSocket::bind("0.0.0.0:0").await?;
        server.set_recv_packet_info(true)?;
        server.set_recv_traffic_class(true)?;
        let port = server.local_addr()?.port();
        let client = udp().await?;
        let asked = Ipv4Addr::new(127, 0, 0, 3);
        let meta = SendMeta::new().to((asked, port).into()).traffic_class(2);
        client.send_msg("?", meta).await?;
        let (meta, buf) = server.recv_msg(vec![0; 8]).await?;
        assert_eq!((meta.len, buf.as_slice()), (1, b"?".as_slice()));
        assert_eq!(meta.destination, Some(IpAddr::V4(asked)));
        assert_eq!((meta.traffic_class, meta.interface), (Some(2), Some(1)));

        let answer = SendMeta::new().to(meta.source).source(meta.destination.unwrap());
        server.send_msg(buf, answer).await?;
        let ((_, from), _) = client.recv_from(vec![0; 8]).await?;
        assert_eq!(from, (asked, port).into());

        client.set_recv_segments(true)?;
        let cut = SendMeta::new().to(client.local_addr()?).segment_size(1000);
        server.send_msg(vec![1; 2500], cut).await?;
        let (meta, buf) = client.recv_msg(vec![0; 4000]).await?;
        if meta.len == 1000 {
            skip("datagram::segments", "the loopback cuts what it sends, nobody joins it again");
            return Ok(());
        }
        assert_eq!((meta.len, meta.segment_size), (2500, Some(1000)));
        assert_eq!(buf.len(), 2500);
        Ok(())
    });
}

/// Given somebody who looks first; when the datagram is then received; then it is the same, and the
/// next one follows.
#[test]
fn a_look_at_a_datagram_takes_nothing() {
    within_bounds(async {
        let (server, client) = (udp().await?, udp().await?);
        client.send_to("first", server.local_addr()?).await?;
        client.send_to("second", server.local_addr()?).await?;
        for _ in 0..2 {
            let ((n, from), buf) = server.peek_from(vec![0; 3]).await?;
            assert_eq!((n, from, buf), (3, client.local_addr()?, b"fir".to_vec()));
        }
        assert_eq!(server.recv(vec![0; 8]).await?.1, b"first");
        assert_eq!(server.recv(vec![0; 8]).await?.1, b"second");
        Ok(())
    });
}

/// Given callers with room for little and for much, in turn, of whom some go away; when short and
/// long datagrams come; then each gets as much of its datagram as it has room for, and knows.
#[test]
fn each_caller_has_the_room_that_he_gives() {
    within_bounds(async {
        let (server, client) = (udp().await?, udp().await?);
        let address = server.local_addr()?;
        for round in 0..30usize {
            // Nobody has begun to receive, or somebody with little room has.
            if round % 2 == 1 {
                let short = server.recv(Vec::with_capacity(1));
                let _ = wakering_runtime::time::timeout(Duration::from_millis(1), short).await;
            }
            let long = vec![round as u8; 20_000 + round];
            for _ in 0..2 {
                client.send_to(long.clone(), address).await?;
            }
            let (meta, buf) = server.recv_msg(Vec::with_capacity(100)).await?;
            assert_eq!((meta.len, meta.truncated, &buf[..]), (100, true, &long[..100]));
            let (meta, buf) = server.recv_msg(Vec::with_capacity(65_536)).await?;
            assert_eq!((meta.len, meta.truncated), (long.len(), false));
            assert_eq!((buf, meta.source), (long, client.local_addr()?));
        }
        Ok(())
    });
}

/// Given datagrams of all sizes; when they are received where they lie; then each is whole, tells
/// where it comes from, and stays while others come.
#[test]
fn a_datagram_can_be_had_where_it_lies() {
    within_bounds(async {
        let (server, client) = (udp().await?, udp().await?);
        let address = server.local_addr()?;
        let mut held = Vec::new();
        for len in [3, 0, 9000, 65_507, 1] {
            client.send_to(vec![len as u8; len], address).await?;
            server.peek_from(vec![0; 1]).await?;
            let (meta, bytes) = server.recv_pooled().await?;
            assert_eq!((meta.source, meta.len, meta.truncated), (client.local_addr()?, len, false));
            held.push((len, bytes));
        }
        for (len, bytes) in held {
            assert_eq!(*bytes, vec![len as u8; len]);
            server.send_to(bytes, client.local_addr()?).await?;
            assert_eq!(client.recv(vec![0; 65_536]).await?.0, len);
        }
        Ok(())
    });
}

/// Given several tasks on one socket; when as many datagrams come; then each task gets one.
#[test]
fn tasks_share_a_socket() {
    within_bounds(async {
        let (server, client) = (Rc::new(udp().await?), udp().await?);
        let tasks: Vec<_> = (0..4)
            .map(|_| {
                let server = server.clone();
                spawn(async move { server.recv(Vec::with_capacity(8)).await.map(|(_, buf)| buf) })
            })
            .collect();
        sleep(Duration::from_millis(2)).await;
        for n in 0..4u8 {
            client.send_to(vec![n], server.local_addr()?).await?;
        }
        let mut got = Vec::new();
        for task in tasks {
            got.extend(task.await.unwrap()?);
        }
        got.sort_unstable();
        assert_eq!(got, [0, 1, 2, 3]);
        Ok(())
    });
}

/// Given a multicast group; when a member sends to it; then members get it.
#[test]
fn members_of_a_group_hear_it() {
    within_bounds(async {
        let member = UdpSocket::bind("0.0.0.0:0").await?;
        let group = Ipv4Addr::new(224, 0, 0, 198);
        if let Err(error) = member.join_multicast_v4(&group, &Ipv4Addr::LOCALHOST) {
            skip("members_of_a_group_hear_it", &format!("no multicast on loopback: {error}"));
            return Ok(());
        }
        let sender = udp().await?;
        sender.set_multicast_interface_v4(&Ipv4Addr::LOCALHOST)?;
        sender.set_multicast_loop_v4(true)?;
        sender.send_to("all", (group, member.local_addr()?.port())).await?;
        assert_eq!(member.recv(vec![0; 8]).await?.1, b"all");
        member.leave_multicast_v4(&group, &Ipv4Addr::LOCALHOST)
    });
}

/// Given Unix sockets with names and without; when they exchange datagrams; then bounds and senders
/// are kept, also of long ones, and a full queue is waited for.
#[test]
fn unix_datagrams_keep_their_bounds() {
    within_bounds(async {
        let server = UnixDatagram::bind_addr(&abstract_name("datagram")?)?;
        let address = server.local_addr()?;
        let client = UnixDatagram::unbound()?;
        client.connect_addr(&address).await?;
        let sender = spawn(async move {
            for n in 0..100u32 {
                client.send(n.to_ne_bytes().to_vec()).await?;
            }
            client.send(vec![5; 150_000]).await.map(drop)
        });
        for n in 0..100u32 {
            let ((_, from), buf) = server.recv_from(Vec::with_capacity(8)).await?;
            assert!(from.is_unnamed());
            assert_eq!(buf, n.to_ne_bytes(), "waited for, lost none");
        }
        assert_eq!(server.recv(Vec::with_capacity(200_000)).await?.0, 150_000);
        sender.await.unwrap().map_err(io::Error::from)?;

        let dir = tempfile::tempdir()?;
        let path = dir.path().join("socket");
        let named = UnixDatagram::bind(&path)?;
        named.send_to_addr("from a name", &address).await?;
        let ((_, from), _) = server.recv_from(vec![0; 32]).await?;
        assert_eq!(from.as_pathname(), Some(path.as_path()));
        server.send_to("and back", &path).await?;
        assert_eq!(named.recv(vec![0; 32]).await?.1, b"and back");

        let nowhere = dir.path().join("nowhere");
        let failed = named.send_to(vec![1], &nowhere).await.unwrap_err();
        assert_eq!(failed.error.kind(), ErrorKind::NotFound);
        assert_eq!(failure(&failed.error).1, nowhere.display().to_string());
        assert_eq!(failed.buf, [1]);
        Ok(())
    });
}
