//! The ladder of setup flags and sizes, climbed down until the kernel gives a ring.
//!
//! Kernels refuse setup flags that they do not know with EINVAL and say no more, so combinations
//! are tried from the fastest down to one that every kernel takes. Where the memory for a ring is
//! not to be had (RLIMIT_MEMLOCK counts it on old and on new kernels), smaller rings are tried:
//! fewer completions, since overflow is only slow, and in turn fewer submissions.
//!
//! The ladder is a function of an attempt, so that its tests climb it on kernels that are not
//! there.

use std::fmt;
use std::io;

use io_uring::{IoUring, Parameters};

use super::flags::SetupFlags;
use crate::capabilities::Mask;

/// Tries flags from the best down and sizes from `size` down until `attempt` gets a ring; the last
/// error if it never does.
pub(super) fn climb<T>(
    mut size: Size,
    mask: Mask,
    mut attempt: impl FnMut(Size, SetupFlags) -> io::Result<T>,
) -> io::Result<(T, SetupFlags)> {
    let mut last = io::Error::from_raw_os_error(libc::EINVAL);
    for flags in SetupFlags::rungs(mask) {
        last = loop {
            match attempt(size, flags) {
                Ok(ring) => return Ok((ring, flags)),
                Err(error) if error.raw_os_error() == Some(libc::ENOMEM) => match size.smaller() {
                    Some(smaller) => size = smaller,
                    None => return Err(error),
                },
                Err(error) => break error,
            }
        };
        if last.raw_os_error() != Some(libc::EINVAL) {
            break;
        }
    }
    Err(last)
}

/// Asks for a ring of just this size with just these flags.
pub(super) fn build(size: Size, flags: SetupFlags) -> io::Result<IoUring> {
    let mut builder = IoUring::builder();
    builder.dontfork().setup_clamp().setup_cqsize(size.completions);
    if flags.has(SetupFlags::SINGLE_ISSUER) {
        builder.setup_single_issuer();
    }
    if flags.has(SetupFlags::DEFER_TASKRUN) {
        builder.setup_defer_taskrun();
    }
    if flags.has(SetupFlags::COOP_TASKRUN) {
        builder.setup_coop_taskrun();
    }
    if flags.has(SetupFlags::TASKRUN_FLAG) {
        builder.setup_taskrun_flag();
    }
    if flags.has(SetupFlags::SUBMIT_ALL) {
        builder.setup_submit_all();
    }
    if flags.has(SetupFlags::NO_SQARRAY) {
        builder.setup_no_sqarray();
    }
    builder.build(size.submissions)
}

/// How many entries each queue holds. The kernel rounds up to powers of two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size {
    submissions: u32,
    completions: u32,
}

impl Size {
    /// Below this a ring costs two pages, and there is nothing more to be saved.
    const SUBMISSIONS_MIN: u32 = 8;
    const COMPLETIONS_MIN: u32 = 64;

    /// A size that every kernel takes: at least one submission, and no fewer completions than
    /// submissions.
    pub(crate) fn new(submissions: u32, completions: u32) -> Size {
        let submissions = submissions.clamp(1, 32 * 1024);
        Size { submissions, completions: completions.clamp(submissions, 64 * 1024) }
    }

    /// The next size to try when there is no memory for this one.
    fn smaller(self) -> Option<Size> {
        let Size { submissions, completions } = self;
        if completions > Size::COMPLETIONS_MIN && completions >= 4 * submissions {
            Some(Size { submissions, completions: completions / 2 })
        } else if submissions > Size::SUBMISSIONS_MIN {
            Some(Size { submissions: submissions / 2, completions })
        } else {
            None
        }
    }

    /// The memory that the kernel takes for it, by RLIMIT_MEMLOCK's count.
    pub(crate) fn locked_bytes(self) -> u64 {
        let submissions = u64::from(self.submissions.next_power_of_two());
        let completions = u64::from(self.completions.next_power_of_two());
        let pages = |bytes: u64| bytes.next_multiple_of(4096);
        pages(64 * submissions) + pages(128 + 16 * completions + 4 * submissions)
    }
}

impl From<&Parameters> for Size {
    /// The size that a ring came to.
    fn from(parameters: &Parameters) -> Size {
        Size { submissions: parameters.sq_entries(), completions: parameters.cq_entries() }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} submissions and {} completions", self.submissions, self.completions)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    const WANTED: Size = Size { submissions: 256, completions: 4096 };

    /// A kernel that knows `known` flags and has `memory` bytes: what it was asked, and what came
    /// of it.
    fn on_kernel(
        known: &[SetupFlags],
        memory: u64,
        mask: &str,
    ) -> (Vec<String>, Result<String, i32>) {
        let asked = RefCell::new(Vec::new());
        let attempt = |size: Size, flags: SetupFlags| {
            let names: Vec<&str> = flags.names().collect();
            asked.borrow_mut().push(names.join("|"));
            if names.iter().any(|name| !known.iter().any(|known| known.names().any(|n| n == *name)))
            {
                Err(io::Error::from_raw_os_error(libc::EINVAL))
            } else if size.locked_bytes() > memory {
                Err(io::Error::from_raw_os_error(libc::ENOMEM))
            } else {
                Ok(size)
            }
        };
        let came = climb(WANTED, mask.parse().expect(mask), attempt);
        let came = came
            .map(|(size, flags)| format!("{size}: {}", flags.names().collect::<Vec<_>>().join("|")))
            .map_err(|error| error.raw_os_error().unwrap());
        (asked.into_inner(), came)
    }

    const V6_6: &[SetupFlags] = &[
        SetupFlags::SUBMIT_ALL,
        SetupFlags::COOP_TASKRUN,
        SetupFlags::TASKRUN_FLAG,
        SetupFlags::SINGLE_ISSUER,
        SetupFlags::DEFER_TASKRUN,
        SetupFlags::NO_SQARRAY,
    ];
    const V6_1: &[SetupFlags] = V6_6.split_at(5).0;
    const V6_0: &[SetupFlags] = V6_6.split_at(4).0;
    const V5_18: &[SetupFlags] = V6_6.split_at(1).0;
    const V5_10: &[SetupFlags] = &[];
    const PLENTY: u64 = u64::MAX;
    const FULL_SIZE: &str = "256 submissions and 4096 completions";

    #[test]
    fn every_kernel_gets_the_best_it_knows() {
        for (known, rungs, best) in [
            (V6_6, 1, "SINGLE_ISSUER|DEFER_TASKRUN|TASKRUN_FLAG|SUBMIT_ALL|NO_SQARRAY"),
            (V6_1, 2, "SINGLE_ISSUER|DEFER_TASKRUN|TASKRUN_FLAG|SUBMIT_ALL"),
            (V6_0, 3, "COOP_TASKRUN|TASKRUN_FLAG|SUBMIT_ALL"),
            (V5_18, 4, "SUBMIT_ALL"),
            (V5_10, 5, ""),
        ] {
            let (asked, came) = on_kernel(known, PLENTY, "");
            assert_eq!(came, Ok(format!("{FULL_SIZE}: {best}")));
            assert_eq!(asked.len(), rungs, "{asked:?}");
        }
    }

    #[test]
    fn what_a_mask_takes_away_is_not_even_asked_for() {
        for (mask, best) in [
            ("-no_sqarray", "SINGLE_ISSUER|DEFER_TASKRUN|TASKRUN_FLAG|SUBMIT_ALL"),
            ("-submit_all", "SINGLE_ISSUER|DEFER_TASKRUN|TASKRUN_FLAG|NO_SQARRAY"),
            ("-defer_taskrun", "COOP_TASKRUN|TASKRUN_FLAG|SUBMIT_ALL"),
            ("-single_issuer", "COOP_TASKRUN|TASKRUN_FLAG|SUBMIT_ALL"),
            ("t1", "COOP_TASKRUN|TASKRUN_FLAG|SUBMIT_ALL"),
            ("t1,-coop_taskrun", "SUBMIT_ALL"),
            ("t0", ""),
        ] {
            let (asked, came) = on_kernel(V6_6, PLENTY, mask);
            assert_eq!(came, Ok(format!("{FULL_SIZE}: {best}")), "{mask}");
            assert_eq!(asked, [best], "{mask}");
        }
    }

    #[test]
    fn a_kernel_that_takes_nothing_gives_einval() {
        let mut attempts = 0;
        let came = climb(WANTED, Mask::default(), |_, _| -> io::Result<()> {
            attempts += 1;
            Err(io::Error::from_raw_os_error(libc::EINVAL))
        });
        assert_eq!(came.unwrap_err().raw_os_error(), Some(libc::EINVAL));
        assert_eq!(attempts, 5);
    }

    #[test]
    fn another_error_ends_the_climb_at_once() {
        let mut attempts = 0;
        let came = climb(WANTED, Mask::default(), |_, _| -> io::Result<()> {
            attempts += 1;
            Err(io::Error::from_raw_os_error(libc::EPERM))
        });
        assert_eq!(came.unwrap_err().raw_os_error(), Some(libc::EPERM));
        assert_eq!(attempts, 1);
    }

    #[test]
    fn little_memory_gives_a_smaller_ring_with_the_same_flags() {
        let best = "SINGLE_ISSUER|DEFER_TASKRUN|TASKRUN_FLAG|SUBMIT_ALL|NO_SQARRAY";
        for (kib, size) in [
            (84, FULL_SIZE),
            (83, "256 submissions and 2048 completions"),
            (64, "256 submissions and 2048 completions"),
            (20, "128 submissions and 512 completions"),
            (8, "64 submissions and 128 completions"),
        ] {
            let (_, came) = on_kernel(V6_6, kib * 1024, "");
            assert_eq!(came, Ok(format!("{size}: {best}")), "{kib} KiB");
        }
    }

    #[test]
    fn no_memory_at_all_gives_enomem_after_the_smallest_ring() {
        let (asked, came) = on_kernel(V6_6, 0, "");
        assert_eq!(came, Err(libc::ENOMEM));
        assert_eq!(asked.len(), 12, "256/4096 to 8/64 in halves: {asked:?}");
    }

    #[test]
    fn sizes_are_such_as_the_kernel_takes() {
        assert_eq!(Size::new(0, 0), Size { submissions: 1, completions: 1 });
        assert_eq!(Size::new(64, 8), Size { submissions: 64, completions: 64 });
        assert_eq!(Size::new(u32::MAX, u32::MAX), Size { submissions: 32768, completions: 65536 });
        assert_eq!(Size::new(256, 4096).locked_bytes(), 84 * 1024);
    }
}
