//! A task that is always ready starves nobody: accepts, reads, timers and wakes from other threads
//! go on beside it, with completions that are deferred to our enters and with completions that are
//! not.

use std::io::{Read, Write};
use std::net::TcpStream as Peer;
use std::thread;
use std::time::{Duration, Instant};

use wakering::Runtime;
use wakering::driver::testing::patience;
use wakering::io::{AsyncRead, AsyncWrite};
use wakering::net::{TcpListener, UdpSocket};
use wakering::task::yield_now;
use wakering::time::{sleep, timeout};

/// Given a task that is ready again after every poll; when connections come, timers run out and
/// another thread sends work; then all of it is served.
fn everything_goes_on(runtime: Runtime) {
    let handle = runtime.handle();
    runtime.block_on(async {
        let busy = wakering::spawn(async {
            loop {
                yield_now().await;
            }
        });
        let served = timeout(patience(Duration::from_secs(10)), async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let peer = thread::spawn(move || {
                for _ in 0..5 {
                    let mut peer = Peer::connect(address).unwrap();
                    peer.write_all(b"anyone there?").unwrap();
                    let mut reply = [0; 13];
                    peer.read_exact(&mut reply).unwrap();
                    assert_eq!(&reply, b"anyone there?");
                }
                // Wakes the runtime from outside, and waits for the answer.
                assert_eq!(handle.block_on(async { 6 * 7 }).unwrap(), 42);
            });
            for _ in 0..5 {
                let (mut stream, _) = listener.accept().await.unwrap();
                let (n, buf) = stream.read(Vec::with_capacity(64)).await.unwrap();
                assert_eq!(n, 13);
                stream.write_all(buf).await.unwrap();
            }
            for _ in 0..5 {
                sleep(Duration::from_millis(2)).await;
            }
            let joined = wakering::blocking::unblock(move || peer.join());
            joined.await.unwrap();
        });
        served.await.expect("everything is served beside the busy task");
        assert!(!busy.is_finished());
        busy.cancel();
    });
}

#[test]
fn with_the_best_ring() {
    everything_goes_on(Runtime::new().unwrap());
}

#[test]
fn without_deferred_task_work() {
    let mask = "-defer_taskrun".parse().unwrap();
    everything_goes_on(wakering::Builder::new().capabilities(mask).build().unwrap());
}

#[test]
fn with_one_operation_at_a_time() {
    let mask = "t0".parse().unwrap();
    everything_goes_on(wakering::Builder::new().capabilities(mask).build().unwrap());
}

/// Given a task whose sends never have to wait; when its time is over; then it is told so.
#[test]
fn sends_without_end_end_with_their_timeout() {
    wakering::run(async {
        let sink = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let to = sink.local_addr().unwrap();
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let end = Instant::now() + patience(Duration::from_secs(10));
        let sending = timeout(Duration::from_millis(50), async {
            while Instant::now() < end {
                socket.send_to("x", to).await.unwrap();
            }
        });
        assert!(sending.await.is_err(), "nothing but sends has gone on");
    });
}
