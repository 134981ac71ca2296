//! A buffer that notices when the kernel writes into it after it was dropped, or when it is dropped
//! too early.
//!
//! Sanitizers do not see the kernel's writes. This buffer's memory comes straight from mmap, is
//! never given back, and is filled with a pattern when the buffer is dropped: whoever writes to it
//! later leaves a trace for the witness.

#![allow(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::fmt;
use std::ptr::{self, NonNull};
use std::rc::Rc;

use crate::buffer::{IoBuf, IoBufMut};

const PATTERN: u8 = 0xA5;

/// A buffer for tests of what happens when futures are dropped while the kernel has their buffers.
///
/// ```
/// use wakering_ring_driver::IoBufMut;
/// use wakering_ring_driver::testing::CheckingBuf;
///
/// let (mut buf, witness) = CheckingBuf::new(4096);
/// assert_eq!(buf.overwrite(b"data"), 4);
/// assert!(!witness.is_dropped());
/// drop(buf);
/// witness.assert_untouched();
/// ```
pub struct CheckingBuf {
    memory: Rc<Memory>,
    len: usize,
}

/// Keeps an eye on the memory of a [`CheckingBuf`] after the buffer is gone.
#[derive(Clone)]
pub struct Witness {
    memory: Rc<Memory>,
}

struct Memory {
    start: NonNull<u8>,
    capacity: usize,
    /// Tells, when the buffer is dropped, whether somebody still has it.
    lent: RefCell<Option<Box<dyn Fn() -> bool>>>,
    is_dropped: Cell<bool>,
    was_lent: Cell<bool>,
}

impl CheckingBuf {
    /// An empty buffer with room for `capacity` bytes, and its witness.
    ///
    /// # Panics
    ///
    /// If `capacity` is 0, or there is no memory.
    pub fn new(capacity: usize) -> (CheckingBuf, Witness) {
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        // SAFETY: A new anonymous mapping at an address of the kernel's choice touches nothing that
        // exists.
        let start = unsafe { libc::mmap(ptr::null_mut(), capacity, protection, flags, -1, 0) };
        assert_ne!(start, libc::MAP_FAILED, "mmap {capacity}: {}", std::io::Error::last_os_error());
        let memory = Rc::new(Memory {
            start: NonNull::new(start.cast())
                .expect("mmap chooses no null address unless asked to"),
            capacity,
            lent: RefCell::new(None),
            is_dropped: Cell::new(false),
            was_lent: Cell::new(false),
        });
        (CheckingBuf { memory: memory.clone(), len: 0 }, Witness { memory })
    }

    /// A buffer that holds `bytes`, to be sent or written, and its witness.
    ///
    /// # Panics
    ///
    /// If `bytes` is empty, or there is no memory.
    pub fn of(bytes: &[u8]) -> (CheckingBuf, Witness) {
        let (mut buf, witness) = CheckingBuf::new(bytes.len());
        buf.overwrite(bytes);
        (buf, witness)
    }
}

impl Witness {
    /// Asks `is_lent` when the buffer is dropped: if it says yes, the buffer was dropped too early.
    /// It may ask the driver, which runs foreign code only while it is in good order.
    pub fn lent_while(&self, is_lent: impl Fn() -> bool + 'static) {
        self.memory.lent.replace(Some(Box::new(is_lent)));
    }

    /// Whether the buffer is gone.
    pub fn is_dropped(&self) -> bool {
        self.memory.is_dropped.get()
    }

    /// Checks that the buffer was dropped, that nobody had it then, and that nobody has written to
    /// it since.
    ///
    /// # Panics
    ///
    /// If that is not so.
    #[track_caller]
    pub fn assert_untouched(&self) {
        assert!(self.is_dropped(), "the buffer has not been dropped yet");
        assert!(!self.memory.was_lent.get(), "the buffer was dropped while somebody still had it");
        for offset in 0..self.memory.capacity {
            // SAFETY: Within the mapping, which is never given back. Volatile, because the kernel
            // may be writing.
            let byte = unsafe { self.memory.start.add(offset).read_volatile() };
            assert_eq!(
                byte, PATTERN,
                "somebody wrote to byte {offset} after the buffer was dropped"
            );
        }
    }
}

impl Drop for CheckingBuf {
    fn drop(&mut self) {
        let is_lent = self.memory.lent.take();
        self.memory.was_lent.set(is_lent.is_some_and(|is_lent| is_lent()));
        self.memory.is_dropped.set(true);
        // SAFETY: Within the mapping. The owner is gone, and a kernel that still writes is what
        // this is to show.
        unsafe { ptr::write_bytes(self.memory.start.as_ptr(), PATTERN, self.memory.capacity) };
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert!(
                !self.memory.was_lent.get(),
                "the buffer was dropped while somebody still had it"
            );
        }
    }
}

// SAFETY: The mapping is this buffer's alone while it lives (the witness reads only what has been
// dropped), neither moves nor changes its size, and is never given back. `len` bytes have been
// written.
unsafe impl IoBuf for CheckingBuf {
    fn as_ptr(&self) -> *const u8 {
        self.memory.start.as_ptr()
    }

    fn len(&self) -> usize {
        self.len
    }

    fn capacity(&self) -> usize {
        self.memory.capacity
    }
}

// SAFETY: As above, for writing.
unsafe impl IoBufMut for CheckingBuf {
    fn as_mut_ptr(&mut self) -> *mut u8 {
        self.memory.start.as_ptr()
    }

    unsafe fn set_len(&mut self, len: usize) {
        assert!(len <= self.memory.capacity, "{len} bytes in a buffer of {}", self.memory.capacity);
        self.len = len;
    }
}

impl fmt::Debug for CheckingBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CheckingBuf")
            .field("len", &self.len)
            .field("capacity", &self.capacity())
            .finish()
    }
}

impl fmt::Debug for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Witness").field("is_dropped", &self.is_dropped()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    fn refuses(witness: &Witness) -> bool {
        catch_unwind(AssertUnwindSafe(|| witness.assert_untouched())).is_err()
    }

    #[test]
    fn it_holds_what_it_was_given() {
        let (buf, _) = CheckingBuf::of(b"abc");
        assert_eq!((buf.as_slice(), buf.capacity()), (&b"abc"[..], 3));
    }

    #[test]
    fn a_write_after_the_drop_is_noticed() {
        let (mut buf, witness) = CheckingBuf::new(10_000);
        let pointer = buf.as_mut_ptr();
        assert!(refuses(&witness), "it is not dropped yet");
        drop(buf);
        witness.assert_untouched();
        // SAFETY: The mapping is never given back.
        unsafe { pointer.add(9_999).write(0) };
        assert!(refuses(&witness));
    }

    #[test]
    fn a_drop_while_it_is_lent_is_noticed_even_if_nobody_asks() {
        let lent = Rc::new(Cell::new(true));
        let (buf, witness) = CheckingBuf::new(1);
        let hook = lent.clone();
        witness.lent_while(move || hook.get());
        drop(buf);
        lent.set(false);
        assert!(refuses(&witness));
        assert!(catch_unwind(AssertUnwindSafe(|| drop(witness))).is_err());
    }
}
