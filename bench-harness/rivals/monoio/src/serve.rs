//! Servers, as one writes them on monoio: a task and a buffer a connection.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use local_sync::mpsc::unbounded;
use monoio::io::{AsyncReadRent, AsyncWriteRentExt, IntoPollIo, Splitable};
use monoio::net::udp::UdpSocket;
use monoio::net::{TcpListener, TcpStream};
use monoio_compat::hyper::MonoioIo;
use stage::console;

fn listen() -> io::Result<TcpListener> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    console::listening(listener.local_addr()?);
    Ok(listener)
}

/// Sends back what comes.
pub async fn echo(buffer: usize) -> io::Result<()> {
    let listener = listen()?;
    loop {
        let (stream, _peer) = listener.accept().await?;
        monoio::spawn(echo_one(stream, buffer));
    }
}

async fn echo_one(mut stream: TcpStream, buffer: usize) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = Vec::with_capacity(buffer);
    loop {
        let (read, filled) = stream.read(buffer).await;
        if read? == 0 {
            return Ok(());
        }
        let (written, back) = stream.write_all(filled).await;
        written?;
        buffer = back;
    }
}

/// hyper on monoio's streams, by their customary binding: an epoll inside the ring.
pub async fn http() -> io::Result<()> {
    let listener = listen()?;
    loop {
        let (stream, _peer) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let stream = MonoioIo::new(stream.into_poll_io()?);
        let connection =
            http1::Builder::new().serve_connection(stream, service_fn(stage::http::answer));
        monoio::spawn(connection);
    }
}

/// Sends datagrams back.
pub async fn udp(buffer: usize) -> io::Result<()> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    console::listening(socket.local_addr()?);
    let mut buffer = Vec::with_capacity(buffer);
    loop {
        let (received, filled) = socket.recv_from(buffer).await;
        let (_n, peer) = received?;
        let (sent, back) = socket.send_to(filled, peer).await;
        sent?;
        buffer = back;
    }
}

/// Sends what comes on one connection to all: a queue and two tasks a connection.
pub async fn fan_out(buffer: usize) -> io::Result<()> {
    let listener = listen()?;
    let all: Rc<RefCell<Vec<unbounded::Tx<Rc<[u8]>>>>> = Rc::default();
    loop {
        let (stream, _peer) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let (mut reader, mut writer) = stream.into_split();
        let (sender, mut queue) = unbounded::channel::<Rc<[u8]>>();
        all.borrow_mut().push(sender);
        monoio::spawn(async move {
            // Its writes take no shared bytes, so they are copied into a buffer of the task's.
            let mut bytes = Vec::with_capacity(buffer);
            while let Some(message) = queue.recv().await {
                bytes.clear();
                bytes.extend_from_slice(&message);
                let (written, back) = writer.write_all(bytes).await;
                written?;
                bytes = back;
            }
            io::Result::Ok(())
        });
        let all = all.clone();
        monoio::spawn(async move {
            let mut buffer = Vec::with_capacity(buffer);
            loop {
                let (read, filled) = reader.read(buffer).await;
                if read? == 0 {
                    return io::Result::Ok(());
                }
                let message: Rc<[u8]> = filled[..].into();
                buffer = filled;
                // Those that have left have nobody at the other end of their queue.
                all.borrow_mut().retain(|queue| queue.send(message.clone()).is_ok());
            }
        });
    }
}
