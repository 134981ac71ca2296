//! What was used and how often: one plain struct, cheap enough to be always on.

use io_uring::squeue::Flags;

use crate::capabilities::{Capabilities, NAMES};

/// What an entry may carry beside its opcode, and the capability that it takes.
const ENTRY_FLAGS: [(&str, &str); 6] = [
    ("FIXED_FILE", "registered_files"),
    ("CQE_SKIP_SUCCESS", "cqe_skip"),
    ("BUFFER_SELECT", "buf_ring"),
    ("ACCEPT_MULTISHOT", "multishot_accept"),
    ("RECV_MULTISHOT", "multishot_recv"),
    ("RECVMSG_MULTISHOT", "multishot_recvmsg"),
];

/// How many sizes of batches are told apart: 4,096 is what a completion queue usually holds.
pub(crate) const BATCH_SIZES: usize = 13;

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
    /// How many completions were taken in at once: the `n`-th counts the batches of 2ⁿ to 2ⁿ⁺¹ − 1,
    /// the last one also all that were larger.
    pub batch_sizes: [u64; BATCH_SIZES],
    /// Times the ring's completion queue had overflowed into kernel memory.
    pub overflows: u64,
    /// Requests carried out on the thread pool because the ring lacks the operation, or because
    /// there is none.
    pub pool_calls: u64,
    /// Requests carried out on the loop for the same reasons, by a plain system call at once or
    /// after readiness had been told.
    pub readiness_calls: u64,
    /// Reads of files that the page cache has answered, so that nothing else had to be asked.
    pub cached_reads: u64,
    /// Sends by a plain call, because they were alone in their turn, long, or messages, and did not
    /// have to wait.
    pub sent_at_once: u64,
    /// Completions that nobody waited for any more.
    pub stale: u64,
    /// Cancellations asked for.
    pub cancels: u64,
    /// Operations that have ended because they were asked to.
    pub cancels_won: u64,
    /// Operations that were asked to end, and had come to something else by then.
    pub cancels_lost: u64,
    /// Abandoned receives that somebody else wanted before they were cancelled.
    pub adopted: u64,
    /// Operations whose memory was given up at the end because the kernel had not returned it.
    pub leaked: u64,
    /// Operations in flight now.
    pub in_flight: u64,
    /// Descriptors held now.
    pub descriptors: u64,
    /// The flags with which the ring was set up; none, where there is no ring.
    pub setup_flags: Vec<&'static str>,
    /// The flags with which it was entered so far.
    pub enter_flags: Vec<&'static str>,
    /// Requests by the kernel's opcode.
    pub(crate) by_opcode: [u64; NAMES.len()],
    pub(crate) by_entry_flag: [u64; ENTRY_FLAGS.len()],
}

impl Counters {
    pub(crate) const NONE: Counters = Counters {
        enters: 0,
        waits: 0,
        submitted: 0,
        completions: 0,
        batch_sizes: [0; BATCH_SIZES],
        overflows: 0,
        pool_calls: 0,
        readiness_calls: 0,
        cached_reads: 0,
        sent_at_once: 0,
        stale: 0,
        cancels: 0,
        cancels_won: 0,
        cancels_lost: 0,
        adopted: 0,
        leaked: 0,
        in_flight: 0,
        descriptors: 0,
        setup_flags: Vec::new(),
        enter_flags: Vec::new(),
        by_opcode: [0; NAMES.len()],
        by_entry_flag: [0; ENTRY_FLAGS.len()],
    };

    /// Counts an entry for the ring by the fields in which the kernel reads what is asked.
    pub(crate) fn count_entry(&mut self, opcode: u8, flags: u8, priority: u16) {
        self.by_opcode[usize::from(opcode)] += 1;
        if flags == 0 && priority == 0 {
            return;
        }
        let is_set = [
            flags & Flags::FIXED_FILE.bits() != 0,
            flags & Flags::SKIP_SUCCESS.bits() != 0,
            flags & Flags::BUFFER_SELECT.bits() != 0,
            NAMES[usize::from(opcode)] == "accept" && priority & 1 != 0,
            NAMES[usize::from(opcode)] == "recv" && priority & 2 != 0,
            NAMES[usize::from(opcode)] == "recvmsg" && priority & 2 != 0,
        ];
        for (count, is_set) in self.by_entry_flag.iter_mut().zip(is_set) {
            *count += u64::from(is_set);
        }
    }

    /// How often the ring was given an operation, by the kernel's word for it: `"recv"`,
    /// `"openat"`; or an entry with a flag: `"BUFFER_SELECT"`. Zero for unknown words, and for all
    /// where there is no ring.
    pub fn used(&self, name: &str) -> u64 {
        let operations = NAMES.into_iter().zip(self.by_opcode);
        let flags = ENTRY_FLAGS.into_iter().map(|(flag, _)| flag).zip(self.by_entry_flag);
        operations.chain(flags).find(|&(known, _)| known == name).map_or(0, |(_, count)| count)
    }

    /// What was used without being among `capabilities`, by the kernel's words: never anything, but
    /// for a defect of this crate.
    ///
    /// ```
    /// use wakering_ring_driver::{Config, Driver, Wait};
    ///
    /// let driver = Driver::new(&Config::default())?;
    /// driver.turn(Wait::Now);
    /// assert!(driver.counters().beyond(&driver.capabilities()).is_empty());
    /// # Ok::<(), wakering_ring_driver::SetupError>(())
    /// ```
    pub fn beyond(&self, capabilities: &Capabilities) -> Vec<&'static str> {
        let operations = self.operations().map(|(name, _)| (name, capabilities.has(name)));
        let entries = ENTRY_FLAGS
            .iter()
            .zip(self.by_entry_flag)
            .filter(|&(_, count)| count > 0)
            .map(|(&(flag, capability), _)| (flag, capabilities.has(capability)));
        let rings = self.setup_flags.iter().chain(&self.enter_flags).map(|&flag| match flag {
            "TASKRUN_FLAG" => (flag, capabilities.coop_taskrun || capabilities.defer_taskrun),
            _ => (flag, capabilities.has(&flag.to_lowercase())),
        });
        let used = operations.chain(entries).chain(rings);
        used.filter(|&(_, is_there)| !is_there).map(|(name, _)| name).collect()
    }

    /// All operations that the ring was given, by name; none, where there is no ring.
    pub fn operations(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        NAMES.iter().copied().zip(self.by_opcode).filter(|&(_, count)| count > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opcode(name: &str) -> u8 {
        NAMES.iter().position(|known| *known == name).unwrap() as u8
    }

    /// Given one use of everything that belongs to a capability, when that capability is missing,
    /// then it is named, and nothing else is.
    #[test]
    fn what_a_mask_takes_away_is_noticed() {
        let mut counters = Counters::NONE;
        let (skip, select) = (Flags::SKIP_SUCCESS.bits(), Flags::BUFFER_SELECT.bits());
        counters.count_entry(opcode("read"), Flags::FIXED_FILE.bits(), 0);
        counters.count_entry(opcode("accept"), 0, 1);
        counters.count_entry(opcode("recv"), select, 2);
        counters.count_entry(opcode("recvmsg"), select, 2);
        counters.count_entry(opcode("async_cancel"), skip, 0);
        counters.setup_flags = vec!["SUBMIT_ALL", "DEFER_TASKRUN", "TASKRUN_FLAG"];
        counters.enter_flags = vec!["EXT_ARG", "REGISTERED_RING", "NO_IOWAIT"];
        for (mask, used) in [
            ("", &[][..]),
            ("-accept", &["accept", "ACCEPT_MULTISHOT"]),
            ("-multishot_accept", &["ACCEPT_MULTISHOT"]),
            ("-multishot_recv", &["RECV_MULTISHOT"]),
            ("-multishot_recvmsg", &["RECVMSG_MULTISHOT"]),
            ("-buf_ring", &["BUFFER_SELECT", "RECV_MULTISHOT", "RECVMSG_MULTISHOT"]),
            ("-cqe_skip", &["CQE_SKIP_SUCCESS"]),
            ("-registered_files", &["FIXED_FILE"]),
            ("-submit_all", &["SUBMIT_ALL"]),
            ("-defer_taskrun", &["DEFER_TASKRUN"]),
            ("-defer_taskrun,-coop_taskrun", &["DEFER_TASKRUN", "TASKRUN_FLAG"]),
            ("-ext_arg", &["EXT_ARG"]),
            ("-registered_ring", &["REGISTERED_RING"]),
            ("-no_iowait", &["NO_IOWAIT"]),
        ] {
            let left = Capabilities::ALL.masked(mask.parse().unwrap());
            assert_eq!(counters.beyond(&left), used, "{mask}");
        }
        assert_eq!(counters.used("recv"), 1);
        assert_eq!(counters.used("RECV_MULTISHOT"), 1);
        // The same bits elsewhere mean something else.
        counters.count_entry(opcode("send"), 0, 3);
        assert_eq!((counters.used("ACCEPT_MULTISHOT"), counters.used("RECV_MULTISHOT")), (1, 1));
    }
}
