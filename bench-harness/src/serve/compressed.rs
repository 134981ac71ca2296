//! `/gzip` and `/deflate`: the request, compressed.
//!
//! `deflate` means the zlib format, as RFC 9110 has it.

use std::io::{self, Write};

use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use http::header::CONTENT_ENCODING;
use http::{HeaderValue, StatusCode};

use super::call::Call;
use super::echo::write_request_headers;
use super::json::Writer;
use super::reply::{JSON, Reply};

/// Compressed with gzip.
pub(super) fn gzip(call: &Call<'_>) -> Reply {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(4));
    let text = describe(call, "gzipped");
    reply("gzip", encoder.write_all(&text).and_then(|()| encoder.finish()))
}

/// Compressed with zlib.
pub(super) fn deflate(call: &Call<'_>) -> Reply {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    let text = describe(call, "deflated");
    reply("deflate", encoder.write_all(&text).and_then(|()| encoder.finish()))
}

fn describe(call: &Call<'_>, how: &str) -> Vec<u8> {
    let mut json = Writer::indented();
    json.object(|json| {
        json.key(how).bool(true);
        write_request_headers(json, call, &call.args());
        json.key("method").string(call.parts.method.as_str());
        call.write_origin(json.key("origin"));
    });
    json.finish()
}

fn reply(encoding: &'static str, compressed: io::Result<Vec<u8>>) -> Reply {
    match compressed {
        Ok(bytes) => Reply::new(StatusCode::OK, JSON, bytes)
            .with(CONTENT_ENCODING, HeaderValue::from_static(encoding)),
        Err(_) => Reply::bare(StatusCode::INTERNAL_SERVER_ERROR),
    }
}
