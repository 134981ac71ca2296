//! Servers, as one writes them on wakering: a task a connection.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;

use stage::console;
use wakering::http::service::service_fn;
use wakering::io::AsyncWrite;
use wakering::net::{TcpListener, TcpStream, UdpSocket};
use wakering::sync::local;

async fn listen() -> io::Result<TcpListener> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    console::listening(listener.local_addr()?);
    Ok(listener)
}

/// Sends back what comes, in the buffers of the runtime's pool: a task has none of its own.
pub async fn echo() -> io::Result<()> {
    let listener = listen().await?;
    loop {
        let (stream, _peer) = listener.accept().await?;
        wakering::spawn(echo_one(stream));
    }
}

async fn echo_one(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    loop {
        let received = stream.recv().await?;
        if received.is_empty() {
            return Ok(());
        }
        stream.write_all(received).await?;
    }
}

/// hyper on wakering's streams, by wakering's own server.
pub async fn http() -> io::Result<()> {
    let listener = listen().await?;
    wakering::http::serve(listener, service_fn(stage::http::answer)).wait_closed().await;
    Ok(())
}

/// The same on all cores of the runtime.
pub async fn http_on_cores() -> io::Result<()> {
    let listener = listen().await?;
    let server = wakering::http::serve_on_cores(listener, || {
        let accept = async |stream: TcpStream, _peer| {
            stream.set_nodelay(true)?;
            Ok((stream, service_fn(stage::http::answer)))
        };
        (wakering::http::Builder::new(), accept)
    });
    server.wait_closed().await;
    Ok(())
}

/// Sends datagrams back.
pub async fn udp(buffer: usize) -> io::Result<()> {
    let socket = UdpSocket::bind("127.0.0.1:0").await?;
    console::listening(socket.local_addr()?);
    let mut buffer = Vec::with_capacity(buffer);
    loop {
        let ((_n, peer), filled) = socket.recv_from(buffer).await?;
        (_, buffer) = socket.send_to(filled, peer).await?;
    }
}

/// Sends what comes on one connection to all: a queue and two tasks a connection.
pub async fn fan_out() -> io::Result<()> {
    let listener = listen().await?;
    let all: Rc<RefCell<Vec<local::UnboundedSender<Rc<[u8]>>>>> = Rc::default();
    loop {
        let (stream, _peer) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let (mut reader, mut writer) = stream.into_split();
        let (sender, mut queue) = local::unbounded::<Rc<[u8]>>();
        all.borrow_mut().push(sender);
        wakering::spawn(async move {
            while let Some(message) = queue.recv().await {
                writer.write_all(message).await?;
            }
            io::Result::Ok(())
        });
        let all = all.clone();
        wakering::spawn(async move {
            loop {
                let received = reader.recv().await?;
                if received.is_empty() {
                    return io::Result::Ok(());
                }
                let message: Rc<[u8]> = received[..].into();
                // Those that have left have nobody at the other end of their queue.
                all.borrow_mut().retain(|queue| queue.send(message.clone()).is_ok());
            }
        });
    }
}
