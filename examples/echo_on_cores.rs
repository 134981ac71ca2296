//! An echo server on all cores: `cargo run --release --example echo_on_cores -- 127.0.0.1:7777`.
//!
//! Without an address it serves clients of its own, says who served them, and ends.

use std::collections::BTreeSet;

use wakering::io::{AsyncBufRead, AsyncRead, AsyncWrite};
use wakering::net::{TcpListener, TcpStream, serve_on_cores};
use wakering::{Builder, Cores, Handle};

fn main() -> std::io::Result<()> {
    let address = std::env::args().nth(1);
    let runtime = Builder::new().cores(Cores::All).build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(address.as_deref().unwrap_or("127.0.0.1:0")).await?;
        let local = listener.local_addr()?;
        let server = serve_on_cores(listener, || async |stream, _peer| echo(stream).await);
        println!("listening on {local} with {} cores", Handle::current().cores());
        if address.is_some() {
            return std::future::pending().await;
        }
        clients(local).await?;
        server.close();
        server.wait_closed().await;
        Ok(())
    })
}

/// Says on which core it is served, and sends back what comes until the peer closes.
async fn echo(mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    stream.write_all(format!("core {}\n", Handle::current().core())).await?;
    let mut buf = Vec::with_capacity(16 * 1024);
    loop {
        let (n, filled) = stream.read(buf).await?;
        if n == 0 {
            return Ok(());
        }
        (_, buf) = stream.write_all(filled).await?;
    }
}

/// A hundred clients, each of which hears who serves it and then what it says.
async fn clients(address: std::net::SocketAddr) -> std::io::Result<()> {
    let mut cores = BTreeSet::new();
    let mut streams = Vec::new();
    for _ in 0..100 {
        let mut stream = TcpStream::connect(address).await?;
        let mut line = Vec::new();
        stream.read_line(&mut line, 80).await?;
        cores.insert(line);
        streams.push(stream);
    }
    println!("all cores serve: {}", cores.len() == Handle::current().cores());
    for stream in &mut streams {
        stream.write_all("hello").await?;
        assert_eq!(stream.read_exact(vec![0; 5]).await?.1, b"hello");
    }
    println!("{} echoes", streams.len());
    Ok(())
}
