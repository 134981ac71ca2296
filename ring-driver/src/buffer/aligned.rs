//! A buffer that direct I/O accepts: address and size are multiples of a block.
//!
//! With `O_DIRECT` the device reads and writes the user's memory itself, and refuses (`EINVAL`)
//! what does not lie on a block boundary. No collection of std can promise that, so this one does.

#![allow(unsafe_code)]

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::fmt;
use std::io;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::sync::Arc;

use super::{Block, IoBuf, IoBufMut};
use crate::driver::Driver;

/// Owned memory whose address and capacity are multiples of an alignment, for files opened with
/// `O_DIRECT`.
///
/// The capacity never changes. A slice of it is aligned only if its start is a multiple of the
/// alignment.
///
/// ```
/// use wakering_ring_driver::{AlignedBuf, IoBuf, IoBufMut};
///
/// let mut block = AlignedBuf::new(6000);
/// assert_eq!(IoBuf::as_ptr(&block) as usize % AlignedBuf::ALIGNMENT, 0);
/// assert_eq!((block.len(), block.capacity()), (0, 8192));
///
/// block.overwrite(b"head");
/// block.resize(4096, 0);
/// assert_eq!(block[..5], *b"head\0");
/// ```
pub struct AlignedBuf {
    start: NonNull<u8>,
    len: usize,
    layout: Layout,
    /// What it is a part of; `None` if it is an allocation of its own.
    block: Option<Arc<Block>>,
}

impl AlignedBuf {
    /// What every current block device is content with, in bytes.
    pub const ALIGNMENT: usize = 4096;

    /// An empty buffer for at least `capacity` bytes, aligned to [`AlignedBuf::ALIGNMENT`].
    ///
    /// # Panics
    ///
    /// If the capacity exceeds `isize::MAX`. Running out of memory aborts, as it does with a `Vec`.
    pub fn new(capacity: usize) -> AlignedBuf {
        AlignedBuf::with_alignment(capacity, AlignedBuf::ALIGNMENT)
    }

    /// An empty buffer for at least `capacity` bytes, aligned to `alignment` bytes.
    ///
    /// ```
    /// use wakering_ring_driver::{AlignedBuf, IoBuf};
    ///
    /// let sector = AlignedBuf::with_alignment(1, 512);
    /// assert_eq!(sector.capacity(), 512);
    /// ```
    ///
    /// # Panics
    ///
    /// If `alignment` is not a power of two, or the capacity exceeds `isize::MAX`. Running out of
    /// memory aborts, as it does with a `Vec`.
    pub fn with_alignment(capacity: usize, alignment: usize) -> AlignedBuf {
        let layout = layout(capacity, alignment);
        // SAFETY: The size of the layout is not zero.
        let start = unsafe { alloc_zeroed(layout) };
        let Some(start) = NonNull::new(start) else { handle_alloc_error(layout) };
        AlignedBuf { start, len: 0, layout, block: None }
    }

    /// `count` empty buffers for at least `capacity` bytes each, aligned to
    /// [`AlignedBuf::ALIGNMENT`], in memory of which the current driver's ring is told in advance.
    /// Reading and writing at offsets of a file opened with `O_DIRECT` then costs about a tenth less
    /// processor time, since the kernel need not look up the pages each time.
    ///
    /// Where the ring cannot be told, these are buffers like any others, as they are to other
    /// drivers: [`is_registered`](AlignedBuf::is_registered) says so, and `WAKERING_DEBUG=1` has
    /// the reason printed. The kernel keeps the memory, and counts it as locked memory of the user
    /// (`ulimit -l`), at least until the last of the buffers is gone: it is let go of when more
    /// buffers are registered, or the driver ends.
    ///
    /// ```
    /// use wakering_ring_driver::{AlignedBuf, IoBuf};
    ///
    /// # wakering_ring_driver::testing::block_on(async {
    /// let pages = AlignedBuf::registered(32, 4096)?;
    /// assert_eq!((pages.len(), pages[31].capacity()), (32, 4096));
    /// # Ok::<_, std::io::Error>(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// Where no driver is current, and where there is no memory.
    ///
    /// # Panics
    ///
    /// If all of them together exceed `isize::MAX`.
    ///
    /// # Kernel
    ///
    /// `IORING_REGISTER_BUFFERS_UPDATE` into a sparse table, 5.19; elsewhere nothing is registered.
    pub fn registered(count: usize, capacity: usize) -> io::Result<Vec<AlignedBuf>> {
        let driver = Driver::current()?;
        if count == 0 {
            return Ok(Vec::new());
        }
        let layout = layout(capacity, AlignedBuf::ALIGNMENT);
        let size = layout.size().checked_mul(count).filter(|&size| isize::try_from(size).is_ok());
        let block = Arc::new(Block::map(size.expect("all together at most isize::MAX"))?);
        driver.register(&block);
        let buf = |number: usize| AlignedBuf {
            start: block.at(number * layout.size()),
            len: 0,
            layout,
            block: Some(block.clone()),
        };
        Ok((0..count).map(buf).collect())
    }

    /// Whether a ring has been told of its memory, which helps on that ring's driver alone.
    ///
    /// ```
    /// use wakering_ring_driver::AlignedBuf;
    ///
    /// assert!(!AlignedBuf::new(4096).is_registered());
    /// ```
    pub fn is_registered(&self) -> bool {
        self.block.as_ref().is_some_and(|block| block.is_registered())
    }

    /// Sets the length to `len`, filling what is new with `value`.
    ///
    /// ```
    /// use wakering_ring_driver::AlignedBuf;
    ///
    /// let mut page = AlignedBuf::new(4096);
    /// page.resize(4096, b'-');
    /// page[0] = b'>';
    /// assert_eq!(page[..3], *b">--");
    /// ```
    ///
    /// # Panics
    ///
    /// If `len` exceeds the capacity.
    pub fn resize(&mut self, len: usize, value: u8) {
        assert!(len <= self.capacity(), "length {len} exceeds the capacity {}", self.capacity());
        let old = self.len.min(len);
        self.len = len;
        self[old..].fill(value);
    }

    /// Empties the buffer and keeps its memory.
    ///
    /// ```
    /// use wakering_ring_driver::AlignedBuf;
    ///
    /// let mut page = AlignedBuf::new(4096);
    /// page.resize(10, 0);
    /// page.clear();
    /// assert!(page.is_empty());
    /// ```
    pub fn clear(&mut self) {
        self.len = 0;
    }
}

fn layout(capacity: usize, alignment: usize) -> Layout {
    capacity
        .max(1)
        .checked_next_multiple_of(alignment)
        .and_then(|size| Layout::from_size_align(size, alignment).ok())
        .expect("alignment is a power of two and the capacity at most isize::MAX")
}

impl Drop for AlignedBuf {
    fn drop(&mut self) {
        if self.block.is_none() {
            // SAFETY: `start` was allocated with this layout and is given back once.
            unsafe { dealloc(self.start.as_ptr(), self.layout) };
        }
    }
}

// SAFETY: The memory is owned like a vector's, and a vector may go to other threads.
unsafe impl Send for AlignedBuf {}
// SAFETY: Shared access only reads.
unsafe impl Sync for AlignedBuf {}

// SAFETY: The allocation, or its part of a block, is this value's own, stays while it moves, and is
// initialised throughout.
unsafe impl IoBuf for AlignedBuf {
    fn as_ptr(&self) -> *const u8 {
        self.start.as_ptr()
    }

    fn len(&self) -> usize {
        self.len
    }

    fn capacity(&self) -> usize {
        self.layout.size()
    }
}

// SAFETY: As above; nobody else reaches the allocation.
unsafe impl IoBufMut for AlignedBuf {
    fn as_mut_ptr(&mut self) -> *mut u8 {
        self.start.as_ptr()
    }

    unsafe fn set_len(&mut self, len: usize) {
        self.len = len;
    }
}

impl Deref for AlignedBuf {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.as_slice()
    }
}

impl DerefMut for AlignedBuf {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: The memory is initialised, and borrowed mutably through its only owner.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }
}

impl fmt::Debug for AlignedBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AlignedBuf")
            .field("len", &self.len)
            .field("capacity", &self.capacity())
            .field("alignment", &self.layout.align())
            .field("is_registered", &self.is_registered())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_and_capacity_are_multiples_of_the_alignment() {
        for alignment in [1, 2, 512, 4096, 1 << 16] {
            for capacity in [0, 1, alignment - 1, alignment, alignment + 1, 3 * alignment] {
                let buf = AlignedBuf::with_alignment(capacity, alignment);
                assert_eq!(IoBuf::as_ptr(&buf) as usize % alignment, 0);
                assert_eq!(buf.capacity() % alignment, 0);
                assert!(buf.capacity() >= capacity.max(1));
                assert!(buf.is_empty());
            }
        }
    }

    #[test]
    fn a_resize_fills_only_what_is_new() {
        let mut buf = AlignedBuf::with_alignment(16, 16);
        buf.overwrite(&[7; 8]);
        buf.resize(4, 1);
        assert_eq!(*buf, [7; 4]);
        buf.resize(6, 1);
        assert_eq!(*buf, [7, 7, 7, 7, 1, 1]);
        buf.clear();
        assert_eq!(*buf, []);
    }

    #[test]
    #[should_panic(expected = "exceeds the capacity")]
    fn a_resize_beyond_the_capacity_panics() {
        AlignedBuf::with_alignment(16, 16).resize(17, 0);
    }

    #[test]
    #[should_panic(expected = "power of two")]
    fn an_odd_alignment_panics() {
        AlignedBuf::with_alignment(16, 24);
    }
}
