//! fork(2) without exec, for tests of what a child makes of its parent's memory.

#![allow(unsafe_code)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use super::patience;

/// Runs `body` in a fork of this process and gives its exit status: 0 if it has not panicked.
///
/// For a process whose other threads only wait: a lock that one of them held would stay locked in
/// the child, which then hangs and is ended by an alarm.
///
/// ```
/// use wakering_ring_driver::testing::forked;
///
/// assert_eq!(forked(|| {}), 0);
/// ```
pub fn forked(body: impl FnOnce()) -> i32 {
    // SAFETY: the child has a copy of all memory and leaves by `_exit`; the C library keeps its own
    // locks usable across a fork.
    match unsafe { libc::fork() } {
        0 => {
            // Nothing that hangs may outlive the test.
            // SAFETY: takes a number.
            unsafe { libc::alarm(patience(Duration::from_secs(20)).as_secs() as u32) };
            let panicked = catch_unwind(AssertUnwindSafe(body)).is_err();
            // SAFETY: ends the process.
            unsafe { libc::_exit(i32::from(panicked)) }
        }
        child => {
            let mut status = -1;
            // SAFETY: the child is ours, and the kernel writes one integer.
            assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
            status
        }
    }
}
