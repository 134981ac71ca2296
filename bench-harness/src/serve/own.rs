//! Endpoints that httpbin does not have, for benchmarks.
//!
//! `/stall` blocks the thread that serves everybody, on purpose: a load generator that waits with
//! it and forgets the requests it would have sent reports a server without a flaw.

use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderValue, StatusCode};

use super::call::Call;
use super::number::int_parameter;
use super::reply::{PLAIN, Reply};

const STALL_MAX: Duration = Duration::from_secs(60);

/// Thirteen bytes.
pub(super) fn plaintext(_call: &Call<'_>) -> Reply {
    let content_type = HeaderValue::from_static("text/plain");
    Reply::new(StatusCode::OK, content_type, Bytes::from_static(b"Hello, World!"))
}

/// Freezes the server for `ms` milliseconds, at most a minute.
pub(super) fn stall(call: &Call<'_>) -> Reply {
    busy(call, "ms", Duration::from_millis, thread::sleep)
}

/// Computes for `us` microseconds, at most a minute.
pub(super) fn cpu(call: &Call<'_>) -> Reply {
    busy(call, "us", Duration::from_micros, |duration| {
        let start = Instant::now();
        while start.elapsed() < duration {
            std::hint::spin_loop();
        }
    })
}

fn busy(
    call: &Call<'_>,
    parameter: &str,
    unit: fn(u64) -> Duration,
    spend: impl FnOnce(Duration),
) -> Reply {
    let number = int_parameter(&call.args(), parameter, 0).map(u64::try_from);
    match number {
        Ok(Ok(number)) => {
            let duration = unit(number).min(STALL_MAX);
            spend(duration);
            Reply::new(StatusCode::OK, PLAIN, format!("{} us\n", duration.as_micros()))
        }
        _ => Reply::bad_request(format!("`{parameter}` must be an integer, zero or more")),
    }
}
