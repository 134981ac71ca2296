//! `/cache` and `/etag/{tag}`: answers to conditional requests.
//!
//! The first knows no versions: whoever asks a condition has the newest. The second has one, named
//! by the path; of two conditions it minds `If-None-Match`.

use std::time::SystemTime;

use http::StatusCode;
use http::header::{ETAG, LAST_MODIFIED};

use super::call::Call;
use super::echo;
use super::random::Random;
use super::reply::Reply;
use super::status::with_status;

/// Status 304 for whoever asks a condition, `/get` with validators for everybody else.
pub(super) fn cache(call: &Call<'_>) -> Reply {
    let since = call.header("if-modified-since").unwrap_or_default();
    if !since.is_empty() || call.header("if-none-match").is_some() {
        return with_status(StatusCode::NOT_MODIFIED);
    }
    let mut random = Random::new();
    echo::get(call)
        .with_text(LAST_MODIFIED, &httpdate::fmt_http_date(SystemTime::now()))
        .with_text(ETAG, &format!("{:016x}{:016x}", random.next(), random.next()))
}

/// `/get` under the tag `tag`, if the conditions of the request allow it.
pub(super) fn etag(call: &Call<'_>, tag: &str) -> Reply {
    let listed = |name| {
        let header = call.header(name).filter(|header| !header.is_empty())?;
        Some(header.split(',').map(bare).any(|candidate| candidate == tag || candidate == "*"))
    };
    match (listed("if-none-match"), listed("if-match")) {
        (Some(true), _) => with_status(StatusCode::NOT_MODIFIED).with_text(ETAG, tag),
        (None, Some(false)) => with_status(StatusCode::PRECONDITION_FAILED),
        _ => echo::get(call).with_text(ETAG, tag),
    }
}

/// An entity tag without quotes and without the mark of a weak one.
fn bare(tag: &str) -> &str {
    let tag = tag.trim_start();
    let tag = tag.strip_prefix("W/").unwrap_or(tag);
    let tag = tag.strip_prefix('"').unwrap_or(tag);
    tag.split('"').next().unwrap_or(tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_lose_quotes_and_weakness() {
        let got = ["abc", " \"abc\" ", "W/\"abc\"", "*", ""].map(bare);
        assert_eq!(got, ["abc", "abc", "abc", "*", ""]);
    }
}
