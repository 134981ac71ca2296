//! Helpers for tests, here and in programs built on this: buffers that notice a kernel writing too
//! late, children in which process-wide things may be done and counted, and sandboxes for those
//! children.
//!
//! Everything that counts or changes something of the whole process (descriptors, limits, seccomp,
//! users, signals) belongs into [`in_child`](crate::testing::in_child); then no test disturbs
//! another and no count needs a tolerance.

use std::fs;
use std::os::fd::RawFd;
use std::time::Duration;

mod block_on;
mod checking;
mod child;
pub(crate) mod clock;
mod forked;
mod sandbox;
mod signals;
mod terminal;

pub use crate::backend::memory::{Memory, Submitted};
pub use block_on::block_on;
pub use checking::{CheckingBuf, Witness};
pub use child::{in_child, in_child_with};
pub use clock::StoppedClock;
pub use forked::forked;
pub use sandbox::{Limit, cpu_time, drop_privileges, forbid_io_uring, limit};
pub use signals::{ignore, is_caught, send, send_to_thread, this_thread};
pub use terminal::terminal;

/// An upper bound in time, made longer by `WAKERING_TEST_PATIENCE` where machines are slow: 1 where
/// it is not set, 4 in CI, 20 under emulation. Lower bounds must not go through it.
///
/// ```
/// use std::time::Duration;
/// use wakering_ring_driver::testing::patience;
///
/// assert!(patience(Duration::from_secs(1)) >= Duration::from_secs(1));
/// ```
///
/// # Panics
///
/// If the variable is not a number from 1 on.
pub fn patience(bound: Duration) -> Duration {
    let Some(factor) = std::env::var_os("WAKERING_TEST_PATIENCE") else { return bound };
    let factor =
        factor.to_str().and_then(|text| text.parse::<u32>().ok()).filter(|&factor| factor > 0);
    bound * factor.expect("WAKERING_TEST_PATIENCE is a whole number, at least 1")
}

/// Says that the test `id` cannot be run here, and which probe found that. Lists of allowed skips
/// are kept by lane, so a skip that nobody expects fails the run.
///
/// ```
/// use wakering_ring_driver::testing::skip;
///
/// # let capabilities = wakering_ring_driver::doctor().capabilities();
/// if !capabilities.is_some_and(|capabilities| capabilities.no_iowait) {
///     return skip("idle_is_not_io_wait", "the ring has no NO_IOWAIT");
/// }
/// ```
pub fn skip(id: &str, reason: &str) {
    println!("SKIP {id}: {reason}");
}

/// Whether this machine gives a ring, whatever the lane is about; where it does not, the test `id`
/// is skipped. For tests of what only a ring has.
///
/// ```
/// use wakering_ring_driver::testing::ring_or_skip;
/// use wakering_ring_driver::{Backend, Config, Driver};
///
/// if !ring_or_skip("the_ring_is_asked_for_by_name") {
///     return;
/// }
/// let mut config = Config::default();
/// config.backend = Backend::Uring;
/// assert_eq!(Driver::new(&config).unwrap().backend(), "uring");
/// ```
pub fn ring_or_skip(id: &str) -> bool {
    match crate::doctor().error() {
        None => true,
        Some(error) => {
            skip(id, &format!("there is no ring: {:?}", error.cause()));
            false
        }
    }
}

/// The descriptors of this process with what they lead to, in order, without the one that the
/// listing itself takes.
///
/// ```
/// use std::os::fd::AsRawFd;
/// use wakering_ring_driver::testing::open_descriptors;
///
/// let file = std::fs::File::open("/proc/self/status")?;
/// let there = open_descriptors().into_iter().find(|(number, _)| *number == file.as_raw_fd());
/// assert!(there.is_some_and(|(_, target)| target.ends_with("/status")));
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Panics
///
/// If `/proc` is not there.
pub fn open_descriptors() -> Vec<(RawFd, String)> {
    let entries = fs::read_dir("/proc/self/fd").expect("/proc/self/fd can be listed");
    let mut open: Vec<(RawFd, String)> = entries
        .filter_map(|entry| {
            let path = entry.expect("/proc/self/fd can be listed").path();
            let target = fs::read_link(&path).ok()?;
            let number = path.file_name()?.to_str()?.parse().ok()?;
            Some((number, target.to_string_lossy().into_owned()))
        })
        .collect();
    // The listing's own descriptor was open while it was listed, and is closed by now.
    open.retain(|(number, _)| fs::read_link(format!("/proc/self/fd/{number}")).is_ok());
    open.sort_unstable();
    open
}
