//! Memory that many buffers share, and that a ring can be told of as a whole.

#![allow(unsafe_code)]

use std::io;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, Ordering};

use super::area::Area;

/// Whole pages, which live as long as any buffer in them, and as long as a ring knows of them.
pub(crate) struct Block {
    area: Area,
    is_registered: AtomicBool,
}

// SAFETY: The pages are the block's own, wherever it is; who may touch which of their bytes is
// for the buffers to say that share them.
unsafe impl Send for Block {}
// SAFETY: As above; the block itself only tells addresses.
unsafe impl Sync for Block {}

impl Block {
    pub(super) fn map(len: usize) -> io::Result<Block> {
        Ok(Block { area: Area::map(len)?, is_registered: AtomicBool::new(false) })
    }

    /// The address of a byte in it.
    pub(super) fn at(&self, offset: usize) -> NonNull<u8> {
        assert!(offset < self.area.len());
        // SAFETY: It is within the mapping.
        unsafe { NonNull::new_unchecked(self.area.start().add(offset)) }
    }

    /// All of it, as the kernel wants to be told of it.
    pub(crate) fn segment(&self) -> libc::iovec {
        libc::iovec { iov_base: self.area.start().cast(), iov_len: self.area.len() }
    }

    /// Whether these `len` bytes lie in it.
    #[inline]
    pub(crate) fn holds(&self, start: *const u8, len: u32) -> bool {
        let offset = (start as usize).wrapping_sub(self.area.start() as usize);
        offset < self.area.len() && len as usize <= self.area.len() - offset
    }

    /// A ring knows of it from now on.
    pub(crate) fn set_registered(&self) {
        self.is_registered.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_registered(&self) -> bool {
        self.is_registered.load(Ordering::Relaxed)
    }
}
