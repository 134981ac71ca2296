//! Finds out what a new ring can do: by opcode, by the features it reports, and by trying.
//!
//! What has neither opcode nor feature bit is tried on the ring itself, with entries on no
//! descriptor: a kernel that takes their flags goes on to look for the descriptor and says EBADF,
//! one that does not says EINVAL. Nothing has to be opened or cleaned up, and nothing that the mask
//! forbids is tried.

#![allow(unsafe_code)]

use std::alloc::{self, Layout};
use std::io;
use std::ptr;

use io_uring::types::{CancelBuilder, Fd};
use io_uring::{Probe, opcode, squeue};

use super::super::encode::REPORT_USAGE;
use super::super::enter::Wait;
use super::{Ring, SetupFlags};
use crate::capabilities::{Capabilities, Mask};
use crate::completion::Outcome;
use crate::error::SetupError;

impl Ring {
    /// Fills in the capabilities, all but the registered index.
    pub(super) fn probe(&mut self, mask: Mask) -> Result<(), SetupError> {
        let object = || "the new ring".to_owned();
        let mut found = self.reported();
        self.known_operations(&mut found)
            .map_err(|error| SetupError::diagnosed("io_uring_register", object(), error))?;
        // The opcodes tell 5.19, 6.0 and 6.15. Older kernels ignored some fields of an entry that mean
        // something today, so that trying would prove nothing there.
        let since_5_19 = found.supports(opcode::Socket::CODE);
        let since_6_0 = found.supports(opcode::SendZc::CODE);
        let since_6_15 = found.supports(opcode::EpollWait::CODE);
        found.buf_ring = since_5_19;
        found.cancel_any = since_5_19;
        found.multishot_accept = since_5_19;
        found.multishot_recv = since_6_0;
        found.registered_buffers = since_5_19;
        // Kernels before 6.13 may keep a file that leaves the table open for another second.
        found.registered_files = since_6_15;
        found.capped_workers = true;
        let mut found = found.masked(mask);
        found.capped_workers = found.capped_workers && self.takes_worker_limits();
        found.buf_ring = found.buf_ring && self.takes_buf_ring();
        self.try_out(&mut found)
            .map_err(|error| SetupError::diagnosed("io_uring_enter", object(), error))?;
        found.multishot_recv = found.multishot_recv && found.buf_ring && self.tells_end();
        self.capabilities = found.masked(mask);
        Ok(())
    }

    /// What the ring said of itself when it was made.
    fn reported(&self) -> Capabilities {
        let parameters = self.uring.params();
        let mut found = Capabilities::NONE;
        found.ext_arg = parameters.is_feature_ext_arg();
        found.cqe_skip = parameters.is_feature_skip_cqe_on_success();
        found.min_wait = parameters.is_feature_min_timeout();
        found.no_iowait = parameters.is_feature_no_iowait();
        found.submit_all = self.flags.has(SetupFlags::SUBMIT_ALL);
        // Deferred work does not interrupt either.
        found.coop_taskrun = self.flags.has(SetupFlags::TASKRUN_FLAG);
        found.single_issuer = self.flags.has(SetupFlags::SINGLE_ISSUER);
        found.defer_taskrun = self.flags.has(SetupFlags::DEFER_TASKRUN);
        found.no_sqarray = self.flags.has(SetupFlags::NO_SQARRAY);
        found
    }

    fn known_operations(&self, found: &mut Capabilities) -> io::Result<()> {
        let mut probe = Probe::new();
        self.uring.submitter().register_probe(&mut probe)?;
        for code in (0..=u8::MAX).filter(|&code| probe.is_supported(code)) {
            found.add_operation(code);
        }
        found.msg_ring = found.supports(opcode::MsgRingData::CODE);
        found.send_zc = found.supports(opcode::SendZc::CODE);
        Ok(())
    }

    /// Takes back what the kernel refuses after all.
    fn try_out(&mut self, found: &mut Capabilities) -> io::Result<()> {
        if found.cancel_any {
            let cancel = opcode::AsyncCancel2::new(CancelBuilder::any());
            found.cancel_any = self.attempt(cancel.build())? >= 0;
        }
        if found.multishot_accept {
            let accept = opcode::AcceptMulti::new(Fd(-1));
            found.multishot_accept = self.attempt(accept.build())? == -libc::EBADF;
        }
        if found.multishot_recv {
            let recv = opcode::RecvMulti::new(Fd(-1), 0);
            found.multishot_recv = self.attempt(recv.build())? == -libc::EBADF;
        }
        if found.send_zc {
            let send = opcode::SendZc::new(Fd(-1), ptr::null(), 0).zc_flags(REPORT_USAGE);
            found.send_zc = self.attempt(send.build())? == -libc::EBADF;
        }
        // Nothing may have been left to try, and a sandbox may allow io_uring_setup without
        // io_uring_enter.
        self.enter(0, Wait::default()).map(drop).map_err(io::Error::from_raw_os_error)
    }

    /// The result of an entry that completes at once and lends nothing. Who would lend something
    /// gets a second completion.
    fn attempt(&mut self, entry: squeue::Entry) -> io::Result<i32> {
        // SAFETY: The entries of `try_out` point to no memory.
        unsafe { self.uring.submission().push(&entry) }.map_err(|_| io::ErrorKind::WouldBlock)?;
        let one = Wait { completions: 1, ..Wait::default() };
        self.enter(1, one).map_err(io::Error::from_raw_os_error)?;
        let mut result = None;
        loop {
            let completion = self.uring.completion().next().ok_or(io::ErrorKind::WouldBlock)?;
            let outcome = Outcome::new(completion.result(), completion.flags());
            let first = *result.get_or_insert(outcome.result());
            if !outcome.more_to_come() {
                return Ok(first);
            }
            self.enter(0, one).map_err(io::Error::from_raw_os_error)?;
        }
    }

    /// Whether the kernel tells how many threads it may start; zeros leave that as it is.
    fn takes_worker_limits(&self) -> bool {
        self.uring.submitter().register_iowq_max_workers(&mut [0; 2]).is_ok()
    }

    /// Whether a group of one provided buffer can be registered. On kernels that count it, the page
    /// it takes must be within RLIMIT_MEMLOCK.
    fn takes_buf_ring(&self) -> bool {
        // Aligned as the largest page that Linux has, since the kernel pins one page.
        const PAGE: usize = 64 * 1024;
        let Ok(layout) = Layout::from_size_align(PAGE, PAGE) else { return false };
        // SAFETY: The layout's size is not zero.
        let page = unsafe { alloc::alloc_zeroed(layout) };
        if page.is_null() {
            return false;
        }
        let submitter = self.uring.submitter();
        // SAFETY: The page has room for one entry and stays until the group is unregistered.
        let result = unsafe { submitter.register_buf_ring_with_flags(page as u64, 1, 0, 0) };
        let registered = result.is_ok();
        if registered && submitter.unregister_buf_ring(0).is_err() {
            // The kernel still holds the page: better lost than lent twice.
            return false;
        }
        // SAFETY: Allocated above with this layout, and the kernel has let go of it.
        unsafe { alloc::dealloc(page, layout) };
        registered
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::uring::setup::Size;
    use crate::error::SetupCause;
    use crate::testing::ring_or_skip;

    fn ring(mask: &str) -> Ring {
        Ring::open(Size::new(8, 64), mask.parse().expect(mask)).expect("a ring")
    }

    #[test]
    fn a_new_ring_is_empty_after_the_probe() {
        if !ring_or_skip("backend::uring::setup::probe::tests::a_new_ring_is_empty_after_the_probe")
        {
            return;
        }
        let mut ring = ring("");
        assert!(ring.uring.submission().is_empty() && ring.uring.completion().is_empty());
        assert!(ring.capabilities.supports(opcode::Recv::CODE) && ring.capabilities.ext_arg);
    }

    #[test]
    fn what_is_masked_is_not_found() {
        if !ring_or_skip("backend::uring::setup::probe::tests::what_is_masked_is_not_found") {
            return;
        }
        let full = ring("").capabilities;
        for (name, is_there) in full.entries().filter(|&(name, _)| name != "ext_arg") {
            let left = ring(&format!("-{name}")).capabilities;
            let still = left.entries().any(|(other, there)| other == name && there);
            assert!(!still, "-{name} leaves {left} of {full} (it was there: {is_there})");
        }
        let left = ring("t0").capabilities;
        assert_eq!((left.to_string().as_str(), left.tier()), ("ext_arg", "T0"));
    }

    #[test]
    fn a_ring_without_what_nothing_can_stand_in_for_is_refused() {
        if !ring_or_skip(
            "backend::uring::setup::probe::tests::a_ring_without_what_nothing_can_stand_in_for_is_refused",
        ) {
            return;
        }
        for (mask, missing) in [
            ("-ext_arg", "EXT_ARG"),
            ("-poll_add", "POLL_ADD"),
            ("-timeout", "TIMEOUT"),
            ("-async_cancel", "ASYNC_CANCEL"),
        ] {
            let refused = Ring::open(Size::new(8, 64), mask.parse().expect(mask));
            let error = refused.err().expect(mask);
            assert_eq!(error.cause(), SetupCause::Unsupported);
            assert!(error.evidence().ends_with(missing), "{error}");
        }
    }

    #[test]
    fn rings_of_one_thread_do_not_take_all_its_places_with_them() {
        if !ring_or_skip(
            "backend::uring::setup::probe::tests::rings_of_one_thread_do_not_take_all_its_places_with_them",
        ) {
            return;
        }
        let indexed = (0..40).filter(|_| ring("").capabilities.registered_ring).count();
        assert!(indexed == 40 || !ring("").capabilities.registered_ring, "{indexed} of 40");
        let together: Vec<Ring> = (0..20).map(|_| ring("")).collect();
        for ring in &together {
            assert_eq!(ring.enter(0, Wait::default()), Ok(0));
        }
    }
}
