//! Sockets: names, datagrams, and streams between processes of one machine.

use std::io;

use wakering::io::{AsyncRead, AsyncWrite};
use wakering::net::{UdpSocket, UnixListener, UnixStream, lookup_host, serve};

#[wakering::main]
async fn main() -> io::Result<()> {
    // Looked up on the pool, because the system's resolver blocks.
    let found = lookup_host("localhost:80").await?.any(|address| address.ip().is_loopback());
    println!("localhost is this machine: {found}");

    let (here, there) =
        (UdpSocket::bind("127.0.0.1:0").await?, UdpSocket::bind("127.0.0.1:0").await?);
    here.send_to("a datagram", there.local_addr()?).await?;
    let ((n, from), text) = there.recv_from(vec![0; 64]).await?;
    let is_ours = from == here.local_addr()?;
    println!("{:?}, from us: {is_ours}", String::from_utf8_lossy(&text[..n]));

    let folder = tempfile::tempdir()?;
    let path = folder.path().join("socket");
    let server = serve(UnixListener::bind(&path)?, async |mut stream: UnixStream, _| {
        let (_, text) = stream.read_exact(vec![0; 5]).await?;
        stream.write_all(text.to_ascii_uppercase()).await?;
        Ok(())
    });
    let mut client = UnixStream::connect(&path).await?;
    client.write_all("quiet").await?;
    let (_, answer) = client.read_to_string(String::new()).await?;
    println!("{answer}");
    server.close();
    server.wait_closed().await;
    Ok(())
}
