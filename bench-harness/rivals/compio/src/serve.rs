//! Servers, as one writes them on compio: a task and a buffer a connection.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;

use compio::BufResult;
use compio::buf::{IntoInner, IoBuf};
use compio::io::{AsyncRead, AsyncWriteExt};
use compio::net::{TcpListener, TcpStream, UdpSocket};
use cyper_core::HyperStream;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use local_sync::mpsc::unbounded;
use stage::console;

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
        compio::runtime::spawn(echo_one(stream, buffer)).detach();
    }
}

async fn echo_one(mut stream: TcpStream, buffer: usize) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = Vec::with_capacity(buffer);
    loop {
        buffer.clear();
        let BufResult(read, filled) = stream.read(buffer).await;
        if read? == 0 {
            return Ok(());
        }
        let BufResult(written, back) = stream.write_all(filled).await;
        written?;
        buffer = back;
    }
}

/// hyper on compio's streams, by the binding of its makers.
pub async fn http() -> io::Result<()> {
    let listener = listen().await?;
    loop {
        let (stream, _peer) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let connection = http1::Builder::new()
            .serve_connection(HyperStream::new_plain(stream), service_fn(stage::http::answer));
        compio::runtime::spawn(connection).detach();
    }
}

/// Sends datagrams back.
pub async fn udp(buffer: usize) -> io::Result<()> {
    let socket = UdpSocket::bind("127.0.0.1:0").await?;
    console::listening(socket.local_addr()?);
    let mut buffer = Vec::with_capacity(buffer);
    loop {
        buffer.clear();
        let BufResult(received, filled) = socket.recv_from(buffer).await;
        let (n, peer) = received?;
        let BufResult(sent, back) = socket.send_to(filled.slice(..n), peer).await;
        sent?;
        buffer = back.into_inner();
    }
}

/// Sends what comes on one connection to all: a queue and two tasks a connection.
pub async fn fan_out(buffer: usize) -> io::Result<()> {
    let listener = listen().await?;
    let all: Rc<RefCell<Vec<unbounded::Tx<Rc<[u8]>>>>> = Rc::default();
    loop {
        let (stream, _peer) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let (mut reader, mut writer) = stream.into_split();
        let (sender, mut queue) = unbounded::channel::<Rc<[u8]>>();
        all.borrow_mut().push(sender);
        let write = async move {
            while let Some(message) = queue.recv().await {
                let BufResult(written, _message) = writer.write_all(message).await;
                written?;
            }
            io::Result::Ok(())
        };
        compio::runtime::spawn(write).detach();
        let all = all.clone();
        let read = async move {
            let mut buffer = Vec::with_capacity(buffer);
            loop {
                buffer.clear();
                let BufResult(read, filled) = reader.read(buffer).await;
                if read? == 0 {
                    return io::Result::Ok(());
                }
                let message: Rc<[u8]> = filled[..].into();
                buffer = filled;
                // Those that have left have nobody at the other end of their queue.
                all.borrow_mut().retain(|queue| queue.send(message.clone()).is_ok());
            }
        };
        compio::runtime::spawn(read).detach();
    }
}
