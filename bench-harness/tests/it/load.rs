//! Open and closed loop, budgets, connections: what is asked for is what is sent.

use std::sync::atomic::Ordering::SeqCst;

use crate::program::report;
use crate::server::{self, OK, Server};

#[test]
fn a_budget_is_kept_to_the_request_by_any_number_of_threads() {
    let server = Server::answering(OK);
    for split in ["-c 1", "-c 8", "-c 7 -t 3"] {
        let (status, report) = report(&format!("{} -n 500 --warmup 0 {split}", server.url()));
        assert_eq!(status, 0, "{report}");
        assert_eq!((&report["sent"], &report["ok"]), (&500.into(), &500.into()), "{split}");
        assert_eq!(report["latency"]["service"]["count"], 500);
        assert_eq!(report["bytes"]["in"], 500 * OK.len());
    }
}

#[test]
fn all_connections_are_opened_once_and_kept() {
    let server = Server::answering(OK);
    let (_status, report) = report(&format!("{} -n 2000 -c 10 -t 2 --warmup 100ms", server.url()));
    assert_eq!(report["ok"], 2000);
    assert_eq!(server.accepted.load(SeqCst), 10);
}

#[test]
fn without_keep_alive_every_request_has_a_connection_of_its_own() {
    let server = Server::answering(OK);
    let (_status, report) =
        report(&format!("{} -n 50 -c 2 --warmup 0 --no-keepalive", server.url()));
    assert_eq!((&report["ok"], &report["failed"]), (&50.into(), &0.into()));
    let accepted = server.accepted.load(SeqCst);
    // Two were opened before the start, and used.
    assert_eq!(accepted, 50);
}

#[test]
fn a_server_that_closes_is_connected_to_again_without_an_error() {
    let server = Server::start(|mut stream| {
        server::next_request(&mut stream);
        let response = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi";
        let _ = std::io::Write::write_all(&mut stream, response);
    });
    let (status, report) = report(&format!("{} -n 40 -c 2 --warmup 0", server.url()));
    assert_eq!((status, &report["failed"]), (0, &0.into()), "{report}");
    assert_eq!(server.accepted.load(SeqCst), 40);
}

#[test]
fn an_idle_connection_that_the_server_closes_costs_no_request() {
    // Each connection answers once and is then closed, while the next arrival is far away: on a
    // busy machine that takes a while, and what is overdue is sent at once.
    let server = Server::start(|mut stream| {
        server::next_request(&mut stream);
        let _ = std::io::Write::write_all(&mut stream, OK);
    });
    let (status, report) = report(&format!("{} -R 5 -d 2s -c 2 --warmup 0", server.url()));
    assert_eq!((status, &report["failed"]), (0, &0.into()), "{report}");
    assert_eq!(report["ok"], 10);
}

#[test]
fn the_open_loop_sends_what_was_scheduled_and_reports_three_latencies() {
    let server = Server::answering(OK);
    let (status, report) = report(&format!("{} -R 500 -d 2s -c 4 --warmup 200ms", server.url()));
    assert_eq!((status, &report["sent"]), (0, &1000.into()), "{report}");
    for kind in ["service", "intended", "lag"] {
        assert_eq!(report["latency"][kind]["count"], 1000, "{kind}");
    }
    let median = |kind: &str| report["latency"][kind]["p"]["50"].as_u64().expect("a number");
    assert!(median("intended") >= median("service"));
    assert_eq!(report["duration_ns"], 2_000_000_000u64);
}

#[test]
fn slow_survivors_are_drained_and_not_dropped() {
    // Each response takes longer than the measured time.
    let server = Server::start(|stream| {
        server::answer(stream, || {
            std::thread::sleep(std::time::Duration::from_millis(700));
            OK
        });
    });
    let (status, report) = report(&format!("{} -d 300ms -c 3 --warmup 0", server.url()));
    assert_eq!((status, &report["ok"], &report["failed"]), (0, &3.into(), &0.into()));
    // The histogram keeps three digits, so its least value may lie 0.1 % below the true one.
    assert!(report["latency"]["service"]["min"].as_u64() >= Some(699_300_000), "{report}");
    assert_eq!(report["requests_per_s"], 0.0, "none ended within the measured time");
}

#[test]
fn the_request_is_the_one_asked_for() {
    let (heard, requests) = std::sync::mpsc::channel();
    let heard = std::sync::Mutex::new(heard);
    let server = Server::start(move |mut stream| {
        let mut buffer = [0; 4096];
        let n = std::io::Read::read(&mut stream, &mut buffer).unwrap_or(0);
        let text = String::from_utf8_lossy(&buffer[..n]).into_owned();
        heard.lock().expect("nobody panics").send(text).expect("the test listens");
        let _ = std::io::Write::write_all(&mut stream, OK);
    });
    let (status, _report) = report(&format!(
        "http://{}/path?q=1 -n 1 -c 1 --warmup 0 -X PUT -H X-Test:yes --data a=b",
        server.address
    ));
    assert_eq!(status, 0);
    let request = requests.recv().expect("a request came");
    assert!(request.starts_with("PUT /path?q=1 HTTP/1.1\r\n"), "{request}");
    assert!(request.contains("\r\nX-Test: yes\r\n"), "{request}");
    assert!(request.contains(&format!("\r\nHost: {}\r\n", server.address)), "{request}");
    assert!(request.ends_with("\r\nContent-Length: 3\r\n\r\na=b"), "{request}");
}

#[test]
fn a_body_larger_than_any_buffer_is_sent_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("body");
    std::fs::write(&file, vec![b'x'; 3_000_000]).expect("room for a file");
    let server = Server::start(|mut stream| {
        let mut left = None;
        let mut head = Vec::new();
        let mut buffer = [0; 65536];
        while left != Some(0usize) {
            let n = std::io::Read::read(&mut stream, &mut buffer).unwrap_or(0);
            assert!(n > 0, "the generator closed early");
            left = match left {
                Some(left) => Some(left - n),
                None => {
                    head.extend_from_slice(&buffer[..n]);
                    let end = head.windows(4).position(|w| w == b"\r\n\r\n");
                    end.map(|end| end + 4 + 3_000_000 - head.len())
                }
            };
        }
        let _ = std::io::Write::write_all(&mut stream, OK);
    });
    let arguments = format!("{} -n 1 -c 1 --warmup 0 --data-file {}", server.url(), file.display());
    let (status, report) = report(&arguments);
    assert_eq!(status, 0, "{report}");
    assert!(report["bytes"]["out"].as_u64() > Some(3_000_000));
}
