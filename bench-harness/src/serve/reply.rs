//! What a handler answers: a response, when it may leave, and whether the connection spoils it.
//!
//! That all three are values keeps handlers plain functions, which tests can call without a
//! connection or a clock.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName};
use http::{HeaderValue, Response, StatusCode};

use super::body::Body;
use super::faults::Fault;
use super::json::Writer;

pub(super) const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
pub(super) const JSON: HeaderValue = HeaderValue::from_static("application/json");
pub(super) const OCTETS: HeaderValue = HeaderValue::from_static("application/octet-stream");
pub(super) const PLAIN: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// A handler's answer.
pub(super) struct Reply {
    pub(super) response: Response<Body>,
    /// How long the answer is held back; [`Duration::MAX`] is for ever.
    pub(super) after: Duration,
    pub(super) fault: Option<Fault>,
}

impl Reply {
    /// Without a body and without headers.
    pub(super) fn bare(status: StatusCode) -> Reply {
        let mut response = Response::new(Body::from(Bytes::new()));
        *response.status_mut() = status;
        Reply { response, after: Duration::ZERO, fault: None }
    }

    pub(super) fn new(
        status: StatusCode,
        content_type: HeaderValue,
        body: impl Into<Body>,
    ) -> Reply {
        let mut reply = Reply::bare(status).with(CONTENT_TYPE, content_type);
        *reply.response.body_mut() = body.into();
        reply
    }

    /// Status 200 and the text of `json`.
    pub(super) fn json(json: Writer) -> Reply {
        Reply::new(StatusCode::OK, JSON, Bytes::from(json.finish()))
    }

    /// Status 200 and an object that `members` writes.
    pub(super) fn object(members: impl FnOnce(&mut Writer)) -> Reply {
        let mut json = Writer::indented();
        json.object(members);
        Reply::json(json)
    }

    /// Status 400 and a sentence that says why; httpbin fails with 500 in most of these cases.
    pub(super) fn bad_request(why: impl Into<Bytes>) -> Reply {
        Reply::new(StatusCode::BAD_REQUEST, PLAIN, why.into())
    }

    pub(super) fn not_found() -> Reply {
        let page = "<!doctype html>\n<title>404 Not Found</title>\n<h1>Not Found</h1>\n\
                    <p>There is no such endpoint here.</p>\n";
        Reply::new(StatusCode::NOT_FOUND, HTML, Bytes::from_static(page.as_bytes()))
    }

    /// Adds a header beside those of the same name.
    pub(super) fn with(mut self, name: HeaderName, value: HeaderValue) -> Reply {
        self.response.headers_mut().append(name, value);
        self
    }

    /// Adds a header whose value comes from the client, a byte a character; turns into status 400
    /// if no header can hold it.
    pub(super) fn with_text(self, name: HeaderName, value: &str) -> Reply {
        let bytes: Result<Vec<u8>, _> = value.chars().map(u8::try_from).collect();
        match bytes.map(HeaderValue::try_from) {
            Ok(Ok(value)) => self.with(name, value),
            _ => Reply::bad_request(format!("`{name}` cannot have this value")),
        }
    }
}
