//! Memory for cells, from those that are gone.

#![allow(unsafe_code)]

use std::alloc::{self, Layout};
use std::cell::Cell;
use std::ptr::NonNull;

use crate::context;
use crate::home::HomeKey;

/// The memory of small cells that were freed at home, for those that come next: cheaper than to ask
/// for it each time, above all where many tasks come and go together.
pub(crate) struct Spare {
    /// By size.
    chains: [Cell<Chain>; Spare::SIZES],
}

/// The first, and how many there are.
type Chain = (Option<NonNull<Unused>>, usize);

/// Unused memory begins with where there is more.
struct Unused(Option<NonNull<Unused>>);

impl Spare {
    /// Sizes are this far apart, as they are with usual allocators.
    const STEP: usize = 16;
    /// How many bytes usual allocators put before each piece, which is what is a multiple then.
    const HEAD: usize = 8;
    /// Larger cells are rare, and the rest of what they cost is not.
    const SIZES: usize = 32;
    /// More of one size are given back at once.
    const KEPT: usize = 1024;

    pub(crate) fn new() -> Spare {
        Spare { chains: [const { Cell::new((None, 0)) }; Spare::SIZES] }
    }

    fn chain(&self, layout: Layout) -> Option<&Cell<Chain>> {
        self.chains
            .get((layout.size() + Spare::HEAD) / Spare::STEP)
            .filter(|_| layout.align() <= Spare::STEP)
    }

    fn take(&self, layout: Layout) -> Option<NonNull<u8>> {
        let chain = self.chain(layout)?;
        let (first, count) = chain.get();
        // SAFETY: what is in a chain is unused, and so as `keep` has left it.
        let Unused(next) = unsafe { first?.read() };
        chain.set((next, count - 1));
        first.map(NonNull::cast)
    }

    /// Whether it takes `memory`.
    ///
    /// # Safety
    /// The memory has this layout, and is given up.
    unsafe fn keep(&self, memory: NonNull<u8>, layout: Layout) -> bool {
        let Some(chain) = self.chain(layout) else { return false };
        let (first, count) = chain.get();
        if count >= Spare::KEPT {
            return false;
        }
        let memory = memory.cast::<Unused>();
        // SAFETY: it is large enough, being that of a cell, and aligned like one.
        unsafe { memory.write(Unused(first)) };
        chain.set((Some(memory), count + 1));
        true
    }
}

impl Drop for Spare {
    fn drop(&mut self) {
        for size in 1..Spare::SIZES {
            let layout = Layout::from_size_align(size * Spare::STEP - Spare::HEAD, Spare::STEP);
            while let Ok(layout) = layout
                && let Some(memory) = self.take(layout)
            {
                // SAFETY: what is in this chain was allocated with this layout.
                unsafe { alloc::dealloc(memory.as_ptr(), layout) };
            }
        }
    }
}

/// The layout of a cell, such that [`Spare`] knows it.
pub(super) const fn rounded(layout: Layout) -> Layout {
    let size = (layout.size() + Spare::HEAD).next_multiple_of(Spare::STEP) - Spare::HEAD;
    let align = if layout.align() < Spare::STEP { Spare::STEP } else { layout.align() };
    match Layout::from_size_align(size, align) {
        Ok(layout) => layout,
        Err(_) => layout,
    }
}

#[inline]
pub(super) fn take_memory(layout: Layout, spare: Option<&Spare>) -> NonNull<u8> {
    if let Some(memory) = spare.and_then(|spare| spare.take(layout)) {
        return memory;
    }
    // SAFETY: no cell is of size zero.
    NonNull::new(unsafe { alloc::alloc(layout) })
        .unwrap_or_else(|| alloc::handle_alloc_error(layout))
}

/// # Safety
/// The memory was taken with this layout, and is given up. If this `is_here` its home is current.
pub(super) unsafe fn give_memory(memory: NonNull<u8>, layout: Layout, is_here: bool) {
    // SAFETY: the caller's promise.
    let keep = |key: &HomeKey| unsafe { key.spare().keep(memory, layout) };
    if !is_here || context::with_key(keep) != Some(true) {
        // SAFETY: the caller's promise; nobody has kept it.
        unsafe { alloc::dealloc(memory.as_ptr(), layout) };
    }
}
