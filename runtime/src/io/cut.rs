//! Where a record ends, decided on bytes alone, so that futures, streams and tests share it.
//!
//! A record is what comes before a separator. It arrives in chunks that know nothing of it, so a
//! separator may begin in one chunk and end in the next. The record so far lies in a vector that
//! outlives the future: that is what makes reading one *Strict*. It never holds more than the limit
//! and one separator.

use std::io;
use std::mem;

/// How far a record has come with the chunk that was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// More is needed.
    Partial,
    /// The record ends with the separator now.
    Complete,
    /// No separator within the limit.
    TooLong,
}

/// Appends to `record` what `chunk` holds of it, the separator included, and says how many bytes of
/// the chunk that was.
pub(super) fn extend(
    record: &mut Vec<u8>,
    chunk: &[u8],
    separator: &[u8],
    limit: usize,
) -> (usize, Progress) {
    let before = record.len();
    let room = limit.saturating_add(separator.len()).saturating_sub(before);
    record.extend_from_slice(&chunk[..chunk.len().min(room)]);
    // A match has to end in the new bytes, but may begin in front of them.
    let from = before.saturating_sub(separator.len() - 1);
    if let Some(at) = find(&record[from..], separator) {
        record.truncate(from + at + separator.len());
        return (record.len() - before, Progress::Complete);
    }
    let progress = if record.len() >= limit.saturating_add(separator.len()) {
        Progress::TooLong
    } else {
        Progress::Partial
    };
    (record.len() - before, progress)
}

/// Cuts a stream into records: the state of [`Records`](super::Records) and [`Lines`](super::Lines)
/// without its reader.
#[derive(Debug)]
pub(super) struct Cutter {
    separator: Box<[u8]>,
    limit: usize,
    /// The record so far, or the last that was seen of one that is too long.
    record: Vec<u8>,
    /// Whether the rest of a record that was too long is being passed over.
    skipping: bool,
}

impl Cutter {
    pub(super) fn new(separator: &[u8], limit: usize) -> Cutter {
        Cutter { separator: separator.into(), limit, record: Vec::new(), skipping: false }
    }

    /// Whether it can cut at all.
    pub(super) fn check(&self) -> io::Result<()> {
        check(&self.separator)
    }

    /// Says how many bytes of `chunk` are dealt with, and gives the record or error that this has
    /// led to.
    pub(super) fn cut(&mut self, chunk: &[u8]) -> (usize, Option<io::Result<Vec<u8>>>) {
        if self.skipping {
            // A separator may begin in what was seen already, but not lie in it.
            let seen = self.record.len().saturating_sub(self.separator.len() - 1);
            self.record.drain(..seen);
        }
        let (used, progress) = extend(&mut self.record, chunk, &self.separator, self.limit);
        let outcome = match progress {
            Progress::Partial => None,
            Progress::Complete => {
                let mut record = mem::take(&mut self.record);
                record.truncate(record.len() - self.separator.len());
                let skipped = mem::take(&mut self.skipping);
                (!skipped).then_some(Ok(record))
            }
            Progress::TooLong => {
                let known = mem::replace(&mut self.skipping, true);
                (!known).then(|| Err(too_long(self.limit)))
            }
        };
        (used, outcome)
    }

    /// The last record, which no separator ends.
    pub(super) fn finish(&mut self) -> Option<Vec<u8>> {
        let record = mem::take(&mut self.record);
        let skipped = mem::take(&mut self.skipping);
        (!skipped && !record.is_empty()).then_some(record)
    }
}

/// Where `separator` begins in `bytes`.
fn find(bytes: &[u8], separator: &[u8]) -> Option<usize> {
    match separator {
        [byte] => bytes.iter().position(|b| b == byte),
        _ => bytes.windows(separator.len()).position(|window| window == separator),
    }
}

/// Why a separator of nothing is refused.
pub(super) fn check(separator: &[u8]) -> io::Result<()> {
    if separator.is_empty() {
        let text = "a separator needs at least one byte, or every record would be empty";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    }
    Ok(())
}

/// What a record without an end comes to.
pub(super) fn too_long(limit: usize) -> io::Error {
    let text =
        format!("no separator within {limit} bytes: raise the limit, or end the conversation");
    io::Error::new(io::ErrorKind::InvalidData, text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Cuts `stream`, which comes in chunks of the given sizes taken in turn.
    fn cut(stream: &[u8], sizes: &[usize], separator: &[u8], limit: usize) -> Vec<Option<Vec<u8>>> {
        let (mut cutter, mut records, mut rest) =
            (Cutter::new(separator, limit), Vec::new(), stream);
        for size in sizes.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (used, record) = cutter.cut(&rest[..rest.len().min(*size)]);
            rest = &rest[used..];
            records.extend(record.map(Result::ok));
            assert!(cutter.record.len() < limit + separator.len() || cutter.skipping);
            assert!(cutter.record.len() <= limit + separator.len());
        }
        records.extend(cutter.finish().map(Some));
        records
    }

    /// The same by looking at the whole stream at once; `None` where a record is too long.
    fn model(stream: &[u8], separator: &[u8], limit: usize) -> Vec<Option<Vec<u8>>> {
        let (mut records, mut rest) = (Vec::new(), stream);
        let within = |record: &[u8]| (record.len() <= limit).then(|| record.to_vec());
        while let Some(at) = (0..rest.len()).find(|at| rest[*at..].starts_with(separator)) {
            records.push(within(&rest[..at]));
            rest = &rest[at + separator.len()..];
        }
        // Without a separator behind it, it takes one more separator's length to be sure that a
        // record is too long.
        if rest.len() >= limit + separator.len() {
            records.push(None);
        } else if !rest.is_empty() {
            records.push(Some(rest.to_vec()));
        }
        records
    }

    #[test]
    fn a_record_as_long_as_the_limit_is_complete_and_one_byte_more_is_too_long() {
        let mut record = Vec::new();
        assert_eq!(extend(&mut record, b"1234567\n8", b"\n", 7), (8, Progress::Complete));
        assert_eq!(record, b"1234567\n");

        let mut record = Vec::new();
        assert_eq!(extend(&mut record, b"12345678\n", b"\n", 7), (8, Progress::TooLong));
        assert_eq!(record, b"12345678");
    }

    #[test]
    fn a_vector_that_is_over_the_limit_already_is_left_as_it_is() {
        let mut record = b"0123456789".to_vec();
        assert_eq!(extend(&mut record, b"x\n", b"\n", 3), (0, Progress::TooLong));
        assert_eq!(record, b"0123456789");
    }

    #[test]
    fn a_separator_that_overlaps_itself_is_found_where_it_begins_first() {
        for sizes in [[1], [2], [3], [100]] {
            let records = cut(b"QWEaaXYaaaaZ", &sizes, b"aaa", 100);
            assert_eq!(records, [Some(b"QWEaaXY".to_vec()), Some(b"aZ".to_vec())]);
        }
    }

    proptest! {
        #[test]
        fn chunks_do_not_matter(
            stream in proptest::collection::vec(b'a'..=b'c', 0..80),
            separator in proptest::collection::vec(b'a'..=b'b', 1..4),
            sizes in proptest::collection::vec(1..9usize, 1..5),
            limit in 0..30usize,
        ) {
            prop_assert_eq!(
                cut(&stream, &sizes, &separator, limit),
                model(&stream, &separator, limit)
            );
        }
    }
}
