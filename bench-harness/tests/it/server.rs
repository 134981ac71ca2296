//! Servers that answer well, badly or late: one thread a connection, nothing clever.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, RwLock};
use std::thread;
use std::time::Duration;

/// A plain good response.
pub const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\nHello world\n";

/// A server on a free loopback port, which lives as long as the test process.
pub struct Server {
    pub address: SocketAddr,
    /// Connections accepted so far.
    pub accepted: Arc<AtomicUsize>,
}

impl Server {
    /// Gives every connection to `handler`, on a thread of its own.
    pub fn start(handler: impl Fn(TcpStream) + Send + Sync + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
        let address = listener.local_addr().expect("a listener has an address");
        let accepted = Arc::new(AtomicUsize::new(0));
        let (count, handler) = (Arc::clone(&accepted), Arc::new(handler));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                count.fetch_add(1, SeqCst);
                let handler = Arc::clone(&handler);
                thread::spawn(move || handler(stream));
            }
        });
        Server { address, accepted }
    }

    /// Answers every request with `response`.
    pub fn answering(response: &'static [u8]) -> Server {
        Server::start(move |stream| answer(stream, || response))
    }

    /// Answers well, but nobody while the returned lock is held for writing.
    pub fn with_gate() -> (Server, Arc<RwLock<()>>) {
        let gate = Arc::new(RwLock::new(()));
        let passed = Arc::clone(&gate);
        let server = Server::start(move |stream| {
            answer(stream, || {
                drop(passed.read().expect("nobody panics at the gate"));
                OK
            });
        });
        (server, gate)
    }

    /// A URL on this server.
    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }
}

/// Answers request after request until the client closes.
pub fn answer(mut stream: TcpStream, mut response: impl FnMut() -> &'static [u8]) {
    stream.set_nodelay(true).expect("TCP has no delay");
    while next_request(&mut stream) {
        if stream.write_all(response()).is_err() {
            return;
        }
    }
}

/// Reads a request whose body, if any, comes with the end of its head; `false` if the client has
/// closed instead.
pub fn next_request(stream: &mut TcpStream) -> bool {
    let mut head = Vec::new();
    let mut buffer = [0; 4096];
    while !head.windows(4).any(|window| window == b"\r\n\r\n") {
        match stream.read(&mut buffer) {
            Ok(n) if n > 0 => head.extend_from_slice(&buffer[..n]),
            _ => return false,
        }
    }
    true
}

/// Keeps a connection open and does nothing with it.
pub fn hold(stream: TcpStream) {
    thread::sleep(Duration::from_secs(3600));
    drop(stream);
}

/// A loopback port on which nobody listens.
pub fn closed_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
    listener.local_addr().expect("a listener has an address").port()
}
