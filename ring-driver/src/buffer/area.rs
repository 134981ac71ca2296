//! Memory straight from the kernel: whole pages, zeroed, given back on drop.
//!
//! The allocator's memory would do for neither use here: a provided-buffer ring has to begin on a
//! page, and the data pages are kept out of forked children, which must not take neighbours along.

#![allow(unsafe_code)]

use std::io;
use std::ptr::{self, NonNull};

/// A private anonymous mapping.
pub(super) struct Area {
    start: NonNull<u8>,
    len: usize,
}

impl Area {
    /// Maps `len` bytes, at least one; the kernel rounds up to pages.
    pub(super) fn map(len: usize) -> io::Result<Area> {
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        // SAFETY: A new anonymous mapping at an address of the kernel's choice touches nothing that
        // exists.
        let start = unsafe { libc::mmap(ptr::null_mut(), len, protection, flags, -1, 0) };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start =
            NonNull::new(start.cast()).expect("mmap chooses no null address unless asked to");
        Ok(Area { start, len })
    }

    /// Keeps the pages out of children that are forked from now on: a child that touches them gets
    /// SIGSEGV.
    pub(super) fn keep_from_children(&self) -> io::Result<()> {
        // SAFETY: The range is this mapping, and the advice changes nothing for this process.
        match unsafe { libc::madvise(self.start.as_ptr().cast(), self.len, libc::MADV_DONTFORK) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// How many bytes there are.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The first byte; page-aligned.
    pub(super) fn start(&self) -> *mut u8 {
        self.start.as_ptr()
    }
}

impl Drop for Area {
    fn drop(&mut self) {
        // SAFETY: The mapping is this value's own, and whoever was given addresses in it keeps it
        // alive.
        let result = unsafe { libc::munmap(self.start.as_ptr().cast(), self.len) };
        debug_assert_eq!(result, 0, "munmap of an own mapping");
    }
}
