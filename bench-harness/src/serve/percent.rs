//! Percent-encoding, the way WSGI and werkzeug undo it.
//!
//! Three decodings meet in one request. A path is decoded before it is routed, and what is not
//! UTF-8 in it is replaced. A query's names and values are decoded too, but what is not UTF-8 goes
//! back to percent signs. The `url` member of an answer is an IRI: everything is decoded that can
//! be without changing the meaning of the URL.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Decodes a path; what is not UTF-8 becomes U+FFFD.
pub(super) fn decode_path(raw: &str) -> Cow<'_, str> {
    match raw.contains('%') {
        false => Cow::Borrowed(raw),
        true => Cow::Owned(String::from_utf8_lossy(&unquote(raw.as_bytes(), |_| true)).into()),
    }
}

/// Decodes a name or a value of a query or form; what is not UTF-8 stays percent-encoded.
pub(super) fn decode_query(raw: &str) -> Cow<'_, str> {
    if !raw.contains(['%', '+']) {
        return Cow::Borrowed(raw);
    }
    let spaced = raw.replace('+', " ");
    let mut text = String::with_capacity(spaced.len());
    push_utf8(&mut text, &unquote(spaced.as_bytes(), |_| true));
    Cow::Owned(text)
}

/// Appends a decoded path as it stands in an IRI.
pub(super) fn push_iri_path(url: &mut String, path: &str) {
    for piece in path.split_inclusive(|c: char| c <= ' ' || matches!(c, '\u{7f}' | '?' | '#')) {
        match piece.chars().next_back() {
            Some(last) if last <= ' ' || matches!(last, '\u{7f}' | '?' | '#') => {
                url.push_str(&piece[..piece.len() - 1]);
                push_percent(url, last as u8);
            }
            _ => url.push_str(piece),
        }
    }
}

/// Appends a raw query as it stands in an IRI: decoded but for what would change its meaning.
pub(super) fn push_iri_query(url: &mut String, raw: &str) {
    let free = |byte| byte > b' ' && !matches!(byte, b'%' | 0x7f | b'&' | b'=' | b'+' | b'#');
    match raw.contains('%') {
        false => url.push_str(raw),
        true => push_utf8(url, &unquote(raw.as_bytes(), free)),
    }
}

/// Undoes each `%XX` whose byte `wanted` accepts.
fn unquote(raw: &[u8], wanted: impl Fn(u8) -> bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((&first, tail)) = rest.split_first() {
        let hex = |at: usize| char::from(*tail.get(at)?).to_digit(16);
        match (first, hex(0), hex(1)) {
            (b'%', Some(high), Some(low)) if wanted((high << 4 | low) as u8) => {
                out.push((high << 4 | low) as u8);
                rest = &tail[2..];
            }
            _ => {
                out.push(first);
                rest = tail;
            }
        }
    }
    out
}

fn push_utf8(text: &mut String, bytes: &[u8]) {
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            push_percent(text, *byte);
        }
    }
}

fn push_percent(text: &mut String, byte: u8) {
    // Writing to a string cannot fail.
    let _ = write!(text, "%{byte:02X}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_decode_plus_and_keep_what_is_not_utf8() {
        assert_eq!(decode_query("%C3%A9%FF+x"), "é%FF x");
        assert_eq!(decode_query("a%2Bb%zz%4"), "a+b%zz%4");
        assert!(matches!(decode_query("plain"), Cow::Borrowed("plain")));
    }

    #[test]
    fn paths_decode_to_replacement_characters() {
        assert_eq!(decode_path("/a%2Fb%3F+%E9"), "/a/b?+\u{fffd}");
    }

    #[test]
    fn iris_keep_what_would_change_their_meaning() {
        let mut url = String::new();
        push_iri_path(&mut url, "/b c?d#e%fé[x]");
        push_iri_query(&mut url, "?q=%22%5B%2b%20%3d%26%23%25%7F%01%C3%A9%FF+x");
        assert_eq!(url, "/b%20c%3Fd%23e%fé[x]?q=\"[%2b%20%3d%26%23%25%7F%01é%FF+x");
    }
}
