//! Memory of which the ring has been told: the kernel has looked up its pages once and for all.
//!
//! What is read into it, or written from it, is recognised by its address, so that operations and
//! buffers need not know.

#![allow(unsafe_code)]

use std::io;
use std::sync::Arc;

use io_uring::Submitter;

use crate::buffer::Block;
use crate::request::Request;

/// How many blocks the ring can know of.
const PLACES: u32 = 64;

/// The ring's table of buffers, seen from here.
#[derive(Default)]
pub(super) struct Registered {
    /// By the number under which the ring knows it. Each is kept until the ring has forgotten it:
    /// another mapping at the same address would be taken for it.
    blocks: Vec<Option<Arc<Block>>>,
}

impl Registered {
    /// Tells the ring of `block`, and has it forget those of which no buffer is left.
    pub(super) fn add(&mut self, submitter: &Submitter<'_>, block: &Arc<Block>) -> io::Result<()> {
        if self.blocks.is_empty() {
            submitter.register_buffers_sparse(PLACES)?;
            self.blocks.resize(PLACES as usize, None);
        }
        let nothing = libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 };
        for (index, place) in (0..).zip(&mut self.blocks) {
            if place.as_ref().is_some_and(|block| Arc::strong_count(block) == 1) {
                // SAFETY: the place is emptied; what is in flight keeps its pages.
                unsafe { submitter.register_buffers_update(index, &[nothing], None) }?;
                *place = None;
            }
        }
        let index = self.blocks.iter().position(Option::is_none);
        let index = index.ok_or(io::Error::from_raw_os_error(libc::ENOSPC))?;
        // SAFETY: the block keeps its pages mapped, and stays here until the ring has forgotten it.
        unsafe { submitter.register_buffers_update(index as u32, &[block.segment()], None) }?;
        self.blocks[index] = Some(block.clone());
        Ok(())
    }

    /// The number of the block that `request` reads into or writes from, at an offset of a file.
    #[inline]
    pub(super) fn index(&self, request: &Request) -> Option<u16> {
        if self.blocks.is_empty() {
            return None;
        }
        let (start, len) = match *request {
            Request::Read { buf, len, offset: Some(_), .. } => (buf.cast_const(), len),
            Request::Write { buf, len, offset: Some(_), .. } => (buf, len),
            _ => return None,
        };
        let holds = |block: &Option<Arc<Block>>| {
            block.as_ref().is_some_and(|block| block.holds(start, len))
        };
        self.blocks.iter().position(holds).map(|index| index as u16)
    }
}
