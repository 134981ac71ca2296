//! Processor time and memory of a process, this one or the embedded server, from `/proc`.
//!
//! Both sides are read the same way, so their figures can be compared and added. The kernel gives
//! processor time in clock ticks of 10 ms, which is 0.1 % of a ten-second run on one core.

use std::fs;
use std::io;
use std::time::Duration;

/// What a process has used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Processor time in user mode.
    pub user: Duration,
    /// Processor time in the kernel on behalf of the process.
    pub sys: Duration,
    /// The most memory that was ever resident, in bytes.
    pub max_rss: u64,
}

/// A tick of `/proc/PID/stat`: Linux shows 100 a second to every program (`USER_HZ`).
const TICK: Duration = Duration::from_millis(10);

impl Usage {
    /// Reads the usage of process `pid` from its start until now.
    pub fn of(pid: u32) -> io::Result<Usage> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let malformed = || io::Error::other(format!("/proc/{pid}/stat or status: unknown format"));
        let (user, sys) = times(&stat).ok_or_else(malformed)?;
        let max_rss = peak(&status).ok_or_else(malformed)?;
        Ok(Usage { user, sys, max_rss })
    }

    /// What was used between `before` and now.
    pub fn since(self, before: Usage) -> Usage {
        Usage {
            user: self.user.saturating_sub(before.user),
            sys: self.sys.saturating_sub(before.sys),
            max_rss: self.max_rss,
        }
    }

    /// Processor time in both modes.
    pub fn cpu(self) -> Duration {
        self.user + self.sys
    }
}

/// Fields 14 and 15 of `stat`; the command in field 2 may hold spaces and parentheses.
fn times(stat: &str) -> Option<(Duration, Duration)> {
    let (_, after_command) = stat.rsplit_once(')')?;
    let mut fields = after_command.split_ascii_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<u32>().ok();
    Some((TICK * ticks()?, TICK * ticks()?))
}

fn peak(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_stat_line_with_a_hostile_command() {
        let line = "7 (a) b (c)) S 1 2 3 4 5 6 7 8 9 10 250 31 0 0 20 0 1 0 99";
        let expected = (Duration::from_millis(2500), Duration::from_millis(310));
        assert_eq!(times(line), Some(expected));
        assert_eq!(times("nonsense"), None);
    }

    #[test]
    fn reads_the_peak() {
        assert_eq!(peak("Name:\tx\nVmHWM:\t    9000 kB\nVmRSS:\t 8 kB\n"), Some(9_216_000));
        assert_eq!(peak("Name:\tx\n"), None);
    }

    #[test]
    fn own_usage_grows_with_work() {
        let before = Usage::of(std::process::id()).unwrap();
        let start = std::time::Instant::now();
        let mut now = before;
        // Bounded by time and not by the work, which a busy machine slows down.
        while now.cpu() == before.cpu() && start.elapsed() < Duration::from_secs(20) {
            (0..100_000u64).for_each(|n| _ = std::hint::black_box(n));
            now = Usage::of(std::process::id()).unwrap();
        }
        assert!(now.since(before).cpu() >= TICK);
        assert!(now.max_rss > 100_000);
    }
}
