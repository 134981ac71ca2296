//! From a method and a path to the handler: the whole list of endpoints.
//!
//! A path is decoded before it is cut at its slashes, so `%2F` separates too, as in WSGI. A segment
//! that an endpoint wants to be a number is one, or the endpoint does not exist. `OPTIONS` is
//! answered here for every endpoint, and `HEAD` is allowed wherever `GET` is.

use bytes::Bytes;
use http::header::ALLOW;
use http::{HeaderValue, Method, StatusCode};

use super::call::Call;
use super::number::digits;
use super::reply::{HTML, Reply};
use super::{
    auth, base64, cache, compressed, cookies, delay, drip, echo, faults, octets, own, pages, range,
    redirect, response_headers, status, stream,
};

/// Answers a call.
pub(super) fn answer(call: &Call<'_>) -> Reply {
    let Some((methods, handler)) = find(call.path) else {
        return Reply::not_found();
    };
    let allow = HeaderValue::from_static(methods.list());
    if call.parts.method == Method::OPTIONS {
        return Reply::new(StatusCode::OK, HTML, Bytes::new()).with(ALLOW, allow);
    }
    if !methods.contain(&call.parts.method) {
        let page = "<!doctype html>\n<title>405 Method Not Allowed</title>\n\
                    <h1>Method Not Allowed</h1>\n";
        let page = Bytes::from_static(page.as_bytes());
        return Reply::new(StatusCode::METHOD_NOT_ALLOWED, HTML, page).with(ALLOW, allow);
    }
    match handler {
        Handler::Plain(handler) => handler(call),
        Handler::Text(handler, text) => handler(call, text),
        Handler::Texts(handler, texts) => handler(call, texts),
        Handler::Number(handler, number) => handler(call, number),
    }
}

/// A handler, and what it wants of the path.
enum Handler<'p> {
    Plain(fn(&Call<'_>) -> Reply),
    Text(fn(&Call<'_>, &str) -> Reply, &'p str),
    Texts(fn(&Call<'_>, [&str; 2]) -> Reply, [&'p str; 2]),
    Number(fn(&Call<'_>, u64) -> Reply, u64),
}

fn find(path: &str) -> Option<(Methods, Handler<'_>)> {
    use Handler::{Number, Plain, Text, Texts};
    use Methods::{Any, Delete, Get, GetPost, Patch, Post, Put};

    let path = path.trim_start_matches('/');
    if path
        .strip_prefix("anything/")
        .is_some_and(|tail| !matches!(tail.as_bytes(), [] | [b'/', ..]))
    {
        return Some((Any, Plain(echo::anything)));
    }
    let mut segments = [""; 3];
    let mut count = 0;
    for segment in path.split('/') {
        // No segment is empty: a trailing slash makes another path.
        *segments.get_mut(count).filter(|_| !segment.is_empty())? = segment;
        count += 1;
    }
    Some(match segments[..count] {
        ["get"] => (Get, Plain(echo::get)),
        ["post"] => (Post, Plain(echo::with_body)),
        ["put"] => (Put, Plain(echo::with_body)),
        ["patch"] => (Patch, Plain(echo::with_body)),
        ["delete"] => (Delete, Plain(echo::with_body)),
        ["anything"] => (Any, Plain(echo::anything)),
        ["headers"] => (Get, Plain(echo::headers)),
        ["ip"] => (Get, Plain(echo::ip)),
        ["user-agent"] => (Get, Plain(echo::user_agent)),

        ["status", codes] => (Any, Text(status::status, codes)),
        ["redirect", n] => (Get, Number(redirect::redirect, digits(n)?)),
        ["relative-redirect", n] => (Get, Number(redirect::relative, digits(n)?)),
        ["absolute-redirect", n] => (Get, Number(redirect::absolute, digits(n)?)),

        ["delay", seconds] => (Any, Text(delay::delay, seconds)),
        ["drip"] => (Get, Plain(drip::drip)),
        ["stream", n] => (Get, Number(stream::stream, digits(n)?)),
        ["bytes", n] => (Get, Number(octets::bytes, digits(n)?)),
        ["stream-bytes", n] => (Get, Number(octets::stream_bytes, digits(n)?)),
        ["range", n] => (Get, Number(range::range, digits(n)?)),
        ["uuid"] => (Get, Plain(octets::uuid)),
        ["base64", value] => (Get, Text(base64::decode, value)),

        ["cookies"] => (Get, Plain(cookies::cookies)),
        ["cookies", "set"] => (Get, Plain(cookies::set)),
        ["basic-auth", user, password] => (Get, Texts(auth::basic, [user, password])),
        ["bearer"] => (Get, Plain(auth::bearer)),
        ["cache"] => (Get, Plain(cache::cache)),
        ["etag", tag] => (Get, Text(cache::etag, tag)),
        ["response-headers"] => (GetPost, Plain(response_headers::response_headers)),
        ["gzip"] => (Get, Plain(compressed::gzip)),
        ["deflate"] => (Get, Plain(compressed::deflate)),

        ["html"] => (Get, Plain(pages::html)),
        ["json"] => (Get, Plain(pages::json)),
        ["xml"] => (Get, Plain(pages::xml)),
        ["robots.txt"] => (Get, Plain(pages::robots)),

        ["plaintext"] => (Get, Plain(own::plaintext)),
        ["stall"] => (Any, Plain(own::stall)),
        ["cpu"] => (Any, Plain(own::cpu)),
        ["never"] => (Any, Plain(faults::never)),
        ["reset"] => (Any, Plain(faults::reset)),
        ["truncate"] => (Any, Plain(faults::truncate)),
        ["garbage"] => (Any, Plain(faults::garbage)),
        _ => return None,
    })
}

/// The methods that an endpoint answers, beside `OPTIONS`.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Methods {
    Get,
    GetPost,
    Post,
    Put,
    Patch,
    Delete,
    Any,
}

impl Methods {
    fn contain(self, method: &Method) -> bool {
        match *method {
            Method::GET | Method::HEAD => {
                matches!(self, Methods::Get | Methods::GetPost | Methods::Any)
            }
            Method::POST => matches!(self, Methods::Post | Methods::GetPost | Methods::Any),
            Method::PUT => matches!(self, Methods::Put | Methods::Any),
            Method::PATCH => matches!(self, Methods::Patch | Methods::Any),
            Method::DELETE => matches!(self, Methods::Delete | Methods::Any),
            Method::TRACE => self == Methods::Any,
            _ => false,
        }
    }

    fn list(self) -> &'static str {
        match self {
            Methods::Get => "GET, HEAD, OPTIONS",
            Methods::GetPost => "GET, HEAD, POST, OPTIONS",
            Methods::Post => "POST, OPTIONS",
            Methods::Put => "PUT, OPTIONS",
            Methods::Patch => "PATCH, OPTIONS",
            Methods::Delete => "DELETE, OPTIONS",
            Methods::Any => "GET, HEAD, POST, PUT, PATCH, DELETE, TRACE, OPTIONS",
        }
    }
}
