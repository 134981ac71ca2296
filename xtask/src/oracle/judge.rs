//! What counts as the same answer.
//!
//! JSON is compared as values and everything else as bytes, unless the request says that the body
//! is random or packed. Headers are compared whole, but for those that say when and by whom. Three
//! things are ours on purpose: bad input that httpbin stumbles over (500) is answered with 400,
//! pages for people (HTML, XML, the teapot) have our words, and lists in headers may come in another
//! order.

use std::collections::BTreeMap;
use std::io::Read;

use flate2::read::{GzDecoder, ZlibDecoder};
use serde_json::Value;

use super::exchange::Response;
use super::requests::{Body, Request};

/// What says when, by whom and over which connection; gunicorn takes the challenge of a proxy for
/// one of the latter and drops it.
const NOT_COMPARED: &[&str] = &["connection", "date", "keep-alive", "proxy-authenticate", "server"];

/// Headers whose value is a list without an order.
const LISTS: &[&str] = &["allow", "access-control-allow-methods"];

/// Shows what differs.
pub(super) fn judge(
    request: &Request,
    expected: &Response,
    got: &Response,
) -> Result<(), Vec<String>> {
    if expected.status == 500 && got.status == 400 {
        return Ok(());
    }
    let mut wrong = Vec::new();
    if expected.status != got.status {
        wrong.push(format!("status {} instead of {}", got.status, expected.status));
    }
    let own_words = is_for_people(request, expected) && is_for_people(request, got);
    let ignored = |name: &str| {
        let length = name == "content-length" && (own_words || request.answer == Body::Packed);
        NOT_COMPARED.contains(&name) || length
    };
    let (theirs, ours) = (headers(request, expected), headers(request, got));
    for name in theirs.keys().chain(ours.keys().filter(|name| !theirs.contains_key(*name))) {
        if theirs.get(name) != ours.get(name) && !ignored(name) {
            let show = |headers: &BTreeMap<String, Vec<String>>| match headers.get(name) {
                Some(values) => values.join(" | "),
                None => "(absent)".to_string(),
            };
            wrong.push(format!("{name}: {} instead of {}", show(&ours), show(&theirs)));
        }
    }
    if !own_words {
        let (theirs, ours) = (body(request, expected), body(request, got));
        if theirs != ours {
            wrong.push(format!("body {ours:.600} instead of {theirs:.600}"));
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong) }
}

/// Whether the body is a text that people read: a page about a redirect or an error, a sample
/// document, the teapot. Of the answer to a HEAD, only its type tells.
fn is_for_people(request: &Request, response: &Response) -> bool {
    let has_type = |wanted| response.values("content-type").any(|kind| kind.starts_with(wanted));
    let unseen = request.method == "HEAD";
    let page = has_type("text/html") && (unseen || response.body.starts_with(b"<!"));
    (unseen || !response.body.is_empty())
        && (page || has_type("application/xml") || response.status == 418)
}

/// The headers that are compared, sorted, with what is random in them replaced.
fn headers(request: &Request, response: &Response) -> BTreeMap<String, Vec<String>> {
    let mut headers: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in &response.headers {
        let value = if request.random_headers.contains(&name.as_str()) {
            "(random)".to_string()
        } else if LISTS.contains(&name.as_str()) {
            let mut items: Vec<&str> = value.split(',').map(str::trim).collect();
            items.sort_unstable();
            items.join(", ")
        } else {
            value.clone()
        };
        headers.entry(name.clone()).or_default().push(value);
    }
    headers.values_mut().for_each(|values| values.sort_unstable());
    headers
}

/// The body in a form in which equal is the same.
fn body(request: &Request, response: &Response) -> String {
    let bytes = match request.answer {
        Body::Packed => unpack(response),
        _ => response.body.clone(),
    };
    match request.answer {
        Body::Random => format!("{} bytes", bytes.len()),
        Body::Shape => shape(&bytes),
        Body::Same | Body::Packed => normal(&bytes),
    }
}

/// JSON, also several of it, one a line, as values; everything else as it is.
fn normal(bytes: &[u8]) -> String {
    if let Ok(value) = serde_json::from_slice::<Value>(bytes) {
        return value.to_string();
    }
    let text = String::from_utf8_lossy(bytes).into_owned();
    let values: Result<Vec<Value>, _> = text.lines().map(serde_json::from_str).collect();
    match values {
        Ok(values) if !values.is_empty() => Value::Array(values).to_string(),
        _ => text,
    }
}

/// What a random text looks like: its digits and letters are all alike.
fn shape(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let alike = |c: char| if c.is_ascii_hexdigit() { 'x' } else { c };
    text.split_whitespace().collect::<String>().chars().map(alike).collect()
}

fn unpack(response: &Response) -> Vec<u8> {
    let coding = response.values("content-encoding").next().unwrap_or("none");
    let mut bytes = Vec::new();
    let read = match coding {
        "gzip" => GzDecoder::new(response.body.as_slice()).read_to_end(&mut bytes),
        "deflate" => ZlibDecoder::new(response.body.as_slice()).read_to_end(&mut bytes),
        _ => response.body.as_slice().read_to_end(&mut bytes),
    };
    match read {
        Ok(_) => bytes,
        Err(error) => format!("broken {coding}: {error}").into_bytes(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(status: u16, headers: &[(&str, &str)], body: &str) -> Response {
        let headers = headers.iter().map(|(n, v)| (n.to_string(), v.to_string())).collect();
        Response { status, headers, body: body.as_bytes().to_vec() }
    }

    #[test]
    fn json_is_the_same_in_any_order_and_text_is_not() {
        let request = Request::get("/get");
        let of = |body: &str| response(200, &[], body);
        assert!(judge(&request, &of(r#"{"a":1,"b":2}"#), &of(r#"{ "b":2, "a":1 }"#)).is_ok());
        assert!(judge(&request, &of(r#"{"a":1}"#), &of(r#"{"a":2}"#)).is_err());
        assert!(
            judge(&request, &of("{\"a\":1}\n{\"a\":2}\n"), &of("{\"a\":1}\n{\"a\":3}\n")).is_err()
        );
        assert!(judge(&request, &of("a b"), &of("b a")).is_err());
    }

    #[test]
    fn headers_are_the_same_but_for_when_and_whom() {
        let request = Request::get("/get");
        let of = |headers: &[(&str, &str)]| response(200, headers, "");
        assert!(judge(&request, &of(&[("date", "1")]), &of(&[("server", "x")])).is_ok());
        assert!(
            judge(&request, &of(&[("allow", "GET, HEAD")]), &of(&[("allow", "HEAD, GET")])).is_ok()
        );
        let wrong = judge(&request, &of(&[("etag", "1")]), &of(&[("location", "/")])).unwrap_err();
        assert_eq!(wrong, ["etag: (absent) instead of 1", "location: / instead of (absent)"]);
        assert!(judge(&request, &of(&[]), &response(201, &[], "")).is_err());
    }

    #[test]
    fn errors_may_be_put_in_other_words() {
        let request = Request::get("/nowhere");
        let page = |status, words: &str| {
            let length = words.len().to_string();
            let headers = [("content-type", "text/html"), ("content-length", length.as_str())];
            response(status, &headers, words)
        };
        assert!(
            judge(
                &request,
                &page(404, "<!doctype html>Not Found"),
                &page(404, "<!doctype html>no")
            )
            .is_ok()
        );
        assert!(
            judge(&request, &page(404, "<!doctype html>"), &page(405, "<!doctype html>")).is_err()
        );
        let of = |length| {
            response(200, &[("content-type", "text/html"), ("content-length", length)], "")
        };
        let head = Request { method: "HEAD", ..Request::get("/html") };
        assert!(judge(&head, &of("9"), &of("10")).is_ok());
        assert!(judge(&request, &of("9"), &of("10")).is_err());
        assert!(judge(&request, &page(302, "<!doctype html>"), &page(302, "")).is_err());
        assert!(judge(&request, &page(200, "text"), &page(200, "test")).is_err());
        assert!(judge(&request, &page(500, "Oops"), &page(400, "no number")).is_ok());
    }
}
