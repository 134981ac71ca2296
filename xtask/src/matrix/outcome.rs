//! What a guest said, and whether that is what was expected.
//!
//! The guest frames what each program prints by lines that begin with a mark and the time. From the
//! frames comes a row for each lane; everything that is not as it should be becomes a complaint.

use std::collections::BTreeSet;

use super::boot::Booted;
use super::guest::{DOCTOR, LIMIT, Plan};
use super::programs::Program;
use crate::lanes::{self, Place, Tally};
use crate::version::Version;

/// What begins a line of the guest's own; the first one says that it is ready.
pub(super) const READY: &str = "@@kernel-matrix ";

/// What ends the last of them.
pub(super) const OVER: &str = " over";

/// The lane of `.ci/skips.txt` that all guests are in.
const GUEST: &str = "guest";

/// What a shell says of a program that was killed.
const KILLED: i32 = 128 + 9;

/// What a kernel's log must not have.
const ALARMS: &[&str] = &[
    "WARNING:",
    "BUG:",
    "Oops",
    "Call Trace",
    "blocked for more than",
    "possible circular locking",
    "possible recursive locking",
    "inconsistent lock state",
    "general protection fault",
    "refcount_t:",
    "panic -",
];

/// What a kernel came to.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// What the kernel calls itself.
    pub(super) release: Option<String>,
    pub(super) rows: Vec<Row>,
    pub(super) complaints: Vec<String>,
}

/// What a lane came to.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Row {
    /// What was really used, as the guest says.
    pub(super) backend: String,
    pub(super) tier: String,
    pub(super) tally: Tally,
    pub(super) seconds: f64,
}

/// What one program printed.
#[derive(Debug, Default, PartialEq)]
struct Frame<'a> {
    lane: &'a str,
    name: &'a str,
    lines: Vec<&'a str>,
    begun: f64,
    /// When, and with which code.
    ended: Option<(f64, i32)>,
}

impl Outcome {
    /// Judges a run of `plan`, given the text of `.ci/skips.txt`.
    pub(super) fn judge(booted: &Booted, plan: &Plan<'_>, skips: &str) -> Outcome {
        let (release, frames) = frames(&booted.output);
        let mut outcome = Outcome { release, ..Outcome::default() };
        outcome.complaints.extend(alarms(&booted.log));
        outcome.complaints.extend(booted.wrong.clone());
        if outcome.release.is_none() {
            return outcome;
        }
        let version = outcome.release.as_deref().and_then(|release| release.parse().ok());
        for backend in plan.backends {
            let lane: Vec<&Frame<'_>> =
                frames.iter().filter(|frame| frame.lane == *backend).collect();
            let (row, complaints) = judge_lane(backend, &lane, plan.programs, skips, version);
            outcome.rows.extend(row);
            let complaints = complaints.into_iter().map(|what| format!("{backend}: {what}"));
            outcome.complaints.extend(complaints);
        }
        outcome
    }
}

fn judge_lane(
    backend: &str,
    frames: &[&Frame<'_>],
    programs: &[Program],
    skips: &str,
    kernel: Option<Version>,
) -> (Option<Row>, Vec<String>) {
    let of = |name: &str| frames.iter().find(|frame| frame.name == name);
    let doctor = match of(DOCTOR) {
        Some(frame) if frame.code() == Some(0) => frame,
        Some(frame) => {
            let last = frame.lines.iter().rev().find(|line| !line.is_empty());
            return (None, vec![format!("no runtime: {}", last.unwrap_or(&"it said nothing"))]);
        }
        None => return (None, vec!["the guest did not come to it".to_string()]),
    };
    let fact = |name: &str| {
        let mut words = doctor.lines.iter().map(|line| line.split_whitespace());
        let row = words.find_map(|mut words| (words.next() == Some(name)).then_some(words));
        row.and_then(|mut words| words.next()).unwrap_or("?").to_string()
    };
    let text: Vec<&str> = frames.iter().flat_map(|frame| frame.lines.iter().copied()).collect();
    let row = Row {
        backend: fact("runtime"),
        tier: fact("tier"),
        tally: Tally::read(&text.join("\n")),
        seconds: frames.iter().map(|frame| frame.seconds()).sum(),
    };
    let mut complaints = Vec::new();
    if row.backend != backend {
        complaints.push(format!("what was used is {}", row.backend));
    }
    let mut missing = Vec::new();
    for program in programs {
        match of(&program.name) {
            Some(frame) => complaints.extend(frame.complaints(program)),
            None => missing.push(program.name.as_str()),
        }
    }
    if !missing.is_empty() {
        complaints.push(format!("not run: {}", missing.join(", ")));
    }
    let place = Place { lanes: &[GUEST, backend], kernel };
    match lanes::allowed(skips, &place) {
        Ok(allowed) => complaints.extend(row.tally.unlisted(&allowed)),
        Err(wrong) => complaints.push(wrong),
    }
    (Some(row), complaints)
}

impl Frame<'_> {
    fn code(&self) -> Option<i32> {
        self.ended.map(|(_, code)| code)
    }

    fn seconds(&self) -> f64 {
        self.ended.map_or(0.0, |(at, _)| at - self.begun)
    }

    /// What is wrong with a run of `program`.
    fn complaints(&self, program: &Program) -> Vec<String> {
        let name = &program.name;
        let text = self.lines.join("\n");
        let mut wrong = match self.code() {
            Some(0) => Vec::new(),
            Some(KILLED) if self.seconds() >= LIMIT as f64 => {
                vec![format!("{name} took longer than {LIMIT} s")]
            }
            Some(code) => vec![format!("{name} ended with code {code}")],
            None => vec![format!("{name} did not end")],
        };
        let tally = Tally::read(&text);
        let told = tally.passed + tally.failed + tally.ignored;
        if wrong.is_empty() && told != program.tests.len() {
            wrong.push(format!("{name} ran {told} tests of {}", program.tests.len()));
        }
        if !wrong.is_empty() {
            let results: BTreeSet<&str> =
                self.lines.iter().filter_map(|line| result(line)).collect();
            let silent = program.tests.iter().map(String::as_str);
            let silent: Vec<&str> = silent.filter(|test| !results.contains(test)).collect();
            if !silent.is_empty() {
                wrong.push(format!("{name}: no result of {}", silent.join(", ")));
            }
            let failures = lanes::failures(&text);
            if !failures.is_empty() {
                wrong.push(failures);
            }
        }
        wrong
    }
}

/// The test that a line such as `test adds ... ok` has a result of.
fn result(line: &str) -> Option<&str> {
    let (name, _) = line.strip_prefix("test ")?.split_once(" ... ")?;
    Some(name.strip_suffix(" - should panic").unwrap_or(name))
}

/// Splits what a guest printed into the release of its kernel and what each program printed.
fn frames(output: &str) -> (Option<String>, Vec<Frame<'_>>) {
    let mut release = None;
    let mut frames: Vec<Frame<'_>> = Vec::new();
    for line in output.lines() {
        let Some(rest) = line.strip_prefix(READY) else {
            // What comes between two programs is the shell's.
            if let Some(frame) = frames.last_mut().filter(|frame| frame.ended.is_none()) {
                frame.lines.push(line);
            }
            continue;
        };
        let words: Vec<&str> = rest.split(' ').collect();
        let time = words[0].parse().unwrap_or(0.0);
        match (&words[1..], frames.last_mut()) {
            (["ready", name], _) => release = Some((*name).to_string()),
            (["begin", lane, name], _) => {
                frames.push(Frame { lane, name, begun: time, ..Frame::default() });
            }
            (["end", code], Some(frame)) => frame.ended = Some((time, code.parse().unwrap_or(-1))),
            _ => {}
        }
    }
    (release, frames)
}

/// The lines of a kernel's log that it must not have, without the many that often follow one.
fn alarms(log: &str) -> Vec<String> {
    const LINES: usize = 10;
    let alarming = |line: &&str| ALARMS.iter().any(|alarm| line.contains(alarm));
    log.lines().filter(alarming).take(LINES).map(|line| format!("kernel log: {line}")).collect()
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};
    use std::time::Duration;

    use super::*;

    const OUTPUT: &str = "\
SeaBIOS
@@kernel-matrix 2.10 ready 6.1.0-56-cloud-amd64
@@kernel-matrix 2.20 begin uring doctor
backend       uring
io_uring      yes, T2
runtime       uring
tier          T2

@@kernel-matrix 2.30 end 0
@@kernel-matrix 3.00 begin uring net/it
test adds ... ok
test takes ... ok
SKIP takes: there is nothing to take
test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out
@@kernel-matrix 9.50 end 0
@@kernel-matrix 9.60 over
";

    fn judge(output: &str, log: &str, skips: &str) -> Outcome {
        let tests = ["adds", "takes"].map(str::to_string).into();
        let program = Program { name: "net/it".to_string(), file: PathBuf::new(), tests };
        let plan = Plan {
            doctor: Path::new("doctor"),
            programs: &[program],
            backends: &["uring"],
            filter: &[],
        };
        let (output, log) = (output.to_string(), log.to_string());
        let booted = Booted { output, log, took: Duration::ZERO, wrong: None };
        Outcome::judge(&booted, &plan, skips)
    }

    #[test]
    fn a_lane_is_what_the_guest_says_it_is() {
        let outcome = judge(OUTPUT, "all is well", "guest takes\n");
        assert_eq!(outcome.complaints, [""; 0]);
        assert_eq!(outcome.release.as_deref(), Some("6.1.0-56-cloud-amd64"));
        let [row] = &outcome.rows[..] else { panic!("{outcome:?}") };
        assert_eq!((row.backend.as_str(), row.tier.as_str()), ("uring", "T2"));
        assert_eq!((row.tally.ran(), row.tally.failed, row.tally.skips.len()), (1, 0, 1));
        assert!((row.seconds - 6.6).abs() < 0.001, "{row:?}");
    }

    #[test]
    fn skips_are_allowed_by_guest_backend_and_kernel() {
        for allowed in ["guest takes", "uring takes", "6.1 takes", "<6.2 takes", "* takes"] {
            assert_eq!(judge(OUTPUT, "", allowed).complaints, [""; 0], "{allowed}");
        }
        for other in ["", "<6.1 takes", "poll takes", "guest adds"] {
            let complaints = judge(OUTPUT, "", other).complaints;
            assert!(complaints[0].starts_with("uring: `takes` was skipped"), "{complaints:?}");
        }
    }

    #[test]
    fn what_fails_hangs_or_is_missing_is_named() {
        let of = |from: &str, to: &str| {
            let output = OUTPUT.replace(from, to);
            assert_ne!(output, OUTPUT);
            judge(&output, "", "guest takes").complaints.join("\n")
        };
        let failed = of("9.50 end 0", "9.50 end 101");
        assert_eq!(failed, "uring: net/it ended with code 101");
        let killed = of("test takes ... ok", "");
        assert_eq!(killed, "", "the number of tests is what counts");
        let hung = of("9.50 end 0", "903.1 end 137").replace("\n", " ");
        assert_eq!(hung, "uring: net/it took longer than 900 s");
        let cut = &OUTPUT[..OUTPUT.find("test takes").unwrap()];
        let complaints = judge(cut, "", "").complaints;
        assert_eq!(complaints, ["uring: net/it did not end", "uring: net/it: no result of takes"]);
        let few = of("ok. 2 passed", "ok. 1 passed");
        assert_eq!(few, "uring: net/it ran 1 tests of 2");
        let none = of("begin uring net/it", "begin uring fs/it");
        assert_eq!(none, "uring: not run: net/it");
        let other = of("runtime       uring", "runtime       poll");
        assert_eq!(other, "uring: what was used is poll");
        let refused = of(
            "tier          T2\n\n@@kernel-matrix 2.30 end 0",
            "why\n\n@@kernel-matrix 2.30 end 1",
        );
        assert_eq!(refused, "uring: no runtime: why");
    }

    #[test]
    fn a_guest_that_says_nothing_has_no_rows() {
        let booted = Booted {
            output: String::new(),
            log: "Kernel panic - not syncing".to_string(),
            took: Duration::ZERO,
            wrong: Some("did not boot".to_string()),
        };
        let plan = Plan { doctor: Path::new(""), programs: &[], backends: &["uring"], filter: &[] };
        let outcome = Outcome::judge(&booted, &plan, "");
        assert!(outcome.rows.is_empty());
        assert_eq!(outcome.complaints, ["kernel log: Kernel panic - not syncing", "did not boot"]);
    }

    #[test]
    fn alarms_in_the_kernels_log_are_complaints() {
        for alarm in [
            "[  9.1] WARNING: CPU: 0 PID: 1 at fs/io_uring.c:1",
            "[  9.1] BUG: kernel NULL pointer dereference",
            "[  9.1] INFO: task iou-wrk-1 blocked for more than 120 seconds.",
            "[  9.1] Call Trace:",
        ] {
            let complaints = judge(OUTPUT, &format!("fine\n{alarm}\n"), "* takes").complaints;
            assert_eq!(complaints, [format!("kernel log: {alarm}")]);
        }
    }
}
