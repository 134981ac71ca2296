//! A server on loopback, with clients of std on threads of their own.
//!
//! What a connection does is tested in memory; here it is what a server does with several of them,
//! and what real sockets add: resets, half-closes, refusals.

use std::cell::RefCell;
use std::convert::Infallible;
use std::error::Error;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use http_body_util::BodyExt;
use wakering_http::body::Incoming;
use wakering_http::service::service_fn;
use wakering_http::{Builder, Request, Response, Server};
use wakering_net::TcpListener;
use wakering_runtime::run;
use wakering_runtime::testing::patience;
use wakering_runtime::time::{sleep, timeout};

const DELAY: Duration = Duration::from_millis(100);

/// Answers with the length of the body; `/slow` takes its time, `/fail` fails.
async fn answer(
    request: Request<Incoming>,
) -> Result<Response<String>, Box<dyn Error + Send + Sync>> {
    let path = request.uri().path().to_owned();
    let body = request.into_body().collect().await?;
    match path.as_str() {
        "/slow" => sleep(DELAY).await,
        "/fail" => return Err("the service is out of order".into()),
        _ => {}
    }
    Ok(Response::new(body.to_bytes().len().to_string()))
}

/// Serves while `clients` do what they do on a thread, until they and the server are over. Returns
/// the errors that the server told.
fn with_server(builder: Builder, clients: impl FnOnce(SocketAddr) + Send + 'static) -> Vec<String> {
    let told = Rc::new(RefCell::new(Vec::new()));
    let log = Rc::clone(&told);
    let builder = builder.on_error(move |error| log.borrow_mut().push(error.to_string()));
    serving(builder, async |_server, address| {
        wakering_runtime::blocking::unblock(move || clients(address)).await;
    });
    told.take()
}

/// Serves while `test` runs, then closes, all within ten seconds.
fn serving(builder: Builder, test: impl AsyncFnOnce(&Server, SocketAddr)) {
    let bound = patience(Duration::from_secs(10));
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = builder.serve(listener, service_fn(answer));
        let all = async {
            test(&server, address).await;
            server.close();
            server.wait_closed().await;
        };
        timeout(bound, all).await.expect("the test takes too long");
    });
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(patience(Duration::from_secs(5)))).unwrap();
    stream
}

fn send(stream: &mut TcpStream, text: &str) {
    stream.write_all(text.as_bytes()).unwrap();
}

/// Everything until the server closes.
fn rest(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

#[test]
fn requests_may_be_pipelined_and_bodies_chunked() {
    with_server(Builder::new(), |address| {
        let mut client = connect(address);
        send(
            &mut client,
            "GET / HTTP/1.1\r\n\r\nPOST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n",
        );
        send(&mut client, "\r\n3\r\nabc\r\n");
        send(&mut client, "2\r\nde\r\n0\r\n\r\nGET / HTTP/1.1\r\nConnection: close\r\n\r\n");
        let text = rest(&mut client);
        let bodies: Vec<_> =
            text.split("HTTP/1.1 200 OK\r\n").filter_map(|r| r.split("\r\n\r\n").nth(1)).collect();
        assert_eq!(bodies, ["0", "5", "0"], "{text}");
    });
}

#[test]
fn what_is_not_http_gets_status_400_and_disturbs_nobody() {
    let told = with_server(Builder::new(), |address| {
        let mut good = connect(address);
        send(&mut good, "GET / HTTP/1.1\r\nConnection: close\r\n");
        let mut bad = connect(address);
        send(&mut bad, "hello\r\n\r\n");
        assert!(rest(&mut bad).starts_with("HTTP/1.1 400 Bad Request\r\n"));
        send(&mut good, "\r\n");
        assert!(rest(&mut good).starts_with("HTTP/1.1 200 OK\r\n"));
    });
    assert_eq!(told, [""; 0]);
}

#[test]
fn a_client_that_vanishes_in_a_body_ends_its_connection_alone() {
    let told = with_server(Builder::new(), |address| {
        let mut staying = connect(address);
        send(&mut staying, "POST / HTTP/1.1\r\nConnection: close\r\nContent-Length: 4\r\n\r\nab");
        for how in [Shutdown::Write, Shutdown::Both] {
            let mut leaving = connect(address);
            send(&mut leaving, "POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\nhello");
            leaving.shutdown(how).unwrap();
            assert_eq!(leaving.read(&mut [0]).unwrap(), 0);
        }
        send(&mut staying, "cd");
        assert!(rest(&mut staying).ends_with("\r\n\r\n4"));
    });
    assert_eq!(told, [""; 0]);
}

#[test]
fn errors_of_the_service_are_told_with_the_peer() {
    let told = with_server(Builder::new(), |address| {
        let mut client = connect(address);
        send(&mut client, "GET /fail HTTP/1.1\r\n\r\n");
        assert_eq!(rest(&mut client), "");
    });
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("127.0.0.1:"), "{told:?}");
}

#[test]
fn silent_clients_are_let_go() {
    let builder = Builder::new().head_timeout(Duration::from_millis(50));
    let told = with_server(builder, |address| {
        let (mut silent, mut slow) = (connect(address), connect(address));
        send(&mut slow, "GET / HTTP/1.1\r\nHost: x");
        assert_eq!(rest(&mut slow), "");
        assert_eq!(rest(&mut silent), "");
    });
    assert_eq!(told, [""; 0]);
}

#[test]
fn closing_finishes_responses_and_ends_idle_connections() {
    serving(Builder::new(), async |server, address| {
        let clients = thread::spawn(move || {
            let mut fresh = connect(address);
            let mut kept = connect(address);
            send(&mut kept, "GET / HTTP/1.1\r\n\r\n");
            let mut response = [0; 16];
            kept.read_exact(&mut response).unwrap();
            let mut busy = connect(address);
            send(&mut busy, "GET /slow HTTP/1.1\r\n\r\n");

            let response = rest(&mut busy);
            assert!(response.starts_with("HTTP/1.1 200 OK\r\n"), "{response}");
            assert!(response.contains("\r\nconnection: close\r\n"), "{response}");
            rest(&mut kept);
            assert_eq!(rest(&mut fresh), "");
            let refused = TcpStream::connect(address).unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        });
        sleep(DELAY / 2).await;
        server.close();
        server.wait_closed().await;
        wakering_runtime::blocking::unblock(|| clients.join().unwrap()).await;
    });
}

#[test]
fn aborting_drops_connections_as_they_are() {
    serving(Builder::new(), async |server, address| {
        let client = thread::spawn(move || {
            let mut busy = connect(address);
            send(&mut busy, "GET /slow HTTP/1.1\r\n\r\n");
            let mut text = Vec::new();
            let _reset_or_end = busy.read_to_end(&mut text);
            assert_eq!(text, b"");
        });
        sleep(DELAY / 2).await;
        server.abort();
        server.wait_closed().await;
        wakering_runtime::blocking::unblock(|| client.join().unwrap()).await;
    });
}

#[test]
fn a_service_may_know_its_peer() {
    let bound = patience(Duration::from_secs(10));
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = wakering_http::serve_each(listener, async |stream, peer: SocketAddr| {
            let name = move |_: Request<Incoming>| {
                let name = peer.to_string();
                async { Ok::<_, Infallible>(Response::new(name)) }
            };
            Ok((stream, service_fn(name)))
        });
        let client = wakering_runtime::blocking::unblock(move || {
            let mut client = connect(address);
            send(&mut client, "GET / HTTP/1.1\r\nConnection: close\r\n\r\n");
            assert!(rest(&mut client).ends_with(&client.local_addr().unwrap().to_string()));
        });
        timeout(bound, client).await.expect("the client takes too long");
        server.close();
        timeout(bound, server.wait_closed()).await.expect("the server takes too long");
    });
}

/// Given a server on three cores with idle connections and one request in hand on each; when it
/// closes; then on every core idle connections end at once, and the request is answered first.
#[test]
fn a_server_on_all_cores_closes_gently_on_all_of_them() {
    let runtime = wakering_runtime::Builder::new().crowded(3).build().unwrap();
    let bound = patience(Duration::from_secs(10));
    let test = async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = wakering_http::serve_on_cores(listener, || {
            let accept = async |stream, _| Ok((stream, service_fn(whose_core)));
            (Builder::new(), accept)
        });
        let ask = move || {
            let mut cores = std::collections::BTreeSet::new();
            let mut clients: Vec<_> = (0..12).map(|_| connect(address)).collect();
            for client in &mut clients {
                send(client, "GET / HTTP/1.1\r\n\r\n");
                let mut text = [0; 256];
                let n = client.read(&mut text).unwrap();
                let text = std::str::from_utf8(&text[..n]).unwrap().to_owned();
                cores.insert(text.rsplit_once("core ").unwrap().1.to_owned());
            }
            assert_eq!(cores.len(), 3, "{cores:?}");
            let (busy, idle) = clients.split_at_mut(6);
            busy.iter_mut().for_each(|client| send(client, "GET /slow HTTP/1.1\r\n\r\n"));
            thread::sleep(DELAY / 4);
            assert!(!idle.is_empty());
            clients
        };
        let mut clients = wakering_runtime::blocking::unblock(ask).await;
        server.close();
        wakering_runtime::blocking::unblock(move || {
            for (n, client) in clients.iter_mut().enumerate() {
                assert_eq!(rest(client).contains("core "), n < 6, "client {n}");
            }
        })
        .await;
        server.wait_closed().await;
    };
    runtime.block_on(async { timeout(bound, test).await.expect("the test takes too long") });
    assert!(runtime.close().is_clean());
}

/// Says which core answers; `/slow` takes its time.
async fn whose_core(request: Request<Incoming>) -> Result<Response<String>, Infallible> {
    if request.uri().path() == "/slow" {
        sleep(DELAY).await;
    }
    Ok(Response::new(format!("core {}", wakering_runtime::Handle::current().core())))
}
