//! System calls, counted from outside by `perf`, in slices of their own.
//!
//! `perf stat` counts the tracepoint of every system call of all threads of a process. It needs to
//! be installed, and a user who may trace; where it is not, the figure is missing.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

/// How long perf may take to be ready.
const BEGIN: Duration = Duration::from_millis(300);

/// A count under way.
pub struct Count {
    perf: Child,
}

impl Count {
    /// Begins to count for processes that are idle.
    pub fn begin(ids: [u32; 2]) -> Result<[Count; 2], String> {
        let [mut a, mut b] = [Count::start(ids[0])?, Count::start(ids[1])?];
        std::thread::sleep(BEGIN);
        match [a.perf.try_wait(), b.perf.try_wait()] {
            [Ok(None), Ok(None)] => Ok([a, b]),
            // Both fail for the same reason: it may not trace.
            _ => {
                b.end().ok();
                Err(format!("perf: {}", read(a.perf)))
            }
        }
    }

    fn start(id: u32) -> Result<Count, String> {
        let perf = Command::new("perf")
            .args(["stat", "-x", ",", "-e", "raw_syscalls:sys_enter", "-p", &id.to_string()])
            .env("LC_ALL", "C")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn();
        Ok(Count { perf: perf.map_err(|error| format!("perf: {error}"))? })
    }

    /// How many there were.
    pub fn end(self) -> Result<u64, String> {
        if let Some(id) = Pid::from_raw(self.perf.id() as i32) {
            // It fails only for a process that is gone, whose words say why.
            let _ = kill_process(id, Signal::INT);
        }
        let said = read(self.perf);
        counted(&said).ok_or_else(|| format!("perf: {said}"))
    }
}

/// What it says, on one line, when it has ended.
fn read(perf: Child) -> String {
    match perf.wait_with_output() {
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            said.split_whitespace().collect::<Vec<_>>().join(" ")
        }
        Err(error) => error.to_string(),
    }
}

fn counted(said: &str) -> Option<u64> {
    let line = said.split(' ').find(|word| word.contains(",raw_syscalls:sys_enter,"))?;
    line.split(',').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_stands_in_front() {
        assert_eq!(counted("29,,raw_syscalls:sys_enter,616474,100.00,,"), Some(29));
        assert_eq!(counted("<not counted>,,raw_syscalls:sys_enter,0,0.00,,"), None);
        assert_eq!(counted("Error: no such tracepoint"), None);
    }
}
