//! `/stream/{n}`: up to a hundred lines of JSON, each in a chunk of its own.
//!
//! Members and headers come in the order of the request, not sorted: httpbin prints these with
//! Python's `json` and not with Flask's.

use bytes::Bytes;
use http::StatusCode;

use super::body::{Body, Piece};
use super::call::{Call, write_headers};
use super::json::Writer;
use super::pairs::Order;
use super::reply::{JSON, Reply};

const LINES_MAX: u64 = 100;

/// Streams the request `n` times, numbered.
pub(super) fn stream(call: &Call<'_>, n: u64) -> Reply {
    let mut json = Writer::one_line();
    let args = call.args();
    json.object(|json| {
        json.key("url").string(&call.url());
        args.write(json.key("args"), Order::AsGiven);
        write_headers(json.key("headers"), &call.headers_as_given(&args));
        call.write_origin(json.key("origin"));
        json.key("id").literal("");
    });
    // All lines are the same but for the number in front of their end.
    let line = Bytes::from(json.finish());
    let stem = line.slice(..line.len() - b"}\n".len());
    let lines = (0..n.min(LINES_MAX))
        .map(move |id| Piece::now([&stem[..], id.to_string().as_bytes(), b"}\n"].concat()));
    Reply::new(StatusCode::OK, JSON, Body::chunked(lines))
}
