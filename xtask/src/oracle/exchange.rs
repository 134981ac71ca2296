//! One request and its answer, on a connection of its own.
//!
//! A client as plain as can be, so that what is compared is what was on the wire.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use super::requests::Request;

/// An answer as it came, but for the chunks of its body.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Response {
    pub(super) status: u16,
    /// Names in lower case, in the order in which they came.
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Response {
    /// All values of a header.
    pub(super) fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers.iter().filter(move |(n, _)| n == name).map(|(_, value)| value.as_str())
    }
}

/// Asks, and reads until the server closes the connection, as it is asked to.
pub(super) fn exchange(address: SocketAddr, request: &Request) -> io::Result<Response> {
    const PATIENCE: Duration = Duration::from_secs(20);
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(&request.bytes())?;
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        // A server that has not read the whole request resets the connection behind its answer.
        Err(error) if error.kind() == ErrorKind::ConnectionReset && !bytes.is_empty() => {}
        read => drop(read?),
    }
    parse(&bytes, request.method == "HEAD")
}

fn parse(bytes: &[u8], without_body: bool) -> io::Result<Response> {
    let bad = |what: &str| {
        let text = format!("{what}: {}", String::from_utf8_lossy(&bytes[..bytes.len().min(200)]));
        io::Error::new(ErrorKind::InvalidData, text)
    };
    let end = bytes.windows(4).position(|w| w == b"\r\n\r\n").ok_or_else(|| bad("no head"))?;
    let head = std::str::from_utf8(&bytes[..end]).map_err(|_| bad("a head that is no text"))?;
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok());
    let status = status.ok_or_else(|| bad("no status"))?;
    let headers: Option<Vec<(String, String)>> = lines
        .map(|line| line.split_once(':'))
        .map(|pair| pair.map(|(n, v)| (n.to_lowercase(), v.trim().to_string())))
        .collect();
    let headers = headers.ok_or_else(|| bad("a header without a colon"))?;
    let mut response = Response { status, headers, body: bytes[end + 4..].to_vec() };
    if response.values("transfer-encoding").any(|coding| coding == "chunked") {
        response.body = unchunk(&response.body).ok_or_else(|| bad("broken chunks"))?;
    } else if let Some(length) = response.values("content-length").next() {
        let expected = if without_body { Some(0) } else { length.parse().ok() };
        if expected != Some(response.body.len()) {
            return Err(bad(&format!("{} bytes of body", response.body.len())));
        }
    }
    Ok(response)
}

fn unchunk(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|w| w == b"\r\n")?;
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..end]).ok()?, 16).ok()?;
        rest = &rest[end + 2..];
        if size == 0 {
            return (rest == b"\r\n").then_some(body);
        }
        body.extend_from_slice(rest.get(..size)?);
        rest = rest.get(size..)?.strip_prefix(b"\r\n")?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_with_a_length_with_chunks_and_until_the_end() {
        let length =
            parse(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nA: b\r\n\r\nhi", false).unwrap();
        assert_eq!((length.status, length.body.as_slice()), (200, &b"hi"[..]));
        assert_eq!(length.values("a").collect::<Vec<_>>(), ["b"]);

        let chunks = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\nA\r\n0123456789\r\n0\r\n\r\n";
        assert_eq!(parse(chunks, false).unwrap().body, b"hi0123456789");
        assert!(parse(&chunks[..chunks.len() - 5], false).is_err());

        assert_eq!(parse(b"HTTP/1.0 204 No\r\n\r\nall", false).unwrap().body, b"all");
        assert!(parse(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort", false).is_err());
        assert!(parse(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", true).is_ok());
        assert!(parse(b"junk", false).is_err());
    }
}
