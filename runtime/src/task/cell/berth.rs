//! Where a handle leaves its waker.

#![allow(unsafe_code)]

use std::ptr::{self, NonNull};
use std::task::{RawWakerVTable, Waker};

use crate::primitive::{AtomicPtr, Ordering};

/// Room for one waker. Who may put one there or take it out is told by
/// [`State`](crate::task::state::State), whose steps also publish what is written here.
///
/// In two words, each atomic: home looks at them before it knows whether the waker is its own.
pub(super) struct Berth {
    data: AtomicPtr<()>,
    /// Null where there is none.
    vtable: AtomicPtr<RawWakerVTable>,
}

/// What is in a berth: a waker only for whoever owns that.
pub(super) struct Seen(*mut (), NonNull<RawWakerVTable>);

impl Berth {
    pub(super) fn new() -> Berth {
        Berth { data: AtomicPtr::new(ptr::null_mut()), vtable: AtomicPtr::new(ptr::null_mut()) }
    }

    /// Looks at what is there.
    #[inline]
    pub(super) fn look(&self) -> Option<Seen> {
        let vtable = NonNull::new(self.vtable.load(Ordering::Relaxed))?;
        Some(Seen(self.data.load(Ordering::Relaxed), vtable))
    }

    /// Leaves a clone of `waker`, for whoever has the berth to themselves.
    ///
    /// # Safety
    /// The caller does.
    #[inline]
    pub(super) unsafe fn put(&self, waker: &Waker) {
        let is_there = self.look().is_some_and(|Seen(data, vtable)| {
            ptr::eq(data, waker.data()) && ptr::eq(vtable.as_ptr(), waker.vtable())
        });
        if is_there {
            return;
        }
        // SAFETY: the caller's promise. Emptied first: what follows is foreign code.
        drop(unsafe { self.take() });
        let waker = std::mem::ManuallyDrop::new(waker.clone());
        self.data.store(waker.data().cast_mut(), Ordering::Relaxed);
        self.vtable.store(ptr::from_ref(waker.vtable()).cast_mut(), Ordering::Relaxed);
    }

    /// Takes the waker out, for whoever has the berth to themselves.
    ///
    /// # Safety
    /// The caller does.
    #[inline]
    pub(super) unsafe fn take(&self) -> Option<Waker> {
        let seen = self.look()?;
        self.vtable.store(ptr::null_mut(), Ordering::Relaxed);
        // SAFETY: nobody else has it, by the caller's promise, nor will from here.
        Some(unsafe { seen.own() })
    }
}

impl Seen {
    /// The waker that was seen.
    ///
    /// # Safety
    /// It was there, it is the caller's, and nobody takes it out of its berth any more.
    #[inline]
    pub(super) unsafe fn own(self) -> Waker {
        let Seen(data, vtable) = self;
        // SAFETY: both are those of a waker, by the caller's promise, and tables are for ever.
        unsafe { Waker::new(data, vtable.as_ref()) }
    }
}
