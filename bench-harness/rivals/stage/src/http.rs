//! The answers of the HTTP servers, which hyper sends on every runtime.

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body_util::Full;
use rustix::time::{ClockId, clock_gettime};

/// What `/get` answers with.
const GET: &[u8] = br#"{"args":{},"headers":{"Host":"localhost"},"origin":"127.0.0.1","url":"http://localhost/get"}"#;

static BYTES: [u8; 65_536] = [b'x'; 65_536];

/// Answers one request.
pub async fn answer<B>(request: Request<B>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (status, kind, body): (_, _, &'static [u8]) = match request.uri().path() {
        "/get" => (StatusCode::OK, "application/json", GET),
        "/bytes/65536" => (StatusCode::OK, "application/octet-stream", &BYTES),
        "/cpu" => {
            compute(microseconds(request.uri().query()));
            (StatusCode::OK, "text/plain", b"done")
        }
        _ => (StatusCode::NOT_FOUND, "text/plain", b"no such page"),
    };
    let mut response = Response::new(Full::new(Bytes::from_static(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(kind));
    Ok(response)
}

/// Uses up so much processor time of this thread, however often it is interrupted.
pub fn compute(time: Duration) {
    let used = || {
        let used = clock_gettime(ClockId::ThreadCPUTime);
        Duration::new(used.tv_sec as u64, used.tv_nsec as u32)
    };
    let end = used() + time;
    while used() < end {
        // It is a system call, and not what is to be measured.
        (0..128).for_each(|_| std::hint::spin_loop());
    }
}

/// The number in `us=NUMBER`, and zero for anything else.
fn microseconds(query: Option<&str>) -> Duration {
    let number = query.and_then(|query| query.strip_prefix("us=")?.parse().ok());
    Duration::from_micros(number.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn microseconds_are_read_from_the_query() {
        assert_eq!(microseconds(Some("us=200")), Duration::from_micros(200));
        assert_eq!(microseconds(Some("us=x")), Duration::ZERO);
        assert_eq!(microseconds(None), Duration::ZERO);
    }
}
