//! A network server: it echoes to 1,000 clients at once. SIGTERM or Ctrl-C ends it in good order: it
//! accepts nobody any more, and goes on serving who is there.
//!
//! The clients are this program again, in a process of their own: two of 1,000 descriptors each
//! stay below the limit that a process usually has, 1,024.

use std::io;

use wakering::io::{AsyncRead, AsyncWrite, copy, stdin};
use wakering::net::{TcpListener, TcpStream, serve};
use wakering::process::{Command, Stdio};
use wakering::signal;
use wakering::task::gather;

fn main() -> io::Result<()> {
    wakering::run(async {
        match std::env::args().nth(1) {
            None => server().await,
            Some(address) => clients(&address).await,
        }
    })
}

async fn server() -> io::Result<()> {
    let shutdown = signal::shutdown();
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let server = serve(listener, async |stream: TcpStream, _| {
        let (mut read, mut write) = stream.into_split();
        copy(&mut read, &mut write).await?;
        Ok(())
    });
    println!("Serving");
    let mut clients = Command::new(std::env::current_exe()?);
    let mut clients = clients.arg(address.to_string()).stdin(Stdio::piped()).spawn()?;

    println!("Received {}", shutdown.await?);
    server.close();
    // Tells the clients that it is time for their last words.
    drop(clients.stdin.take());
    server.wait_closed().await;
    println!("Drained, and nobody gets in: {}", TcpStream::connect(address).await.is_err());
    if clients.wait().await?.success() { Ok(()) } else { Err(io::Error::other("clients failed")) }
}

async fn clients(address: &str) -> io::Result<()> {
    let mut streams = gather((0..1000).map(|_| TcpStream::connect(address))).await?;
    println!("{} echoes for {} clients", echoes(&mut streams).await?, streams.len());
    streams.truncate(10);
    stdin()?.read_to_end(Vec::new()).await?;
    println!("{} echoes while it drains", echoes(&mut streams).await?);
    Ok(())
}

/// Everybody says something else, all at once. Gives how many heard just that.
async fn echoes(streams: &mut [TcpStream]) -> io::Result<usize> {
    let heard = streams.iter_mut().enumerate().map(async |(client, stream)| {
        let said = format!("this is client {client}").into_bytes();
        let (_, said) = stream.write_all(said).await?;
        let (_, heard) = stream.read_exact(vec![0; said.len()]).await?;
        io::Result::Ok(heard == said)
    });
    Ok(gather(heard).await?.into_iter().filter(|right| *right).count())
}
