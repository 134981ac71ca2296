//! A load test: so many connections to a server, each of which asks again as soon as it has its
//! answer, and how long the answers take. `bench-harness` is this in large.

use std::io;
use std::time::Duration;

use wakering::io::{AsyncRead, AsyncWrite, copy};
use wakering::net::{TcpListener, TcpStream, serve};
use wakering::task::gather;
use wakering::time::Instant;

const CONNECTIONS: usize = 8;
const DURATION: Duration = Duration::from_secs(1);

/// How long each answer took on one connection.
async fn load(address: std::net::SocketAddr, end: Instant) -> io::Result<Vec<Duration>> {
    let (mut stream, mut took) = (TcpStream::connect(address).await?, Vec::new());
    let (mut question, mut answer) = (vec![b'?'; 64], vec![0; 64]);
    while Instant::now() < end {
        let start = Instant::now();
        (_, question) = stream.write_all(question).await?;
        (_, answer) = stream.read_exact(answer).await?;
        if answer != question {
            return Err(io::Error::other("the answer is wrong"));
        }
        took.push(start.elapsed());
    }
    Ok(took)
}

#[wakering::main]
async fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let server = serve(listener, async |stream: TcpStream, _| {
        stream.set_nodelay(true)?;
        let (mut read, mut write) = stream.into_split();
        copy(&mut read, &mut write).await?;
        Ok(())
    });

    let end = Instant::now() + DURATION;
    let mut took = gather((0..CONNECTIONS).map(|_| load(address, end))).await?.concat();
    took.sort();
    println!("{CONNECTIONS} connections for {DURATION:?}, no wrong answer");
    println!("more than 100 answers: {}", took.len() > 100);
    for (name, part) in [("p50", 0.5), ("p99", 0.99)] {
        let at = took[(took.len() as f64 * part) as usize];
        println!("{name}: {:.3} ms", at.as_secs_f64() * 1000.0);
    }
    server.close();
    server.wait_closed().await;
    Ok(())
}
