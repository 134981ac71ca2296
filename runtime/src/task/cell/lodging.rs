//! How a cell refers to its home.

#![allow(unsafe_code)]

use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::sync::Arc;

use crate::home::{self, Home, HomeKey};

/// A home as its key and the tasks made there refer to it: counted as references to a task are,
/// which spares each task two atomic steps.
pub(crate) struct Lodging(ManuallyDrop<Arc<Home>>);

impl Lodging {
    /// That of the key of a home, which is on the thread that calls.
    pub(crate) fn first(home: Home) -> Lodging {
        Lodging(ManuallyDrop::new(Arc::new(home)))
    }

    /// That of a task.
    pub(super) fn of(key: &HomeKey) -> Lodging {
        key.home().lodgers().add_here();
        // SAFETY: this is no `Arc` of its own: all lodgings together own the one with which the
        // first was made. It is there, because the key has one of them, and is dropped with the
        // last of them, which `Home::lodgers` tells.
        Lodging(ManuallyDrop::new(unsafe { Arc::from_raw(Arc::as_ptr(key.home())) }))
    }

    /// The home, to which whoever has this refers as a lodger until he makes a lodging of it again.
    #[inline(always)]
    pub(in crate::task) fn into_home(self) -> ManuallyDrop<Arc<Home>> {
        let lodging = ManuallyDrop::new(self);
        // SAFETY: moved out of what is not dropped. It is still no `Arc` of its own.
        ManuallyDrop::new(unsafe { Arc::from_raw(Arc::as_ptr(&lodging.0)) })
    }

    /// The inverse of [`into_home`](Lodging::into_home).
    ///
    /// # Safety
    /// `home` comes from there, and is used no more.
    pub(super) unsafe fn of_home(home: ManuallyDrop<Arc<Home>>) -> Lodging {
        Lodging(home)
    }

    /// The key of the home is about to go, so that home can count no more.
    pub(crate) fn settle(&self) {
        self.lodgers().add_here();
        let is_last = self.lodgers().settle();
        debug_assert!(!is_last, "the key itself has one");
    }
}

impl Deref for Lodging {
    type Target = Arc<Home>;

    fn deref(&self) -> &Arc<Home> {
        &self.0
    }
}

impl Drop for Lodging {
    fn drop(&mut self) {
        let lodgers = self.lodgers();
        if home::is_here(self) && lodgers.is_own() {
            lodgers.drop_here();
        } else if lodgers.drop() {
            // SAFETY: this was the last, and is not used again.
            unsafe { ManuallyDrop::drop(&mut self.0) };
        }
    }
}
