//! Names and addresses. Only localhost is a name that every machine knows.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use wakering_net::{TcpListener, TcpStream, lookup_host};
use wakering_runtime::time::{Instant, sleep};
use wakering_runtime::{spawn, task::yield_now};

use crate::{failure, within_bounds};

/// Given every form of an address; when it is resolved; then it is what std makes of it.
#[test]
fn addresses_have_the_forms_of_std() {
    within_bounds(async {
        let expected: SocketAddr = "127.0.0.1:80".parse().unwrap();
        let ip: IpAddr = expected.ip();
        assert_eq!(lookup_host(expected).await?.collect::<Vec<_>>(), [expected]);
        assert_eq!(lookup_host((ip, 80)).await?.collect::<Vec<_>>(), [expected]);
        assert_eq!(lookup_host(("127.0.0.1", 80)).await?.collect::<Vec<_>>(), [expected]);
        assert_eq!(lookup_host("127.0.0.1:80").await?.collect::<Vec<_>>(), [expected]);
        let text = String::from("127.0.0.1:80");
        assert_eq!(lookup_host(&text).await?.collect::<Vec<_>>(), [expected]);
        let several = [expected, "[::1]:81".parse().unwrap()];
        assert_eq!(lookup_host(&several[..]).await?.collect::<Vec<_>>(), several);
        let mut local = lookup_host(("localhost", 7)).await?;
        assert!(local.all(|address| address.ip().is_loopback() && address.port() == 7));
        Ok(())
    });
}

/// Given text that is no address and a host that does not exist; when they are resolved; then the
/// error names them.
#[test]
fn what_cannot_be_resolved_is_named() {
    within_bounds(async {
        for bad in ["no port", "", "host:port", ":x"] {
            let error = lookup_host(bad).await.map(drop).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{bad:?}: {error}");
            assert_eq!((failure(&error).0, failure(&error).1), ("resolve", bad));
        }
        // The reserved top-level domain that never exists (RFC 6761).
        let error = TcpStream::connect("nobody.invalid:80").await.unwrap_err();
        assert_eq!((failure(&error).0, failure(&error).1), ("resolve", "nobody.invalid:80"));
        Ok(())
    });
}

/// Given a look-up; when it takes its time; then the loop goes on beside it.
#[test]
fn a_look_up_does_not_stop_the_loop() {
    within_bounds(async {
        let ticks = spawn(async {
            let mut longest = Duration::ZERO;
            for _ in 0..50 {
                let start = Instant::now();
                sleep(Duration::from_millis(1)).await;
                longest = longest.max(start.elapsed());
            }
            longest
        });
        let _ = lookup_host("nobody.invalid:80").await;
        let longest = ticks.await.unwrap();
        assert!(longest < Duration::from_secs(1), "a tick took {longest:?}");
        yield_now().await;
        let listener = TcpListener::bind("localhost:0").await?;
        assert!(listener.local_addr()?.ip().is_loopback());
        Ok(())
    });
}
