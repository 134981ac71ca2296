//! The chunked transfer coding (RFC 9112 §7.1), decoded without keeping a byte of it.
//!
//! The generator wants to know where a body ends, not what it says, so the decoder is a state
//! machine that skips: chunk data in one step, everything else byte by byte. It may be fed any
//! split of the stream. Line ends are CR LF, as for everybody who writes chunks; sizes, extensions
//! and trailers are bounded, so that a hostile peer cannot keep a body alive for ever.

use super::response::Malformed;

/// Most bytes of extension on one size line.
const EXTENSION_MAX: usize = 4 * 1024;
/// Most bytes of trailers after the last chunk.
const TRAILERS_MAX: usize = 16 * 1024;

/// A decoder in the middle of a chunked body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunked {
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// In the hexadecimal size; `digits` have been read.
    Size {
        size: u64,
        digits: u32,
    },
    /// Between the size and the CR of its line.
    Extension {
        size: u64,
        length: usize,
    },
    /// At the LF of the size line.
    SizeEnd {
        size: u64,
    },
    /// In the data; this many bytes are left.
    Data(u64),
    /// At the CR, then the LF, behind the data.
    DataCr,
    DataEnd,
    /// In the trailers; `length` bytes so far, `blank` while the line has none.
    Trailers {
        length: usize,
        blank: bool,
    },
    /// At the LF of a trailer line, or of the last, empty one.
    TrailersEnd {
        length: usize,
        blank: bool,
    },
    Done,
}

impl Chunked {
    /// A decoder at the first size line.
    pub fn new() -> Chunked {
        Chunked { state: State::Size { size: 0, digits: 0 } }
    }

    /// Whether the final empty line has been read.
    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Consumes what of `input` belongs to the body, and returns how much that was.
    pub fn feed(&mut self, input: &[u8]) -> Result<usize, Malformed> {
        let mut at = 0;
        while at < input.len() && !self.is_done() {
            if let State::Data(left) = self.state {
                let skipped = left.min((input.len() - at) as u64);
                at += skipped as usize;
                self.state = match left - skipped {
                    0 => State::DataCr,
                    left => State::Data(left),
                };
            } else {
                self.state = self.state.step(input[at])?;
                at += 1;
            }
        }
        Ok(at)
    }
}

impl State {
    fn step(self, byte: u8) -> Result<State, Malformed> {
        Ok(match (self, byte) {
            (State::Size { size, digits }, _) if byte.is_ascii_hexdigit() => {
                if digits == 16 {
                    return Err(Malformed("a chunk size of more than 16 digits"));
                }
                let digit = (byte as char).to_digit(16).unwrap_or_default();
                State::Size { size: size << 4 | u64::from(digit), digits: digits + 1 }
            }
            (State::Size { digits: 0, .. }, _) => {
                return Err(Malformed("a chunk size that is no hexadecimal number"));
            }
            (State::Size { size, .. } | State::Extension { size, .. }, b'\r') => {
                State::SizeEnd { size }
            }
            (State::Size { size, .. }, b';' | b' ' | b'\t') => State::Extension { size, length: 1 },
            (State::Size { .. }, _) => {
                return Err(Malformed("a chunk size that is no hexadecimal number"));
            }
            (State::Extension { .. }, b'\n') => {
                return Err(Malformed("a chunk extension with a bare line feed"));
            }
            (State::Extension { size, length }, _) => match length {
                EXTENSION_MAX.. => return Err(Malformed("a chunk extension of more than 4 KiB")),
                _ => State::Extension { size, length: length + 1 },
            },
            (State::SizeEnd { size: 0 }, b'\n') => State::Trailers { length: 0, blank: true },
            (State::SizeEnd { size }, b'\n') => State::Data(size),
            (State::DataCr, b'\r') => State::DataEnd,
            (State::DataEnd, b'\n') => State::Size { size: 0, digits: 0 },
            (State::DataCr | State::DataEnd, _) => {
                return Err(Malformed("a chunk longer than its size"));
            }
            (State::Trailers { length, blank }, b'\r') => State::TrailersEnd { length, blank },
            (State::Trailers { .. }, b'\n') => {
                return Err(Malformed("a trailer with a bare line feed"));
            }
            (State::Trailers { length, .. }, _) => match length {
                TRAILERS_MAX.. => return Err(Malformed("more than 16 KiB of trailers")),
                _ => State::Trailers { length: length + 1, blank: false },
            },
            (State::TrailersEnd { blank: true, .. }, b'\n') => State::Done,
            (State::TrailersEnd { length, .. }, b'\n') => State::Trailers { length, blank: true },
            (State::SizeEnd { .. } | State::TrailersEnd { .. }, _) => {
                return Err(Malformed("a carriage return without its line feed"));
            }
            (State::Data(_) | State::Done, _) => unreachable!("these are not stepped by bytes"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds the whole input in two parts split at `split`; returns how much was taken.
    fn feed_split(input: &[u8], split: usize) -> Result<(usize, bool), Malformed> {
        let mut chunked = Chunked::new();
        let mut taken = chunked.feed(&input[..split])?;
        if taken == split {
            taken += chunked.feed(&input[split..])?;
        }
        Ok((taken, chunked.is_done()))
    }

    #[test]
    fn every_split_finds_the_same_end() {
        let bodies: [&[u8]; 5] = [
            b"0\r\n\r\n",
            b"5\r\nhello\r\n0\r\n\r\n",
            b"A;name=\"v\"\r\n0123456789\r\n00\r\nX: y\r\nZ: \r\n\r\n",
            b"1 \r\na\r\n0\r\n\r\n",
            b"3\r\n\r\n0\r\n0\r\nTrailer: 0\r\n\r\n",
        ];
        for body in bodies {
            let mut stream = body.to_vec();
            stream.extend_from_slice(b"HTTP/1.1 200 OK");
            for split in 0..=stream.len() {
                assert_eq!(feed_split(&stream, split), Ok((body.len(), true)), "at {split}");
            }
            for end in 0..body.len() {
                assert_eq!(feed_split(&body[..end], end / 2), Ok((end, false)), "up to {end}");
            }
        }
    }

    #[test]
    fn malformed_bodies_are_named() {
        let long = [b"5;".as_slice(), &[b'x'; EXTENSION_MAX + 1]].concat();
        let trailers = [b"0\r\n".as_slice(), &[b'x'; TRAILERS_MAX + 1]].concat();
        for (body, said) in [
            (b"\r\n".as_slice(), "hexadecimal"),
            (b"5x", "hexadecimal"),
            (b"-1\r\n", "hexadecimal"),
            (b"5\n", "hexadecimal"),
            (b"12345678901234567", "16 digits"),
            (b"5\r5", "carriage return"),
            (b"1\r\nab", "longer"),
            (b"1\r\na\rb", "longer"),
            (b"5;a\n", "line feed"),
            (b"0\r\n\rx", "carriage return"),
            (b"0\r\nX: y\n", "line feed"),
            (&long, "4 KiB"),
            (&trailers, "16 KiB"),
        ] {
            for split in [0, 1, body.len()] {
                let Malformed(error) = feed_split(body, split).expect_err(said);
                assert!(error.contains(said), "{error} instead of {said}");
            }
        }
    }
}
