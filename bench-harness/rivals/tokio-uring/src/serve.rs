//! Servers, as one writes them on tokio-uring: a task and a buffer a connection.

use std::cell::RefCell;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;

use stage::console;
use tokio::sync::mpsc;
use tokio_uring::buf::BoundedBuf;
use tokio_uring::net::{TcpListener, TcpStream, UdpSocket};

/// Any free port.
const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Sends back what comes.
pub async fn echo(buffer: usize) -> io::Result<()> {
    let listener = TcpListener::bind(ANY)?;
    console::listening(listener.local_addr()?);
    loop {
        let (stream, _peer) = listener.accept().await?;
        tokio_uring::spawn(echo_one(stream, buffer));
    }
}

async fn echo_one(stream: TcpStream, buffer: usize) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = Vec::with_capacity(buffer);
    loop {
        let (read, filled) = stream.read(buffer).await;
        let n = read?;
        if n == 0 {
            return Ok(());
        }
        let (written, back) = stream.write_all(filled.slice(..n)).await;
        written?;
        buffer = back.into_inner();
    }
}

/// Sends datagrams back.
pub async fn udp(buffer: usize) -> io::Result<()> {
    let socket = UdpSocket::bind(ANY).await?;
    console::listening(socket.local_addr()?);
    let mut buffer = Vec::with_capacity(buffer);
    loop {
        let (received, filled) = socket.recv_from(buffer).await;
        let (n, peer) = received?;
        let (sent, back) = socket.send_to(filled.slice(..n), peer).await;
        sent?;
        buffer = back.into_inner();
    }
}

/// Sends what comes on one connection to all: a queue and two tasks a connection.
pub async fn fan_out(buffer: usize) -> io::Result<()> {
    let listener = TcpListener::bind(ANY)?;
    console::listening(listener.local_addr()?);
    let all: Rc<RefCell<Vec<mpsc::UnboundedSender<Rc<[u8]>>>>> = Rc::default();
    loop {
        let (stream, _peer) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let reader = Rc::new(stream);
        let writer = reader.clone();
        let (sender, mut queue) = mpsc::unbounded_channel::<Rc<[u8]>>();
        all.borrow_mut().push(sender);
        tokio_uring::spawn(async move {
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
        tokio_uring::spawn(async move {
            let mut buffer = Vec::with_capacity(buffer);
            loop {
                let (read, filled) = reader.read(buffer).await;
                let n = read?;
                if n == 0 {
                    return io::Result::Ok(());
                }
                let message: Rc<[u8]> = filled[..n].into();
                buffer = filled;
                // Those that have left have nobody at the other end of their queue.
                all.borrow_mut().retain(|queue| queue.send(message.clone()).is_ok());
            }
        });
    }
}
