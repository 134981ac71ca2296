//! From a request of hyper's to the response: what all endpoints have in common.
//!
//! The body is read to its end before a handler runs, so handlers are plain functions; waiting is
//! done here. A body is bounded, because a benchmark server must not fall to its own benchmark.

use std::convert::Infallible;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    CONTENT_LENGTH, ORIGIN,
};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body::Body as _;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;

use super::body::Body;
use super::call::{Call, Peer};
use super::percent::decode_path;
use super::reply::{PLAIN, Reply};
use super::router;

/// The longest body that a request may have.
const BODY_MAX: usize = 64 * 1024 * 1024;

/// Answers one request.
pub(super) async fn respond(
    peer: Rc<Peer>,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    let (parts, incoming) = request.into_parts();
    let reply = if incoming.is_end_stream() {
        answer(&peer, &parts, &Bytes::new())
    } else {
        // Boxed, so that requests without a body do not carry the room that reading one takes.
        match Box::pin(read(incoming)).await {
            Ok(body) => answer(&peer, &parts, &body),
            Err(refusal) => refusal,
        }
    };
    match reply.after {
        Duration::ZERO => {}
        Duration::MAX => std::future::pending().await,
        delay => wakering::time::sleep(delay).await,
    }
    peer.fault.set(reply.fault);
    let mut response = reply.response;
    allow_other_origins(&parts, response.headers_mut());
    let lengthless = [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED];
    if parts.method == Method::HEAD
        && response.body().is_end_stream()
        && !lengthless.contains(&response.status())
    {
        // hyper says the length of every other body.
        response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
    Ok(response)
}

fn answer(peer: &Peer, parts: &Parts, body: &Bytes) -> Reply {
    let path = decode_path(parts.uri.path());
    router::answer(&Call { peer, parts, body, path: &path })
}

async fn read(incoming: Incoming) -> Result<Bytes, Reply> {
    match Limited::new(incoming, BODY_MAX).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => {
            let why = format!("bodies may have {BODY_MAX} bytes at most\n");
            Err(Reply::new(StatusCode::PAYLOAD_TOO_LARGE, PLAIN, why))
        }
        Err(error) => Err(Reply::bad_request(format!("the body cannot be read: {error}\n"))),
    }
}

/// Lets pages of any origin use the server from a browser.
fn allow_other_origins(parts: &Parts, headers: &mut HeaderMap) {
    let any = HeaderValue::from_static("*");
    let origin = parts.headers.get(ORIGIN).cloned().unwrap_or(any);
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    if parts.method == Method::OPTIONS {
        let methods = HeaderValue::from_static("GET, POST, PUT, DELETE, PATCH, OPTIONS");
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, methods);
        headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("3600"));
        if let Some(wanted) = parts.headers.get(ACCESS_CONTROL_REQUEST_HEADERS) {
            headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, wanted.clone());
        }
    }
}
