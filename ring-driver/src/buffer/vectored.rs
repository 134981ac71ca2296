//! Several buffers as one: the segments of a vectored read or write.
//!
//! The kernel's segment type stays inside this crate; a user passes a `Vec` of buffers and gets it
//! back. More segments than the kernel takes in one call are not an error: a vectored transfer may
//! be short anyway, so the rest is left for the next one.

#![allow(unsafe_code)]

use super::{IoBuf, IoBufMut};

/// What the kernel takes in one call (`IOV_MAX`).
const SEGMENTS_MAX: usize = 1024;

/// The most bytes that it moves in one call (`MAX_RW_COUNT`). Who goes on with a send by further
/// calls must not pass it either: a count has to fit into an `i32`.
const BYTES_MAX: usize = 0x7fff_f000;

/// Replaces `segments` by the bytes that `bufs` have to send, without the empty ones.
pub(crate) fn sources<B: IoBuf>(bufs: &[B], segments: &mut Vec<libc::iovec>) {
    segments.clear();
    let some = bufs.iter().filter(|buf| !buf.is_empty()).take(SEGMENTS_MAX);
    let mut room = BYTES_MAX;
    let cut = some.map(|buf| {
        let iov_len = buf.len().min(room);
        room -= iov_len;
        libc::iovec { iov_base: buf.as_ptr().cast_mut().cast(), iov_len }
    });
    segments.extend(cut.take_while(|segment| segment.iov_len > 0));
}

/// Replaces `segments` by the capacity that `bufs` have to fill, without the empty ones.
pub(crate) fn targets<B: IoBufMut>(bufs: &mut [B], segments: &mut Vec<libc::iovec>) {
    segments.clear();
    let some = bufs.iter_mut().filter(|buf| buf.capacity() > 0).take(SEGMENTS_MAX);
    segments.extend(
        some.map(|buf| libc::iovec { iov_len: buf.capacity(), iov_base: buf.as_mut_ptr().cast() }),
    );
}

/// Sets the lengths of `bufs` after a read of `count` bytes: full ones in front, empty ones behind.
///
/// # Safety
///
/// `count` bytes have been written to the segments that [`targets`] gave, from the first on.
pub(crate) unsafe fn set_lens<B: IoBufMut>(bufs: &mut [B], mut count: usize) {
    for buf in bufs {
        let part = count.min(buf.capacity());
        // SAFETY: The segments were filled in order, so this one holds what those in front of it
        // could not.
        unsafe { buf.set_len(part) };
        count -= part;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lens(segments: &[libc::iovec]) -> Vec<usize> {
        segments.iter().map(|segment| segment.iov_len).collect()
    }

    #[test]
    fn empty_buffers_make_no_segments() {
        let mut segments = Vec::new();
        sources(&["ab", "", "cde"], &mut segments);
        assert_eq!(lens(&segments), [2, 3]);
        sources::<Vec<u8>>(&[], &mut segments);
        assert_eq!(lens(&segments), []);
        targets(&mut [Vec::with_capacity(3), Vec::new(), vec![0; 2]], &mut segments);
        assert_eq!(lens(&segments), [3, 2]);
    }

    #[test]
    fn at_most_as_many_segments_as_the_kernel_takes() {
        let mut segments = Vec::new();
        sources(&vec!["x"; SEGMENTS_MAX + 1], &mut segments);
        assert_eq!(segments.len(), SEGMENTS_MAX);
    }

    #[test]
    fn at_most_as_many_bytes_as_the_kernel_takes() {
        let mut segments = Vec::new();
        let part: std::rc::Rc<[u8]> = vec![0; 8 << 20].into();
        sources(&vec![part; 600], &mut segments);
        let lens = lens(&segments);
        assert_eq!(lens.iter().sum::<usize>(), BYTES_MAX);
        assert!(lens.iter().all(|&len| len > 0));
    }

    #[test]
    fn what_was_read_is_dealt_out_in_order() {
        let mut bufs = [vec![0; 3], vec![0; 0], vec![0; 4], vec![0; 2]];
        let mut segments = Vec::new();
        targets(&mut bufs, &mut segments);
        // SAFETY: All of the buffers are initialised.
        unsafe { set_lens(&mut bufs, 5) };
        assert_eq!(bufs.each_ref().map(Vec::len), [3, 0, 2, 0]);
    }
}
