//! A server on two cores, and its client in the same program: sixteen connections that each ask for
//! 200 µs of computing, one request after the other. Eight of them arrive at each core, or all at
//! the first.
//!
//! The sockets are of the Unix domain, where a listener belongs to one core. Over TCP the system
//! spreads the connections by chance, and nobody can ask for the worst case.

use std::future::pending;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::SocketAddr;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use stage::Console;
use stage::http::compute;
use wakering::io::{AsyncRead, AsyncWrite};
use wakering::net::{UnixListener, UnixStream, serve, serve_on_cores};
use wakering::{Builder, Runtime};

const CONNECTIONS: usize = 16;
const WORK: Duration = Duration::from_micros(200);

/// Serves until nobody asks any more, which ends the program.
pub fn run(skewed: bool) -> io::Result<()> {
    let (tell, told) = mpsc::channel();
    // Before this thread is kept to a core: what it starts then would be kept there as well.
    thread::spawn(move || {
        // Without addresses the server has failed, and says why.
        let Ok(addresses) = told.recv() else { return };
        let end = Runtime::new().map_err(io::Error::from);
        if let Err(error) = end.and_then(|runtime| runtime.block_on(load(addresses))) {
            eprintln!("the client: {error}");
            std::process::exit(1);
        }
    });
    Builder::new().cores(2).build()?.block_on(async move {
        let [first, second] = [listen("first")?, listen("second")?];
        let [one, other] = [first.local_addr()?, second.local_addr()?];
        let addresses = match skewed {
            true => {
                drop(serve_on_cores(first, || async |stream, _| answer(stream).await));
                [one.clone(), one]
            }
            false => {
                drop(serve(first, async |stream, _| answer(stream).await));
                let (second, _nothing) = second.into_std().await?;
                let there = wakering::spawn_on(1, move || async move {
                    let second = UnixListener::from_std(second)?;
                    drop(serve(second, async |stream, _| answer(stream).await));
                    io::Result::Ok(())
                });
                there.await.map_err(io::Error::other)??;
                [one, other]
            }
        };
        // Nobody takes them when the client has failed, which ends the program.
        let _ = tell.send(addresses);
        pending().await
    })
}

/// A listener without a file, which no other program has.
fn listen(name: &str) -> io::Result<UnixListener> {
    let name = format!("skew {} {name}", std::process::id());
    UnixListener::bind_addr(&SocketAddr::from_abstract_name(name)?)
}

/// Computes for every byte, and gives it back.
async fn answer(mut stream: UnixStream) -> io::Result<()> {
    let mut byte = vec![0];
    loop {
        let n;
        (n, byte) = stream.read(byte).await?;
        if n == 0 {
            return Ok(());
        }
        compute(WORK);
        (_, byte) = stream.write_all(byte).await?;
    }
}

async fn ask(stream: &mut UnixStream) -> io::Result<()> {
    stream.write_all(vec![0]).await?;
    stream.read_exact(vec![0]).await?;
    Ok(())
}

async fn load(addresses: [SocketAddr; 2]) -> io::Result<()> {
    let mut streams = Vec::new();
    for n in 0..CONNECTIONS {
        let mut stream = UnixStream::connect_addr(&addresses[n % 2]).await?;
        ask(&mut stream).await?;
        streams.push(stream);
    }
    let mut console = Console::ready(CONNECTIONS as u64);
    while let Some(count) = console.next_slice() {
        let asked = streams.drain(..).map(|mut stream| {
            wakering::spawn(async move {
                for _ in 0..count / CONNECTIONS as u64 {
                    ask(&mut stream).await?;
                }
                io::Result::Ok(stream)
            })
        });
        let asked: Vec<_> = asked.collect();
        for task in asked {
            streams.push(task.await.map_err(io::Error::other)??);
        }
        console.done(count);
    }
    Ok(())
}
