//! Stream sockets and pipes on the real kernel, each operation in the ring and, where the ring is
//! told to do without it, as a plain call.

use std::io::{self, Read};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use wakering_ring_driver::op::{self, Domain, SocketKind};
use wakering_ring_driver::{Driver, Fd, IoBuf, SocketAddress, option};

use crate::{Wakes, adopt, each_way, poll_once};

const OPERATIONS: &[&str] = &[
    "read", "write", "readv", "writev", "socket", "bind", "listen", "connect", "accept", "recv",
    "send", "sendmsg", "shutdown",
];

pub(crate) fn room(capacity: usize) -> Vec<u8> {
    Vec::with_capacity(capacity)
}

pub(crate) fn loopback() -> SocketAddress {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()
}

/// A listener on a free port, and its address.
pub(crate) async fn listener() -> io::Result<(Fd, SocketAddress)> {
    let listener = op::socket(Domain::V4, SocketKind::Stream).await?;
    op::bind(&listener, loopback()).await?;
    op::listen(&listener, 16).await?;
    let address = option::local_address(&listener)?;
    Ok((listener, address))
}

/// Both ends of a TCP connection.
async fn connection() -> io::Result<(Fd, Fd)> {
    let (listener, address) = listener().await?;
    let ours = op::socket(Domain::V4, SocketKind::Stream).await?;
    op::connect(&ours, address).await?;
    Ok((ours, op::accept(&listener).await?.0))
}

/// Given a listener; when a client connects; then both know each other's address and bytes go both
/// ways until the end.
#[test]
fn a_connection_from_socket_to_end_of_stream() {
    each_way(OPERATIONS, async |_: &Driver| {
        let (listener, address) = listener().await?;
        let client = op::socket(Domain::V4, SocketKind::Stream).await?;
        op::connect(&client, address).await?;
        let (server, peer) = op::accept(&listener).await?;
        assert_eq!(peer.to_inet(), option::local_address(&client)?.to_inet());
        assert_eq!(option::peer_address(&client)?.to_inet(), address.to_inet());
        assert_eq!(option::local_address(&server)?.to_inet(), address.to_inet());

        assert_eq!(op::send(&client, "hello").await?.0, 5);
        let (n, buf) = op::peek(&server, room(3)).await?;
        assert_eq!((n, buf.as_slice()), (3, b"hel".as_slice()));
        let (n, buf) = op::recv(&server, buf).await?;
        assert_eq!((n, buf.as_slice()), (3, b"hel".as_slice()));
        let (n, buf) = op::recv(&server, room(64)).await?;
        assert_eq!((n, buf.as_slice()), (2, b"lo".as_slice()));

        let bufs = vec![b"ab".to_vec(), vec![], b"cde".to_vec()];
        assert_eq!(op::send_vectored(&server, bufs).await?.0, 5);
        let (n, bufs) = op::read_vectored(&client, vec![room(1), room(0), room(9)]).await?;
        assert_eq!((n, bufs), (5, vec![b"a".to_vec(), vec![], b"bcde".to_vec()]));

        op::shutdown(&client, Shutdown::Write).await?;
        assert_eq!(op::recv(&server, room(8)).await?.0, 0);
        assert_eq!(op::send(&server, "bye").await?.0, 3, "the other direction lives");
        assert_eq!(op::recv(&client, room(8)).await?.1, b"bye");
        option::take_error(&client)?.map_or(Ok(()), Err)
    });
}

/// Given a receiver that is slower; when much is sent at once; then one send sends all of it.
#[test]
fn a_send_is_not_short() {
    each_way(&["recv"], async |driver: &Driver| {
        const LEN: usize = 8 << 20;
        let (ours, mut theirs) = UnixStream::pair()?;
        let ours = adopt(driver, ours);
        let reader = std::thread::spawn(move || {
            let mut all = Vec::new();
            theirs.read_to_end(&mut all).map(|_| all)
        });
        let buf: Vec<u8> = (0..LEN).map(|i| (i / 4096) as u8).collect();
        let (n, sent) = op::send(&ours, buf).await?;
        assert_eq!(n, LEN);
        drop(ours);
        assert!(reader.join().unwrap()? == sent);
        Ok(())
    });
}

/// Given peers that are gone; when they are spoken to; then the error has the right kind, and no
/// signal kills us.
#[test]
fn failures_have_their_kinds() {
    each_way(OPERATIONS, async |driver: &Driver| {
        let (taken, address) = listener().await?;
        let second = op::socket(Domain::V4, SocketKind::Stream).await?;
        let failed = op::bind(&second, address).await.unwrap_err();
        assert_eq!(failed.kind(), io::ErrorKind::AddrInUse);
        drop((taken, second));

        // Bound, and nobody listens.
        let unused = op::socket(Domain::V4, SocketKind::Stream).await?;
        op::bind(&unused, loopback()).await?;
        let client = op::socket(Domain::V4, SocketKind::Stream).await?;
        let address = option::local_address(&unused)?;
        let failed = op::connect(&client, address).await.unwrap_err();
        assert_eq!(failed.kind(), io::ErrorKind::ConnectionRefused);
        let failed = op::shutdown(&client, Shutdown::Both).await.unwrap_err();
        assert_eq!(failed.kind(), io::ErrorKind::NotConnected);

        let (ours, theirs) = connection().await?;
        option::set_linger(&theirs, Some(Duration::ZERO))?;
        op::send(&ours, "never read").await?;
        drop(theirs);
        let failed = op::recv(&ours, vec![7; 4]).await.unwrap_err();
        assert_eq!((failed.error.kind(), failed.buf), (io::ErrorKind::ConnectionReset, vec![7; 4]));
        let failed = op::send(&ours, vec![1]).await.unwrap_err();
        assert_eq!((failed.error.kind(), failed.buf), (io::ErrorKind::BrokenPipe, vec![1]));
        let failed = op::send_vectored(&ours, vec!["x"]).await.unwrap_err();
        assert_eq!(failed.error.kind(), io::ErrorKind::BrokenPipe);

        let (ours, _theirs) = UnixStream::pair()?;
        let ours = adopt(driver, ours);
        let failed = op::recv(&ours, Vec::new()).await.unwrap_err();
        assert_eq!(failed.error.kind(), io::ErrorKind::InvalidInput, "never Ok(0)");
        Ok(())
    });
}

/// Given a dropped one-shot accept; when a client had come in the meantime; then the next accept
/// gets it.
#[test]
fn a_dropped_accept_loses_no_client() {
    each_way(&["accept"], async |driver: &Driver| {
        let (listener, address) = listener().await?;
        let wakes = Arc::new(Wakes::default());
        let mut accept = op::accept(&listener);
        assert!(poll_once(driver, &mut accept, &wakes).is_pending());
        let client = TcpStream::connect(address.to_inet().unwrap())?;
        drop(accept);
        let (_, peer) = op::accept(&listener).await?;
        assert_eq!(peer.to_inet(), Some(client.local_addr()?));
        Ok(())
    });
}

/// Given a pipe; when it is read and written; then it is a stream with an end and a broken one.
#[test]
fn a_pipe_is_a_stream() {
    each_way(OPERATIONS, async |driver: &Driver| {
        let (reader, writer) = io::pipe()?;
        let (reader, writer) = (adopt(driver, reader), adopt(driver, writer));
        assert_eq!(op::write(&writer, "abc").await?.0, 3);
        assert_eq!(op::write_vectored(&writer, vec!["", "de", "f"]).await?.0, 3);
        let (n, buf) = op::read(&reader, room(2)).await?;
        assert_eq!((n, buf.as_slice()), (2, b"ab".as_slice()));
        let (n, bufs) = op::read_vectored(&reader, vec![room(1), room(9)]).await?;
        assert_eq!((n, bufs), (4, vec![b"c".to_vec(), b"def".to_vec()]));

        let wakes = Arc::new(Wakes::default());
        let mut read = op::read_vectored(&reader, vec![vec![0; 2].into_boxed_slice(); 2]);
        assert!(poll_once(driver, &mut read, &wakes).is_pending());
        op::write(&writer, "ghi").await?;
        drop(read);
        assert_eq!(op::read(&reader, room(8)).await?.1, b"ghi", "put back, in order and no more");

        drop(writer);
        assert_eq!(op::read(&reader, room(8)).await?.0, 0);
        let (reader, writer) = io::pipe()?;
        let writer = adopt(driver, writer);
        drop(reader);
        let failed = op::write(&writer, vec![1]).await.unwrap_err();
        assert_eq!((failed.error.kind(), failed.buf), (io::ErrorKind::BrokenPipe, vec![1]));
        Ok(())
    });
}

/// Given parts of buffers; when they are sent and filled; then nothing beside the parts is touched.
#[test]
fn slices_lend_their_part_only() {
    each_way(&["recv", "send"], async |driver: &Driver| {
        let (ours, theirs) = UnixStream::pair()?;
        let (ours, theirs) = (adopt(driver, ours), adopt(driver, theirs));
        let (n, part) = op::send(&ours, b"0123456789".to_vec().slice(2..5)).await?;
        assert_eq!((n, part.into_inner()), (3, b"0123456789".to_vec()));
        let (n, part) = op::recv(&theirs, b"abcdefghij".to_vec().slice(4..8)).await?;
        assert_eq!((n, part.into_inner()), (3, b"abcd234hij".to_vec()));
        Ok(())
    });
}
