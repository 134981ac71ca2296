//! The six faults of servers: each is told by its right class, and the run fails when nothing else
//! came. What is checked beside the class is what other generators get wrong: a count of zero, a
//! busy loop, a success.

use std::io::Write;

use serde_json::{Value, json};

use crate::program;
use crate::server::{self, Server};

/// Loads `url` a little; returns the report, having checked what holds for every fault.
fn failed_run(url: &str) -> Value {
    let flags = "-c 4 -d 1s --warmup 0 --timeout 400ms";
    let (status, report) = program::report(&format!("{url} {flags}"));
    assert_eq!(status, 3, "{report}");
    assert_eq!(report["ok"], 0);
    assert_eq!(report["sent"], report["failed"]);
    assert!(report["latency"].get("service").is_none(), "{report}");
    report
}

/// Checks that all failures of a report are of one class; returns count and example.
fn only_class(report: &Value, class: &str) -> (u64, String) {
    let [error] = report["errors"].as_array().expect("a list").as_slice() else {
        panic!("not one class: {}", report["errors"]);
    };
    assert_eq!(error["class"], class, "{error}");
    assert_eq!(error["count"], report["failed"]);
    let example = error["example"].as_str().expect("a text");
    (error["count"].as_u64().expect("a number"), example.to_owned())
}

#[test]
fn a_server_that_never_answers_times_out() {
    let server = Server::start(server::hold);
    let (count, example) = only_class(&failed_run(&server.url()), "timeout-headers");
    // Four connections, 400 ms each, for one second.
    assert!((4..=12).contains(&count), "{count}");
    assert_eq!(example, "no response head within 400 ms");
}

#[test]
fn a_closed_port_is_refused_without_a_busy_loop() {
    let port = server::closed_port();
    let report = failed_run(&format!("http://127.0.0.1:{port}/"));
    let (count, example) = only_class(&report, "connect-refused");
    assert_eq!(count, 4, "one attempt for each connection, and then the run is over");
    assert!(example.contains("127.0.0.1") && example.contains("refused"), "{example}");
    assert!(!example.contains(&port.to_string()), "the port is stripped: {example}");
}

#[test]
fn a_port_that_closes_during_the_run_is_retried_with_pauses() {
    // One good connection keeps the run alive; its server then refuses all others.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}/", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        let (mut stream, _peer) = listener.accept().expect("the generator connects");
        drop(listener);
        server::next_request(&mut stream);
        let response = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
        stream.write_all(response).expect("the generator reads");
    });
    let (status, report) = program::report(&format!("{url} -c 1 -d 2s --warmup 0"));
    assert_eq!((status, &report["ok"]), (0, &json!(1)));
    let (count, _example) = only_class(&report, "connect-refused");
    // Pauses of 1, 2, 4 … 64 and then 100 ms: about 26 attempts in two seconds.
    assert!((5..=30).contains(&count), "{count} attempts in 2 s");
}

#[test]
fn a_reset_is_told_from_an_end() {
    // Closing a socket with unread bytes resets the connection.
    let server = Server::start(|stream| {
        let _ = stream.peek(&mut [0]);
    });
    let report = failed_run(&server.url());
    let errors = report["errors"].as_array().expect("a list");
    assert!(!errors.is_empty());
    for error in errors {
        let class = error["class"].as_str().expect("a text");
        assert!(["read-reset", "write-reset"].contains(&class), "{errors:?}");
    }
}

#[test]
fn a_close_in_the_body_is_no_success() {
    let server = Server::start(|mut stream| {
        server::next_request(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello");
    });
    let report = failed_run(&server.url());
    let (_count, example) = only_class(&report, "eof-mid-body");
    assert_eq!(example, "the peer closed in the body of a 200 response");
    assert_eq!(report["status"], json!({}), "only whole responses have a status");
}

#[test]
fn what_is_not_http_is_a_parse_error() {
    let server = Server::start(|mut stream| {
        server::next_request(&mut stream);
        let _ = stream.write_all(b"this is not the protocol you are looking for\r\n\r\n");
    });
    let (_count, example) = only_class(&failed_run(&server.url()), "parse");
    let said = "the peer sent something that is no HTTP/1.x response: \"this is not the";
    assert!(example.starts_with(said), "{example}");
}

#[test]
fn an_internal_server_error_is_a_failure() {
    let server = Server::answering(b"HTTP/1.1 500 Oh\r\nContent-Length: 2\r\n\r\nno");
    let report = failed_run(&server.url());
    let (count, example) = only_class(&report, "status-5xx");
    assert!(count > 10, "{count}");
    assert!(example.contains("500"), "{example}");
    assert_eq!(report["status"], json!({ "500": count }));
}

#[test]
fn an_end_without_an_answer_is_told_from_one_in_the_body() {
    let server = Server::start(|mut stream| {
        server::next_request(&mut stream);
    });
    let (_count, example) = only_class(&failed_run(&server.url()), "eof-before-response");
    assert_eq!(example, "the peer closed without an answer");
}

#[test]
fn a_body_that_stops_times_out_in_the_body() {
    let server = Server::start(|mut stream| {
        server::next_request(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello");
        server::hold(stream);
    });
    let (_count, example) = only_class(&failed_run(&server.url()), "timeout-body");
    assert_eq!(example, "no end of the body within 400 ms");
}
