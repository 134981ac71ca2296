//! The two system calls that a running ring needs, and the only place where a thread of ours blocks
//! on a ring.
//!
//! The `io-uring` crate maps the queues and builds entries, but its `Submitter` keeps the
//! registered index of the ring in a value that lives for one call, cannot ask for `NO_IOWAIT`, and
//! asks for events only when it believes it must. A ring with DEFER_TASKRUN delivers nothing to an
//! enter without GETEVENTS, so here every enter carries it.
//!
//! These calls are safe to make: what the kernel reads and writes on their account was promised
//! when the entries were pushed. Errors are bare errnos because most of them (EINTR, ETIME, EAGAIN,
//! EBUSY) are control flow of the caller.

#![allow(unsafe_code)]

use std::ffi::c_void;
use std::mem::size_of;
use std::os::fd::RawFd;
use std::ptr;
use std::time::Duration;

use io_uring::types::Timespec;

const ENTER_GETEVENTS: u32 = 1 << 0;
pub(super) const ENTER_EXT_ARG: u32 = 1 << 3;
/// The ring is named by its index among the thread's registered rings.
pub(super) const ENTER_REGISTERED_RING: u32 = 1 << 4;
/// Waiting does not count as waiting for a disk: without this an idle loop looks like a machine
/// busy with I/O.
pub(super) const ENTER_NO_IOWAIT: u32 = 1 << 7;

/// The kernel's names for those of `flags` that not every kernel knows, without their prefix.
pub(super) fn names(flags: u32) -> impl Iterator<Item = &'static str> {
    [
        ("EXT_ARG", ENTER_EXT_ARG),
        ("REGISTERED_RING", ENTER_REGISTERED_RING),
        ("NO_IOWAIT", ENTER_NO_IOWAIT),
    ]
    .into_iter()
    .filter(move |&(_, flag)| flags & flag != 0)
    .map(|(name, _)| name)
}

const REGISTER_RING_FDS: u32 = 20;
const UNREGISTER_RING_FDS: u32 = 21;

/// Longer waits are cut to this. The caller looks at its clock afterwards anyway, and the kernel's
/// own arithmetic on times is kept away from its limits.
const LONGEST_WAIT: Duration = Duration::from_secs(1 << 31);

/// `struct io_uring_getevents_arg`.
#[repr(C)]
struct GetEventsArgument {
    signal_mask: u64,
    signal_mask_size: u32,
    min_wait_usec: u32,
    timeout: u64,
}

/// What an enter waits for.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wait {
    /// So many completions; none, not to wait.
    pub(crate) completions: u32,
    /// From then on one is enough. Zero is never; anything else needs the capability `min_wait`.
    pub(crate) gather: Duration,
    /// From then on none is needed. Needs the capability `ext_arg`.
    pub(crate) timeout: Option<Duration>,
}

impl Wait {
    /// Whether the kernel has to be told more than how many completions.
    pub(super) fn is_extended(&self) -> bool {
        self.timeout.is_some() || !self.gather.is_zero()
    }
}

/// Submits `to_submit` entries, runs what is due, and waits as `wait` says, or until a signal comes.
/// Yields how many entries were taken; if that is any, ETIME and EINTR are not reported.
///
/// `ring` is a descriptor, or an index if `flags` has [`ENTER_REGISTERED_RING`].
pub(super) fn enter(ring: RawFd, to_submit: u32, flags: u32, wait: Wait) -> Result<u32, i32> {
    let (completions, flags) = (wait.completions, flags | ENTER_GETEVENTS);
    if !wait.is_extended() {
        return raw_enter(ring, to_submit, completions, flags, ptr::null(), 0);
    }
    let timeout = wait.timeout.map(|timeout| Timespec::from(timeout.min(LONGEST_WAIT)));
    let argument = GetEventsArgument {
        signal_mask: 0,
        signal_mask_size: 0,
        min_wait_usec: wait.gather.as_micros().try_into().unwrap_or(u32::MAX),
        timeout: timeout.as_ref().map_or(0, |timeout| ptr::from_ref(timeout) as u64),
    };
    let (pointer, size) = ((&raw const argument).cast(), size_of::<GetEventsArgument>());
    raw_enter(ring, to_submit, completions, flags | ENTER_EXT_ARG, pointer, size)
}

/// What `io_uring_enter` on no ring at all gives: `EBADF` where the call is allowed, else how it is
/// forbidden.
pub(crate) fn errno_of_enter() -> i32 {
    match enter(-1, 0, 0, Wait::default()) {
        Ok(_) => 0,
        Err(errno) => errno,
    }
}

/// Puts a ring into the calling thread's table of registered rings and yields its index there. An
/// enter by index is spared the look-up in the process's descriptor table, which costs atomics once
/// there are threads.
pub(super) fn register_ring(ring: RawFd) -> Result<u32, i32> {
    let mut update = RingUpdate { offset: u32::MAX, reserved: 0, data: ring as u64 };
    // SAFETY: The kernel reads and writes one `io_uring_rsrc_update`, which lives across the call.
    unsafe { register(ring, REGISTER_RING_FDS, (&raw mut update).cast(), 1) }?;
    Ok(update.offset)
}

/// Takes a ring out of the table again. Closing a ring does not do that, and the table has 16
/// places.
pub(super) fn unregister_ring(ring: RawFd, index: u32) -> Result<u32, i32> {
    let mut update = RingUpdate { offset: index, reserved: 0, data: 0 };
    // SAFETY: As above; the kernel only reads it.
    unsafe { register(ring, UNREGISTER_RING_FDS, (&raw mut update).cast(), 1) }
}

/// `struct io_uring_rsrc_update`.
#[repr(C)]
struct RingUpdate {
    offset: u32,
    reserved: u32,
    data: u64,
}

fn raw_enter(
    ring: RawFd,
    to_submit: u32,
    min_complete: u32,
    flags: u32,
    argument: *const c_void,
    size: usize,
) -> Result<u32, i32> {
    // SAFETY: `argument` is null or points to `size` bytes which, like what they point to, live
    // across the call.
    result(unsafe {
        libc::syscall(
            libc::SYS_io_uring_enter,
            ring,
            to_submit,
            min_complete,
            flags,
            argument,
            size,
        )
    })
}

/// # Safety
///
/// `argument` points to `count` values of the type that `opcode` reads and writes.
unsafe fn register(
    ring: RawFd,
    opcode: u32,
    argument: *mut c_void,
    count: u32,
) -> Result<u32, i32> {
    // SAFETY: The caller's promise.
    result(unsafe { libc::syscall(libc::SYS_io_uring_register, ring, opcode, argument, count) })
}

fn result(returned: libc::c_long) -> Result<u32, i32> {
    u32::try_from(returned)
        .map_err(|_| std::io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{ring_or_skip, skip};
    use std::time::Instant;

    #[test]
    fn no_ring_is_ebadf_where_the_call_is_allowed() {
        if !ring_or_skip("backend::uring::enter::tests::no_ring_is_ebadf_where_the_call_is_allowed")
        {
            return;
        }
        assert_eq!(errno_of_enter(), libc::EBADF);
    }

    #[test]
    fn a_wait_with_nothing_coming_ends_with_its_timeout_and_not_before() {
        if !ring_or_skip(
            "backend::uring::enter::tests::a_wait_with_nothing_coming_ends_with_its_timeout_and_not_before",
        ) {
            return;
        }
        let ring = io_uring::IoUring::new(4).expect("a ring");
        let fd = std::os::fd::AsRawFd::as_raw_fd(&ring);
        let start = Instant::now();
        let timeout = Some(Duration::from_millis(5));
        let wait = Wait { completions: 1, timeout, ..Wait::default() };
        assert_eq!(enter(fd, 0, 0, wait), Err(libc::ETIME));
        assert!(start.elapsed() >= Duration::from_millis(5));
        assert_eq!(enter(fd, 0, 0, Wait::default()), Ok(0));
    }

    #[test]
    fn a_registered_ring_is_entered_by_its_index() {
        if !ring_or_skip("backend::uring::enter::tests::a_registered_ring_is_entered_by_its_index")
        {
            return;
        }
        let ring = io_uring::IoUring::new(4).expect("a ring");
        let fd = std::os::fd::AsRawFd::as_raw_fd(&ring);
        let index = match register_ring(fd) {
            Ok(index) => index,
            Err(errno) => {
                let reason = format!("IORING_REGISTER_RING_FDS gives errno {errno}");
                return skip(
                    "backend::uring::enter::tests::a_registered_ring_is_entered_by_its_index",
                    &reason,
                );
            }
        };
        let enter = || enter(index as RawFd, 0, ENTER_REGISTERED_RING, Wait::default());
        assert_eq!(enter(), Ok(0));
        assert_eq!(unregister_ring(fd, index), Ok(1));
        assert_eq!(enter(), Err(libc::EBADF));
    }
}
