//! `/drip`: asterisks that arrive one by one over a time.
//!
//! Parameters: `duration` (2 s), `numbytes` (10, at most 10 MiB), `code` (200) and `delay` (0 s)
//! before anything is sent. The length is announced, so the body is not chunked.

use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;

use super::body::{Body, Piece};
use super::call::Call;
use super::number::{Complaint, int_parameter, seconds_parameter};
use super::reply::{OCTETS, Reply};

const BYTES_MAX: i64 = 10 * 1024 * 1024;

/// Drips as the parameters say.
pub(super) fn drip(call: &Call<'_>) -> Reply {
    try_drip(call).unwrap_or_else(Reply::bad_request)
}

fn try_drip(call: &Call<'_>) -> Result<Reply, Complaint> {
    let args = call.args();
    let duration = seconds_parameter(&args, "duration", Duration::from_secs(2))?;
    let count = int_parameter(&args, "numbytes", 10)?.min(BYTES_MAX);
    let code = int_parameter(&args, "code", 200)?;
    let after = seconds_parameter(&args, "delay", Duration::ZERO)?;
    let count = u32::try_from(count).ok().filter(|count| *count > 0);
    let count = count.ok_or("number of bytes must be positive")?;
    let code = u16::try_from(code).ok().and_then(|code| StatusCode::from_u16(code).ok());
    let code = code.filter(|code| !code.is_informational());
    let code = code.ok_or("`code` must be a status from 200 to 999")?;

    let body = if duration.is_zero() {
        Body::from(vec![b'*'; count as usize])
    } else {
        let pause = duration.as_secs_f64() / f64::from(count);
        let drops = (0..count).map(move |index| {
            let due = Duration::from_secs_f64(pause * f64::from(index));
            Piece::at(due, Bytes::from_static(b"*"))
        });
        Body::of_length(count.into(), drops)
    };
    Ok(Reply { after, ..Reply::new(code, OCTETS, body) })
}
