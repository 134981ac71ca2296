//! The parser against whole responses, every split of them, and malformed ones.
//!
//! Each response of the table is parsed whole, cut in two at every byte, and byte by byte; all
//! three must agree on status, length and reuse, and leave what follows alone.

use super::*;

struct Case {
    wire: &'static str,
    to_head_request: bool,
    status: u16,
    keep_alive: bool,
}

const fn case(wire: &'static str, status: u16, keep_alive: bool) -> Case {
    Case { wire, to_head_request: false, status, keep_alive }
}

const fn head(wire: &'static str, status: u16, keep_alive: bool) -> Case {
    Case { wire, to_head_request: true, status, keep_alive }
}

/// Responses that end by themselves.
const DELIMITED: &[Case] = &[
    case("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, true),
    case("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", 200, true),
    case("HTTP/1.1 200\r\nContent-Length: 5, 5\r\nContent-Length: 5\r\n\r\nhello", 200, true),
    case("HTTP/1.1 200 OK\r\nConnection: Close\r\nContent-Length: 2\r\n\r\nhi", 200, false),
    case("HTTP/1.1 200 OK\r\nConnection: x, close\r\nContent-Length: 2\r\n\r\nhi", 200, false),
    case("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", 200, false),
    case("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nhi", 200, true),
    case("HTTP/1.1 204 No Content\r\nContent-Length: 7\r\n\r\n", 204, true),
    case("HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n", 304, true),
    case("HTTP/1.1 500 Oh\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", 500, true),
    case("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\nT: x\r\n\r\n", 200, true),
    case(
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        200,
        false,
    ),
    case(
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n\
         HTTP/1.1 201 Created\r\nContent-Length: 1\r\n\r\n!",
        201,
        true,
    ),
    head("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", 200, true),
    head("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", 200, true),
    head("HTTP/1.1 404 No\r\n\r\n", 404, true),
];

/// Responses that end with the connection.
const UNTIL_CLOSE: &[Case] = &[
    case("HTTP/1.1 200 OK\r\n\r\nhello", 200, false),
    case("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\nhello", 200, false),
    case("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nhello", 200, false),
    case("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip\r\n\r\nhello", 200, false),
];

/// Feeds `parts` one after another as a connection would lend them; returns what was taken.
fn feed(parser: &mut Parser, parts: &[&[u8]]) -> Result<usize, Malformed> {
    let mut taken = 0;
    for part in parts {
        let now = parser.feed(part)?;
        taken += now;
        assert!(now == part.len() || parser.stage() == Stage::Complete, "input was left");
    }
    Ok(taken)
}

fn check(case: &Case, parser: &Parser, taken: usize) {
    assert_eq!(parser.stage(), Stage::Complete, "{}", case.wire);
    assert_eq!(taken, case.wire.len(), "{}", case.wire);
    assert_eq!(parser.received(), case.wire.len() as u64, "{}", case.wire);
    assert_eq!(parser.status(), case.status, "{}", case.wire);
    assert_eq!(parser.keep_alive(), case.keep_alive, "{}", case.wire);
}

#[test]
fn delimited_responses_end_at_the_same_byte_however_they_are_cut() {
    for case in DELIMITED {
        let stream = format!("{}HTTP/1.1 200 the next one", case.wire);
        let stream = stream.as_bytes();
        let mut parser = Parser::new(case.to_head_request);
        for cut in 0..=stream.len() {
            parser.begin();
            let taken = feed(&mut parser, &[&stream[..cut], &stream[cut..]]).unwrap();
            check(case, &parser, taken);
        }
        parser.begin();
        let bytes: Vec<&[u8]> = stream.chunks(1).collect();
        let taken = feed(&mut parser, &bytes).unwrap();
        check(case, &parser, taken);
    }
}

#[test]
fn a_response_is_not_complete_before_its_last_byte() {
    for case in DELIMITED {
        for end in 0..case.wire.len() {
            let mut parser = Parser::new(case.to_head_request);
            assert_eq!(parser.feed(&case.wire.as_bytes()[..end]), Ok(end));
            assert_ne!(parser.stage(), Stage::Complete, "{end} of {}", case.wire);
            assert!(!parser.end(), "{end} of {}", case.wire);
        }
    }
}

#[test]
fn responses_without_a_length_end_with_the_connection() {
    for case in UNTIL_CLOSE {
        let wire = case.wire.as_bytes();
        for cut in 0..=wire.len() {
            let mut parser = Parser::new(false);
            let taken = feed(&mut parser, &[&wire[..cut], &wire[cut..]]).unwrap();
            assert_eq!(parser.stage(), Stage::Body);
            assert!(parser.end());
            check(case, &parser, taken);
        }
    }
}

#[test]
fn the_stage_tells_where_a_stream_broke_off() {
    let wire = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello";
    let mut parser = Parser::new(false);
    assert_eq!(parser.stage(), Stage::Nothing);
    parser.feed(&wire[..20]).unwrap();
    assert_eq!(parser.stage(), Stage::Head);
    parser.feed(&wire[20..]).unwrap();
    assert_eq!(parser.stage(), Stage::Body);
    assert!(!parser.end());
}

#[test]
fn malformed_responses_are_named_however_they_are_cut() {
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "A: b\r\n".repeat(HEADERS_MAX + 1));
    let long = format!("HTTP/1.1 200 OK\r\nA: {}", "b".repeat(HEAD_MAX));
    let interim = "HTTP/1.1 100 C\r\n\r\n".repeat(INTERIM_MAX as usize + 1);
    for (wire, said) in [
        ("this is no HTTP at all\r\n\r\n", "no HTTP/1.x"),
        ("HTTP/2 200 OK\r\n\r\n", "no HTTP/1.x"),
        ("\x16\x03\x01\x02", "no HTTP/1.x"),
        ("HTTP/1.1 abc OK\r\n\r\n", "status line"),
        ("HTTP/1.1 700 OK\r\n\r\n", "outside 100 to 599"),
        ("HTTP/1.1 101 Switching\r\n\r\n", "protocol switch"),
        ("HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "header line"),
        ("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", "no number"),
        ("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "no number"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n", "no number"),
        ("HTTP/1.1 200 OK\r\nContent-Length: \r\n\r\n", "empty"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "two different"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz", "chunk size"),
        (&many, "128"),
        (&long, "64 KiB"),
        (&interim, "interim"),
    ] {
        let wire = wire.as_bytes();
        for cut in [0, 1, 5, wire.len() / 2, wire.len() - 1] {
            let cut = cut.min(wire.len());
            let Malformed(error) =
                feed(&mut Parser::new(false), &[&wire[..cut], &wire[cut..]]).expect_err(said);
            assert!(error.contains(said), "`{error}` instead of `{said}`, cut at {cut}");
        }
    }
}

#[test]
fn an_idle_parser_holds_no_buffer_unless_heads_are_cut() {
    let wire = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
    let mut parser = Parser::new(false);
    for _ in 0..3 {
        parser.begin();
        // Cut behind the head: the body alone never needs the buffer.
        feed(&mut parser, &[&wire[..40], &wire[40..]]).unwrap();
    }
    assert_eq!(parser.head.capacity(), 0);
}
