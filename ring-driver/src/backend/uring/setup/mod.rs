//! Gets the best ring that this kernel gives: the [`ladder`] of flags and sizes, then the [`probe`]
//! of what it can do.

use std::cell::Cell;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::thread;
use std::time::Duration;

use io_uring::{IoUring, opcode};

use super::enter::{self, Wait};
use crate::capabilities::{Capabilities, Mask};
use crate::error::SetupError;

mod ending;
mod flags;
mod ladder;
mod probe;

pub(crate) use flags::SetupFlags;
pub(crate) use ladder::Size;

/// The operations for which there is no plain system call.
pub(crate) const REQUIRED: [(&str, u8); 3] = [
    ("POLL_ADD", opcode::PollAdd::CODE),
    ("TIMEOUT", opcode::Timeout::CODE),
    ("ASYNC_CANCEL", opcode::AsyncCancel::CODE),
];

/// A ring of the calling thread, what it can do, and the name under which the thread enters it.
pub(crate) struct Ring {
    pub(crate) uring: IoUring,
    pub(crate) flags: SetupFlags,
    pub(crate) capabilities: Capabilities,
    /// The index in the thread's table of registered rings.
    registered: Option<u32>,
    /// All flags that an enter ever had.
    pub(crate) entered_with: Cell<u32>,
}

impl Ring {
    /// The best ring of at most `size` that the kernel gives and `mask` allows.
    pub(crate) fn open(size: Size, mask: Mask) -> Result<Ring, SetupError> {
        let failed = |operation| {
            move |error| SetupError::diagnosed(operation, format!("a ring of {size}"), error)
        };
        let (uring, flags) = obtain(size, mask).map_err(failed("io_uring_setup"))?;
        let mut ring = Ring {
            uring,
            flags,
            capabilities: Capabilities::NONE,
            registered: None,
            entered_with: Cell::new(0),
        };
        ring.probe(mask)?;
        let missing = ring.missing();
        if !missing.is_empty() {
            return Err(SetupError::unsupported(&missing));
        }
        if mask.left().registered_ring {
            // A thread's table has sixteen places; a ring that finds none is entered by its
            // descriptor.
            ring.registered = enter::register_ring(ring.uring.as_raw_fd()).ok();
            ring.capabilities.registered_ring = ring.registered.is_some();
        }
        Ok(ring)
    }

    /// Limits the threads that the kernel starts for what would block: for files, and for the rest.
    pub(crate) fn cap_workers(&mut self, files: u32, rest: u32) {
        if self.capabilities.capped_workers {
            // Zeros change nothing, and each time the kernel writes what held before; zeros again if
            // it does not know yet.
            let mut now = [0; 2];
            let submitter = self.uring.submitter();
            let asked = submitter.register_iowq_max_workers(&mut now);
            let less = |now: u32, limit: u32| if now == 0 { limit } else { now.min(limit) }.max(1);
            let mut limits = [less(now[0], files), less(now[1], rest)];
            let capped = asked.and_then(|()| submitter.register_iowq_max_workers(&mut limits));
            self.capabilities.capped_workers = capped.is_ok();
        }
    }

    /// Submits `to_submit` entries, runs what is due, and waits. Errors are errnos; ETIME and EINTR
    /// are told only if nothing was submitted.
    pub(crate) fn enter(&self, to_submit: u32, wait: Wait) -> Result<u32, i32> {
        let mut flags = 0;
        if wait.completions > 0 && self.capabilities.no_iowait {
            flags |= enter::ENTER_NO_IOWAIT;
        }
        let name = match self.registered {
            Some(index) => {
                flags |= enter::ENTER_REGISTERED_RING;
                index as RawFd
            }
            None => self.uring.as_raw_fd(),
        };
        let waits = if wait.is_extended() { enter::ENTER_EXT_ARG } else { 0 };
        self.entered_with.update(|known| known | flags | waits);
        enter::enter(name, to_submit, flags, wait)
    }

    /// The size that the ring came to.
    pub(crate) fn size(&self) -> Size {
        Size::from(self.uring.params())
    }

    /// What this driver cannot do without: features that keep memory and completions safe, and
    /// operations for which there is no plain system call. All of it is in 5.11, and in 5.10 from
    /// 5.10.162 on.
    fn missing(&self) -> Vec<&'static str> {
        let parameters = self.uring.params();
        let required = [
            ("EXT_ARG", self.capabilities.ext_arg),
            ("NODROP", parameters.is_feature_nodrop()),
            ("SUBMIT_STABLE", parameters.is_feature_submit_stable()),
            ("FAST_POLL", parameters.is_feature_fast_poll()),
        ];
        let operations = REQUIRED.map(|(name, code)| (name, self.capabilities.supports(code)));
        let required = required.into_iter().chain(operations);
        required.filter(|&(_, is_there)| !is_there).map(|(name, _)| name).collect()
    }
}

/// Climbs the ladder, again after a while if there is no memory even for the smallest ring: the
/// kernel takes rings that were closed apart in the background, and their memory counts against
/// RLIMIT_MEMLOCK until it is done (some 10 ms).
fn obtain(size: Size, mask: Mask) -> io::Result<(IoUring, SetupFlags)> {
    for pause in [1, 2, 4, 8, 16, 32].map(Duration::from_millis) {
        match ladder::climb(size, mask, ladder::build) {
            Err(error) if error.raw_os_error() == Some(libc::ENOMEM) => thread::sleep(pause),
            result => return result,
        }
    }
    ladder::climb(size, mask, ladder::build)
}

impl Drop for Ring {
    fn drop(&mut self) {
        if let Some(index) = self.registered {
            // A place that stays taken costs the thread's seventeenth ring its index and nothing
            // else.
            let _ = enter::unregister_ring(self.uring.as_raw_fd(), index);
        }
    }
}
