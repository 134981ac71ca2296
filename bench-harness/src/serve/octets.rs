//! `/bytes/{n}`, `/stream-bytes/{n}` and `/uuid`: random bytes, whole, in chunks, or as a UUID.
//!
//! A `seed` repeats the bytes, though not those of Python, whose generator is another one.

use http::StatusCode;

use super::body::{Body, Piece};
use super::call::Call;
use super::number::{Complaint, int_parameter};
use super::pairs::Pairs;
use super::random::Random;
use super::reply::{OCTETS, Reply};

const BYTES_MAX: u64 = 100 * 1024;
const CHUNK_SIZE: i64 = 10 * 1024;

/// `n` random bytes, at most 100 KiB.
pub(super) fn bytes(call: &Call<'_>, n: u64) -> Reply {
    let random = random(&call.args());
    match random {
        Ok(mut random) => Reply::new(StatusCode::OK, OCTETS, random.bytes(size(n))),
        Err(complaint) => Reply::bad_request(complaint),
    }
}

/// `n` random bytes in chunks of `chunk_size`.
pub(super) fn stream_bytes(call: &Call<'_>, n: u64) -> Reply {
    let args = call.args();
    let chunks = random(&args).and_then(|random| {
        let chunk = int_parameter(&args, "chunk_size", CHUNK_SIZE)?.max(1);
        Ok((random, usize::try_from(chunk).unwrap_or(usize::MAX)))
    });
    match chunks {
        Ok((mut random, chunk)) => {
            let mut left = size(n);
            let pieces = std::iter::from_fn(move || {
                let len = left.min(chunk);
                left -= len;
                (len > 0).then(|| Piece::now(random.bytes(len)))
            });
            Reply::new(StatusCode::OK, OCTETS, Body::chunked(pieces))
        }
        Err(complaint) => Reply::bad_request(complaint),
    }
}

/// A random UUID (version 4).
pub(super) fn uuid(_call: &Call<'_>) -> Reply {
    Reply::object(|json| json.key("uuid").string(&fresh_uuid(&mut Random::new())))
}

/// Thirty-two hexadecimal digits with the version and the variant in their places, in five groups.
fn fresh_uuid(random: &mut Random) -> String {
    let high = random.next() & !0xf000 | 0x4000;
    let low = random.next() & !(0b11 << 62) | 0b10 << 62;
    let (a, b, c) = (high >> 32, high >> 16 & 0xffff, high & 0xffff);
    let (d, e) = (low >> 48, low & 0xffff_ffff_ffff);
    format!("{a:08x}-{b:04x}-{c:04x}-{d:04x}-{e:012x}")
}

fn random(args: &Pairs<'_>) -> Result<Random, Complaint> {
    match args.parameter("seed") {
        None => Ok(Random::new()),
        Some(_) => Ok(Random::seeded(int_parameter(args, "seed", 0)?.cast_unsigned())),
    }
}

fn size(n: u64) -> usize {
    usize::try_from(n.min(BYTES_MAX)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uuids_are_of_version_4() {
        let uuid = fresh_uuid(&mut Random::seeded(3));
        let groups: Vec<usize> = uuid.split('-').map(str::len).collect();
        assert_eq!(groups, [8, 4, 4, 4, 12]);
        assert_eq!(&uuid[14..15], "4");
        assert!("89ab".contains(&uuid[19..20]), "{uuid}");
    }
}
