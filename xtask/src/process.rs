//! A program with a limit in time, and what it printed.
//!
//! Each program gets a process group of its own, so that what it has started ends with it when the
//! limit is reached. Output goes to files, which stay for whoever wants to read them.

use std::fs::{self, File};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How a program ended.
pub(crate) struct Finished {
    pub(crate) end: End,
    logs: [PathBuf; 2],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Succeeded,
    Failed,
    TimedOut,
}

impl Finished {
    /// What it printed on standard output.
    pub(crate) fn stdout(&self) -> String {
        read(&self.logs[0])
    }

    /// What it printed on standard error.
    pub(crate) fn stderr(&self) -> String {
        read(&self.logs[1])
    }

    /// The last lines of both, for a report.
    pub(crate) fn tail(&self) -> String {
        const LINES: usize = 80;
        let mut tail = String::new();
        for (text, log) in [self.stdout(), self.stderr()].iter().zip(&self.logs) {
            let lines: Vec<&str> = text.lines().collect();
            let from = lines.len().saturating_sub(LINES);
            tail.push_str(&format!("--- {} (last {} lines)\n", log.display(), lines.len() - from));
            tail.push_str(&lines[from..].join("\n"));
            tail.push('\n');
        }
        tail
    }
}

fn read(log: &Path) -> String {
    fs::read(log)
        .map_or_else(|_| String::new(), |bytes| String::from_utf8_lossy(&bytes).into_owned())
}

/// Runs `command` to its end or for `limit`, with its output in `logs/name.stdout` and
/// `logs/name.stderr`.
pub(crate) fn run(
    command: &mut Command,
    limit: Duration,
    logs: &Path,
    name: &str,
) -> io::Result<Finished> {
    fs::create_dir_all(logs)?;
    let logs = ["stdout", "stderr"].map(|stream| logs.join(format!("{name}.{stream}")));
    command.stdin(Stdio::null()).stdout(File::create(&logs[0])?).stderr(File::create(&logs[1])?);
    let mut running = Running::start(command)?;
    let started = Instant::now();
    let end = loop {
        match running.child.try_wait()? {
            Some(status) if status.success() => break End::Succeeded,
            Some(_) => break End::Failed,
            None if started.elapsed() >= limit => break End::TimedOut,
            None => sleep(Duration::from_millis(50)),
        }
    };
    Ok(Finished { end, logs })
}

/// A program that runs until this is dropped, together with all that it has started.
pub(crate) struct Running {
    child: Child,
}

impl Running {
    pub(crate) fn start(command: &mut Command) -> io::Result<Running> {
        Ok(Running { child: command.process_group(0).spawn()? })
    }

    /// Whether it has ended by itself.
    pub(crate) fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // The group outlives its leader if the leader's children do, so it is ended in any case.
        let group = format!("-{}", self.child.id());
        let kill =
            Command::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status();
        if kill.is_err() {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn success_failure_and_too_long_are_told_apart() {
        let logs = tempfile::tempdir().unwrap();
        let long = Duration::from_secs(60);
        let ended = |script, limit| run(&mut shell(script), limit, logs.path(), "step").unwrap();

        let finished = ended("echo out; echo err >&2", long);
        assert_eq!(finished.end, End::Succeeded);
        assert_eq!((finished.stdout().as_str(), finished.stderr().as_str()), ("out\n", "err\n"));
        assert_eq!(ended("exit 3", long).end, End::Failed);
        assert_eq!(ended("sleep 60", Duration::from_millis(100)).end, End::TimedOut);
    }

    #[test]
    fn what_a_program_has_started_ends_with_it() {
        let logs = tempfile::tempdir().unwrap();
        let script = "sleep 300 & echo $!; wait";
        let limit = Duration::from_millis(500);
        let finished = run(&mut shell(script), limit, logs.path(), "step").unwrap();
        let grandchild = format!("/proc/{}/stat", finished.stdout().trim());
        let started = Instant::now();
        // Whoever adopts it may take a while to reap it: a zombie (Z) counts as ended.
        while fs::read_to_string(&grandchild).is_ok_and(|stat| !stat.contains(") Z ")) {
            assert!(started.elapsed() < Duration::from_secs(20), "{grandchild} lives on");
            sleep(Duration::from_millis(10));
        }
    }
}
