//! Whether this is still the process that something was made in.
//!
//! After fork(2) without exec the child has a copy of all memory, and with it of drivers and of the
//! pool. But a ring is shared with the parent (an enter from the child would act on the parent's
//! operations, and its memory is not even mapped there), and threads are not copied at all. So both
//! remember their process and let go of everything, without a system call, when they find
//! themselves in another.

#![allow(unsafe_code)]

use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};

/// How many forks lie between the first process and this one.
static FORKS: AtomicU32 = AtomicU32::new(0);

/// A process, as opposed to its children.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Process(u32);

impl Process {
    /// The process that calls.
    pub(crate) fn here() -> Process {
        static REGISTERED: Once = Once::new();
        REGISTERED.call_once(|| {
            // SAFETY: the function that is registered is safe to call in a child: it touches
            // atomics. Where there is no memory to register it, forks stay unnoticed.
            unsafe { libc::pthread_atfork(None, None, Some(forked)) };
        });
        Process(FORKS.load(Ordering::Relaxed))
    }

    /// Whether the caller is in a child of this process. For a process that `here` has returned.
    pub(crate) fn is_gone(self) -> bool {
        self.0 != FORKS.load(Ordering::Relaxed)
    }
}

extern "C" fn forked() {
    FORKS.fetch_add(1, Ordering::Relaxed);
    crate::signal::forget_walkers();
}
