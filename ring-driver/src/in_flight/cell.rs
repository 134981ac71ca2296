//! Cells: memory that never moves, in which an operation lies while the kernel may point into it.
//!
//! Operations have many types and sizes; a slot knows them only by [`Kept`], a pointer and a table
//! of what can be done with what it points to. Cells are reused by size class, so the steady state
//! allocates nothing. What lends nothing of itself and is no larger than the pointer has no cell: it
//! lies in the pointer's place. A `Kept` that is forgotten leaks: for memory lent to a kernel that
//! is the safe way to fail.

#![allow(unsafe_code)]

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::mem::MaybeUninit;
use std::ptr::NonNull;

use crate::completion::Outcome;
use crate::driver::Driver;
use crate::fd::Shelf;
use crate::op::Operation;
use crate::request::{Number, Request};

/// What can be done with an operation of an unknown type. Each function is called with a pointer to
/// a live one of the type that the table was made for; those that take it leave the cell empty.
struct Table {
    name: &'static str,
    layout: Layout,
    /// Whether the operation lies in the place of the pointer.
    has_no_cell: bool,
    /// Takes it: drops it.
    free: unsafe fn(NonNull<u8>),
    /// Takes it: completes it and drops its output.
    discard: unsafe fn(NonNull<u8>, Outcome, &Driver),
    /// Lends it: leaves what the outcome brought on the shelf.
    put_back: unsafe fn(NonNull<u8>, Outcome, &mut Shelf),
}

/// An operation of some type, at the address where it stays until it is taken out.
pub(crate) struct Kept {
    /// Its cell, or the operation itself.
    place: MaybeUninit<NonNull<u8>>,
    table: &'static Table,
}

struct TableOf<O>(std::marker::PhantomData<O>);

impl<O: Operation> TableOf<O> {
    const TABLE: Table = Table {
        name: O::NAME,
        layout: Layout::new::<O>(),
        has_no_cell: O::MAY_MOVE
            && size_of::<O>() <= size_of::<NonNull<u8>>()
            && align_of::<O>() <= align_of::<NonNull<u8>>(),
        free: free::<O>,
        discard: discard::<O>,
        put_back: put_back::<O>,
    };
}

/// # Safety
/// `operation` points to a live `O`, which is moved out.
unsafe fn take<O>(operation: NonNull<u8>) -> O {
    // SAFETY: as the caller promises; it does not use them again.
    unsafe { operation.cast::<O>().read() }
}

unsafe fn free<O: Operation>(operation: NonNull<u8>) {
    // SAFETY: passed on to the caller.
    drop(unsafe { take::<O>(operation) });
}

unsafe fn discard<O: Operation>(operation: NonNull<u8>, outcome: Outcome, driver: &Driver) {
    // SAFETY: passed on to the caller.
    let operation = unsafe { take::<O>(operation) };
    drop(finish(operation, outcome, driver));
}

unsafe fn put_back<O: Operation>(operation: NonNull<u8>, outcome: Outcome, shelf: &mut Shelf) {
    // SAFETY: it is live, and nobody else refers to it: its slot is borrowed by our caller.
    let operation = unsafe { operation.cast::<O>().as_mut() };
    operation.put_back(outcome, shelf);
}

/// The output of an operation that has had its final completion.
pub(crate) fn finish<O: Operation>(operation: O, outcome: Outcome, driver: &Driver) -> O::Output {
    match outcome.errno() {
        None => operation.complete(outcome, driver),
        Some(errno) => operation.fail(std::io::Error::from_raw_os_error(errno)),
    }
}

impl Kept {
    /// Moves `operation` into a cell and asks it, at its final address, for its request.
    pub(crate) fn new<O: Operation>(
        operation: O,
        number: Number,
        cells: &mut Cells,
    ) -> (Kept, Request) {
        let mut kept = Kept { place: MaybeUninit::uninit(), table: &TableOf::<O>::TABLE };
        if !kept.table.has_no_cell {
            kept.place.write(cells.allocate(kept.table.layout));
        }
        let place = kept.operation().cast::<O>();
        // SAFETY: the cell, or the pointer's place, is large and aligned enough for an `O`, and
        // empty.
        unsafe { place.write(operation) };
        // SAFETY: just written; no other reference exists.
        let request = unsafe { (*place.as_ptr()).request(number) };
        (kept, request)
    }

    /// Where the operation lies.
    #[inline(always)]
    fn operation(&mut self) -> NonNull<u8> {
        match self.table.has_no_cell {
            true => NonNull::from(&mut self.place).cast(),
            // SAFETY: `new` has put a cell there.
            false => unsafe { self.place.assume_init() },
        }
    }

    /// What is left when the operation is gone.
    fn into_cell(mut self) -> EmptyCell {
        let cell = (!self.table.has_no_cell).then(|| self.operation());
        EmptyCell { cell, layout: self.table.layout }
    }

    /// The kernel's word for the operation.
    pub(crate) fn name(&self) -> &'static str {
        self.table.name
    }

    /// Takes the operation out, after its final completion.
    ///
    /// # Safety
    /// The `Kept` was made from an `O`.
    pub(crate) unsafe fn into_operation<O: Operation>(mut self, cells: &mut Cells) -> O {
        debug_assert_eq!(self.table.name, O::NAME);
        // SAFETY: the caller names the type; the operation is live until one of the consuming
        // functions, and this is one.
        let operation = unsafe { take::<O>(self.operation()) };
        if !TableOf::<O>::TABLE.has_no_cell {
            cells.release(self.operation(), Layout::new::<O>());
        }
        operation
    }

    /// Leaves what `outcome` brought on `shelf`; the operation stays here.
    pub(crate) fn put_back(&mut self, outcome: Outcome, shelf: &mut Shelf) {
        // SAFETY: the operation is live until one of the consuming functions.
        unsafe { (self.table.put_back)(self.operation(), outcome, shelf) }
    }

    /// Completes the operation and drops what it gives. Runs foreign code (the drop of a caller's
    /// buffer), so the driver must not be borrowed.
    pub(crate) fn discard(mut self, outcome: Outcome, driver: &Driver) -> EmptyCell {
        // SAFETY: the operation is live until one of the consuming functions, and this is one.
        unsafe { (self.table.discard)(self.operation(), outcome, driver) };
        self.into_cell()
    }

    /// Drops the operation without an outcome. Runs foreign code, so the driver must not be
    /// borrowed.
    pub(crate) fn free(mut self) -> EmptyCell {
        // SAFETY: the operation is live until one of the consuming functions, and this is one.
        unsafe { (self.table.free)(self.operation()) };
        self.into_cell()
    }
}

/// A cell whose operation is gone, if it had one; give it back with [`Cells::recycle`].
#[must_use]
pub(crate) struct EmptyCell {
    cell: Option<NonNull<u8>>,
    layout: Layout,
}

/// Free cells by size class.
pub(crate) struct Cells {
    free: [Vec<NonNull<u8>>; CLASSES.len()],
}

/// Sizes in bytes. Anything larger or stricter in alignment has an allocation of its own.
const CLASSES: [usize; 6] = [16, 64, 128, 256, 512, 1024];
const ALIGN: usize = 64;
/// Free cells kept per class; the rest goes back to the allocator, so that a burst does not cost
/// memory for ever.
const KEEP: usize = 1024;

fn class(layout: Layout) -> Option<usize> {
    CLASSES.iter().position(|&size| layout.size() <= size && layout.align() <= alignment(size))
}

/// The alignment of cells of that size: a cache line, where they are as large as one.
const fn alignment(size: usize) -> usize {
    if size < ALIGN { size } else { ALIGN }
}

/// The layout under which a cell for `layout` comes from the allocator. Never of size zero.
fn allocation(layout: Layout) -> Layout {
    match class(layout) {
        // SAFETY: the alignment is a power of two, and the sizes are far from overflowing.
        Some(class) => unsafe {
            Layout::from_size_align_unchecked(CLASSES[class], alignment(CLASSES[class]))
        },
        None => layout,
    }
}

impl Cells {
    pub(crate) fn new() -> Cells {
        Cells { free: Default::default() }
    }

    fn allocate(&mut self, layout: Layout) -> NonNull<u8> {
        if let Some(cell) = class(layout).and_then(|class| self.free[class].pop()) {
            return cell;
        }
        let allocation = allocation(layout);
        // SAFETY: the size is not zero: classed ones have 16 bytes and more, and for the others
        // `nonzero` sees to it.
        let cell = unsafe { alloc(nonzero(allocation)) };
        NonNull::new(cell).unwrap_or_else(|| handle_alloc_error(allocation))
    }

    /// Where the layout is that of a known type, the compiler knows its class.
    #[inline(always)]
    fn release(&mut self, cell: NonNull<u8>, layout: Layout) {
        match class(layout) {
            Some(class) if self.free[class].len() < KEEP => self.free[class].push(cell),
            // SAFETY: allocated in `allocate` with this very layout, and empty.
            _ => unsafe { dealloc(cell.as_ptr(), nonzero(allocation(layout))) },
        }
    }

    pub(crate) fn recycle(&mut self, empty: EmptyCell) {
        if let Some(cell) = empty.cell {
            self.release(cell, empty.layout);
        }
    }
}

/// Over-aligned types without size still need an address.
fn nonzero(layout: Layout) -> Layout {
    if layout.size() == 0 {
        // SAFETY: a size equal to a valid alignment is valid for it.
        unsafe { Layout::from_size_align_unchecked(layout.align(), layout.align()) }
    } else {
        layout
    }
}

impl Drop for Cells {
    fn drop(&mut self) {
        for (class, free) in self.free.iter_mut().enumerate() {
            for cell in free.drain(..) {
                // SAFETY: free cells of a class were allocated with the class's layout and are
                // empty.
                unsafe {
                    let layout = Layout::from_size_align_unchecked(
                        CLASSES[class],
                        alignment(CLASSES[class]),
                    );
                    dealloc(cell.as_ptr(), layout)
                }
            }
        }
    }
}
