//! Accepting: one after the other, as a stream, and at the limit of descriptors.

use std::io;
use std::os::linux::net::SocketAddrExt;
use std::time::Duration;

use futures_util::StreamExt;
use wakering_net::{TcpListener, TcpStream, UnixListener, UnixStream};
use wakering_ring_driver::testing::{Limit, in_child, limit, open_descriptors};
use wakering_runtime::spawn;
use wakering_runtime::time::sleep;

use crate::{failure, refused, within_bounds};

/// Given clients in the queue; when they are accepted in whatever way; then each comes once, in
/// order.
#[test]
fn each_client_is_accepted_once_and_in_order() {
    within_bounds(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let mut clients = Vec::new();
        for _ in 0..30 {
            clients.push(TcpStream::connect(address).await?.local_addr()?);
        }
        let mut peers = Vec::new();
        for _ in 0..10 {
            peers.push(listener.accept().await?.1);
            peers.push(listener.incoming().next().await.expect("it never ends")?.peer_addr()?);
            peers.push(listener.incoming().accept().await?.peer_addr()?);
        }
        assert_eq!(peers, clients);
        Ok(())
    });
}

/// Given a parked accept and a parked `incoming`; when one client comes and then another; then each
/// is served, whoever gets whom.
#[test]
fn two_who_accept_share_the_clients() {
    within_bounds(async {
        let listener = std::rc::Rc::new(UnixListener::bind_addr(&abstract_name("share")?)?);
        let address = listener.local_addr()?;
        let one = spawn({
            let listener = listener.clone();
            async move { listener.accept().await.map(drop) }
        });
        let two = spawn({
            let listener = listener.clone();
            async move { listener.incoming().accept().await.map(drop) }
        });
        sleep(Duration::from_millis(2)).await;
        let first = UnixStream::connect_addr(&address).await?;
        sleep(Duration::from_millis(2)).await;
        let second = UnixStream::connect_addr(&address).await?;
        one.await.unwrap()?;
        two.await.unwrap()?;
        drop((first, second));
        Ok(())
    });
}

pub(crate) fn abstract_name(name: &str) -> io::Result<std::os::unix::net::SocketAddr> {
    let name = format!("wakering test {name} {}", std::process::id());
    <std::os::unix::net::SocketAddr as SocketAddrExt>::from_abstract_name(name)
}

/// Given a parked accept; when the listener is closed; then the accept ends with an error and new
/// clients are refused.
#[test]
fn case_w01_a_closed_listener_refuses() {
    within_bounds(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let handle = listener.as_fd().clone();
        let parked = spawn(async move { listener.accept().await.map(drop) });
        sleep(Duration::from_millis(2)).await;
        handle.close().await?;
        assert!(parked.await.unwrap().is_err());
        refused(address).await;
        Ok(())
    });
}

/// Given no descriptor left; when it accepts; then the error names operation, object, cause and
/// remedy, the client waits on, and is served once there is room.
#[test]
fn at_the_limit_of_descriptors_the_client_waits() {
    in_child("accept::at_the_limit_of_descriptors_the_client_waits", || {
        within_bounds(async {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            let address = listener.local_addr()?;
            let client = std::net::TcpStream::connect(address)?;
            let spare = std::fs::File::open("/dev/null")?;
            limit(Limit::OpenFiles, lowest_free());
            let error = listener.accept().await.unwrap_err();
            let object = address.to_string();
            assert_eq!(failure(&error), ("accept", object.as_str(), Some(24)), "{error}");
            assert!(error.to_string().contains("ulimit -n"), "{error}");
            drop(spare);
            let (_, peer) = listener.accept().await?;
            assert_eq!(peer, client.local_addr()?);
            Ok(())
        });
    });
}

/// The number that the next descriptor would get.
pub(crate) fn lowest_free() -> u64 {
    let open = open_descriptors();
    (0..).find(|n| open.iter().all(|(number, _)| i64::from(*number) != *n as i64)).unwrap()
}
