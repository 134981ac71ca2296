//! What all transfers of bytes have in common: how many at once, and what becomes of those that
//! nobody fetched.

#![allow(unsafe_code)]

use std::io;

use crate::buffer::IoBufMut;
use crate::completion::Outcome;
use crate::fd::Shelf;

/// The most that Linux moves in one call (`MAX_RW_COUNT`), whatever it was asked for.
const LEN_MAX: usize = 0x7fff_f000;

/// A length as requests carry it. More is not an error: any transfer may be short.
pub(super) fn length(len: usize) -> u32 {
    len.min(LEN_MAX) as u32
}

/// Why a receive without room is not submitted: its result could not be told from the end of the
/// stream.
pub(super) fn no_room(capacity: usize) -> Option<io::Error> {
    let message =
        "cannot read into a buffer without capacity: reserve some, or pass a longer slice";
    (capacity == 0).then(|| io::Error::new(io::ErrorKind::InvalidInput, message))
}

/// Announces to `buf` what a final completion brought.
///
/// # Safety
/// `outcome` is that of a request that was lent `buf` from its start, for at most its capacity.
pub(super) unsafe fn filled<B: IoBufMut>(buf: &mut B, outcome: Outcome) -> usize {
    let count = usize::try_from(outcome.result()).unwrap_or(0);
    // SAFETY: the kernel has written `count` bytes, which are no more than it was lent.
    unsafe { buf.set_len(count) };
    count
}

/// Answers a receive into `buf` from the shelf.
pub(super) fn serve<B: IoBufMut>(buf: &mut B, shelf: &mut Shelf, peek: bool) -> Option<Outcome> {
    let (target, len) = (buf.as_mut_ptr(), length(buf.capacity()) as usize);
    // SAFETY: the buffer may be written to from its start for its capacity.
    let copied = unsafe { shelf.read_into(target, len, peek) };
    copied.map(|count| Outcome::plain(count as i32))
}

/// Leaves what an abandoned receive brought into `buf` for the next one.
pub(super) fn put_back<B: IoBufMut>(buf: &mut B, outcome: Outcome, shelf: &mut Shelf) {
    if outcome.errno().is_some() {
        return keep(outcome, shelf);
    }
    // SAFETY: the outcome belongs to the receive that was lent this buffer.
    let count = unsafe { filled(buf, outcome) };
    // Not all of it: a boxed slice is as long as it was, however little came.
    shelf.put_bytes(&buf.as_slice()[..count]);
}

/// Leaves an error for the next one if it is news about the descriptor: what only ended the
/// abandoned operation itself would be a lie to its successor.
pub(crate) fn keep(outcome: Outcome, shelf: &mut Shelf) {
    let own = [libc::ECANCELED, libc::EINTR, libc::EAGAIN, libc::ENOBUFS];
    if let Some(errno) = outcome.errno().filter(|errno| !own.contains(errno)) {
        shelf.error = Some(errno);
    }
}
