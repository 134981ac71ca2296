//! The content of a file, out through a socket.

use std::io;
use std::ops::{Bound, RangeBounds};

use wakering_ring_driver::{BufError, Failure, Fd, IoBuf, Slice, op};

/// How much is read and sent at once: large enough that the cost of an operation does not show, and
/// small enough to be in the cache still when it is sent.
const CHUNK: u64 = 256 * 1024;

/// Sends `range` of `file` on `socket`, as far as the file goes. How many bytes that was.
pub(crate) async fn send_file(
    socket: &Fd,
    file: &Fd,
    range: impl RangeBounds<u64>,
) -> io::Result<u64> {
    let (start, end) = bounds(range);
    let mut at = start;
    let mut buf = Vec::with_capacity(CHUNK.min(end.saturating_sub(start)) as usize);
    while at < end {
        let room = (buf.capacity() as u64).min(end - at) as usize;
        let (n, piece) = op::read_at(file, buf.slice(..room), at).await.map_err(of_file)?;
        if n == 0 {
            break;
        }
        buf = send_all(socket, piece.into_inner(), n).await?;
        at += n as u64;
    }
    Ok(at - start)
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
fn of_file(failed: BufError<Slice<Vec<u8>>>) -> io::Error {
    Failure::wrap("read", "the file to be sent", failed.error)
}
