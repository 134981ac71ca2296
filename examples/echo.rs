//! An echo server: `cargo run --release --example echo -- 127.0.0.1:7777`.

use wakering::io::{AsyncRead, AsyncWrite};
use wakering::net::{TcpListener, TcpStream};

fn main() -> std::io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or("127.0.0.1:0".into());
    wakering::run(async {
        let listener = TcpListener::bind(address).await?;
        println!("listening on {}", listener.local_addr()?);
        loop {
            let (stream, _peer) = listener.accept().await?;
            wakering::spawn(echo(stream));
        }
    })
}

/// Sends back what comes, until the peer closes; an error ends this connection alone.
async fn echo(mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buf = Vec::with_capacity(16 * 1024);
    loop {
        let (n, filled) = stream.read(buf).await?;
        if n == 0 {
            return Ok(());
        }
        (_, buf) = stream.write_all(filled).await?;
    }
}
