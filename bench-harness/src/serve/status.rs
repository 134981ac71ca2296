//! `/status/{codes}`: any status, or a random one of a weighted list.
//!
//! Some statuses come with what a client expects beside them: a place to go, a challenge, a body.

use bytes::Bytes;
use http::header::{HeaderName, LOCATION, PROXY_AUTHENTICATE, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};

use super::call::Call;
use super::number::int;
use super::random::Random;
use super::reply::{HTML, JSON, Reply};

const TEAPOT: &[u8] = include_bytes!("assets/teapot.txt");

const NOT_ACCEPTABLE: &[u8] = b"{\"message\": \"Client did not request a supported media type.\", \
    \"accept\": [\"image/webp\", \"image/svg+xml\", \"image/jpeg\", \"image/png\", \"image/*\"]}";

const REALM: HeaderValue = HeaderValue::from_static("Basic realm=\"Fake Realm\"");
const MORE: HeaderName = HeaderName::from_static("x-more-info");

/// Answers with one of `codes`: `404`, `200,500` or `200:3,500:1`.
pub(super) fn status(_call: &Call<'_>, codes: &str) -> Reply {
    match choose(codes, &mut Random::new()) {
        Some(code) => with_status(code),
        None => Reply::bad_request("Invalid status code"),
    }
}

/// What httpbin answers where all that is to be said is a status.
pub(super) fn with_status(code: StatusCode) -> Reply {
    let bare = Reply::bare(code);
    let text = |reply: Reply, body: &'static [u8]| {
        let mut reply = reply;
        *reply.response.body_mut() = Bytes::from_static(body).into();
        reply
    };
    match code.as_u16() {
        301 | 302 | 303 | 305 | 307 => bare.with(LOCATION, HeaderValue::from_static("/redirect/1")),
        304 => bare,
        401 => bare.with(WWW_AUTHENTICATE, REALM),
        402 => {
            let more = HeaderValue::from_static("http://vimeo.com/22053820");
            text(bare.with(MORE, more), b"Fuck you, pay me!")
        }
        406 => Reply::new(code, JSON, Bytes::from_static(NOT_ACCEPTABLE)),
        407 => bare.with(PROXY_AUTHENTICATE, REALM),
        418 => {
            let more = HeaderValue::from_static("http://tools.ietf.org/html/rfc2324");
            text(bare.with(MORE, more), TEAPOT)
        }
        _ => Reply::new(code, HTML, Bytes::new()),
    }
}

/// Picks a code from a list with weights; a single code has none.
fn choose(codes: &str, random: &mut Random) -> Option<StatusCode> {
    if !codes.contains(',') {
        return parse(codes);
    }
    let mut choices = Vec::new();
    let mut total = 0.0;
    for choice in codes.split(',') {
        let (code, weight) = choice.split_once(':').unwrap_or((choice, "1"));
        let weight: f64 = weight.trim().parse().ok()?;
        if weight.is_nan() || weight < 0.0 {
            return None;
        }
        total += weight;
        choices.push((parse(code)?, total));
    }
    let drawn = random.fraction() * total;
    choices.into_iter().find(|(_, up_to)| drawn < *up_to).map(|(code, _)| code)
}

/// Reads a status that may end a request, which those below 200 do not.
fn parse(code: &str) -> Option<StatusCode> {
    let code = u16::try_from(int(code)?).ok()?;
    StatusCode::from_u16(code).ok().filter(|code| !code.is_informational())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(codes: &str) -> Option<u16> {
        choose(codes, &mut Random::seeded(7)).map(|code| code.as_u16())
    }

    #[test]
    fn codes_that_are_none_are_refused() {
        assert_eq!(
            (chosen("200"), chosen(" +599"), chosen("999")),
            (Some(200), Some(599), Some(999))
        );
        for codes in ["", "x", "-1", "99", "100", "1000", "200:1", "200,", "200,x", "200:x,300"] {
            assert_eq!(chosen(codes), None, "{codes}");
        }
        for codes in ["200:1:2,300", "200:-1,300", "200:0,300:0", "200:nan,300"] {
            assert_eq!(chosen(codes), None, "{codes}");
        }
    }

    #[test]
    fn weights_decide_how_often_a_code_comes() {
        let mut random = Random::seeded(1);
        let draws = (0..10_000).map(|_| choose("200:3, 500:1,404:0", &mut random).unwrap());
        let mut counts = [0; 3];
        for code in draws {
            counts[[200, 500, 404].iter().position(|known| code == *known).unwrap()] += 1;
        }
        assert!((7_200..7_800).contains(&counts[0]), "{counts:?}");
        assert_eq!((counts[0] + counts[1], counts[2]), (10_000, 0));
    }
}
