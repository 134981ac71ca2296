//! What is sent, and how many bytes have to come back.

use std::io::{self, Read};
use std::str::FromStr;

use crate::connection::Connection;

/// What kind of server there is at the other end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Echo,
    Idle,
    Http,
    Cpu,
    Udp,
    FanOut,
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(word: &str) -> Result<Kind, String> {
        Ok(match word {
            "echo" => Kind::Echo,
            "idle" => Kind::Idle,
            "http" => Kind::Http,
            "cpu" => Kind::Cpu,
            "udp" => Kind::Udp,
            "fan-out" => Kind::FanOut,
            _ => return Err(format!("`{word}` is no kind of server")),
        })
    }
}

impl Kind {
    /// The message of `size` bytes, or the request for so many.
    pub fn request(self, size: usize) -> Vec<u8> {
        match self {
            Kind::Http => {
                let page = if size == 0 { "get".into() } else { format!("bytes/{size}") };
                get(&page)
            }
            Kind::Cpu => get(&format!("cpu?us={size}")),
            _ => (0..size).map(|at| at as u8).collect(),
        }
    }

    /// How many bytes answer `request`: asked on a connection of its own, once, since an answer's
    /// length does not change.
    pub fn response(self, request: &[u8], connection: &mut Connection) -> io::Result<usize> {
        if !matches!(self, Kind::Http | Kind::Cpu) {
            return Ok(request.len());
        }
        connection.send(request, 0)?;
        let mut answer = Vec::new();
        let length = loop {
            let mut buffer = [0; 4096];
            let n = connection.read(&mut buffer)?;
            if n == 0 {
                return Err(io::Error::other("the server has closed the connection"));
            }
            answer.extend_from_slice(&buffer[..n]);
            if let Some(length) = length(&answer)? {
                break length;
            }
        };
        let mut rest = vec![0; length.saturating_sub(answer.len())];
        connection.read_exact(&mut rest)?;
        Ok(length)
    }
}

fn get(page: &str) -> Vec<u8> {
    format!("GET /{page} HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n").into()
}

/// The length of a whole answer, when its head is complete.
fn length(answer: &[u8]) -> io::Result<Option<usize>> {
    let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
    let head = String::from_utf8_lossy(&answer[..end]).to_ascii_lowercase();
    let bad = |what: &str| io::Error::other(format!("{what}: {head}"));
    if !head.starts_with("http/1.1 200") {
        return Err(bad("the answer is not good"));
    }
    let body = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    let body: usize = body
        .and_then(|length| length.trim().parse().ok())
        .ok_or_else(|| bad("no content-length"))?;
    Ok(Some(end + 4 + body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_of_an_answer_is_that_of_head_and_body() {
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
        assert_eq!(length(answer).unwrap(), Some(answer.len()));
        assert_eq!(length(&answer[..20]).unwrap(), None);
        assert!(length(b"HTTP/1.1 404 Not Found\r\n\r\n").is_err());
        assert!(length(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
    }
}
