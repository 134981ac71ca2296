//! The answers of the HTTP servers, which hyper sends on every runtime.

use std::convert::Infallible;

use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body_util::Full;

/// What `/get` answers with.
const GET: &[u8] = br#"{"args":{},"headers":{"Host":"localhost"},"origin":"127.0.0.1","url":"http://localhost/get"}"#;

static BYTES: [u8; 65_536] = [b'x'; 65_536];

/// Answers one request.
pub async fn answer<B>(request: Request<B>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (status, kind, body): (_, _, &'static [u8]) = match request.uri().path() {
        "/get" => (StatusCode::OK, "application/json", GET),
        "/bytes/65536" => (StatusCode::OK, "application/octet-stream", &BYTES),
        _ => (StatusCode::NOT_FOUND, "text/plain", b"no such page"),
    };
    let mut response = Response::new(Full::new(Bytes::from_static(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(kind));
    Ok(response)
}
