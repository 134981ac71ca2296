//! Servers, as one writes them on tokio: a task and a buffer a connection.

use std::io;
use std::sync::{Arc, Mutex};

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use stage::console;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::mpsc;

async fn listen() -> io::Result<TcpListener> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    console::listening(listener.local_addr()?);
    Ok(listener)
}

/// Sends back what comes.
pub async fn echo(buffer: usize) -> io::Result<()> {
    let listener = listen().await?;
    loop {
        let (stream, _peer) = listener.accept().await?;
        tokio::spawn(echo_one(stream, buffer));
    }
}

async fn echo_one(mut stream: TcpStream, buffer: usize) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = vec![0; buffer];
    loop {
        let n = stream.read(&mut buffer).await?;
        if n == 0 {
            return Ok(());
        }
        stream.write_all(&buffer[..n]).await?;
    }
}

/// hyper on tokio's streams.
pub async fn http() -> io::Result<()> {
    let listener = listen().await?;
    loop {
        let (stream, _peer) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let connection = http1::Builder::new()
            .serve_connection(TokioIo::new(stream), service_fn(stage::http::answer));
        tokio::spawn(async move {
            let _ = connection.await;
        });
    }
}

/// Sends datagrams back.
pub async fn udp(buffer: usize) -> io::Result<()> {
    let socket = UdpSocket::bind("127.0.0.1:0").await?;
    console::listening(socket.local_addr()?);
    let mut buffer = vec![0; buffer];
    loop {
        let (n, peer) = socket.recv_from(&mut buffer).await?;
        socket.send_to(&buffer[..n], peer).await?;
    }
}

/// Sends what comes on one connection to all: a queue and two tasks a connection.
pub async fn fan_out(buffer: usize) -> io::Result<()> {
    let listener = listen().await?;
    let all: Arc<Mutex<Vec<mpsc::UnboundedSender<Arc<[u8]>>>>> = Arc::default();
    loop {
        let (stream, _peer) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let (mut reader, mut writer) = stream.into_split();
        let (sender, mut queue) = mpsc::unbounded_channel::<Arc<[u8]>>();
        all.lock().unwrap().push(sender);
        tokio::spawn(async move {
            while let Some(message) = queue.recv().await {
                writer.write_all(&message).await?;
            }
            io::Result::Ok(())
        });
        let all = all.clone();
        tokio::spawn(async move {
            let mut buffer = vec![0; buffer];
            loop {
                let n = reader.read(&mut buffer).await?;
                if n == 0 {
                    return io::Result::Ok(());
                }
                let message: Arc<[u8]> = buffer[..n].into();
                // Those that have left have nobody at the other end of their queue.
                all.lock().unwrap().retain(|queue| queue.send(message.clone()).is_ok());
            }
        });
    }
}
