//! What was used and how often: one plain struct, cheap enough to be always on.

use crate::capabilities::NAMES;

/// The counts of one driver since it was made.
///
/// ```
/// use wakering_ring_driver::{Config, Driver, Wait};
///
/// let driver = Driver::new(&Config::default())?;
/// driver.turn(Wait::Now);
/// let counters = driver.counters();
/// assert_eq!(counters.in_flight, 0);
/// assert_eq!(counters.used("recv"), 0);
/// # Ok::<(), wakering_ring_driver::SetupError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Enters into the kernel, all told.
    pub enters: u64,
    /// Those of them that were allowed to sleep.
    pub waits: u64,
    /// Requests that the backend took, from the ring where there is one.
    pub submitted: u64,
    /// Completions taken in, from wherever.
    pub completions: u64,
    /// Times the completion queue had overflowed into kernel memory.
    pub overflows: u64,
    /// Requests carried out on the thread pool because the ring lacks the operation, or because
    /// there is none.
    pub pool_calls: u64,
    /// Requests carried out on the loop for the same reasons, by a plain system call at once or
    /// after readiness had been told.
    pub readiness_calls: u64,
    /// Completions that nobody waited for any more.
    pub stale: u64,
    /// Cancellations asked for.
    pub cancels: u64,
    /// Abandoned receives that somebody else wanted before they were cancelled.
    pub adopted: u64,
    /// Operations whose memory was given up at the end because the kernel had not returned it.
    pub leaked: u64,
    /// Operations in flight now.
    pub in_flight: u64,
    /// Descriptors held now.
    pub descriptors: u64,
    /// The flags with which the ring was set up.
    pub setup_flags: Vec<&'static str>,
    /// Requests by the kernel's opcode.
    pub(crate) by_opcode: [u64; NAMES.len()],
}

impl Counters {
    pub(crate) const NONE: Counters = Counters {
        enters: 0,
        waits: 0,
        submitted: 0,
        completions: 0,
        overflows: 0,
        pool_calls: 0,
        readiness_calls: 0,
        stale: 0,
        cancels: 0,
        adopted: 0,
        leaked: 0,
        in_flight: 0,
        descriptors: 0,
        setup_flags: Vec::new(),
        by_opcode: [0; NAMES.len()],
    };

    /// How often the ring was given an operation, by the kernel's word for it: `"recv"`,
    /// `"openat"`. Zero for unknown words.
    pub fn used(&self, name: &str) -> u64 {
        NAMES.iter().position(|known| *known == name).map_or(0, |opcode| self.by_opcode[opcode])
    }

    /// All operations that the ring was given, by name.
    pub fn operations(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        NAMES.iter().copied().zip(self.by_opcode).filter(|&(_, count)| count > 0)
    }
}
