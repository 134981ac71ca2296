//! Servers, as one writes them on glommio: a task and a buffer a connection.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;

use futures_lite::{AsyncReadExt, AsyncWriteExt};
use glommio::channels::local_channel::{self, LocalSender};
use glommio::net::{TcpListener, TcpStream, UdpSocket};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use smol_hyper::rt::FuturesIo;
use stage::console;

/// Sends back what comes.
pub async fn echo(buffer: usize) -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    console::listening(listener.local_addr()?);
    loop {
        let stream = listener.accept().await?;
        glommio::spawn_local(echo_one(stream, buffer)).detach();
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

/// hyper on glommio's streams, which have the traits of `futures`: smol's binding takes those too.
pub async fn http() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    console::listening(listener.local_addr()?);
    loop {
        let stream = listener.accept().await?;
        stream.set_nodelay(true)?;
        let connection = http1::Builder::new()
            .serve_connection(FuturesIo::new(stream), service_fn(stage::http::answer));
        glommio::spawn_local(connection).detach();
    }
}

/// Sends datagrams back.
pub async fn udp(buffer: usize) -> io::Result<()> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    console::listening(socket.local_addr()?);
    let mut buffer = vec![0; buffer];
    loop {
        let (n, peer) = socket.recv_from(&mut buffer).await?;
        socket.send_to(&buffer[..n], peer).await?;
    }
}

/// Sends what comes on one connection to all: a queue and two tasks a connection.
pub async fn fan_out(buffer: usize) -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    console::listening(listener.local_addr()?);
    let all: Rc<RefCell<Vec<LocalSender<Rc<[u8]>>>>> = Rc::default();
    loop {
        let stream = listener.accept().await?;
        stream.set_nodelay(true)?;
        let (mut reader, mut writer) = futures_lite::io::split(stream);
        let (sender, queue) = local_channel::new_unbounded::<Rc<[u8]>>();
        all.borrow_mut().push(sender);
        let write = async move {
            while let Some(message) = queue.recv().await {
                writer.write_all(&message).await?;
            }
            io::Result::Ok(())
        };
        glommio::spawn_local(write).detach();
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
        glommio::spawn_local(read).detach();
    }
}
