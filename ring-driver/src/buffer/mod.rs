//! What may be lent to the kernel: owned bytes whose address does not change.
//!
//! A completion-based read hands its buffer over and gets it back with the result, because the
//! kernel may write into it at any moment in between, whatever has become of the future. So the
//! buffer is a value that the operation *owns* ([`IoBuf`], [`IoBufMut`]), never a borrow. Two
//! traits and one adapter carry the whole idea:
//!
//! - [`IoBuf`] lends its bytes for reading (a send, a write), [`IoBufMut`] its capacity for writing
//!   (a receive, a read);
//! - [`Slice`] narrows either to a range, and to the spare capacity behind the bytes that are
//!   there.
//!
//! Results come as [`BufResult`], which has the buffer on both sides. [`PooledBuf`] is the other
//! direction: memory that the driver owns, provided to the kernel ahead of time and lent to the
//! user.

#![allow(unsafe_code)]

use std::ops::RangeBounds;

mod aligned;
mod area;
mod block;
mod owned;
mod pool;
mod pooled;
mod result;
mod slice;
mod traffic;
pub(crate) mod vectored;

pub use aligned::AlignedBuf;
pub(crate) use block::Block;
pub use pool::{BufPool, PoolStats};
pub use pooled::PooledBuf;
pub use result::{BufError, BufResult};
pub use slice::Slice;
pub(crate) use traffic::Traffic;

/// Owned bytes that an operation may lend to the kernel for reading.
///
/// | you pass | it sends |
/// |---|---|
/// | `Vec<u8>`, `Box<[u8]>`, `String`, `Bytes`, `BytesMut` | all its bytes |
/// | `b"…"`, `"…"`, `&'static [u8]` | all its bytes, without a copy |
/// | `Rc<[u8]>`, `Arc<[u8]>` | all its bytes, while others read them too |
/// | `buf.slice(2..6)` | those four |
///
/// ```
/// use wakering_ring_driver::IoBuf;
///
/// fn sent(buf: impl IoBuf) -> Vec<u8> {
///     buf.as_slice().to_vec()
/// }
///
/// assert_eq!(sent(vec![1, 2, 3]), [1, 2, 3]);
/// assert_eq!(sent("greetings".slice(..5)), *b"greet");
/// ```
///
/// # Safety
///
/// The *implementer* promises, for as long as the value lives:
/// - `as_ptr` points to `len` initialised bytes within one allocation of at least `capacity` bytes;
/// - address, `len` and `capacity` stay the same while the value is moved, forgotten or only looked
///   at;
/// - nobody writes to these bytes through another handle;
/// - the methods answer plainly: they do not panic, and do not call back into the runtime (no
///   polling, waking, spawning or blocking), because the driver asks while it is in the middle of
///   its own work;
/// - the provided methods are left as they are, but for `capacity`.
///
/// The *driver* promises:
/// - to read `len` bytes at most, and to write none;
/// - to drop or give back the value only after the kernel is done with it, and to forget it rather
///   than to break this.
pub unsafe trait IoBuf: 'static {
    /// The address of the first byte; dangling, but never null, where there is none.
    fn as_ptr(&self) -> *const u8;

    /// How many initialised bytes there are.
    fn len(&self) -> usize;

    /// How many bytes there is room for: the length, unless the buffer is an [`IoBufMut`] that can
    /// hold more.
    fn capacity(&self) -> usize {
        self.len()
    }

    /// Whether there are no initialised bytes.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The initialised bytes.
    ///
    /// ```
    /// use wakering_ring_driver::IoBuf;
    ///
    /// assert_eq!(IoBuf::as_slice(&String::from("abc")), b"abc");
    /// ```
    fn as_slice(&self) -> &[u8] {
        // SAFETY: The implementer promises `len` initialised bytes there, which stay and which
        // nobody else writes to while `self` is borrowed.
        unsafe { std::slice::from_raw_parts(self.as_ptr(), self.len()) }
    }

    /// The part of this buffer that `range` names, as a buffer of its own.
    ///
    /// A range starts within the length and may reach into the capacity behind it, where there is
    /// nothing to send but room to read into; an open end means "as far as there is". Offsets at
    /// the end and empty ranges are fine.
    ///
    /// ```
    /// use wakering_ring_driver::IoBuf;
    ///
    /// let tail = vec![1, 2, 3, 4].slice(2..);
    /// assert_eq!(*tail, [3, 4]);
    /// assert_eq!(*tail.slice(1..), [4]);
    /// ```
    ///
    /// # Panics
    ///
    /// As slices of std do: if the range starts behind the length, ends behind the capacity, or
    /// ends before it starts.
    #[track_caller]
    fn slice(self, range: impl RangeBounds<usize>) -> Slice<Self>
    where
        Self: Sized,
    {
        Slice::new(self, range)
    }
}

/// Owned memory that an operation may lend to the kernel for writing.
///
/// A read overwrites from the start up to the capacity and then sets the length to what it got.
/// Capacity that has not been written to is never readable.
///
/// | you pass | it fills | and leaves a length of |
/// |---|---|---|
/// | `Vec<u8>`, `BytesMut`, `AlignedBuf` | the capacity | what was read |
/// | `Box<[u8]>`, `Box<[u8; N]>` | the whole box | the same as before |
/// | `buf.slice(2..6)` | those four | what was read (`buf` itself never gets shorter) |
/// | `buf.spare()` | the capacity behind the length | what was read (`buf` itself grows by it) |
///
/// ```
/// use wakering_ring_driver::{IoBuf, IoBufMut};
///
/// let mut buf = Vec::with_capacity(4);
/// assert_eq!(buf.overwrite(b"abcdef"), 4);
/// assert_eq!(buf, b"abcd");
/// ```
///
/// # Safety
///
/// In addition to the promises of [`IoBuf`], the *implementer* promises:
/// - `as_mut_ptr` is the address that `as_ptr` gives, and `capacity` bytes there may be written to;
/// - these bytes are reached through no other handle at all while the value lives, not even for
///   reading;
/// - `set_len` touches no byte, and `len` says `len` from then on (or stays as it is, if it always
///   equals `capacity`).
///
/// The *driver* promises:
/// - to write at most `capacity` bytes, and only initialised ones;
/// - to announce by `set_len` exactly what has been written.
pub unsafe trait IoBufMut: IoBuf {
    /// The address of the first byte; dangling, but never null, where there is no capacity.
    fn as_mut_ptr(&mut self) -> *mut u8;

    /// Says how many bytes from the start are initialised now.
    ///
    /// # Safety
    ///
    /// The first `len` bytes are initialised, and `len` is at most the capacity.
    unsafe fn set_len(&mut self, len: usize);

    /// The capacity behind the bytes that are there: reading into it appends.
    ///
    /// ```
    /// use wakering_ring_driver::IoBufMut;
    ///
    /// let mut buf = Vec::with_capacity(8);
    /// buf.extend_from_slice(b"ab");
    /// let mut spare = buf.spare();
    /// assert_eq!(spare.overwrite(b"cd"), 2);
    /// assert_eq!(spare.into_inner(), b"abcd");
    /// ```
    fn spare(self) -> Slice<Self>
    where
        Self: Sized,
    {
        let len = self.len();
        self.slice(len..)
    }

    /// Does what a read does with bytes that are already here: copies as many as fit to the start,
    /// sets the length, and says how many that were.
    ///
    /// ```
    /// use wakering_ring_driver::IoBufMut;
    ///
    /// let mut buf = vec![0; 4];
    /// assert_eq!(buf.overwrite(b"ab"), 2);
    /// assert_eq!(buf, b"ab");
    /// ```
    fn overwrite(&mut self, bytes: &[u8]) -> usize {
        let count = bytes.len().min(self.capacity());
        // SAFETY: `count` bytes can be read from `bytes` and, as the implementer promises, written
        // to `self`. The two do not overlap, because nobody but `self` reaches its bytes.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), self.as_mut_ptr(), count) };
        // SAFETY: `count` bytes have just been written and are no more than the capacity.
        unsafe { self.set_len(count) };
        count
    }
}
