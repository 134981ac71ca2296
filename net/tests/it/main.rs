//! Sockets from outside: one module a behaviour.

mod accept;
mod cancel;
mod cores;
mod datagram;
mod into_std;
mod memory;
mod recv;
mod resolve;
mod scope;
mod send_file;
mod serve;
mod split;
mod stream;
mod write;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use wakering_net::{TcpListener, TcpSocket, TcpStream};
use wakering_ring_driver::testing::patience;
use wakering_runtime::time::{sleep, timeout};

/// Runs a test that is over in well under half a minute, or fails.
fn within_bounds<F: Future<Output = io::Result<()>>>(future: F) {
    let bounded = async {
        let bound = patience(Duration::from_secs(30));
        timeout(bound, future).await.unwrap_or_else(|_| panic!("not over after {bound:?}"))
    };
    wakering_runtime::run(bounded).unwrap();
}

/// Both ends of a TCP connection.
async fn tcp() -> io::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let ours = TcpStream::connect(listener.local_addr()?).await?;
    Ok((ours, listener.accept().await?.0))
}

/// An address that refuses connections as long as the socket lives: bound, and nobody listens.
fn refusing() -> io::Result<(TcpSocket, SocketAddr)> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(([127, 0, 0, 1], 0).into())?;
    let address = socket.local_addr()?;
    Ok((socket, address))
}

/// Waits until nobody listens at `address` any more, and gives the error. A child that another test
/// starts at this moment has a copy of every descriptor until it runs its program; and who is in the
/// queue as the listener closes is reset.
async fn refused(address: SocketAddr) -> io::Error {
    loop {
        match TcpStream::connect(address).await {
            Ok(_) => sleep(Duration::from_millis(1)).await,
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {}
            Err(error) => {
                assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
                return error;
            }
        }
    }
}

/// The number of the system behind an error that names its operation and object.
#[track_caller]
fn failure(error: &io::Error) -> (&str, &str, Option<i32>) {
    let failure = wakering_ring_driver::Failure::of(error);
    let failure = failure.unwrap_or_else(|| panic!("no operation named: {error:?}"));
    (failure.operation(), failure.object(), failure.errno())
}
