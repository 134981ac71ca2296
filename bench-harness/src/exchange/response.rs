//! One HTTP/1.1 response after another, parsed from borrowed slices without any I/O.
//!
//! The parser is fed whatever the connection lends and says how much of it belongs to the current
//! response. A head that lies in one slice, which is nearly every head, is parsed in place by
//! `httparse`; only a head cut in two is put together in a buffer of its own. Bodies are skipped,
//! not kept, so a response of any size costs no memory. The rules are those of RFC 9112 §6.3 and
//! §9.3; where they leave a client the choice, the parser refuses rather than guesses.

use std::mem::MaybeUninit;

use httparse::{Header, ParserConfig, Status};

use super::chunked::Chunked;

/// Most bytes of one response head, interim heads counted each.
const HEAD_MAX: usize = 64 * 1024;
/// Most header lines of one response.
const HEADERS_MAX: usize = 128;
/// Most interim (1xx) responses before the final one.
const INTERIM_MAX: u32 = 16;

/// Why bytes are no HTTP response, in words that complete "the peer sent …".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed(pub &'static str);

/// How far the current response has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Not a byte of it has arrived.
    Nothing,
    /// The head is not complete.
    Head,
    /// The head is complete, the body is not.
    Body,
    /// All of it has been read.
    Complete,
}

/// The state of one connection's response stream.
#[derive(Debug)]
pub struct Parser {
    body: Body,
    /// A head that arrived in more than one slice; empty at all other times.
    head: Vec<u8>,
    to_head_request: bool,
    interim: u32,
    status: u16,
    keep_alive: bool,
    received: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Body {
    /// The head is still to be read.
    Unknown,
    /// This many bytes are left; none means that the response is complete.
    Left(u64),
    Chunked(Chunked),
    UntilClose,
}

impl Parser {
    /// A parser before its first response.
    pub fn new(to_head_request: bool) -> Parser {
        Parser {
            body: Body::Unknown,
            head: Vec::new(),
            to_head_request,
            interim: 0,
            status: 0,
            keep_alive: false,
            received: 0,
        }
    }

    /// Forgets the response read so far and expects the next one.
    pub fn begin(&mut self) {
        self.body = Body::Unknown;
        self.head.clear();
        self.interim = 0;
        self.status = 0;
        self.keep_alive = false;
        self.received = 0;
    }

    /// Consumes what of `input` belongs to the response, and returns how much that was.
    ///
    /// Less than the whole of it is taken only when the response is complete.
    pub fn feed(&mut self, input: &[u8]) -> Result<usize, Malformed> {
        let mut at = 0;
        while at < input.len() {
            let rest = &input[at..];
            let taken = match &mut self.body {
                Body::Left(0) => break,
                Body::Unknown => self.feed_head(rest)?,
                Body::Left(left) => {
                    let skipped = (*left).min(rest.len() as u64);
                    *left -= skipped;
                    skipped as usize
                }
                Body::Chunked(chunked) => {
                    let taken = chunked.feed(rest)?;
                    if chunked.is_done() {
                        self.body = Body::Left(0);
                    }
                    taken
                }
                Body::UntilClose => rest.len(),
            };
            at += taken;
            self.received += taken as u64;
        }
        Ok(at)
    }

    /// Says that the stream has ended; returns whether that completes the response.
    pub fn end(&mut self) -> bool {
        if self.body == Body::UntilClose {
            self.body = Body::Left(0);
        }
        self.stage() == Stage::Complete
    }

    /// How far the response has come.
    pub fn stage(&self) -> Stage {
        match self.body {
            Body::Left(0) => Stage::Complete,
            Body::Unknown if self.received == 0 => Stage::Nothing,
            Body::Unknown => Stage::Head,
            _ => Stage::Body,
        }
    }

    /// The status, once the head is complete; 100 to 599.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Whether the connection may carry another request after this response.
    pub fn keep_alive(&self) -> bool {
        self.keep_alive
    }

    /// Bytes of this response so far, head and framing included.
    pub fn received(&self) -> u64 {
        self.received
    }

    fn feed_head(&mut self, input: &[u8]) -> Result<usize, Malformed> {
        if self.head.is_empty() {
            if let Some(head) = parse_head(input, self.to_head_request)? {
                self.take(&head)?;
                return Ok(head.length);
            }
            self.head.extend_from_slice(input);
        } else {
            let before = self.head.len();
            self.head.extend_from_slice(input);
            if let Some(head) = parse_head(&self.head, self.to_head_request)? {
                self.head.clear();
                self.take(&head)?;
                return Ok(head.length - before);
            }
        }
        if self.head.len() > HEAD_MAX {
            return Err(Malformed("a response head of more than 64 KiB"));
        }
        Ok(input.len())
    }

    fn take(&mut self, head: &Head) -> Result<(), Malformed> {
        match head.status {
            101 => return Err(Malformed("a protocol switch that nobody asked for")),
            100..200 => {
                self.interim += 1;
                if self.interim > INTERIM_MAX {
                    return Err(Malformed("more than 16 interim responses"));
                }
            }
            200..600 => {
                self.status = head.status;
                self.keep_alive = head.keep_alive;
                self.body = head.body.clone();
            }
            _ => return Err(Malformed("a status outside 100 to 599")),
        }
        Ok(())
    }
}

struct Head {
    length: usize,
    status: u16,
    keep_alive: bool,
    body: Body,
}

/// Parses a head at the start of `bytes`; `None` if it is not all there yet.
fn parse_head(bytes: &[u8], to_head_request: bool) -> Result<Option<Head>, Malformed> {
    let mut headers = [const { MaybeUninit::uninit() }; HEADERS_MAX];
    let mut response = httparse::Response::new(&mut []);
    let parsed = ParserConfig::default().parse_response_with_uninit_headers(
        &mut response,
        bytes,
        &mut headers,
    );
    let length = match parsed {
        Ok(Status::Complete(length)) => length,
        Ok(Status::Partial) => return Ok(None),
        Err(error) => return Err(name(error)),
    };
    let status = response.code.unwrap_or_default();
    let http_1_1 = response.version == Some(1);
    let facts = Facts::of(response.headers)?;
    let body = match (status, &facts) {
        (100..200 | 204 | 304, _) => Body::Left(0),
        _ if to_head_request => Body::Left(0),
        (_, Facts { coded: Some(true), .. }) => Body::Chunked(Chunked::new()),
        (_, Facts { coded: Some(false), .. }) => Body::UntilClose,
        (_, Facts { length: Some(length), .. }) => Body::Left(*length),
        _ => Body::UntilClose,
    };
    let persistent = if http_1_1 { !facts.close } else { facts.keep_alive && !facts.close };
    // A length beside a coding may be an attempt to smuggle; the stream cannot be trusted further.
    let contradictory = facts.coded.is_some() && facts.length.is_some();
    let keep_alive = persistent && !contradictory && body != Body::UntilClose;
    Ok(Some(Head { length, status, keep_alive, body }))
}

/// What the headers say about framing and reuse.
#[derive(Default)]
struct Facts {
    length: Option<u64>,
    /// A transfer coding was named; whether the last one is `chunked`.
    coded: Option<bool>,
    close: bool,
    keep_alive: bool,
}

impl Facts {
    fn of(headers: &[Header<'_>]) -> Result<Facts, Malformed> {
        let mut facts = Facts::default();
        for header in headers {
            let is = |name: &str| header.name.eq_ignore_ascii_case(name);
            // The lengths alone rule out nearly every header.
            match header.name.len() {
                14 if is("content-length") => {
                    for value in elements(header.value) {
                        let length = decimal(value)?;
                        if facts.length.is_some_and(|before| before != length) {
                            return Err(Malformed("two different content-lengths"));
                        }
                        facts.length = Some(length);
                    }
                    if facts.length.is_none() {
                        return Err(Malformed("an empty content-length"));
                    }
                }
                17 if is("transfer-encoding") => {
                    for coding in elements(header.value) {
                        facts.coded = Some(coding.eq_ignore_ascii_case(b"chunked"));
                    }
                }
                10 if is("connection") => {
                    for option in elements(header.value) {
                        facts.close |= option.eq_ignore_ascii_case(b"close");
                        facts.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
                    }
                }
                _ => {}
            }
        }
        Ok(facts)
    }
}

fn elements(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|&b| b == b',').map(<[u8]>::trim_ascii).filter(|element| !element.is_empty())
}

fn decimal(digits: &[u8]) -> Result<u64, Malformed> {
    let malformed = Malformed("a content-length that is no number");
    if !digits.iter().all(u8::is_ascii_digit) {
        return Err(malformed);
    }
    std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok()).ok_or(malformed)
}

fn name(error: httparse::Error) -> Malformed {
    Malformed(match error {
        httparse::Error::Version => "something that is no HTTP/1.x response",
        httparse::Error::Status => "a malformed status line",
        httparse::Error::HeaderName | httparse::Error::HeaderValue => "a malformed header line",
        httparse::Error::TooManyHeaders => "more than 128 header lines",
        httparse::Error::NewLine => "a line that does not end in CR LF",
        _ => "a malformed response head",
    })
}

#[cfg(test)]
mod tests;
