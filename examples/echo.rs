//! An echo server: `cargo run --release --example echo -- 127.0.0.1:7777`.

use wakering::io::AsyncWrite;
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

/// Sends back what comes, from the memory in which it has come, until the peer closes; an error ends
/// this connection alone.
async fn echo(mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    loop {
        let bytes = stream.recv().await?;
        if bytes.is_empty() {
            return Ok(());
        }
        stream.write_all(bytes).await?;
    }
}
