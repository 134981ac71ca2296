//! `async with` on a file and on a socket: a function lends what it opens, and closes it however
//! its use ends. Dropping would close it, too, but could not tell what goes wrong.

use std::io;
use std::path::Path;

use wakering::fs::{self, File};
use wakering::io::{AsyncRead, AsyncWrite};
use wakering::net::{TcpListener, TcpStream};
use wakering::{join, spawn};

async fn with_file<T>(
    path: &Path,
    body: impl AsyncFnOnce(&mut File) -> io::Result<T>,
) -> io::Result<T> {
    let mut file = File::create(path).await?;
    let result = body(&mut file).await;
    file.close().await.and(result)
}

async fn with_stream<T>(
    mut stream: TcpStream,
    body: impl AsyncFnOnce(&mut TcpStream) -> io::Result<T>,
) -> io::Result<T> {
    let result = body(&mut stream).await;
    // Sends what is still to be sent, and then the end.
    stream.close().await.and(result)
}

#[wakering::main]
async fn main() -> io::Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("file");
    with_file(&path, async |file| Ok(file.write_all("written").await?.0)).await?;
    println!("file: {:?}", fs::read_to_string(&path).await?);

    let failed = with_file(&path, async |_| Err::<(), _>(io::Error::other("no idea"))).await;
    println!("file: closed after {:?}", failed.unwrap_err().to_string());

    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let (client, accepted) = join!(TcpStream::connect(listener.local_addr()?), listener.accept());
    let (mut server, _) = accepted?;
    let reader = spawn(async move { server.read_to_string(String::new()).await });
    with_stream(client?, async |stream| Ok(stream.write_all("sent").await?.0)).await?;
    let (_, text) = reader.await.expect("it does not panic")?;
    println!("socket: {text:?}, then the end");
    Ok(())
}
