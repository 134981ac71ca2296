//! The wakers of tasks.

#![allow(unsafe_code)]

use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::ptr::NonNull;
use std::task::{RawWaker, RawWakerVTable, Waker};

use super::TaskRef;
use crate::context::{self, Origin};
use crate::task::Wake;
use crate::task::state::Side;

impl TaskRef {
    /// A waker for as long as this reference is there.
    pub(crate) fn waker(&self) -> LentWaker<'_> {
        // SAFETY: what the functions of the table ask for is a cell, to which we have a reference.
        // That the waker is no reference of its own shows nowhere: it is not dropped.
        let waker = unsafe { Waker::new(self.0.as_ptr().cast_const().cast(), &WAKER) };
        LentWaker { waker: ManuallyDrop::new(waker), _task: PhantomData }
    }

    /// Puts the task into the run queue of its home, through the inbox if that is on another
    /// thread.
    #[inline]
    fn wake(self) {
        if self.header().side() == Side::Afar {
            self.wake_from_afar();
        } else if self.header().wake() == Wake::Push {
            context::queue(self, Origin::Here);
        }
    }

    /// The same with a reference of its own, if one is needed.
    #[inline]
    pub(super) fn wake_by_ref(&self) {
        if self.header().side() == Side::Afar {
            self.clone().wake_from_afar();
        } else if self.header().wake() == Wake::Push {
            context::queue(self.clone(), Origin::Here);
        }
    }

    #[inline(never)]
    fn wake_from_afar(self) {
        if self.header().state.call() {
            let home = self.header().home().clone();
            home.call(self);
        }
    }
}

/// A waker that keeps nothing. Its clones do.
pub(crate) struct LentWaker<'task> {
    waker: ManuallyDrop<Waker>,
    _task: PhantomData<&'task TaskRef>,
}

impl Deref for LentWaker<'_> {
    type Target = Waker;

    fn deref(&self) -> &Waker {
        &self.waker
    }
}

/// The one table of all wakers of tasks, so that two of them can be told to be the same.
static WAKER: RawWakerVTable = RawWakerVTable::new(
    |task| {
        // SAFETY: the waker that is cloned is a reference, by rule 5, or lent by one.
        let task = unsafe { borrowed(task) };
        let clone = ManuallyDrop::new(TaskRef::clone(&task));
        RawWaker::new(clone.0.as_ptr().cast_const().cast(), &WAKER)
    },
    |task| {
        // SAFETY: as above, and the waker is consumed: its reference is ours now.
        ManuallyDrop::into_inner(unsafe { borrowed(task) }).wake();
    },
    |task| {
        // SAFETY: as above.
        unsafe { borrowed(task) }.wake_by_ref();
    },
    |task| {
        // SAFETY: as above, and the waker is dropped.
        drop(ManuallyDrop::into_inner(unsafe { borrowed(task) }));
    },
);

/// The task of a waker.
///
/// # Safety
/// The pointer is that of a waker that exists, and what is returned is dropped only in its stead.
unsafe fn borrowed(task: *const ()) -> ManuallyDrop<TaskRef> {
    // SAFETY: wakers are made with pointers that are not null.
    let cell = unsafe { NonNull::new_unchecked(task.cast_mut().cast()) };
    ManuallyDrop::new(TaskRef(cell))
}
