//! `serve`: handlers fail alone, the loop survives what the system does to it, and the end is an
//! end.

use std::cell::{Cell, RefCell};
use std::future::pending;
use std::io::{self, ErrorKind};
use std::rc::Rc;
use std::time::Duration;

use wakering_net::{
    Server, TcpListener, TcpStream, UnixListener, UnixStream, serve, serve_reporting,
};
use wakering_ring_driver::Driver;
use wakering_ring_driver::testing::{Limit, in_child, limit};
use wakering_runtime::io::{AsyncRead, AsyncWrite};
use wakering_runtime::time::{sleep, timeout};
use wakering_runtime::{spawn, task::yield_now};

use crate::accept::{abstract_name, lowest_free};
use crate::{failure, refused, within_bounds};

/// Gives back what it reads until the end.
async fn echo(mut stream: TcpStream) -> io::Result<()> {
    loop {
        let (n, buf) = stream.read(Vec::with_capacity(4096)).await?;
        if n == 0 {
            return Ok(());
        }
        stream.write_all(buf).await?;
    }
}

type Reported = Rc<RefCell<Vec<io::Error>>>;

/// A server whose reports are kept, and where it listens.
async fn reported<H>(handler: H) -> io::Result<(Server, std::net::SocketAddr, Reported)>
where
    H: AsyncFn(TcpStream, std::net::SocketAddr) -> io::Result<()> + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let reports = Reported::default();
    let log = reports.clone();
    let server = serve_reporting(listener, handler, move |error| {
        let copy = io::Error::new(error.kind(), error.to_string());
        let kept = wakering_ring_driver::Failure::of(error).map(|failure| {
            wakering_ring_driver::Failure::wrap(failure.operation(), failure.object(), copy)
        });
        log.borrow_mut().push(kept.unwrap_or_else(|| io::Error::other(error.to_string())));
    });
    Ok((server, address, reports))
}

/// Given many clients at once; when each speaks; then each is answered, and the server forgets them
/// when they go.
#[test]
fn many_clients_are_served_at_once() {
    within_bounds(async {
        let (server, address, reports) = reported(async |stream, _| echo(stream).await).await?;
        let mut clients = Vec::new();
        for n in 0..200u32 {
            clients.push(spawn(async move {
                let mut client = TcpStream::connect(address).await?;
                for round in 0..5u32 {
                    let text = format!("{n} {round}");
                    client.write_all(text.clone()).await?;
                    let (_, back) = client.read_exact(vec![0; text.len()]).await?;
                    assert_eq!(back, text.as_bytes());
                }
                io::Result::Ok(())
            }));
        }
        for client in clients {
            client.await.unwrap()?;
        }
        server.close();
        server.wait_closed().await;
        assert_eq!((server.connections(), reports.borrow().len()), (0, 0));
        Ok(())
    });
}

/// Given handlers that fail and panic; when the next client comes; then it is served, and both were
/// reported with the peer they concerned.
#[test]
fn case_w04_a_failing_handler_ends_its_connection_alone() {
    within_bounds(async {
        let turn = Cell::new(0);
        let (server, address, reports) = reported(async move |stream: TcpStream, _| {
            turn.set(turn.get() + 1);
            match turn.get() {
                1 => Err(io::Error::new(ErrorKind::InvalidData, "not my language")),
                2 => panic!("out of luck"),
                _ => echo(stream).await,
            }
        })
        .await?;
        let mut first = TcpStream::connect(address).await?;
        let own = first.local_addr()?.to_string();
        assert_eq!(first.read(vec![0; 1]).await?.0, 0);
        let mut second = TcpStream::connect(address).await?;
        let ended = second.read(vec![0; 1]).await;
        assert!(ended.is_err() || ended.is_ok_and(|(n, _)| n == 0));
        let mut third = TcpStream::connect(address).await?;
        third.write_all("hello").await?;
        assert_eq!(third.read(vec![0; 8]).await?.1, b"hello");

        drop(third);
        server.close();
        server.wait_closed().await;
        let reports = reports.borrow();
        let [failed, panicked] = &reports[..] else { panic!("{reports:?}") };
        assert_eq!((failed.kind(), failure(failed).0), (ErrorKind::InvalidData, "serve"));
        assert_eq!(failure(failed).1, own);
        assert!(panicked.to_string().contains("out of luck"), "{panicked}");
        assert!(panicked.to_string().contains(&second.local_addr()?.to_string()), "{panicked}");
        Ok(())
    });
}

/// Given a connection that is being served; when the server is closed; then new clients are
/// refused, the old one is served to its end, and only then is the server closed.
#[test]
fn closing_lets_connections_finish() {
    within_bounds(async {
        let (server, address, _) = reported(async |stream, _| echo(stream).await).await?;
        let mut client = TcpStream::connect(address).await?;
        client.write_all("a").await?;
        assert_eq!(client.read(vec![0; 1]).await?.0, 1);
        assert_eq!(server.connections(), 1);
        server.close();
        server.close();
        let early = timeout(Duration::from_millis(20), server.wait_closed()).await;
        assert!(early.is_err(), "one connection is left");
        refused(address).await;
        client.write_all("b").await?;
        assert_eq!(client.read(vec![0; 1]).await?.1, b"b");
        drop(client);
        let server = Rc::new(server);
        let other = server.clone();
        let waiting = spawn(async move { other.wait_closed().await });
        server.wait_closed().await;
        waiting.await.unwrap();
        server.wait_closed().await;
        Ok(())
    });
}

/// Given handlers that answer with more than their clients read, so that all buffers are full; when
/// the server is closed; then it waits until each client has got all of it. When it is aborted; then
/// it ends at once, and the clients get a part of it and then a reset.
#[test]
fn case_w03_closing_flushes_full_buffers_and_aborting_does_not() {
    const ANSWER: usize = 32 << 20;
    within_bounds(async {
        for is_aborted in [false, true] {
            let (server, address, reports) = reported(async |mut stream: TcpStream, _| {
                stream.write_all(vec![7; ANSWER]).await?;
                stream.close().await
            })
            .await?;
            let mut clients = Vec::new();
            for _ in 0..2 {
                let mut client = TcpStream::connect(address).await?;
                assert_eq!(client.read_exact(vec![0; 1]).await?.1, [7]);
                clients.push(client);
            }
            sleep(Duration::from_millis(20)).await;
            assert_eq!(server.connections(), 2, "they wait for their clients");
            if is_aborted {
                server.abort();
                server.wait_closed().await;
            } else {
                server.close();
                let early = timeout(Duration::from_millis(20), server.wait_closed()).await;
                assert!(early.is_err(), "nobody has read");
            }
            for mut client in clients {
                let received = client.read_to_end(Vec::new()).await;
                match is_aborted {
                    false => assert_eq!(received?.0, ANSWER - 1),
                    true => {
                        let error = received.expect_err("a reset").error;
                        assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}");
                    }
                }
            }
            server.wait_closed().await;
            assert_eq!((server.connections(), reports.borrow().len()), (0, 0));
        }
        Ok(())
    });
}

/// Given a server at a path; when it is closed, aborted, or dropped with its runtime; then the file
/// is gone. Where another socket has taken the place; then that one stays, and is served.
#[test]
fn case_w07_a_path_goes_with_its_listener_unless_it_is_anothers() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("socket");
    let greeting = || {
        let listener = UnixListener::bind(&path)?;
        io::Result::Ok(serve(listener, async |mut stream: UnixStream, _| {
            stream.write_all("hello").await.map(drop).map_err(io::Error::from)
        }))
    };
    within_bounds(async {
        for end in [Server::close, Server::abort] {
            let server = greeting()?;
            let mut client = UnixStream::connect(&path).await?;
            assert_eq!(client.read_to_end(Vec::new()).await?.1, b"hello");
            end(&server);
            server.wait_closed().await;
            assert!(!path.exists());
        }
        drop(UnixListener::bind(&path)?);
        assert!(!path.exists());

        let replaced = greeting()?;
        std::fs::remove_file(&path)?;
        let server = greeting()?;
        replaced.close();
        replaced.wait_closed().await;
        let mut client = UnixStream::connect(&path).await?;
        assert_eq!(client.read_to_end(Vec::new()).await?.1, b"hello");
        server.close();
        server.wait_closed().await;
        greeting().map(drop)
    });
    assert!(!path.exists(), "the end of the runtime has ended the server");
}

/// Given handlers that never return; when the server is aborted; then all are dropped and their
/// clients see the end.
#[test]
fn aborting_ends_everything() {
    within_bounds(async {
        struct Alive(Rc<Cell<u32>>);
        impl Drop for Alive {
            fn drop(&mut self) {
                self.0.set(self.0.get() - 1);
            }
        }
        let alive = Rc::new(Cell::new(0));
        let count = alive.clone();
        let (server, address, reports) = reported(async move |_stream: TcpStream, _| {
            count.set(count.get() + 1);
            let _alive = Alive(count.clone());
            pending().await
        })
        .await?;
        let mut clients = Vec::new();
        for _ in 0..10 {
            clients.push(TcpStream::connect(address).await?);
        }
        while alive.get() < 10 {
            yield_now().await;
        }
        server.abort();
        server.wait_closed().await;
        assert_eq!((alive.get(), server.connections()), (0, 0));
        for mut client in clients {
            let ended = client.read(vec![0; 1]).await;
            assert!(ended.is_err() || ended.is_ok_and(|(n, _)| n == 0));
        }
        assert!(reports.borrow().is_empty(), "being aborted is no failure");
        Ok(())
    });
}

/// Given a client in the queue that nobody has accepted; when the server closes; then that client
/// sees the end instead of waiting for ever.
#[test]
fn clients_that_were_not_served_see_the_end() {
    within_bounds(async {
        let (server, address, _) = reported(async |stream, _| echo(stream).await).await?;
        server.close();
        let client = TcpStream::connect(address).await;
        server.wait_closed().await;
        if let Ok(mut client) = client {
            let ended = client.read(vec![0; 1]).await;
            assert!(ended.is_err() || ended.is_ok_and(|(n, _)| n == 0));
        }
        Ok(())
    });
}

/// Given a Unix listener; when it is served; then it is served as TCP is.
#[test]
fn unix_listeners_are_served_too() {
    within_bounds(async {
        let listener = UnixListener::bind_addr(&abstract_name("serve")?)?;
        let address = listener.local_addr()?;
        let server = serve(listener, async |mut stream: UnixStream, peer| {
            assert!(std::os::unix::net::SocketAddr::is_unnamed(&peer));
            stream.write_all("welcome").await?;
            Ok(())
        });
        let mut client = UnixStream::connect_addr(&address).await?;
        assert_eq!(client.read_to_end(Vec::new()).await?.1, b"welcome");
        server.close();
        server.wait_closed().await;
        Ok(())
    });
}

/// Given no descriptor left; when clients come; then the loop neither spins nor dies, says so once,
/// and serves them when there is room.
#[test]
fn emfile_is_waited_out() {
    in_child("serve::emfile_is_waited_out", || {
        within_bounds(async {
            let (server, address, reports) = reported(async |stream, _| echo(stream).await).await?;
            let mut clients = Vec::new();
            for _ in 0..3 {
                let client = std::net::TcpStream::connect(address)?;
                client.set_nonblocking(true)?;
                clients.push(client);
            }
            // Three for the clients, and one that an accept may hold while it waits for more.
            let spare: Vec<_> =
                (0..4).map(|_| std::fs::File::open("/dev/null")).collect::<Result<_, _>>()?;
            // Not one of the clients has been accepted yet: this task has not given way.
            limit(Limit::OpenFiles, lowest_free());
            let before = turns();
            sleep(Duration::from_millis(450)).await;
            let turned = turns() - before;
            assert!(turned < 100, "{turned} turns of the loop: it spins");
            assert_eq!(server.connections(), 0);
            {
                let reports = reports.borrow();
                assert_eq!(reports.len(), 1, "{reports:?}");
                assert!(reports[0].to_string().contains("ulimit -n"), "{reports:?}");
            }
            drop(spare);
            while server.connections() < 3 {
                sleep(Duration::from_millis(10)).await;
            }
            assert_eq!(reports.borrow().len(), 1);
            drop(clients);
            server.close();
            server.wait_closed().await;
            Ok(())
        });
    });
}

/// How often the loop has entered the kernel.
fn turns() -> u64 {
    Driver::current().expect("inside of a runtime").counters().enters
}

/// Given a server that nobody holds any more; when clients come; then they are served, until the
/// runtime ends.
#[test]
fn a_server_outlives_its_handle() {
    within_bounds(async {
        let (server, address, _) = reported(async |stream, _| echo(stream).await).await?;
        drop(server);
        let mut client = TcpStream::connect(address).await?;
        client.write_all("x").await?;
        assert_eq!(client.read(vec![0; 1]).await?.1, b"x");
        Ok(())
    });
}
