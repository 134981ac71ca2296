//! How often a program has allocated, counted in the allocator of every program alike.
//!
//! Each thread counts in a place of its own, without an atomic addition, so counting costs a
//! nanosecond or two, and the same everywhere.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

/// Threads that count apart. Those beyond share a place with another, and may lose a count.
const PLACES: usize = 256;

/// Allocations and reallocations of all threads so far.
pub fn count() -> u64 {
    COUNTS.iter().map(|place| place.0.load(Relaxed)).sum()
}

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A processor's cache line each.
#[repr(align(64))]
struct Place(AtomicU64);

static COUNTS: [Place; PLACES] = [const { Place(AtomicU64::new(0)) }; PLACES];
static THREADS: AtomicU64 = AtomicU64::new(0);

thread_local! {
    static MINE: Cell<usize> = const { Cell::new(usize::MAX) };
}

fn note() {
    let mine = MINE.get();
    let place = match COUNTS.get(mine) {
        Some(place) => place,
        None => {
            let mine = THREADS.fetch_add(1, Relaxed) as usize % PLACES;
            MINE.set(mine);
            &COUNTS[mine]
        }
    };
    place.0.store(place.0.load(Relaxed) + 1, Relaxed);
}

// SAFETY: everything is the system's allocator's; counting touches neither memory nor layout, and
// its place needs no allocation, being constant and without a destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note();
        // SAFETY: the caller keeps the contract, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note();
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note();
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_allocation_counts_on_every_thread() {
        let before = count();
        let boxes = std::hint::black_box((0..10).map(Box::new).collect::<Vec<_>>());
        std::thread::spawn(|| drop(std::hint::black_box(Box::new(1)))).join().unwrap();
        assert!(count() >= before + 12, "{} after {before}", count());
        drop(boxes);
    }
}
