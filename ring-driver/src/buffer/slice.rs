//! A range of a buffer as a buffer: narrows what a write sends and what a read fills.
//!
//! The window is fixed when the slice is made. A read into it sets the length of the *slice*
//! exactly, and lets the buffer behind it grow when the bytes lie beyond its length, but never
//! shrink: as with a slice of std, what is outside the window stays as it was. That a window starts
//! within the initialised bytes keeps holes out of the buffer.

#![allow(unsafe_code)]

use std::fmt;
use std::ops::{Bound, Deref, DerefMut, RangeBounds};

use super::{IoBuf, IoBufMut};

/// A range of a buffer, made by [`IoBuf::slice`] or [`IoBufMut::spare`].
///
/// Dereferences to its initialised bytes.
///
/// ```
/// use wakering_ring_driver::{IoBuf, IoBufMut};
///
/// let mut middle = vec![0; 6].slice(2..4);
/// middle.overwrite(b"abc");
/// assert_eq!(*middle, *b"ab");
/// assert_eq!(middle.into_inner(), [0, 0, b'a', b'b', 0, 0]);
/// ```
pub struct Slice<B> {
    buf: B,
    start: usize,
    len: usize,
    capacity: usize,
}

impl<B: IoBuf> Slice<B> {
    #[track_caller]
    pub(super) fn new(buf: B, range: impl RangeBounds<usize>) -> Slice<B> {
        let (buf_len, buf_capacity) = (buf.len(), buf.capacity());
        let start = match range.start_bound() {
            Bound::Unbounded => 0,
            Bound::Included(&start) => start,
            Bound::Excluded(&before) => before.checked_add(1).expect("range start overflows usize"),
        };
        let end = match range.end_bound() {
            Bound::Unbounded => buf_capacity,
            Bound::Included(&last) => last.checked_add(1).expect("range end overflows usize"),
            Bound::Excluded(&end) => end,
        };
        assert!(start <= end, "range starts at {start} but ends at {end}");
        assert!(
            start <= buf_len,
            "range start {start} is out of range for a buffer of length {buf_len}"
        );
        assert!(
            end <= buf_capacity,
            "range end {end} is out of range for a buffer of capacity {buf_capacity}"
        );
        Slice { buf, start, len: end.min(buf_len) - start, capacity: end - start }
    }
}

impl<B> Slice<B> {
    /// The whole buffer, with all that was written through the slice.
    ///
    /// ```
    /// use wakering_ring_driver::IoBuf;
    ///
    /// assert_eq!("whole".slice(1..2).into_inner(), "whole");
    /// ```
    pub fn into_inner(self) -> B {
        self.buf
    }

    /// The whole buffer, to look at.
    ///
    /// ```
    /// use wakering_ring_driver::IoBuf;
    ///
    /// assert_eq!(*"whole".slice(1..2).get_ref(), "whole");
    /// ```
    pub fn get_ref(&self) -> &B {
        &self.buf
    }

    /// Where in the buffer the slice starts, in bytes.
    ///
    /// ```
    /// use wakering_ring_driver::IoBuf;
    ///
    /// assert_eq!("whole".slice(1..2).start(), 1);
    /// ```
    pub fn start(&self) -> usize {
        self.start
    }
}

// SAFETY: `new` checked that `start` is within the length of `buf` and `start + capacity` within
// its capacity. The length of `buf` never shrinks from then on (nobody gets at it mutably but
// `set_len` below), and its address, length and capacity are as stable as the implementer of `B`
// promised.
unsafe impl<B: IoBuf> IoBuf for Slice<B> {
    fn as_ptr(&self) -> *const u8 {
        // SAFETY: `start` lies within the allocation, see above.
        unsafe { self.buf.as_ptr().add(self.start) }
    }

    fn len(&self) -> usize {
        self.len
    }

    fn capacity(&self) -> usize {
        self.capacity
    }
}

// SAFETY: As above; `set_len` touches no byte, and every byte in front of `start` is initialised
// already.
unsafe impl<B: IoBufMut> IoBufMut for Slice<B> {
    fn as_mut_ptr(&mut self) -> *mut u8 {
        // SAFETY: `start` lies within the allocation, see `IoBuf`.
        unsafe { self.buf.as_mut_ptr().add(self.start) }
    }

    unsafe fn set_len(&mut self, len: usize) {
        debug_assert!(len <= self.capacity);
        let end = self.start + len;
        if end > self.buf.len() {
            // SAFETY: The bytes in front of `start` are initialised, those from `start` to `end` by
            // the caller's promise, and `end` is within the capacity of `buf`.
            unsafe { self.buf.set_len(end) };
        }
        self.len = len;
    }
}

impl<B: IoBuf> Deref for Slice<B> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.as_slice()
    }
}

impl<B: IoBufMut> DerefMut for Slice<B> {
    fn deref_mut(&mut self) -> &mut [u8] {
        let len = self.len;
        // SAFETY: `len` bytes there are initialised, and nobody else reaches them while `self` is
        // borrowed mutably.
        unsafe { std::slice::from_raw_parts_mut(self.as_mut_ptr(), len) }
    }
}

impl<B> fmt::Debug for Slice<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slice")
            .field("start", &self.start)
            .field("len", &self.len)
            .field("capacity", &self.capacity)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use proptest::prelude::*;

    use super::*;

    /// What a slice should be: a window into `bytes`, whose `None`s are capacity that nobody has
    /// written to.
    struct Model {
        bytes: Vec<Option<u8>>,
        start: usize,
        len: usize,
        capacity: usize,
    }

    impl Model {
        fn of(buf: &Vec<u8>) -> Model {
            let bytes = (0..buf.capacity()).map(|at| buf.get(at).copied()).collect();
            Model { bytes, start: 0, len: buf.len(), capacity: buf.capacity() }
        }

        /// Narrows the window, or says that it cannot be narrowed so.
        fn narrow(&mut self, (from, to): (usize, Option<usize>)) -> bool {
            let end = to.unwrap_or(self.capacity);
            if from > end || from > self.len || end > self.capacity {
                return false;
            }
            *self = Model {
                bytes: std::mem::take(&mut self.bytes),
                start: self.start + from,
                len: self.len.min(end) - from,
                capacity: end - from,
            };
            true
        }

        /// Some range that fits.
        fn fit(&self, (from, to): (usize, Option<usize>)) -> (usize, Option<usize>) {
            let from = from % (self.len + 1);
            (from, to.map(|to| from + to % (self.capacity - from + 1)))
        }

        fn overwrite(&mut self, bytes: &[u8]) {
            self.len = bytes.len().min(self.capacity);
            for (place, byte) in self.bytes[self.start..][..self.len].iter_mut().zip(bytes) {
                *place = Some(*byte);
            }
        }

        fn window(&self) -> Vec<u8> {
            let window = &self.bytes[self.start..][..self.len];
            window
                .iter()
                .map(|byte| byte.expect("nothing uninitialised within the length"))
                .collect()
        }

        fn whole(&self) -> Vec<u8> {
            let written = self.bytes.iter().take_while(|byte| byte.is_some()).count();
            assert!(self.bytes[written..].iter().all(Option::is_none), "there is a hole");
            self.bytes[..written].iter().flatten().copied().collect()
        }
    }

    fn narrow<B: IoBuf>(buf: B, (from, to): (usize, Option<usize>)) -> Slice<B> {
        match to {
            Some(to) => buf.slice(from..to),
            None => buf.slice(from..),
        }
    }

    fn buffer() -> impl Strategy<Value = Vec<u8>> {
        (0..20u8, 0..20usize).prop_map(|(len, extra)| {
            let mut buf = Vec::with_capacity(usize::from(len) + extra);
            buf.extend(0..len);
            buf
        })
    }

    fn range() -> impl Strategy<Value = (usize, Option<usize>)> {
        (0..24usize, proptest::option::of(0..48usize))
    }

    proptest! {
        #[test]
        fn a_slice_of_a_slice_is_a_window_into_the_whole(
            buf in buffer(),
            outer in range(),
            inner in range(),
            read in proptest::collection::vec(100..200u8, 0..40),
        ) {
            let mut model = Model::of(&buf);
            let outer = model.fit(outer);
            prop_assert!(model.narrow(outer));
            let slice = narrow(buf, outer);
            prop_assert_eq!(&*slice, model.window());
            prop_assert_eq!(slice.capacity(), model.capacity);

            let inner = model.fit(inner);
            prop_assert!(model.narrow(inner));
            let mut slice = narrow(slice, inner);
            prop_assert_eq!(&*slice, model.window());
            prop_assert_eq!(slice.capacity(), model.capacity);

            model.overwrite(&read);
            prop_assert_eq!(slice.overwrite(&read), model.len);
            prop_assert_eq!(&*slice, model.window());
            prop_assert_eq!(slice.into_inner().into_inner(), model.whole());
        }

        #[test]
        fn a_range_is_refused_exactly_if_it_does_not_fit(buf in buffer(), range in range()) {
            let fits = Model::of(&buf).narrow(range);
            let made = catch_unwind(AssertUnwindSafe(|| narrow(buf, range)));
            prop_assert_eq!(made.is_ok(), fits);
        }
    }

    #[test]
    fn both_ends_are_inside() {
        assert_eq!(*vec![1, 2, 3].slice(3..), []);
        assert_eq!(*vec![1, 2, 3].slice(1..1), []);
        assert_eq!(*vec![1, 2, 3].slice(..=1), [1, 2]);
        assert_eq!(Vec::with_capacity(8).slice(..).capacity(), 8);
    }

    #[test]
    fn a_shorter_read_cuts_the_slice_and_not_the_buffer() {
        let mut slice = vec![1, 2, 3, 4, 5].slice(1..4);
        slice.overwrite(&[9]);
        assert_eq!(*slice, [9]);
        assert_eq!(slice.into_inner(), [1, 9, 3, 4, 5]);
    }

    #[test]
    fn the_spare_of_a_full_buffer_is_empty() {
        let mut spare = vec![1, 2, 3].into_boxed_slice().spare();
        assert_eq!((spare.len(), spare.capacity()), (0, 0));
        assert_eq!(spare.overwrite(b"x"), 0);
        assert_eq!(*spare.into_inner(), [1, 2, 3]);
    }
}
