//! Servers on several cores, and connections that change cores.

use std::collections::BTreeMap;
use std::future::Future;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use wakering_net::{
    TcpListener, TcpStream, UnixListener, UnixStream, serve_on_cores, serve_on_cores_reporting,
};
use wakering_ring_driver::testing::patience;
use wakering_runtime::blocking::unblock;
use wakering_runtime::io::{AsyncRead, AsyncWrite};
use wakering_runtime::time::{Instant, sleep, timeout};
use wakering_runtime::{Builder, Handle, spawn_on};

use crate::accept::abstract_name;
use crate::refused;

const MS: Duration = Duration::from_millis(1);

/// Runs a test on `cores` cores, whatever the machine has, within half a minute.
fn on_cores<F: Future<Output = io::Result<()>>>(cores: usize, future: F) {
    let bounded = async {
        let bound = patience(Duration::from_secs(30));
        timeout(bound, future).await.unwrap_or_else(|_| panic!("not over after {bound:?}"))
    };
    let runtime = Builder::new().crowded(cores).build().unwrap();
    runtime.block_on(Box::pin(bounded)).unwrap();
    let report = runtime.close();
    assert!(report.is_clean(), "{report}");
}

/// Says on which core it is served, then gives back what it reads until the end.
async fn tell_core(mut stream: TcpStream) -> io::Result<()> {
    stream.write_all(vec![Handle::current().core() as u8]).await?;
    loop {
        let (n, buf) = stream.read(Vec::with_capacity(4096)).await?;
        if n == 0 {
            return Ok(());
        }
        stream.write_all(buf).await?;
    }
}

/// How many of `clients` each core serves.
fn by_core(clients: &mut [std::net::TcpStream]) -> BTreeMap<u8, usize> {
    let mut counts = BTreeMap::new();
    for client in clients {
        client.set_read_timeout(Some(patience(Duration::from_secs(10)))).unwrap();
        let mut core = [0];
        client.read_exact(&mut core).unwrap();
        *counts.entry(core[0]).or_default() += 1;
    }
    counts
}

fn connect(address: SocketAddr, count: usize) -> Vec<std::net::TcpStream> {
    (0..count).map(|_| std::net::TcpStream::connect(address).unwrap()).collect()
}

/// Given a server on three cores; when many clients come one after the other; then each core serves
/// as many as the others, all of them to the end; and when it is closed, nobody gets in any more.
#[test]
fn connections_are_spread_evenly_and_served_to_the_end() {
    on_cores(3, async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let server = serve_on_cores(listener, || async |stream, _| tell_core(stream).await);
        let (counts, mut clients) = unblock(move || {
            let mut clients = connect(address, 60);
            (by_core(&mut clients), clients)
        })
        .await;
        assert_eq!(counts.len(), 3, "{counts:?}");
        let (least, most) = (counts.values().min().unwrap(), counts.values().max().unwrap());
        assert!(most - least <= 12, "{counts:?}");
        assert_eq!(server.connections(), 60);

        server.close();
        unblock(move || {
            for (n, client) in clients.iter_mut().enumerate() {
                client.write_all(&[n as u8]).unwrap();
                let mut back = [0];
                client.read_exact(&mut back).unwrap();
                assert_eq!(back, [n as u8], "it is served although the server closes");
            }
        })
        .await;
        server.wait_closed().await;
        assert_eq!(server.connections(), 0);
        refused(address).await;
        Ok(())
    });
}

/// Given a listener whose address only one socket can have; when clients come; then the core that
/// accepts for all passes them on to the others.
#[test]
fn one_core_accepts_for_all_where_it_has_to() {
    on_cores(3, async {
        let listener = UnixListener::bind_addr(&abstract_name("on cores")?)?;
        let address = listener.local_addr()?;
        let (tell, told) = mpsc::channel();
        let server = serve_on_cores(listener, move || {
            let tell = tell.clone();
            async move |mut stream: UnixStream, _| {
                tell.send(Handle::current().core()).unwrap();
                stream.read(vec![0; 1]).await?;
                Ok(())
            }
        });
        let mut clients = Vec::new();
        for _ in 0..30 {
            clients.push(UnixStream::connect_addr(&address).await?);
        }
        let mut counts = [0; 3];
        unblock(move || {
            for _ in 0..30 {
                counts[told.recv_timeout(patience(Duration::from_secs(10))).unwrap()] += 1;
            }
            assert!(counts.iter().all(|&count| count >= 3), "{counts:?}");
        })
        .await;
        drop(clients);
        server.close();
        server.wait_closed().await;
        Ok(())
    });
}

/// Given a core that is busy with what it serves, and one that is not; when further clients come;
/// then most of them go to the other. A machine that has much else to do may not let the core be
/// busy, so several rounds are tried.
#[test]
fn a_busy_core_is_spared() {
    on_cores(2, async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let server = serve_on_cores(listener, || async |stream, _| tell_core(stream).await);
        let stop = Arc::new(AtomicUsize::new(0));
        let stopped = stop.clone();
        // Busy, and ready for what comes all the same.
        let busy = spawn_on(1, move || async move {
            while stopped.load(Ordering::Relaxed) == 0 {
                let until = std::time::Instant::now() + 2 * MS;
                while std::time::Instant::now() < until {
                    std::hint::spin_loop();
                }
                wakering_runtime::task::yield_now().await;
            }
        });
        let until = Instant::now() + patience(Duration::from_secs(15));
        loop {
            let counts = unblock(move || {
                let mut clients = Vec::new();
                for _ in 0..40 {
                    clients.extend(connect(address, 1));
                    thread::sleep(2 * MS);
                }
                by_core(&mut clients)
            })
            .await;
            let of = |core| counts.get(&core).copied().unwrap_or(0);
            if of(1) + 8 <= of(0) {
                break;
            }
            assert!(Instant::now() < until, "{counts:?}");
        }
        stop.store(1, Ordering::Relaxed);
        busy.await.unwrap();
        server.abort();
        server.wait_closed().await;
        Ok(())
    });
}

/// Given connections on all cores that would go on for ever; when the server is aborted; then all of
/// them end, and their clients see it.
#[test]
fn an_abort_reaches_all_cores() {
    on_cores(3, async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let server = serve_on_cores(listener, || async |stream, _| tell_core(stream).await);
        let mut clients = unblock(move || {
            let mut clients = connect(address, 12);
            by_core(&mut clients);
            clients
        })
        .await;
        server.abort();
        server.wait_closed().await;
        assert_eq!(server.connections(), 0);
        unblock(move || {
            for client in &mut clients {
                let ended = client.read(&mut [0]);
                assert!(matches!(ended, Ok(0) | Err(_)), "{ended:?}");
            }
        })
        .await;
        refused(address).await;
        Ok(())
    });
}

/// Given handlers that fail on whatever core; when clients come; then each failure is told where it
/// happened, once.
#[test]
fn failures_are_told_on_their_cores() {
    on_cores(3, async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let told = Arc::new(Mutex::new(Vec::new()));
        let log = told.clone();
        let server = serve_on_cores_reporting(listener, move || {
            let (core, log) = (Handle::current().core(), log.clone());
            let handler = async move |_: TcpStream, _: SocketAddr| {
                // Until the others are here, so that they do not all find an empty core.
                sleep(20 * MS).await;
                Err::<(), _>(io::Error::other(format!("core {core}")))
            };
            let report = move |error: &io::Error| {
                assert_eq!(Handle::current().core(), core);
                log.lock().unwrap().push(error.to_string());
            };
            (handler, report)
        });
        unblock(move || {
            for client in &mut connect(address, 12) {
                client.set_read_timeout(Some(patience(Duration::from_secs(10)))).unwrap();
                let _ = client.read(&mut [0]);
            }
        })
        .await;
        server.close();
        server.wait_closed().await;
        let told = told.lock().unwrap();
        assert_eq!(told.len(), 12);
        for core in 0..3 {
            assert!(told.iter().any(|text| text.ends_with(&format!("core {core}"))), "{told:?}");
        }
        Ok(())
    });
}

/// Given somebody who panics when told of a failure on the core that calls; when the server is closed
/// after that; then the other core does not wait for what this one might pass on, and nobody waits
/// for ever.
#[test]
fn a_report_that_panics_holds_up_no_other_core() {
    on_cores(2, async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let (address, own) = (listener.local_addr()?, Handle::current().core());
        let panicked = Arc::new(AtomicUsize::new(0));
        let count = panicked.clone();
        let server = serve_on_cores_reporting(listener, move || {
            let handler = async |_: TcpStream, _| Err::<(), _>(io::Error::other("no service"));
            let count = count.clone();
            let report = move |_: &io::Error| {
                if Handle::current().core() == own {
                    count.fetch_add(1, Ordering::Relaxed);
                    panic!("nobody wants to know");
                }
            };
            (handler, report)
        });
        while panicked.load(Ordering::Relaxed) == 0 {
            let _ = TcpStream::connect(address).await;
            sleep(MS).await;
        }
        server.close();
        server.wait_closed().await;
        refused(address).await;
        Ok(())
    });
}

/// Given a server on all cores; when somebody else wants its address; then that is refused, before it
/// serves and while it does.
#[test]
fn the_address_of_a_server_is_its_own() {
    on_cores(2, async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let taken = async || TcpListener::bind(address).await.unwrap_err().kind();
        assert_eq!(taken().await, io::ErrorKind::AddrInUse);
        let server = serve_on_cores(listener, || async |stream, _| tell_core(stream).await);
        sleep(5 * MS).await;
        assert_eq!(taken().await, io::ErrorKind::AddrInUse);
        server.close();
        server.wait_closed().await;
        Ok(())
    });
}

/// Given a connection of which some bytes were shown and not consumed; when it goes to another core
/// and back; then nothing of what was sent is lost, in either direction.
#[test]
fn a_connection_goes_from_core_to_core_with_all_that_came() {
    on_cores(3, async {
        use wakering_runtime::io::AsyncBufRead;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let mut client = TcpStream::connect(listener.local_addr()?).await?;
        let (mut server, _) = listener.accept().await?;
        client.write_all("shown taken ").await?;
        assert!(!server.fill_buf().await?.is_empty());
        for core in [1, 2, 0, 1] {
            // A receive that is in flight as it leaves, and that was given up.
            let _ = timeout(MS, server.peek(vec![0; 64])).await;
            let detached = server.detach().await?;
            client.write_all(format!("{core} ")).await?;
            let back = spawn_on(core, move || async move {
                let mut stream = detached.attach()?;
                stream.write_all("hello ").await?;
                stream.detach().await
            });
            server = back.await??.attach()?;
        }
        client.shutdown().await?;
        let (_, text) = server.read_to_string(String::new()).await?;
        assert_eq!(text, "shown taken 1 2 0 1 ");
        drop(server);
        let (_, text) = client.read_to_string(String::new()).await?;
        assert_eq!(text, "hello hello hello hello ");
        Ok(())
    });
}
