//! A ring of buffers from which the kernel takes one for each receive.

use std::alloc::{Layout, alloc_zeroed, handle_alloc_error};
use std::io;
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::types::BufRingEntry;

use crate::ring::Ring;

/// Buffers: a working set about as large as a second-level cache.
pub const BUFFERS: u16 = 128;

/// The group's number.
pub const GROUP: u16 = 0;

/// The buffers and the ring in which they are offered; both live as long as the program.
pub struct Buffers {
    entries: *mut BufRingEntry,
    memory: *mut u8,
    size: usize,
    tail: u16,
}

impl Buffers {
    /// Registers buffers of `size` bytes and offers all of them.
    pub fn register(ring: &Ring, size: usize) -> io::Result<Buffers> {
        let entries = zeroed(usize::from(BUFFERS) * size_of::<BufRingEntry>()).cast();
        let memory = zeroed(usize::from(BUFFERS) * size);
        // SAFETY: the entries are page-aligned, of the right size, and never freed.
        unsafe {
            ring.submitter().register_buf_ring_with_flags(entries as u64, BUFFERS, GROUP, 0)?
        };
        let mut buffers = Buffers { entries, memory, size, tail: 0 };
        (0..BUFFERS).for_each(|id| buffers.offer(id));
        Ok(buffers)
    }

    /// Where buffer `id` begins.
    pub fn at(&self, id: u16) -> *mut u8 {
        assert!(id < BUFFERS);
        // SAFETY: within the allocation, by the line above.
        unsafe { self.memory.add(usize::from(id) * self.size) }
    }

    /// Offers buffer `id`, which nobody uses any more, to the kernel.
    pub fn offer(&mut self, id: u16) {
        let address = self.at(id) as u64;
        // SAFETY: the index is below the number of entries, and what is beyond the tail is ours.
        unsafe {
            let entry = &mut *self.entries.add(usize::from(self.tail & (BUFFERS - 1)));
            entry.set_addr(address);
            entry.set_len(self.size as u32);
            entry.set_bid(id);
            self.tail = self.tail.wrapping_add(1);
            let tail = BufRingEntry::tail(self.entries).cast::<AtomicU16>();
            (*tail).store(self.tail, Ordering::Release);
        }
    }
}

fn zeroed(size: usize) -> *mut u8 {
    let layout = Layout::from_size_align(size, 4096).expect("a size that there can be");
    // SAFETY: the size is not zero.
    let memory = unsafe { alloc_zeroed(layout) };
    if memory.is_null() {
        handle_alloc_error(layout);
    }
    memory
}
