//! Streams of bytes: what every stream keeps, and what only sockets can show.

use std::cell::Cell;
use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::rc::Rc;
use std::time::Duration;

use wakering_net::{TcpListener, TcpSocket, TcpStream, UnixListener, UnixStream};
use wakering_ring_driver::testing::{in_child, patience};
use wakering_runtime::io::{AsyncRead, AsyncWrite, Sink, Source};
use wakering_runtime::testing::check_stream;
use wakering_runtime::{spawn, time::sleep};

use crate::{failure, refusing, tcp, within_bounds};

/// Given TCP connections; when every rule of streams is checked; then all hold.
#[test]
fn tcp_keeps_what_streams_keep() {
    wakering_runtime::run(check_stream(async || tcp().await.unwrap()));
}

/// Given Unix connections; when every rule of streams is checked; then all hold.
#[test]
fn unix_sockets_keep_what_streams_keep() {
    wakering_runtime::run(check_stream(async || UnixStream::pair().unwrap()));
}

/// Given a peer that has sent one byte and closed; when it is read again and again; then the byte
/// comes, and then the end, for ever.
#[test]
fn case_k01_the_end_of_a_stream_stays_the_end() {
    within_bounds(async {
        let (mut ours, mut theirs) = tcp().await?;
        theirs.write_all("x").await?;
        theirs.close().await?;
        let (n, buf) = ours.read(Vec::with_capacity(8)).await?;
        assert_eq!((n, buf.as_slice()), (1, b"x".as_slice()));
        for _ in 0..3 {
            assert_eq!(ours.read(vec![0; 8]).await?.0, 0);
            let shown = std::future::poll_fn(|cx| ours.poll_fill(cx).map_ok(<[u8]>::len));
            assert_eq!(shown.await?, 0);
        }
        Ok(())
    });
}

/// Given a peer that does not read; when 100 MB are written to it, in pieces that are queued or in
/// owned ones; then the writer parks, and all of it arrives once the peer reads. Meanwhile the
/// process has grown by hardly more than a piece.
#[test]
fn case_k08_a_writer_waits_for_a_slow_reader() {
    in_child("stream::case_k08_a_writer_waits_for_a_slow_reader", || {
        within_bounds(async {
            for owned in [false, true] {
                slow_reader(owned).await?;
            }
            Ok(())
        });
    });
}

async fn slow_reader(owned: bool) -> io::Result<()> {
    const PIECE: usize = 16 * 1024;
    const TOTAL: usize = 100_000_000usize.next_multiple_of(PIECE);
    const GROWTH: usize = 4 << 20;
    let (mut ours, mut theirs) = tcp().await?;
    let mut buf = vec![0; PIECE];
    ours.write_all(vec![7; PIECE]).await?;
    (_, buf) = theirs.read_exact(buf).await?;
    let before = resident();
    let written = Rc::new(Cell::new(0));
    let count = written.clone();
    let writer = spawn(async move {
        let mut piece = vec![7; PIECE];
        while count.get() < TOTAL {
            if owned {
                (_, piece) = ours.write_all(piece).await?;
            } else {
                std::future::poll_fn(|cx| ours.poll_ready(cx)).await?;
                ours.queue(&piece)?;
            }
            count.set(count.get() + PIECE);
        }
        ours.shutdown().await
    });
    // It has parked once nothing has happened for a while.
    let mut parked = 0;
    while parked == 0 || written.get() != parked {
        parked = written.get();
        sleep(patience(Duration::from_millis(50))).await;
    }
    assert!(parked < TOTAL, "{parked}");
    let mut largest = resident();
    let (mut received, mut round) = (0, 0);
    loop {
        let n;
        (n, buf) = theirs.read(buf).await?;
        if n == 0 {
            break;
        }
        assert!(buf[..n].iter().all(|byte| *byte == 7));
        received += n;
        round += 1;
        if round % 256 == 0 {
            largest = largest.max(resident());
        }
    }
    writer.await.unwrap()?;
    assert_eq!(received, TOTAL);
    println!("parked after {parked} bytes; from {before} to {largest} resident");
    assert!(largest < before + GROWTH, "from {before} to {largest} resident");
    Ok(())
}

/// How many bytes of memory this process has that are its own.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("/proc is there");
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).expect("a line");
    line.trim().trim_end_matches(" kB").parse::<usize>().expect("a number") * 1024
}

/// Given a peer that has gone; when a writer goes on; then it fails within bounded rounds, and the
/// process lives.
#[test]
fn case_k09_writing_to_nobody_fails_soon() {
    within_bounds(async {
        let (mut ours, theirs) = tcp().await?;
        theirs.abort();
        let mut rounds = 0;
        let failed = loop {
            if let Err(failed) = ours.write(vec![1; 4096]).await {
                break failed;
            }
            rounds += 1;
            assert!(rounds < 1000);
            sleep(Duration::from_millis(1)).await;
        };
        let kinds = [ErrorKind::BrokenPipe, ErrorKind::ConnectionReset];
        assert!(kinds.contains(&failed.error.kind()), "{failed}");
        assert_eq!(failed.buf.len(), 4096, "the buffer comes back");
        Ok(())
    });
}

/// Given bytes that were only queued; when the stream is closed; then they arrive before the end.
#[test]
fn case_k10_close_sends_what_is_queued() {
    within_bounds(async {
        let (mut ours, mut theirs) = tcp().await?;
        let reader = spawn(async move { theirs.read_to_end(Vec::new()).await });
        for _ in 0..64 {
            ours.queue(&[9; 10_000])?;
        }
        ours.close().await?;
        assert_eq!(reader.await.unwrap()?.0, 640_000);

        let (mut ours, mut theirs) = tcp().await?;
        ours.queue(&[9; 100_000])?;
        drop(ours);
        assert_eq!(theirs.read_to_end(Vec::new()).await?.0, 100_000, "dropping does as much");
        Ok(())
    });
}

/// Given a reset; when it is read; then it is an error, not an end.
#[test]
fn a_reset_is_an_error() {
    within_bounds(async {
        let (mut ours, theirs) = tcp().await?;
        theirs.abort();
        let failed = ours.read(vec![5; 4]).await.unwrap_err();
        assert_eq!((failed.error.kind(), failed.buf), (ErrorKind::ConnectionReset, vec![5; 4]));
        Ok(())
    });
}

/// Given connections that cannot be made; when they are tried; then the error names what and where.
#[test]
fn a_failed_connect_names_the_address() {
    within_bounds(async {
        let (_unused, address) = refusing()?;
        let error = TcpStream::connect(address).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        assert_eq!(failure(&error), ("connect", address.to_string().as_str(), Some(111)));

        let error = UnixStream::connect("/nowhere/to/be/found").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert_eq!(failure(&error), ("connect", "/nowhere/to/be/found", Some(2)));
        let long = "x".repeat(200);
        let error = UnixStream::connect(&long).await.unwrap_err();
        assert_eq!((error.kind(), failure(&error).1), (ErrorKind::InvalidInput, long.as_str()));

        let taken = TcpListener::bind("127.0.0.1:0").await?;
        let address = taken.local_addr()?;
        let error = TcpListener::bind(address).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
        assert_eq!(failure(&error).0, "bind", "{error}");
        assert!(error.to_string().contains(&address.to_string()), "{error}");
        Ok(())
    });
}

/// Given several addresses of which only the last answers; when they are connected to; then the
/// last is.
#[test]
fn every_address_is_tried() {
    within_bounds(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let good = listener.local_addr()?;
        let (_unused, refused) = refusing()?;
        let unusable = "[::ffff:0:0:0]:1".parse().unwrap();
        let stream = TcpStream::connect(&[refused, unusable, good][..]).await?;
        assert_eq!(stream.peer_addr()?, good);
        let error = TcpStream::connect(&[good, refused][1..]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        let none: &[std::net::SocketAddr] = &[];
        let error = TcpStream::connect(none).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        Ok(())
    });
}

/// Given a stream of std's; when it is taken over, used and given back; then no byte is lost,
/// neither those that were read ahead nor those of an abandoned read.
#[test]
fn streams_come_from_std_and_go_back() {
    within_bounds(async {
        let (ours, mut theirs) = std::os::unix::net::UnixStream::pair()?;
        let mut ours = UnixStream::from_std(ours)?;
        theirs.write_all(b"0123456789")?;
        let shown = std::future::poll_fn(|cx| ours.poll_fill(cx).map_ok(<[u8]>::len)).await?;
        assert_eq!(shown, 10);
        ours.consume(4);
        // A read that is dropped while its bytes are on their way.
        {
            let mut more = Box::pin(std::future::poll_fn(|cx| {
                ours.consume(6);
                ours.poll_fill(cx).map(drop)
            }));
            let _ = futures_util::poll!(&mut more);
        }
        theirs.write_all(b"abc")?;
        sleep(Duration::from_millis(5)).await;
        ours.queue(b"queued")?;
        let (mut back, mut bytes) = ours.into_std().await?;
        back.set_read_timeout(Some(Duration::from_secs(10)))?;
        theirs.write_all(b"later")?;
        // How many had been received is the backend's affair, not how many there are.
        assert!(b"abc".starts_with(&bytes), "{bytes:?}");
        let taken = bytes.len();
        bytes.resize(8, 0);
        back.read_exact(&mut bytes[taken..])?;
        assert_eq!(bytes, b"abclater");
        let mut buf = [0; 6];
        theirs.read_exact(&mut buf)?;
        assert_eq!(&buf, b"queued");

        let (mut ours, mut theirs) = UnixStream::pair()?;
        theirs.write_all("0123456789").await?;
        let shown = std::future::poll_fn(|cx| ours.poll_fill(cx).map_ok(<[u8]>::len)).await?;
        assert_eq!(shown, 10);
        ours.consume(4);
        assert_eq!(ours.into_std().await?.1, b"456789", "shown, and not consumed");

        let (ours, theirs) = tcp().await?;
        let shared = ours.as_fd().clone();
        let error = ours.into_std().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ResourceBusy);
        drop((shared, theirs));
        Ok(())
    });
}

/// Given a connection; when its options are set; then they read back.
#[test]
fn options_have_the_names_of_std() {
    within_bounds(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let socket = TcpSocket::new_v4()?;
        socket.set_nodelay(true)?;
        socket.set_reuse_address(true)?;
        socket.set_recv_buffer_size(10_000)?;
        socket.set_send_buffer_size(10_000)?;
        socket.bind("127.0.0.1:0".parse().unwrap())?;
        let ours = socket.connect(listener.local_addr()?).await?;
        assert!(ours.nodelay()?);
        ours.set_nodelay(false)?;
        ours.set_ttl(33)?;
        ours.set_linger(Some(Duration::from_secs(2)))?;
        assert_eq!((ours.nodelay()?, ours.ttl()?), (false, 33));
        assert_eq!(ours.linger()?, Some(Duration::from_secs(2)));
        assert!(ours.take_error()?.is_none());

        let one = TcpSocket::new_v4()?;
        one.set_reuse_port(true)?;
        one.bind("127.0.0.1:0".parse().unwrap())?;
        let address = one.local_addr()?;
        let two = TcpSocket::new_v4()?;
        two.set_reuse_port(true)?;
        two.bind(address)?;
        drop((one.listen(1)?, two.listen(1)?));

        let v6 = TcpSocket::new_v6()?;
        let error = v6.bind("127.0.0.1:0".parse().unwrap()).unwrap_err();
        assert_eq!(failure(&error).0, "bind");
        Ok(())
    });
}

/// Given one direction that was ended at once; when the other is used; then it still works.
#[test]
fn one_direction_ends_alone() {
    within_bounds(async {
        let (mut ours, mut theirs) = UnixStream::pair()?;
        ours.shutdown_now(Shutdown::Write)?;
        assert_eq!(theirs.read(vec![0; 1]).await?.0, 0);
        theirs.write_all("still").await?;
        assert_eq!(ours.read(vec![0; 8]).await?.1, b"still");
        let failed = ours.write("no more").await.unwrap_err();
        assert_eq!(failed.error.kind(), ErrorKind::BrokenPipe);
        Ok(())
    });
}

/// Given bytes on their way; when they are looked at; then they are there to be read.
#[test]
fn a_look_takes_nothing() {
    within_bounds(async {
        let (mut ours, mut theirs) = tcp().await?;
        theirs.write_all("abcdef").await?;
        assert_eq!(ours.peek(vec![0; 3]).await?.1, b"abc");
        let shown = std::future::poll_fn(|cx| ours.poll_fill(cx).map_ok(<[u8]>::len)).await?;
        assert_eq!(shown, 6);
        ours.consume(1);
        assert_eq!(ours.peek(vec![0; 3]).await?.1, b"bcd", "also of what was read ahead");
        let (n, bufs) = ours.read_vectored(vec![vec![0; 2], vec![0; 8]]).await?;
        assert_eq!((n, bufs), (5, vec![b"bc".to_vec(), b"def".to_vec()]));
        let failed = ours.peek(Vec::new()).await.unwrap_err();
        assert_eq!(failed.error.kind(), ErrorKind::InvalidInput);
        Ok(())
    });
}

/// Given paths and credentials; when Unix sockets connect; then both sides know whom they talk to.
#[test]
fn unix_sockets_know_their_names_and_peers() {
    within_bounds(async {
        let dir = tempfile::tempdir()?;
        let path = dir.path().join("socket");
        let listener = UnixListener::bind(&path)?;
        let mut client = UnixStream::connect(&path).await?;
        let (mut server, peer) = listener.accept().await?;
        assert!(peer.is_unnamed());
        assert_eq!(client.peer_addr()?.as_pathname(), Some(path.as_path()));
        assert!(client.local_addr()?.is_unnamed());
        assert_eq!(server.peer_cred()?.pid, Some(std::process::id()));
        client.write_all("over a path").await?;
        assert_eq!(server.read(Vec::with_capacity(32)).await?.1, b"over a path");

        let error = UnixListener::bind(&path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
        assert_eq!(failure(&error).1, path.display().to_string());
        let (std, _) = listener.into_std().await?;
        drop(std);
        while UnixStream::connect(&path).await.is_ok() {
            // See `refused`.
            sleep(Duration::from_millis(1)).await;
        }
        let error = UnixStream::connect(&path).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused, "std leaves the file there");
        std::fs::remove_file(&path)
    });
}

/// Given no runtime; when a socket is made; then the error says what is missing.
#[test]
fn outside_of_a_runtime_nothing_is_made() {
    let error = TcpSocket::new_v4().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("no runtime"), "{error}");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    assert!(TcpListener::from_std(listener).is_err());
    let _: io::Result<()> = Err(error);
}
