//! `/range/{n}`: the alphabet over and over, of which a client may ask for a part.
//!
//! Parameters: `chunk_size` (10 KiB) and `duration` (0 s) over which all of it is sent. One range
//! is served, as httpbin does; what cannot be understood as a range asks for everything.

use std::ops::Range;
use std::time::Duration;

use http::header::{ACCEPT_RANGES, CONTENT_RANGE, ETAG};
use http::{HeaderValue, StatusCode};

use super::body::{Body, Piece};
use super::call::Call;
use super::number::{Complaint, int, int_parameter, seconds_parameter};
use super::reply::{OCTETS, PLAIN, Reply};

const BYTES_MAX: u64 = 100 * 1024;
const CHUNK_SIZE: i64 = 10 * 1024;

/// A part of the `n` letters, or all of them.
pub(super) fn range(call: &Call<'_>, n: u64) -> Reply {
    try_range(call, n).unwrap_or_else(Reply::bad_request)
}

fn try_range(call: &Call<'_>, n: u64) -> Result<Reply, Complaint> {
    let tag = format!("range{n}");
    let of_range = |reply: Reply| {
        let reply = reply.with(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        reply.with_text(ETAG, &tag)
    };
    if n == 0 || n > BYTES_MAX {
        let why = "number of bytes must be in the range (0, 102400]";
        return Ok(of_range(Reply::new(StatusCode::NOT_FOUND, PLAIN, why)));
    }
    let args = call.args();
    let chunk = int_parameter(&args, "chunk_size", CHUNK_SIZE)?.max(1);
    let duration = seconds_parameter(&args, "duration", Duration::ZERO)?;

    let asked = call.header("range").unwrap_or_default();
    let Some((first, last)) = bounds(&asked, n) else {
        let reply = Reply::new(StatusCode::RANGE_NOT_SATISFIABLE, PLAIN, "");
        return Ok(of_range(reply.with_text(CONTENT_RANGE, &format!("bytes */{n}"))));
    };
    let whole = (first, last) == (0, n - 1);
    let status = if whole { StatusCode::OK } else { StatusCode::PARTIAL_CONTENT };
    let letters = letters(first..last + 1, chunk.unsigned_abs(), duration.div_f64(n as f64));
    let reply = Reply::new(status, OCTETS, Body::of_length(last + 1 - first, letters));
    Ok(of_range(reply.with_text(CONTENT_RANGE, &format!("bytes {first}-{last}/{n}"))))
}

/// The first and the last position that a `Range` header asks for; nothing if they do not exist.
fn bounds(header: &str, n: u64) -> Option<(u64, u64)> {
    let units = header.trim().strip_prefix("bytes").and_then(|rest| rest.split_once('='));
    let range = match units {
        Some((_, range)) if !range.contains('=') => range,
        _ => "",
    };
    let mut ends = range.split('-').map(|end| int(end).map(i64::unsigned_abs));
    let (first, last) = match (ends.next().flatten(), ends.next().flatten()) {
        (None, None) => (0, n - 1),
        (None, Some(count)) => (n.saturating_sub(count), n - 1),
        (Some(first), None) => (first, n - 1),
        (Some(first), Some(last)) => (first, last),
    };
    (first <= last && last < n).then_some((first, last))
}

/// The letters at `positions` in chunks: a full one is followed by its share of the time, a last
/// one that is not full comes after it.
fn letters(
    positions: Range<u64>,
    chunk: u64,
    per_byte: Duration,
) -> impl Iterator<Item = Piece> + 'static {
    let Range { start, end } = positions;
    let mut from = start;
    std::iter::from_fn(move || {
        let to = end.min(from.saturating_add(chunk));
        let paid = if to - from == chunk { from } else { to } - start;
        let due = per_byte.mul_f64(paid as f64);
        let data: Vec<u8> = (from..to).map(|position| b'a' + (position % 26) as u8).collect();
        from = to;
        (!data.is_empty()).then(|| Piece::at(due, data))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_httpbin_reads_them() {
        let cases = [
            ("", Some((0, 9))),
            ("bytes=0-", Some((0, 9))),
            ("bytes=1-3", Some((1, 3))),
            ("bytes=-3", Some((7, 9))),
            ("bytes=-100", Some((0, 9))),
            (" bytes = +2-4 ", Some((2, 4))),
            ("bytes=1-2,4-5", Some((1, 9))),
            ("bytes=1", Some((1, 9))),
            ("items=1-2", Some((0, 9))),
            ("bytes=a-b", Some((0, 9))),
            ("bytes=10-", None),
            ("bytes=3-1", None),
            ("bytes=0-100", None),
            ("bytes=-0", None),
        ];
        for (header, want) in cases {
            assert_eq!(bounds(header, 10), want, "{header}");
        }
    }

    #[test]
    fn chunks_share_the_time_by_their_length() {
        let pieces = letters(24..34, 4, Duration::from_secs(1));
        let got: Vec<_> = pieces.map(|p| (p.due.as_secs(), p.data.unwrap())).collect();
        let want = [(0, "yzab"), (4, "cdef"), (10, "gh")];
        assert_eq!(got, want.map(|(due, data)| (due, data.into())));
    }
}
