//! The server, asked over sockets: what needs a connection, time, or signals.
//!
//! What its endpoints answer otherwise is tested beside them, without a connection, and compared
//! with httpbin by `cargo xtask httpbin-oracle`.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Output};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::program::{command, complaint, finish, patience, run};

/// The server in a process of its own, killed unless it is stopped.
struct Server {
    child: Option<Child>,
    address: SocketAddr,
}

impl Server {
    fn start() -> Server {
        Server::start_with("")
    }

    fn start_with(arguments: &str) -> Server {
        let line = format!("serve --addr 127.0.0.1:0 {arguments}");
        let mut child = command(line.trim_end()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.trim_end().strip_prefix("listening on http://");
        let address = url.unwrap_or_else(|| panic!("it said {line:?}")).parse().unwrap();
        Server { child: Some(child), address }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(patience(Duration::from_secs(10)))).unwrap();
        stream
    }

    /// Sends a request for `target` that asks for the connection to be closed.
    fn ask(&self, target: &str) -> TcpStream {
        let mut stream = self.connect();
        let request = format!("GET {target} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        stream
    }

    /// The whole response to a request for `target`.
    fn get(&self, target: &str) -> String {
        let mut response = String::new();
        self.ask(target).read_to_string(&mut response).unwrap();
        response
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(self.child.as_ref().unwrap()), signal).unwrap();
    }

    /// What it came to, within a minute.
    fn end(mut self) -> Output {
        finish(self.child.take().unwrap())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}

/// Reads until `end` has come.
fn read_until(stream: &mut TcpStream, end: &str) -> String {
    let mut text = Vec::new();
    while !text.ends_with(end.as_bytes()) {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        text.push(byte[0]);
    }
    String::from_utf8(text).unwrap()
}

fn stop(server: Server) {
    server.signal(Signal::TERM);
    let output = server.end();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(complaint(&output), "");
}

#[test]
fn one_connection_serves_many_requests() {
    let server = Server::start();
    let mut client = server.connect();
    for n in 0..3 {
        let body = "x".repeat(n);
        let head = format!("POST /post?n={n} HTTP/1.1\r\nContent-Length: {n}\r\n\r\n");
        client.write_all((head + &body).as_bytes()).unwrap();
        let head = read_until(&mut client, "\r\n\r\n");
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        let shown = read_until(&mut client, "\n}\n");
        assert!(shown.contains(&format!("\"data\": \"{body}\"")), "{shown}");
        assert!(shown.contains("\"origin\": \"127.0.0.1\""), "{shown}");
        let url = format!("\"url\": \"http://{}/post?n={n}\"", server.address);
        assert!(shown.contains(&url), "{shown}");
    }
    stop(server);
}

#[test]
fn a_head_says_the_length_that_the_body_would_have() {
    let server = Server::start();
    for (target, length) in
        [("/plaintext", Some("13")), ("/status/404", Some("0")), ("/status/204", None)]
    {
        let mut client = server.connect();
        let request = format!("HEAD {target} HTTP/1.1\r\nConnection: close\r\n\r\n");
        client.write_all(request.as_bytes()).unwrap();
        let mut head = String::new();
        client.read_to_string(&mut head).unwrap();
        assert!(head.ends_with("\r\n\r\n"), "{head}");
        let said = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        assert_eq!(said, length, "{head}");
    }
    stop(server);
}

#[test]
fn a_drip_drips() {
    let server = Server::start();
    let begin = Instant::now();
    let mut client = server.ask("/drip?duration=0.4&numbytes=4&code=201");
    let head = read_until(&mut client, "\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 201 Created\r\n"), "{head}");
    assert!(head.contains("\r\ncontent-length: 4\r\n"), "{head}");
    for drop in 0..4 {
        let mut byte = [0];
        client.read_exact(&mut byte).unwrap();
        assert_eq!(byte, *b"*");
        let due = Duration::from_millis(100) * drop;
        let late = begin.elapsed().checked_sub(due).expect("a drop came early");
        assert!(late < patience(Duration::from_millis(90)), "drop {drop} was {late:?} late");
    }
    assert_eq!(client.read(&mut [0]).unwrap(), 0);
    stop(server);
}

#[test]
fn streams_are_chunked_as_asked() {
    let server = Server::start();
    let lines = server.get("/stream/3");
    assert!(lines.contains("\r\ntransfer-encoding: chunked\r\n"), "{lines}");
    let (_, body) = lines.split_once("\r\n\r\n").unwrap();
    assert_eq!(body.lines().filter(|line| line.starts_with("{\"url\": ")).count(), 3, "{body}");
    assert!(body.contains("\"id\": 2}\n") && body.ends_with("\r\n0\r\n\r\n"), "{body}");

    let mut bytes = Vec::new();
    server.ask("/stream-bytes/10?chunk_size=4").read_to_end(&mut bytes).unwrap();
    let start = bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
    let (body, frame) =
        (&bytes[start..], [(0, &b"4\r\n"[..]), (7, b"\r\n4\r\n"), (16, b"\r\n2\r\n")]);
    for (at, mark) in frame {
        assert_eq!(&body[at..at + mark.len()], mark, "{}", body.escape_ascii());
    }
    stop(server);
}

#[test]
fn a_thousand_delays_pass_together() {
    let server = Server::start();
    let begin = Instant::now();
    let clients: Vec<TcpStream> = (0..1000).map(|_| server.ask("/delay/1")).collect();
    for mut client in clients {
        let mut response = String::new();
        client.read_to_string(&mut response).unwrap();
        assert!(response.starts_with("HTTP/1.1 200 OK\r\n"), "{response}");
    }
    let took = begin.elapsed();
    assert!(took >= Duration::from_secs(1), "{took:?}");
    // A busy machine takes a while for a thousand connections. So would 200 delays at a time.
    assert!(took < patience(Duration::from_secs(5)), "{took:?}");
    stop(server);
}

#[test]
fn each_fault_is_the_one_it_says() {
    let server = Server::start();
    assert_eq!(server.ask("/reset").read(&mut [0]).unwrap_err().kind(), ErrorKind::ConnectionReset);

    let cut = server.get("/truncate");
    assert!(cut.contains("\r\ncontent-length: 100\r\n") && cut.ends_with("\r\n\r\nshort"), "{cut}");

    let mut garbage = Vec::new();
    server.ask("/garbage").read_to_end(&mut garbage).unwrap();
    assert!(!garbage.is_empty() && !garbage.starts_with(b"HTTP/"), "{}", garbage.escape_ascii());

    let mut never = server.ask("/never");
    never.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    assert_eq!(never.read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
    drop(never);

    // Whoever comes next is served.
    assert!(server.get("/plaintext").ends_with("\r\n\r\nHello, World!"));
    stop(server);
}

#[test]
fn a_stall_holds_up_everybody() {
    let server = Server::start();
    let begin = Instant::now();
    let mut stalling = server.ask("/stall?ms=200");
    std::thread::sleep(Duration::from_millis(20));
    assert!(server.get("/plaintext").ends_with("Hello, World!"));
    assert!(begin.elapsed() >= Duration::from_millis(200), "{:?}", begin.elapsed());
    stalling.read_to_string(&mut String::new()).unwrap();
    stop(server);
}

#[test]
fn a_signal_lets_responses_in_flight_finish() {
    let server = Server::start();
    let address = server.address;
    let mut idle = server.connect();
    let mut client = server.ask("/delay/0.5");
    std::thread::sleep(Duration::from_millis(100));
    server.signal(Signal::INT);
    assert_eq!(idle.read(&mut [0]).unwrap(), 0, "an idle connection is closed at once");
    let mut response = String::new();
    client.read_to_string(&mut response).unwrap();
    assert!(response.starts_with("HTTP/1.1 200 OK\r\n"), "{response}");
    assert_eq!(server.end().status.code(), Some(0));
    assert_eq!(TcpStream::connect(address).unwrap_err().kind(), ErrorKind::ConnectionRefused);
}

#[test]
fn a_second_signal_ends_it_at_once_even_while_it_is_stalled() {
    for target in ["/delay/10", "/stall?ms=10000"] {
        let server = Server::start();
        let begin = Instant::now();
        let _waiting = server.ask(target);
        std::thread::sleep(Duration::from_millis(100));
        server.signal(Signal::TERM);
        std::thread::sleep(Duration::from_millis(100));
        server.signal(Signal::TERM);
        assert_eq!(server.end().status.code(), Some(130), "{target}");
        assert!(begin.elapsed() < patience(Duration::from_secs(5)), "{target}");
    }
}

#[test]
fn an_address_that_cannot_be_had_is_an_error_with_a_remedy() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let cases = [
        (address.to_string(), "is in use", "--addr"),
        ("127.0.0.1".to_owned(), "127.0.0.1", "HOST:PORT"),
        ("192.0.2.1:80".to_owned(), "192.0.2.1:80", "ip address"),
    ];
    for (address, what, remedy) in cases {
        let output = run(&format!("serve --addr {address}"));
        let complaint = complaint(&output);
        assert_eq!(output.status.code(), Some(1), "{complaint}");
        assert!(complaint.contains(what) && complaint.contains(remedy), "{complaint}");
        assert_eq!(complaint.lines().count(), 1, "{complaint}");
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn all_cores_serve_and_end_together() {
    let server = Server::start_with("--cores all");
    let clients: Vec<TcpStream> = (0..50).map(|_| server.ask("/delay/0.2")).collect();
    for mut client in clients {
        let mut response = String::new();
        client.read_to_string(&mut response).unwrap();
        assert!(response.starts_with("HTTP/1.1 200 OK\r\n"), "{response}");
    }
    stop(server);
}

#[test]
fn cores_that_there_are_not_are_refused_in_one_line() {
    for (cores, status, said) in [
        ("100000", 1, "a runtime on 100000 cores: this process may use"),
        ("0", 1, "a runtime has one core at least"),
        ("most", 2, "a number of cores, or `all`"),
    ] {
        let output = run(&format!("serve --addr 127.0.0.1:0 --cores {cores}"));
        assert_eq!(output.status.code(), Some(status), "{output:?}");
        let complaint = complaint(&output);
        assert!(complaint.contains(said), "{complaint}");
        assert_eq!(complaint.trim_end().lines().count(), 1, "{complaint}");
    }
}
