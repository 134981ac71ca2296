//! Servers, as one writes them on smol: a task and a buffer a connection.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use smol::io::{AsyncReadExt, AsyncWriteExt};
use smol::net::{TcpListener, TcpStream, UdpSocket};
use smol_hyper::rt::FuturesIo;
use stage::console;

use crate::spawn;

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
        spawn(echo_one(stream, buffer)).detach();
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

/// hyper on smol's streams, by their customary binding.
pub async fn http() -> io::Result<()> {
    let listener = listen().await?;
    loop {
        let (stream, _peer) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let connection = http1::Builder::new()
            .serve_connection(FuturesIo::new(stream), service_fn(stage::http::answer));
        spawn(connection).detach();
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
    let all: Rc<RefCell<Vec<smol::channel::Sender<Rc<[u8]>>>>> = Rc::default();
    loop {
        let (stream, _peer) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let (mut reader, mut writer) = (stream.clone(), stream);
        let (sender, queue) = smol::channel::unbounded::<Rc<[u8]>>();
        all.borrow_mut().push(sender);
        let write = async move {
            while let Ok(message) = queue.recv().await {
                writer.write_all(&message).await?;
            }
            io::Result::Ok(())
        };
        spawn(write).detach();
        let all = all.clone();
        let read = async move {
            let mut buffer = vec![0; buffer];
            loop {
                let n = reader.read(&mut buffer).await?;
                if n == 0 {
                    return io::Result::Ok(());
                }
                let message: Rc<[u8]> = buffer[..n].into();
                // Those that have left have nobody at the other end of their queue.
                all.borrow_mut().retain(|queue| queue.try_send(message.clone()).is_ok());
            }
        };
        spawn(read).detach();
    }
}
