//! The content of a file, out through a socket.

use std::io;
use std::ops::{Bound, RangeBounds};

use wakering_ring_driver::op::{self, Relay};
use wakering_ring_driver::{Failure, Fd, IoBuf, option};

/// How much is copied at once: large enough that the cost of an operation does not show, and small
/// enough to be in the cache still when it is sent.
const CHUNK: u64 = 256 * 1024;

/// How much goes out at once without being copied. The kernel moves it in threads of its own, which
/// have to be woken twice: for a quarter of this that costs as much as the copy.
const PIECE: u64 = 768 * 1024;

/// From how many bytes on it pays to open a relay.
const LONG: u64 = 2 * 1024 * 1024;

/// Sends `range` of `file` on `socket`, as far as the file goes. How many bytes that was.
///
/// What is long goes on without coming into our memory, if the ring can and the socket has the room.
pub(crate) async fn send_file(
    socket: &Fd,
    file: &Fd,
    range: impl RangeBounds<u64>,
) -> io::Result<u64> {
    let (start, end) = bounds(range);
    let (mut at, mut buf, mut relay) = (start, Vec::new(), None);
    let mut may_relay = socket.driver().capabilities().has("splice");
    while at < end {
        if may_relay && at - start >= LONG && end - at >= PIECE && has_room(socket) {
            match relayed(&mut relay, file, at, socket).await? {
                Some(0) => break,
                Some(n) => at += n,
                None => may_relay = false,
            }
            continue;
        }
        let len = CHUNK.min(end - at) as usize;
        buf.clear();
        buf.reserve(len);
        let read = op::read_at(file, buf.slice(..len), at).await;
        let (n, piece) = read.map_err(|failed| of_file(failed.error))?;
        if n == 0 {
            break;
        }
        buf = send_all(socket, piece.into_inner(), n).await?;
        at += n as u64;
    }
    Ok(at - start)
}

/// Sends a piece of `file` by `relay`, which is opened for the first one. How long it was; `None` if
/// there is no such way, and nothing has been sent.
async fn relayed(
    relay: &mut Option<Relay>,
    file: &Fd,
    at: u64,
    socket: &Fd,
) -> io::Result<Option<u64>> {
    let relay = match relay {
        Some(relay) => relay,
        None => match Relay::new(socket.driver(), PIECE as usize) {
            Ok(new) => relay.insert(new),
            // The user's pipes may hold only so much together.
            Err(_) => return Ok(None),
        },
    };
    let filled = match relay.fill(file, at, PIECE as usize).await {
        Ok(filled) => filled,
        // A file that has no pages to give.
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => return Ok(None),
        Err(error) => return Err(of_file(error)),
    };
    let mut left = filled;
    while left > 0 {
        op::room(socket).await?;
        match relay.drain(socket, left).await? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            n => left -= n,
        }
    }
    Ok(Some(filled as u64))
}

/// Whether `socket` has room for a piece once it can be written to.
fn has_room(socket: &Fd) -> bool {
    option::send_buffer_size(socket).is_ok_and(|size| u64::from(size) / 3 >= PIECE)
}

/// Sends the first `len` bytes of `buf`.
async fn send_all(socket: &Fd, mut buf: Vec<u8>, len: usize) -> io::Result<Vec<u8>> {
    let mut sent = 0;
    while sent < len {
        let (n, piece) = op::send(socket, buf.slice(sent..len)).await?;
        if n == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        (buf, sent) = (piece.into_inner(), sent + n);
    }
    Ok(buf)
}

/// Where a range begins and ends, in bytes from the start of the file.
fn bounds(range: impl RangeBounds<u64>) -> (u64, u64) {
    let start = match range.start_bound() {
        Bound::Included(&start) => start,
        Bound::Excluded(&before) => before.saturating_add(1),
        Bound::Unbounded => 0,
    };
    let end = match range.end_bound() {
        Bound::Included(&last) => last.saturating_add(1),
        Bound::Excluded(&end) => end,
        Bound::Unbounded => u64::MAX,
    };
    (start, end)
}

/// Says that it is the file that has failed, and not the connection.
fn of_file(error: io::Error) -> io::Error {
    Failure::wrap("read", "the file to be sent", error)
}
