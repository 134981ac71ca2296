//! Sockets from outside: one module a behaviour.

mod accept;
mod cancel;
mod datagram;
mod memory;
mod resolve;
mod serve;
mod split;
mod stream;

use std::future::Future;
use std::io;
use std::time::Duration;

use wakering_net::{TcpListener, TcpStream};
use wakering_ring_driver::testing::patience;
use wakering_runtime::time::timeout;

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

/// The number of the system behind an error that names its operation and object.
#[track_caller]
fn failure(error: &io::Error) -> (&str, &str, Option<i32>) {
    let failure = wakering_ring_driver::Failure::of(error);
    let failure = failure.unwrap_or_else(|| panic!("no operation named: {error:?}"));
    (failure.operation(), failure.object(), failure.errno())
}
