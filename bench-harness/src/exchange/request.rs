//! The one request of a run, serialised once and sent again and again.
//!
//! Everything that could differ between two requests is fixed before the clock starts, so sending
//! costs a copy and no formatting. What the generator itself answers for (framing and connection
//! reuse) cannot be set by hand, because the measurement relies on it.

use std::str::FromStr;

use super::target::Target;

/// A header line given by the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    name: String,
    value: String,
}

impl std::fmt::Display for Header {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.name, self.value)
    }
}

impl FromStr for Header {
    type Err = String;

    fn from_str(line: &str) -> Result<Header, String> {
        let (name, value) =
            line.split_once(':').ok_or("a header looks like `Name: value`".to_string())?;
        let value = value.trim_matches([' ', '\t']);
        if !is_token(name) {
            return Err(format!("`{name}` is no header name"));
        }
        if value.bytes().any(|b| (b < b' ' && b != b'\t') || b == 0x7f) {
            return Err(format!("the value of `{name}` has a control character"));
        }
        for (ours, remedy) in [
            ("content-length", "it follows from --data and --data-file"),
            ("transfer-encoding", "bodies are sent with a content-length"),
            ("connection", "use --no-keepalive"),
        ] {
            if name.eq_ignore_ascii_case(ours) {
                return Err(format!("`{name}` cannot be set: {remedy}"));
            }
        }
        Ok(Header { name: name.to_owned(), value: value.to_owned() })
    }
}

/// Checks a method: any token but `CONNECT`.
pub fn parse_method(text: &str) -> Result<String, String> {
    if text == "CONNECT" {
        return Err("CONNECT opens a tunnel, which is nothing to measure".into());
    }
    if !is_token(text) {
        return Err(format!("`{text}` is no method"));
    }
    Ok(text.to_owned())
}

/// The bytes of a request, and what its answer's framing depends on.
#[derive(Debug)]
pub struct Request {
    /// Head and body.
    pub bytes: Vec<u8>,
    /// Whether the answer has no body whatever its headers say.
    pub is_head: bool,
}

impl Request {
    /// Serialises a request to `target`. The user's headers replace the defaults of their name.
    pub fn new(
        target: &Target,
        method: &str,
        headers: &[Header],
        body: Option<&[u8]>,
        keep_alive: bool,
    ) -> Request {
        let given = |name: &str| headers.iter().any(|h| h.name.eq_ignore_ascii_case(name));
        let mut head = format!("{method} {} HTTP/1.1\r\n", target.path);
        let mut line = |name: &str, value: &str| {
            head.push_str(name);
            head.push_str(": ");
            head.push_str(value);
            head.push_str("\r\n");
        };
        if !given("host") {
            line("Host", &target.authority());
        }
        if !given("user-agent") {
            line("User-Agent", concat!("bench-harness/", env!("CARGO_PKG_VERSION")));
        }
        if !given("accept") {
            line("Accept", "*/*");
        }
        if body.is_some() && !given("content-type") {
            line("Content-Type", "application/x-www-form-urlencoded");
        }
        for header in headers {
            line(&header.name, &header.value);
        }
        // A server may wait for the body of a method that is expected to have one.
        if body.is_some() || matches!(method, "POST" | "PUT" | "PATCH") {
            line("Content-Length", &body.map_or(0, <[u8]>::len).to_string());
        }
        if !keep_alive {
            line("Connection", "close");
        }
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(body.unwrap_or_default());
        Request { bytes, is_head: method == "HEAD" }
    }
}

fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(method: &str, headers: &[&str], body: Option<&[u8]>, keep_alive: bool) -> String {
        let target = "http://h:81/get?x=1".parse().unwrap();
        let headers: Vec<Header> = headers.iter().map(|h| h.parse().unwrap()).collect();
        let request = Request::new(&target, method, &headers, body, keep_alive);
        String::from_utf8(request.bytes).unwrap()
    }

    #[test]
    fn a_plain_get_has_the_defaults_and_no_body() {
        let expected = format!(
            "GET /get?x=1 HTTP/1.1\r\nHost: h:81\r\nUser-Agent: bench-harness/{}\r\n\
             Accept: */*\r\n\r\n",
            env!("CARGO_PKG_VERSION")
        );
        assert_eq!(text("GET", &[], None, true), expected);
    }

    #[test]
    fn given_headers_replace_defaults() {
        let sent = text("GET", &["host: other", "X-A:  b "], None, false);
        assert!(sent.contains("\r\nhost: other\r\n") && !sent.contains("Host: h"), "{sent}");
        assert!(sent.contains("\r\nX-A: b\r\n"), "{sent}");
        assert!(sent.ends_with("Connection: close\r\n\r\n"), "{sent}");
    }

    #[test]
    fn a_body_brings_its_length() {
        let sent = text("POST", &[], Some(b"a=b"), true);
        assert!(sent.contains("Content-Type: application/x-www-form-urlencoded\r\n"), "{sent}");
        assert!(sent.ends_with("Content-Length: 3\r\n\r\na=b"), "{sent}");
        assert!(text("PUT", &[], None, true).contains("Content-Length: 0\r\n"));
    }

    #[test]
    fn head_is_known_to_have_no_body_in_its_answer() {
        let target = "http://h/".parse().unwrap();
        assert!(Request::new(&target, "HEAD", &[], None, true).is_head);
        assert!(!Request::new(&target, "GET", &[], None, true).is_head);
    }

    #[test]
    fn refuses_headers_and_methods_that_break_the_request() {
        for (line, said) in [
            ("no colon", "Name: value"),
            ("a b: c", "a b"),
            ("X: a\r\nY: b", "control"),
            ("Content-Length: 3", "--data"),
            ("Connection: close", "--no-keepalive"),
        ] {
            assert!(line.parse::<Header>().unwrap_err().contains(said), "{line}");
        }
        assert_eq!(parse_method("PURGE").as_deref(), Ok("PURGE"));
        assert!(parse_method("GET /").is_err());
        assert!(parse_method("").is_err());
        assert!(parse_method("CONNECT").is_err());
    }
}
