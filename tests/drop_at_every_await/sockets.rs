//! Rows of sockets. Peers are std's, and have done their part before the future begins.

use std::io::Write;
use std::net;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net as unix;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use wakering::driver::testing::in_child;
use wakering::net::{
    SendMeta, TcpListener, TcpSocket, TcpStream, UdpSocket, UnixDatagram, UnixListener, UnixStream,
    lookup_host, serve,
};

use crate::{row, row_in_steps};

const ANY: &str = "127.0.0.1:0";

fn listener() -> (TcpListener, net::SocketAddr) {
    let std = net::TcpListener::bind(ANY).unwrap();
    let address = std.local_addr().unwrap();
    (TcpListener::from_std(std).unwrap(), address)
}

/// A connection on which a word has come.
fn tcp() -> (TcpStream, net::TcpStream) {
    let listener = net::TcpListener::bind(ANY).unwrap();
    let mut peer = net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    peer.write_all(b"word").unwrap();
    (TcpStream::from_std(listener.accept().unwrap().0).unwrap(), peer)
}

/// A socket to which a word was sent, and which is connected to where it came from.
fn udp() -> (UdpSocket, net::UdpSocket) {
    let [socket, peer] = [(); 2].map(|()| net::UdpSocket::bind(ANY).unwrap());
    socket.connect(peer.local_addr().unwrap()).unwrap();
    peer.send_to(b"word", socket.local_addr().unwrap()).unwrap();
    (UdpSocket::from_std(socket).unwrap(), peer)
}

/// The same of a Unix socket.
fn datagram() -> (UnixDatagram, unix::UnixDatagram) {
    let (socket, peer) = unix::UnixDatagram::pair().unwrap();
    peer.send(b"word").unwrap();
    (UnixDatagram::from_std(socket).unwrap(), peer)
}

/// An address on this machine that nobody has used.
fn name() -> unix::SocketAddr {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let (process, count) = (std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    unix::SocketAddr::from_abstract_name(format!("dropped {process} {count}")).unwrap()
}

fn unix_listener() -> (UnixListener, unix::SocketAddr) {
    let address = name();
    let std = unix::UnixListener::bind_addr(&address).unwrap();
    (UnixListener::from_std(std).unwrap(), address)
}

#[test]
fn tcp_sockets() {
    in_child("sockets::tcp_sockets", || {
        row("net::lookup_host", async || lookup_host("localhost:80").await.map(drop));
        row("net::TcpListener::bind", async || TcpListener::bind("localhost:0").await.unwrap());
        row("net::TcpListener::close", async || listener().0.close().await.unwrap());
        row("net::TcpListener::into_std", async || listener().0.into_std().await.unwrap());
        row("net::Incoming::accept", async || {
            let (listener, address) = listener();
            let _peer = net::TcpStream::connect(address).unwrap();
            listener.incoming().accept().await.unwrap();
        });
        row("net::TcpStream::connect", async || {
            let (_listener, address) = listener();
            TcpStream::connect(address).await.unwrap()
        });
        row("net::TcpSocket::connect", async || {
            let (_listener, address) = listener();
            TcpSocket::new_v4().unwrap().connect(address).await.unwrap()
        });
        row("net::TcpStream::recv", async || tcp().0.recv().await.unwrap());
        row("net::TcpStream::peek", async || tcp().0.peek(vec![0; 9]).await.unwrap());
        row("net::TcpStream::write_zero_copy", async || {
            let (mut stream, _peer) = tcp();
            drop(stream.write_zero_copy(vec![7; 40_000]).await.unwrap());
        });
        // The acknowledgement, with which the buffer comes back, may be put off for 40 ms.
        let step = Duration::from_millis(5);
        row_in_steps("net::OwnedWriteHalf::write_zero_copy", step, async || {
            let (stream, _peer) = tcp();
            let (_read, mut write) = stream.into_split();
            write.write_zero_copy(vec![7; 40_000]).await.unwrap().1.await;
        });
        row("net::TcpStream::send_file", async || {
            let file = wakering::fs::File::open("/proc/self/exe").await.unwrap();
            let (mut stream, mut peer) = tcp();
            std::thread::spawn(move || std::io::copy(&mut peer, &mut std::io::sink()));
            assert_eq!(stream.send_file(&file, ..4_000_000).await.unwrap(), 4_000_000);
        });
        row("net::OwnedWriteHalf::send_file", async || {
            let file = wakering::fs::File::open("/proc/self/exe").await.unwrap();
            let (stream, _peer) = tcp();
            let (_read, mut write) = stream.into_split();
            write.send_file(&file, 100..200).await.unwrap()
        });
        row("net::TcpStream::close", async || {
            let (stream, _peer) = tcp();
            stream.close().await.unwrap();
        });
        row("net::TcpStream::into_std", async || {
            let (stream, _peer) = tcp();
            stream.into_std().await.unwrap()
        });
        row("net::TcpStream::detach", async || {
            let (stream, _peer) = tcp();
            stream.detach().await.unwrap()
        });
        row("net::Server::wait_closed", async || {
            let (listener, address) = listener();
            let server = serve(listener, async |_, _| Ok(()));
            let _peer = net::TcpStream::connect(address).unwrap();
            server.close();
            server.wait_closed().await;
        });
    });
}

#[test]
fn udp_sockets() {
    in_child("sockets::udp_sockets", || {
        row("net::UdpSocket::bind", async || UdpSocket::bind("localhost:0").await.unwrap());
        row("net::UdpSocket::connect", async || {
            let (socket, peer) = udp();
            socket.connect(peer.local_addr().unwrap()).await.unwrap();
        });
        row("net::UdpSocket::send", async || udp().0.send("word").await);
        row("net::UdpSocket::send_to", async || {
            let (socket, peer) = udp();
            socket.send_to("word", peer.local_addr().unwrap()).await.unwrap();
        });
        row("net::UdpSocket::send_msg", async || {
            let (socket, _peer) = udp();
            socket.send_msg("word", SendMeta::new()).await.unwrap();
        });
        row("net::UdpSocket::recv", async || udp().0.recv(vec![0; 9]).await.unwrap());
        row("net::UdpSocket::recv_msg", async || udp().0.recv_msg(vec![0; 9]).await.unwrap());
        row("net::UdpSocket::recv_pooled", async || udp().0.recv_pooled().await.unwrap());
        row("net::UdpSocket::peek_from", async || udp().0.peek_from(vec![0; 9]).await.unwrap());
        row("net::UdpSocket::into_std", async || udp().0.into_std().await.unwrap());
    });
}

#[test]
fn unix_streams() {
    in_child("sockets::unix_streams", || {
        row("net::UnixListener::accept", async || {
            let (listener, address) = unix_listener();
            let _peer = unix::UnixStream::connect_addr(&address).unwrap();
            listener.accept().await.unwrap();
        });
        row("net::UnixListener::close", async || unix_listener().0.close().await.unwrap());
        row("net::UnixListener::into_std", async || unix_listener().0.into_std().await.unwrap());
        row("net::UnixStream::connect", async || {
            let dir = tempfile::tempdir().unwrap();
            let _listener = unix::UnixListener::bind(dir.path().join("socket")).unwrap();
            UnixStream::connect(dir.path().join("socket")).await.unwrap()
        });
        row("net::UnixStream::connect_addr", async || {
            let (_listener, address) = unix_listener();
            UnixStream::connect_addr(&address).await.unwrap()
        });
        let pair = || UnixStream::pair().unwrap();
        row("net::UnixStream::peek", async || {
            let (mut stream, mut peer) = pair();
            wakering::io::Sink::queue(&mut peer, b"word").unwrap();
            stream.peek(vec![0; 9]).await.unwrap();
        });
        row("net::UnixStream::send_file", async || {
            let file = wakering::fs::File::open("/proc/self/exe").await.unwrap();
            pair().0.send_file(&file, ..4).await
        });
        row("net::UnixStream::recv", async || {
            let (mut stream, mut peer) = pair();
            wakering::io::Sink::queue(&mut peer, b"word").unwrap();
            stream.recv().await.unwrap();
        });
        row("net::OwnedReadHalf::recv", async || tcp().0.into_split().0.recv().await.unwrap());
        row("net::UnixStream::close", async || pair().0.close().await.unwrap());
        row("net::UnixStream::into_std", async || pair().0.into_std().await.unwrap());
        row("net::UnixStream::detach", async || pair().0.detach().await.unwrap());
    });
}

#[test]
fn unix_datagrams() {
    in_child("sockets::unix_datagrams", || {
        let bound = || {
            let address = name();
            (unix::UnixDatagram::bind_addr(&address).unwrap(), address)
        };
        row("net::UnixDatagram::connect_addr", async || {
            let (_peer, address) = bound();
            UnixDatagram::unbound().unwrap().connect_addr(&address).await.unwrap();
        });
        row("net::UnixDatagram::send_to_addr", async || {
            let (_peer, address) = bound();
            UnixDatagram::unbound().unwrap().send_to_addr("word", &address).await.unwrap();
        });
        let with_path = || {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("socket");
            (unix::UnixDatagram::bind(&path).unwrap(), path, dir)
        };
        row("net::UnixDatagram::connect", async || {
            let (_peer, path, _dir) = with_path();
            UnixDatagram::unbound().unwrap().connect(path).await.unwrap();
        });
        row("net::UnixDatagram::send_to", async || {
            let (_peer, path, _dir) = with_path();
            UnixDatagram::unbound().unwrap().send_to("word", path).await.unwrap();
        });
        row("net::UnixDatagram::send", async || {
            let (socket, _peer) = datagram();
            socket.send("word").await.unwrap();
        });
        row("net::UnixDatagram::recv", async || datagram().0.recv(vec![0; 9]).await.unwrap());
        row("net::UnixDatagram::recv_from", async || {
            datagram().0.recv_from(vec![0; 9]).await.unwrap()
        });
        row("net::UnixDatagram::into_std", async || datagram().0.into_std().await.unwrap());
    });
}
