//! One request, many completions: what a multishot yields, and what it leaves when it is dropped.

use std::future::{Future, poll_fn};
use std::io::{self, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use wakering_ring_driver::testing::{patience, skip};
use wakering_ring_driver::{Driver, Wait, op, option};

use crate::sockets::{listener, room};
use crate::{Wakes, adopt, poll_once};

/// Given a multishot accept; when it is dropped with connections waiting; then the next accept gets
/// each of them.
#[test]
fn connections_outlive_the_multishot_that_brought_them() {
    let driver = crate::driver();
    if !driver.capabilities().multishot_accept {
        return skip("connections_outlive_the_multishot_that_brought_them", "no multishot_accept");
    }
    crate::block_on(&driver, async {
        let (listener, address) = listener().await?;
        let address = address.to_inet().unwrap();
        let mut incoming = op::accept_multi(&listener);
        let first = TcpStream::connect(address)?;
        let accepted = incoming.next().await.expect("goes on")?;
        let peer = option::peer_address(&accepted)?.to_inet();
        assert_eq!(peer, Some(first.local_addr()?));

        let (second, third) = (TcpStream::connect(address)?, TcpStream::connect(address)?);
        op::timeout(Duration::from_millis(10)).await?;
        drop(incoming);
        let mut peers = vec![];
        for _ in 0..2 {
            peers.push(op::accept(&listener).await?.1.to_inet().unwrap());
        }
        assert_eq!(peers, [second.local_addr()?, third.local_addr()?]);
        io::Result::Ok(())
    })
    .unwrap();
}

/// Given a multishot receive; when bytes come in pieces; then it yields them all and then the end.
#[test]
fn a_multishot_receive_yields_bytes_until_the_end() {
    let driver = crate::driver();
    crate::block_on(&driver, async {
        let (ours, mut theirs) = UnixStream::pair()?;
        let ours = adopt(&driver, ours);
        let mut stream = match op::recv_multi(&ours) {
            Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                skip("a_multishot_receive_yields_bytes_until_the_end", "no multishot_recv");
                return Ok(());
            }
            stream => stream?,
        };
        theirs.write_all(b"first")?;
        assert_eq!(*stream.next().await.expect("bytes")?, *b"first");
        theirs.write_all(b"second")?;
        assert_eq!(*stream.next().await.expect("bytes")?, *b"second");
        drop(theirs);
        assert!(stream.next().await.expect("the end")?.is_empty());
        assert!(stream.next().await.is_none());
        io::Result::Ok(())
    })
    .unwrap();
}

/// Given a multishot receive; when bytes come and at once the end; then both are told.
#[test]
fn a_multishot_receive_is_told_of_an_end_that_comes_with_bytes() {
    const NAME: &str = "a_multishot_receive_is_told_of_an_end_that_comes_with_bytes";
    let driver = crate::driver();
    if !driver.capabilities().multishot_recv {
        return skip(NAME, "no multishot_recv");
    }
    crate::block_on(&driver, async {
        let (ours, mut theirs) = UnixStream::pair()?;
        let ours = adopt(&driver, ours);
        let mut stream = op::recv_multi(&ours)?;
        theirs.write_all(b"first")?;
        assert_eq!(*stream.next().await.expect("bytes")?, *b"first");
        theirs.write_all(b"last")?;
        drop(theirs);
        assert_eq!(*stream.next().await.expect("bytes")?, *b"last");
        let mut limit = op::timeout(patience(Duration::from_secs(1)));
        let end = poll_fn(|cx| match stream.poll_next(cx) {
            Poll::Ready(end) => Poll::Ready(end),
            Poll::Pending => Pin::new(&mut limit).poll(cx).map(|_| None),
        });
        match end.await {
            Some(end) => assert!(end?.is_empty()),
            None => skip(NAME, "the kernel goes back to waiting for what has come already"),
        }
        io::Result::Ok(())
    })
    .unwrap();
}

/// Given a multishot receive that read ahead; when it is dropped; then the next receive gets its
/// bytes in order.
#[test]
fn bytes_outlive_the_multishot_that_brought_them() {
    let driver = crate::driver();
    if !driver.capabilities().multishot_recv {
        return skip("bytes_outlive_the_multishot_that_brought_them", "no multishot_recv");
    }
    crate::block_on(&driver, async {
        let (ours, mut theirs) = UnixStream::pair()?;
        let ours = adopt(&driver, ours);
        let mut stream = op::recv_multi(&ours)?;
        theirs.write_all(b"0123")?;
        assert_eq!(*stream.next().await.expect("bytes")?, *b"0123");
        theirs.write_all(b"4567")?;
        op::timeout(Duration::from_millis(10)).await?;
        drop(stream);
        theirs.write_all(b"89")?;
        let mut got = Vec::new();
        while got.len() < 6 {
            got.extend(op::recv(&ours, room(3)).await?.1);
        }
        assert_eq!(got, b"456789");

        // And the other way round: a multishot begins with what a one-shot left.
        let wakes = Arc::new(Wakes::default());
        let mut recv = op::recv(&ours, room(8));
        assert!(poll_once(&driver, &mut recv, &wakes).is_pending());
        theirs.write_all(b"ab")?;
        drop(recv);
        op::timeout(Duration::from_millis(10)).await?;
        theirs.write_all(b"cd")?;
        drop(theirs);
        let mut stream = op::recv_multi(&ours)?;
        let mut got = Vec::new();
        while let Some(bytes) = stream.next().await {
            let bytes = bytes?;
            if bytes.is_empty() {
                break;
            }
            got.extend_from_slice(&bytes);
        }
        assert_eq!(got, b"abcd");
        io::Result::Ok(())
    })
    .unwrap();
}

/// Given a kernel that picks a buffer for a receive and then fails, or is told to stop; when that
/// happens more often than there are buffers; then the pool has not run dry.
#[test]
fn a_failed_receive_gives_its_buffer_back() {
    let (driver, memory) = Driver::memory().unwrap();
    for errno in [libc::ECONNRESET, libc::ECANCELED] {
        for _ in 0..200 {
            let fd = memory.descriptor(&driver);
            let wakes = Arc::new(Wakes::default());
            let mut stream = op::recv_multi(&fd).unwrap();
            assert!(poll_once(&driver, &mut Box::pin(stream.next()), &wakes).is_pending());
            let receive = memory.next_request().unwrap();
            assert!(receive.fail_buffered(errno), "the pool is empty");
            driver.turn(Wait::Now);
            match poll_once(&driver, &mut Box::pin(stream.next()), &wakes) {
                Poll::Ready(Some(Err(error))) => assert_eq!(error.raw_os_error(), Some(errno)),
                Poll::Pending => assert_eq!(errno, libc::ECANCELED, "it begins again"),
                Poll::Ready(other) => panic!("{other:?}"),
            }
            drop((stream, fd));
            driver.turn(Wait::Now);
            while memory.next_request().is_some() {}
        }
    }
}
