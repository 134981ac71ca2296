//! `/cookies` shows the cookies of a request, `/cookies/set?name=value` sets them.
//!
//! Cookies are read as loosely as werkzeug reads them: white space around names and values,
//! quoted values with backslashes, and what makes no sense is skipped up to the next semicolon.

use std::fmt::Write as _;

use http::HeaderValue;
use http::header::SET_COOKIE;

use super::call::Call;
use super::pairs::{Order, Pairs};
use super::redirect::found;
use super::reply::Reply;

const BLANKS: [char; 2] = [' ', '\t'];

/// The cookies of the request; those of trackers only if `show_env` is asked for.
pub(super) fn cookies(call: &Call<'_>) -> Reply {
    let all = call.args().contains("show_env");
    let header = call.header("cookie").unwrap_or_default();
    let mut shown = Pairs::default();
    let cookies = parse(&header);
    for (name, values) in cookies.grouped() {
        if all || !is_of_a_tracker(name) {
            shown.push(name, values[0]);
        }
    }
    Reply::object(|json| shown.write(json.key("cookies"), Order::Sorted))
}

/// Sets each parameter as a cookie and sends the client to look at them.
pub(super) fn set(call: &Call<'_>) -> Reply {
    let args = call.args();
    let mut reply = found("/cookies");
    for (name, values) in args.grouped() {
        let cookie = format!("{name}={}; Path=/", quote(values[0]));
        reply = match HeaderValue::try_from(cookie) {
            Ok(cookie) => reply.with(SET_COOKIE, cookie),
            Err(_) => return Reply::bad_request("a cookie cannot have this name"),
        };
    }
    reply
}

fn is_of_a_tracker(name: &str) -> bool {
    matches!(name, "__utma" | "__utmz") || {
        let unique = name.strip_prefix("_gauges_unique");
        matches!(unique, Some("" | "_year" | "_month" | "_day" | "_hour"))
    }
}

fn parse(header: &str) -> Pairs<'static> {
    let mut cookies = Pairs::default();
    let mut rest = header;
    while !rest.is_empty() {
        match one(rest) {
            Some((name, value, tail)) => {
                cookies.push(name.to_owned(), value);
                rest = tail;
            }
            None => rest = rest.split_once(';').map_or("", |(_, tail)| tail),
        }
    }
    cookies
}

/// The cookie in front of the next semicolon, and what follows that.
fn one(text: &str) -> Option<(&str, String, &str)> {
    let text = text.trim_start_matches(BLANKS);
    let end = text.find([' ', '\t', '=', '"', ';']).unwrap_or(text.len());
    let (name, rest) = text.split_at_checked(end).filter(|(name, _)| !name.is_empty())?;
    let rest = rest.trim_start_matches(BLANKS);
    let (value, rest) = match rest.strip_prefix('=').map(|value| value.trim_start_matches(BLANKS)) {
        None => (String::new(), rest),
        Some(value) => match value.strip_prefix('"') {
            Some(quoted) => unquote(quoted)?,
            None => {
                let end = value.find([' ', '\t', '"', ';']).unwrap_or(value.len());
                (value[..end].to_owned(), &value[end..])
            }
        },
    };
    match rest.trim_start_matches(BLANKS) {
        "" => Some((name, value, "")),
        rest => Some((name, value, rest.strip_prefix(';')?)),
    }
}

/// The text up to the closing quote, without its backslashes, and what follows.
fn unquote(quoted: &str) -> Option<(String, &str)> {
    let mut value = Vec::new();
    let mut rest = quoted;
    loop {
        let (plain, tail) = rest.split_at(rest.find(['"', '\\'])?);
        value.extend_from_slice(plain.as_bytes());
        if let Some(tail) = tail.strip_prefix('"') {
            return Some((String::from_utf8_lossy(&value).into_owned(), tail));
        }
        let escaped = &tail[1..];
        rest = match escaped.as_bytes() {
            [b'0'..=b'3', b'0'..=b'7', b'0'..=b'7', ..] => {
                value.push(u8::from_str_radix(&escaped[..3], 8).ok()?);
                &escaped[3..]
            }
            _ => {
                let mut chars = escaped.chars();
                value.extend_from_slice(chars.next()?.encode_utf8(&mut [0; 4]).as_bytes());
                chars.as_str()
            }
        };
    }
}

/// A value as it may stand in a header: quoted, with octal escapes, where it has to be.
fn quote(value: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_graphic() && !b"\",;\\".contains(&byte);
    if value.bytes().all(plain) {
        return value.to_owned();
    }
    let mut quoted = String::from('"');
    for byte in value.bytes() {
        match byte {
            b'"' | b'\\' => quoted.extend(['\\', char::from(byte)]),
            b' ' => quoted.push(' '),
            byte if plain(byte) => quoted.push(char::from(byte)),
            // Writing to a string cannot fail.
            byte => _ = write!(quoted, "\\{byte:03o}"),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(header: &str) -> Vec<(String, String)> {
        parse(header).iter().map(|(name, value)| (name.into(), value.into())).collect()
    }

    fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
        list.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
    }

    #[test]
    fn cookies_are_read_loosely() {
        assert_eq!(
            parsed("a=b; c=\"d e\"; f; =g; h=i=j;; e = f ;"),
            pairs(&[("a", "b"), ("c", "d e"), ("f", ""), ("h", "i=j"), ("e", "f")])
        );
        assert_eq!(
            parsed("a=\"x\\\"y\\054\\303\\251\"; b c=d; e=\"open; f=g"),
            pairs(&[("a", "x\"y,é"), ("f", "g")])
        );
    }

    #[test]
    fn values_that_need_it_are_quoted_and_read_back() {
        assert_eq!(quote("plain[1]"), "plain[1]");
        assert_eq!(quote("x;y,é z"), "\"x\\073y\\054\\303\\251 z\"");
        for value in ["", "a b", "\"\\\u{1}\u{7f}", "é;"] {
            assert_eq!(parsed(&format!("k={}", quote(value))), pairs(&[("k", value)]));
        }
    }
}
