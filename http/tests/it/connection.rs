//! One connection, over a stream in memory: framing, keep-alive, patience, and the end.
//!
//! In memory nothing is late and nothing is cut in pieces that the test has not cut, so what hyper
//! sees, and when, is the test's choice.

use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::pin::{Pin, pin};
use std::time::Duration;

use http_body_util::BodyExt;
use wakering_http::body::Incoming;
use wakering_http::service::service_fn;
use wakering_http::{Builder, Request, Response, hyper};
use wakering_runtime::io::{AsyncBufRead, AsyncRead, AsyncWrite, DuplexStream, duplex};
use wakering_runtime::task::JoinHandle;
use wakering_runtime::testing::patience;
use wakering_runtime::time::{Instant, sleep, timeout};
use wakering_runtime::{run, spawn};

/// Answers with the path and the whole body; `/slow` takes its time, `/large` is a mebibyte and
/// reads no body.
async fn answer(request: Request<Incoming>) -> hyper::Result<Response<String>> {
    let path = request.uri().path().to_owned();
    if path == "/large" {
        return Ok(Response::new("x".repeat(1 << 20)));
    }
    let body = request.into_body().collect().await?.to_bytes();
    if path == "/slow" {
        sleep(Duration::from_millis(50)).await;
    }
    Ok(Response::new(format!("{path} {}", String::from_utf8_lossy(&body))))
}

/// A client, and the task that serves it.
fn serve(builder: &Builder) -> (DuplexStream, JoinHandle<io::Result<()>>) {
    let (client, server) = duplex(4096);
    (client, spawn(builder.connection(server, service_fn(answer))))
}

/// The status line and the headers of the next response, and the body that they announce.
async fn response(client: &mut DuplexStream) -> io::Result<(String, String)> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if client.read_line(&mut head, 1024).await? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
    }
    let head = String::from_utf8(head).unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let length = length.map_or(0, |length| length.parse().unwrap());
    let body = match length {
        0 => Vec::new(),
        _ => client.read_exact(vec![0; length]).await?.1,
    };
    Ok((head, String::from_utf8(body).unwrap()))
}

/// What a client does while the connection is served, which must not end before.
async fn served<T>(
    connection: &mut (impl Future<Output = io::Result<()>> + Unpin),
    client: impl Future<Output = T>,
) -> T {
    let mut client = pin!(client);
    poll_fn(|cx| {
        let ended = Pin::new(&mut *connection).poll(cx);
        assert!(ended.is_pending(), "{ended:?}");
        client.as_mut().poll(cx)
    })
    .await
}

/// Runs a test that must be over within ten seconds.
fn bounded<T>(test: impl Future<Output = io::Result<T>>) -> T {
    let bound = patience(Duration::from_secs(10));
    run(async { timeout(bound, test).await.expect("the test takes too long") }).unwrap()
}

#[test]
fn a_connection_is_kept_for_the_next_request() {
    bounded(async {
        let (mut client, connection) = serve(&Builder::new());
        for path in ["/one", "/two"] {
            client.write_all(format!("GET {path} HTTP/1.1\r\n\r\n")).await?;
            let (head, body) = response(&mut client).await?;
            assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
            assert_eq!(body, format!("{path} "));
        }
        assert!(!connection.is_finished());
        drop(client);
        connection.await.unwrap()
    });
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    bounded(async {
        let (mut client, connection) = serve(&Builder::new());
        let requests: String = (0..20).map(|n| format!("GET /{n} HTTP/1.1\r\n\r\n")).collect();
        client.write_all(requests).await?;
        for n in 0..20 {
            assert_eq!(response(&mut client).await?.1, format!("/{n} "));
        }
        drop(client);
        connection.await.unwrap()
    });
}

#[test]
fn bodies_may_come_in_chunks() {
    bounded(async {
        let (mut client, _connection) = serve(&Builder::new());
        client.write_all("PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel").await?;
        sleep(Duration::from_millis(2)).await;
        client.write_all("lo\r\n6;x=y\r\n world\r\n0\r\n\r\n").await?;
        assert_eq!(response(&mut client).await?.1, "/ hello world");
        Ok(())
    });
}

#[test]
fn a_client_that_expects_it_is_told_to_continue() {
    bounded(async {
        let (mut client, _connection) = serve(&Builder::new());
        let head = "PUT / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n";
        client.write_all(head).await?;
        assert_eq!(response(&mut client).await?.0, "HTTP/1.1 100 Continue\r\n\r\n");
        client.write_all("ok").await?;
        assert_eq!(response(&mut client).await?.1, "/ ok");
        Ok(())
    });
}

#[test]
fn a_response_larger_than_the_stream_arrives_whole() {
    bounded(async {
        let (mut client, _connection) = serve(&Builder::new());
        client.write_all("GET /large HTTP/1.1\r\n\r\n").await?;
        let (_, body) = response(&mut client).await?;
        assert_eq!(body.len(), 1 << 20);
        assert!(body.bytes().all(|byte| byte == b'x'));
        Ok(())
    });
}

#[test]
fn a_response_that_nobody_reads_for_a_while_is_not_lost() {
    bounded(async {
        let (mut client, server) = duplex(16 * 1024);
        let _connection = spawn(Builder::new().connection(server, service_fn(answer)));
        // The end of a body that nobody wants makes hyper wait for the next head, although it has
        // not got rid of the response.
        let head = "PUT /large HTTP/1.1\r\nContent-Length: 12000\r\n\r\n";
        client.write_all(head.to_owned() + &"x".repeat(12_000)).await?;
        // Longer than an idle connection keeps its buffers.
        sleep(Duration::from_millis(1100)).await;
        assert_eq!(response(&mut client).await?.1.len(), 1 << 20);
        Ok(())
    });
}

#[test]
fn what_is_not_http_gets_status_400() {
    for request in ["\x16\x03\x01 hello\r\n\r\n", "GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n"] {
        bounded(async {
            let (mut client, connection) = serve(&Builder::new());
            client.write_all(request).await?;
            let (head, _) = response(&mut client).await?;
            assert!(head.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{head}");
            assert_eq!(client.read(vec![0; 1]).await?.0, 0);
            let error = connection.await.unwrap().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidData, "{error}");
            Ok(())
        });
    }
}

#[test]
fn a_client_that_leaves_in_a_body_ends_the_connection_with_an_error() {
    bounded(async {
        let (mut client, connection) = serve(&Builder::new());
        client.write_all("PUT / HTTP/1.1\r\nContent-Length: 10\r\n\r\nhello").await?;
        drop(client);
        let error = connection.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof, "{error}");
        Ok(())
    });
}

async fn fail(_: Request<Incoming>) -> io::Result<Response<String>> {
    Err(ErrorKind::ConnectionReset.into())
}

#[test]
fn an_error_of_the_service_is_not_taken_for_one_of_the_stream() {
    bounded(async {
        let (mut client, server) = duplex(4096);
        let connection = spawn(Builder::new().connection(server, service_fn(fail)));
        client.write_all("GET / HTTP/1.1\r\n\r\n").await?;
        let error = connection.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Other, "{error}");
        Ok(())
    });
}

const PATIENCE: Duration = Duration::from_millis(20);

#[test]
fn half_a_head_is_not_waited_for_longer_than_the_builder_says() {
    bounded(async {
        let begin = Instant::now();
        let (mut client, connection) = serve(&Builder::new().head_timeout(PATIENCE));
        client.write_all("GET / HT").await?;
        let error = connection.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
        assert!(begin.elapsed() >= PATIENCE, "{:?}", begin.elapsed());
        assert_eq!(client.read(vec![0; 1]).await?.0, 0);
        Ok(())
    });
}

#[test]
fn a_silent_client_is_let_go_without_an_error() {
    bounded(async {
        let begin = Instant::now();
        let (mut client, connection) = serve(&Builder::new().head_timeout(PATIENCE));
        connection.await.unwrap()?;
        assert!(begin.elapsed() >= PATIENCE, "{:?}", begin.elapsed());
        assert_eq!(client.read(vec![0; 1]).await?.0, 0);

        let (mut client, connection) = serve(&Builder::new().head_timeout(PATIENCE));
        client.write_all("GET / HTTP/1.1\r\n\r\n").await?;
        response(&mut client).await?;
        connection.await.unwrap()?;
        assert_eq!(client.read(vec![0; 1]).await?.0, 0);
        Ok(())
    });
}

#[test]
fn the_time_for_the_head_does_not_run_during_a_response() {
    bounded(async {
        let (mut client, connection) = serve(&Builder::new().head_timeout(PATIENCE));
        client.write_all("GET /slow HTTP/1.1\r\n\r\nGET /next HT").await?;
        assert_eq!(response(&mut client).await?.1, "/slow ");
        client.write_all("TP/1.1\r\n\r\n").await?;
        assert_eq!(response(&mut client).await?.1, "/next ");
        drop(client);
        connection.await.unwrap()
    });
}

#[test]
fn an_idle_connection_closes_at_once() {
    bounded(async {
        for requests in [0, 1] {
            let (mut client, server) = duplex(4096);
            let mut connection = Builder::new().connection(server, service_fn(answer));
            if requests > 0 {
                client.write_all("GET / HTTP/1.1\r\n\r\n").await?;
                served(&mut connection, response(&mut client)).await?;
            }
            connection.close();
            connection.await?;
            assert_eq!(client.read(vec![0; 1]).await?.0, 0);
        }
        Ok(())
    });
}

#[test]
fn a_response_in_flight_is_finished_before_closing() {
    bounded(async {
        let (mut client, server) = duplex(4096);
        let mut connection = Builder::new().connection(server, service_fn(answer));
        client.write_all("GET /slow HTTP/1.1\r\n\r\nGET /never HTTP/1.1\r\n\r\n").await?;
        served(&mut connection, sleep(Duration::from_millis(5))).await;
        connection.close();
        connection.await?;
        let (head, body) = response(&mut client).await?;
        assert!(head.contains("\r\nconnection: close\r\n"), "{head}");
        assert_eq!(body, "/slow ");
        assert_eq!(client.read(vec![0; 1]).await?.0, 0);
        Ok(())
    });
}

#[test]
fn a_request_that_came_before_closing_is_answered() {
    bounded(async {
        let (mut client, server) = duplex(4096);
        let mut connection = Builder::new().connection(server, service_fn(answer));
        client.write_all("GET /late HTTP/1.1\r\n\r\n").await?;
        connection.close();
        connection.await?;
        assert_eq!(response(&mut client).await?.1, "/late ");
        assert_eq!(client.read(vec![0; 1]).await?.0, 0);
        Ok(())
    });
}

#[test]
fn an_idle_connection_gives_up_its_buffers_and_works_again() {
    bounded(async {
        let (mut client, server) = duplex(4096);
        let mut connection = Builder::new().connection(server, service_fn(answer));
        for _ in 0..2 {
            client.write_all("GET / HTTP/1.1\r\n\r\n").await?;
            let (head, _) = served(&mut connection, response(&mut client)).await?;
            assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
            served(&mut connection, sleep(Duration::from_millis(1100))).await;
            assert!(format!("{connection:?}").contains("parked"), "{connection:?}");
        }
        Ok(())
    });
}

#[test]
fn half_a_head_that_came_with_the_request_before_it_is_not_lost() {
    bounded(async {
        let (mut client, connection) = serve(&Builder::new());
        client.write_all("GET /one HTTP/1.1\r\n\r\nGET /t").await?;
        assert_eq!(response(&mut client).await?.1, "/one ");
        // Longer than an idle connection keeps its buffers.
        sleep(Duration::from_millis(1100)).await;
        client.write_all("wo HTTP/1.1\r\n\r\n").await?;
        assert_eq!(response(&mut client).await?.1, "/two ");
        drop(client);
        connection.await.unwrap()
    });
}
