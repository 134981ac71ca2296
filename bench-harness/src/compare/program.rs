//! A running program: started, told what to do, looked at from outside.

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};

use crate::machine::affinity;

/// How long a program may take to answer: the longest slice, and ten thousand connections.
const PATIENCE: Duration = Duration::from_secs(60);

/// A program; dropped, it is killed and reaped.
pub struct Program {
    child: Child,
    input: ChildStdin,
    lines: Receiver<io::Result<String>>,
}

/// What `done` tells of a slice.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Done {
    pub operations: u64,
    pub time_ns: u64,
    /// Of a paced slice.
    pub latency: Option<Latency>,
}

/// How long messages took that were sent on schedule.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Latency {
    pub median_ns: u64,
    pub p99_ns: u64,
    /// How long the client had lost its processor meanwhile.
    pub away_ns: u64,
}

impl Program {
    /// Starts `command` on `cpus`, wherever there are none on all.
    pub fn start(command: &[String], cpus: &[usize]) -> Result<Program, String> {
        let (program, args) = command.split_first().ok_or("there is no command")?;
        // What a thread may run on is inherited by its children, so a thread of its own starts it.
        let child = thread::scope(|scope| {
            let spawn = scope.spawn(|| {
                if !cpus.is_empty() {
                    affinity::pin(cpus)?;
                }
                Command::new(program)
                    .args(args)
                    .stdin(Stdio::piped())
                    .stdout(Stdio::piped())
                    .stderr(Stdio::piped())
                    .spawn()
            });
            spawn.join().unwrap_or_else(|_panic| Err(io::Error::other("the starter panicked")))
        });
        let mut child = child.map_err(|error| format!("{program}: {error}"))?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("its standard input and output are not piped".into());
        };
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            // Nobody waits any more when the comparison has given up the program.
            let _ = BufReader::new(output).lines().try_for_each(|line| sender.send(line));
        });
        Ok(Program { child, input, lines })
    }

    /// Waits until it says where it listens.
    pub fn listening(&mut self) -> Result<SocketAddr, String> {
        let line = self.line()?;
        let address = line.strip_prefix("listening on ").and_then(|word| word.parse().ok());
        address.ok_or_else(|| format!("it said `{line}`, not `listening on ADDRESS`"))
    }

    /// Waits until it is ready.
    pub fn ready(&mut self) -> Result<(), String> {
        match self.line()?.as_str() {
            "ready" => Ok(()),
            line => Err(format!("it said `{line}`, not `ready`")),
        }
    }

    /// Has it work for a slice.
    pub fn slice(&mut self, order: &str) -> Result<Done, String> {
        self.say(order)?;
        let line = self.line()?;
        let done = done(&line).filter(|done| done.operations > 0);
        done.ok_or_else(|| format!("it said `{line}`, not `done OPERATIONS NANOSECONDS`"))
    }

    /// How often it has allocated.
    pub fn allocations(&mut self) -> Result<u64, String> {
        self.say("allocations")?;
        let line = self.line()?;
        line.parse().map_err(|_| format!("it said `{line}`, not a number of allocations"))
    }

    /// Has it stand still wherever it is.
    pub fn stop(&mut self) -> Result<(), String> {
        let id = self.signal(Signal::STOP)?;
        // Its threads stop one by one. One that ends instead is found below.
        let stopped = WaitIdOptions::STOPPED | WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        waitid(WaitId::Pid(id), stopped).map_err(|error| format!("stopping it: {error}"))?;
        match self.ended() {
            Some(words) => Err(words),
            None => Ok(()),
        }
    }

    /// Has it go on after that.
    pub fn go_on(&mut self) -> Result<(), String> {
        self.signal(Signal::CONT).map(drop)
    }

    /// What it said last, if it has ended.
    pub fn ended(&mut self) -> Option<String> {
        self.child.try_wait().is_ok_and(|status| status.is_some()).then(|| self.end_words())
    }

    fn signal(&self, signal: Signal) -> Result<Pid, String> {
        let id = Pid::from_raw(self.id() as i32).ok_or("it has no process")?;
        kill_process(id, signal).map_err(|error| format!("sending it a signal: {error}"))?;
        Ok(id)
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Processor time of all its threads so far, which the kernel counts in nanoseconds.
    pub fn cpu_ns(&self) -> Result<u64, String> {
        let folder = format!("/proc/{}/task", self.id());
        let failed = |error: io::Error| format!("{folder}: {error}");
        let mut ns = 0;
        for task in fs::read_dir(&folder).map_err(failed)? {
            // A thread may end between being listed and being read.
            let Ok(text) = fs::read_to_string(task.map_err(failed)?.path().join("schedstat"))
            else {
                continue;
            };
            ns += text.split_whitespace().next().and_then(|ns| ns.parse().ok()).unwrap_or(0);
        }
        Ok(ns)
    }

    /// Its resident memory, in bytes.
    pub fn resident(&self) -> Result<u64, String> {
        let path = format!("/proc/{}/status", self.id());
        let text = fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
        let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib: Option<u64> = line.and_then(|kib| kib.trim().trim_end_matches(" kB").parse().ok());
        kib.map(|kib| kib * 1024).ok_or_else(|| format!("{path}: unknown format"))
    }

    fn say(&mut self, line: &str) -> Result<(), String> {
        match writeln!(self.input, "{line}").and_then(|()| self.input.flush()) {
            Ok(()) => Ok(()),
            Err(_closed) => Err(self.end_words()),
        }
    }

    fn line(&mut self) -> Result<String, String> {
        match self.lines.recv_timeout(PATIENCE) {
            Ok(Ok(line)) => Ok(line),
            Ok(Err(error)) => Err(error.to_string()),
            Err(mpsc::RecvTimeoutError::Timeout) => Err("it said nothing for a minute".into()),
            Err(mpsc::RecvTimeoutError::Disconnected) => Err(self.end_words()),
        }
    }

    /// Ends it; what it said last on standard error, if it said anything.
    pub fn end(&mut self) -> Option<String> {
        // Both fail only for a process that is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let mut said = String::new();
        if let Some(mut stderr) = self.child.stderr.take() {
            let _ = stderr.read_to_string(&mut said);
        }
        let last = said.lines().rfind(|line| !line.trim().is_empty());
        last.map(|line| line.trim().to_owned())
    }

    /// What a program that has ended said last.
    fn end_words(&mut self) -> String {
        match (self.end(), self.child.wait()) {
            (Some(line), _) => line,
            (None, Ok(status)) => format!("it ended without a word, {status}"),
            (None, Err(error)) => format!("it ended without a word: {error}"),
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // As above.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn done(line: &str) -> Option<Done> {
    let mut words = line.strip_prefix("done ")?.split_whitespace().map(str::parse);
    let operations = words.next()?.ok()?;
    let time_ns = words.next()?.ok()?;
    let latency = match (words.next(), words.next(), words.next()) {
        (Some(Ok(median_ns)), Some(Ok(p99_ns)), Some(Ok(away_ns))) => {
            Some(Latency { median_ns, p99_ns, away_ns })
        }
        (None, None, None) => None,
        _ => return None,
    };
    Some(Done { operations, time_ns, latency })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Program {
        Program::start(&["sh".into(), "-c".into(), script.into()], &[]).unwrap()
    }

    #[test]
    fn a_slice_is_asked_for_and_answered() {
        // Given a program that speaks as the rivals do
        let mut program = shell("echo ready; while read a b; do echo done 7 $b; done");
        program.ready().unwrap();

        // When it is told to work
        let done = program.slice("slice 50").unwrap();

        // Then its words are understood, and it can be looked at from outside
        assert_eq!(done, Done { operations: 7, time_ns: 50, latency: None });
        assert!(program.resident().unwrap() > 100_000);
        assert!(program.cpu_ns().unwrap() > 0);
    }

    #[test]
    fn a_program_stands_still_while_it_is_stopped() {
        // Given a program that computes all the time, stopped
        let mut program = shell("echo ready; while :; do :; done");
        program.ready().unwrap();
        program.stop().unwrap();

        // Then it uses no processor time until it goes on
        let before = program.cpu_ns().unwrap();
        thread::sleep(Duration::from_millis(50));
        assert_eq!(program.cpu_ns().unwrap(), before);
        program.go_on().unwrap();
        let start = std::time::Instant::now();
        while program.cpu_ns().unwrap() == before {
            assert!(start.elapsed() < PATIENCE, "it does not go on");
            thread::sleep(Duration::from_millis(1));
        }

        // And one that has ended cannot be stopped: its last words are the reason
        let mut program = shell("echo such is life >&2");
        while program.ended().is_none() {
            thread::sleep(Duration::from_millis(1));
        }
        assert!(program.stop().is_err());
    }

    #[test]
    fn latencies_of_paced_slices_follow() {
        let latency = Latency { median_ns: 3, p99_ns: 4, away_ns: 5 };
        assert_eq!(done("done 1 2 3 4 5").unwrap().latency, Some(latency));
        for line in ["done", "done 1", "done 1 2 3 4", "done x 2", "gone 1 2"] {
            assert_eq!(done(line), None, "{line}");
        }
    }

    #[test]
    fn the_last_words_of_a_program_are_the_reason() {
        let mut program = shell("echo it has no program for this >&2; exit 3");
        assert_eq!(program.ready().unwrap_err(), "it has no program for this");
        let mut program = shell("exit 4");
        assert!(program.listening().unwrap_err().contains("exit status: 4"));
        assert!(Program::start(&["/no/such/program".into()], &[]).is_err());
    }
}
