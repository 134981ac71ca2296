//! The examples do what they say, when they say it. All run at the same time, so this takes about
//! as long as the longest of them. What each has to print stands in `expected.txt`.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use wakering::driver::testing::{patience, send, skip};
use wakering::signal::SignalKind;

mod script;

use script::{End, Script, Step, Times};

/// Between the starts of two programs: if all started at once, each would be late.
const APART: Duration = Duration::from_millis(80);

/// How long a program may take until it has begun.
const START: Duration = Duration::from_millis(500);

/// How late a line may be, beside a tenth of its time.
const LATE: Duration = Duration::from_millis(50);

/// No example takes longer than that.
const LIMIT: Duration = Duration::from_secs(30);

/// Given a script for each example; when all are started, and signalled where the script says so;
/// then each prints its lines in order and in time, nothing on standard error, and ends as it should.
#[test]
fn examples_do_what_they_say() {
    let Some(folder) = folder() else {
        return skip("examples_do_what_they_say", "there are no examples beside this program");
    };
    let mut scripts = script::read(include_str!("expected.txt"));
    let names: BTreeSet<String> = scripts.iter().map(|script| script.name.clone()).collect();
    assert_eq!(names, sources(), "each example has a script");

    // The longest first, so that nobody waits for the last.
    scripts.sort_by(|a, b| b.end.times.until.total_cmp(&a.end.times.until));
    let wrong: Vec<String> = thread::scope(|scope| {
        let plays: Vec<_> = (0..)
            .zip(&scripts)
            .map(|(place, script)| {
                let program = folder.join(&script.name);
                scope.spawn(move || {
                    thread::sleep(APART * place);
                    play(&program, script)
                })
            })
            .collect();
        plays.into_iter().filter_map(|play| play.join().expect("no play panics").err()).collect()
    });
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// Plays `script`. A machine that has much else to do makes anybody late, but not three times.
fn play(program: &Path, script: &Script) -> Result<(), String> {
    let mut outcome = Play::start(program).follow(script);
    for _ in 0..2 {
        if outcome.as_ref().is_err_and(|fault| fault.is_late) {
            outcome = Play::start(program).follow(script);
        }
    }
    outcome.map_err(|fault| fault.text)
}

/// What is not as it should be.
struct Fault {
    text: String,
    /// All is as it should be, but so late.
    is_late: bool,
}

impl Fault {
    fn wrong(text: String) -> Fault {
        Fault { text, is_late: false }
    }

    fn late(text: String) -> Fault {
        Fault { text, is_late: true }
    }
}

/// Where cargo has built the examples.
fn folder() -> Option<PathBuf> {
    let program = env::current_exe().expect("a program knows where it is");
    let folder = program.parent()?.parent()?.join("examples");
    folder.exists().then_some(folder)
}

/// The names of all examples.
fn sources() -> BTreeSet<String> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/examples");
    let entries = fs::read_dir(folder).expect("the sources are where they were");
    let names = entries.map(|entry| entry.expect("the sources can be listed").file_name());
    names.filter_map(|name| Some(name.to_str()?.strip_suffix(".rs")?.into())).collect()
}

/// A program that runs.
struct Play {
    child: Child,
    started: Instant,
    /// When the first line came, and what was said of that.
    first: Option<(Instant, Times)>,
    /// All that was printed, with the seconds since the start.
    transcript: String,
}

impl Play {
    fn start(program: &Path) -> Play {
        let started = Instant::now();
        let child = Command::new(program)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("{}: {error}; `cargo build --examples` makes it", program.display())
            });
        Play { child, started, first: None, transcript: String::new() }
    }

    /// Compares what it does with what it should do, and says what is different.
    fn follow(mut self, script: &Script) -> Result<(), Fault> {
        let id = self.child.id();
        let (over, end) = mpsc::channel::<()>();
        thread::scope(|scope| {
            scope.spawn(move || {
                if end.recv_timeout(patience(LIMIT)) == Err(RecvTimeoutError::Timeout) {
                    send(SignalKind::from_raw(SIGKILL), id);
                }
            });
            let followed = self.steps(&script.steps).and_then(|()| self.end(&script.end));
            // What has done something wrong is not waited for.
            let _ = self.child.kill();
            let _ = self.child.wait();
            drop(over);
            followed
        })
        .map_err(|fault| {
            let text = format!("{}: {}\n{}", script.name, fault.text, self.transcript);
            Fault { text, ..fault }
        })
    }

    fn steps(&mut self, steps: &[Step]) -> Result<(), Fault> {
        let stdout = self.child.stdout.take().expect("it is piped");
        let mut lines = BufReader::new(stdout).lines();
        let mut line = || lines.next().transpose().expect("an example prints text");
        for step in steps {
            match step {
                Step::Send(kind) => send(*kind, self.child.id()),
                Step::Lines => while line().is_some() {},
                Step::Line(times, text) => {
                    let line =
                        line().ok_or_else(|| Fault::wrong(format!("`{text}` is missing")))?;
                    let late = self.is_in_time(*times);
                    let second = self.started.elapsed().as_secs_f64();
                    self.transcript += &format!("{second:9.3} {line}\n");
                    let second = patience(Duration::from_secs(1)).as_secs_f64();
                    if !text.is(&line, f64::INFINITY) {
                        return Err(Fault::wrong(format!("this is not `{text}`")));
                    } else if !text.is(&line, second) {
                        return Err(Fault::late(format!("this is more than `{text}`")));
                    }
                    late?;
                }
            }
        }
        line().map_or(Ok(()), |line| Err(Fault::wrong(format!("`{line}` is one line too many"))))
    }

    fn end(&mut self, end: &End) -> Result<(), Fault> {
        let mut errors = String::new();
        let mut stderr = self.child.stderr.take().expect("it is piped");
        stderr.read_to_string(&mut errors).expect("an example prints text");
        if !errors.is_empty() {
            return Err(Fault::wrong(format!("on standard error:\n{errors}")));
        }
        let status = self.child.wait().expect("it can be waited for");
        let late = self.is_in_time(end.times);
        match (status.code(), status.signal().map(SignalKind::from_raw)) {
            (Some(0), None) if end.by.is_none() => late,
            (None, Some(by)) if end.by == Some(by) => late,
            _ => Err(Fault::wrong(format!("ended with {status}"))),
        }
    }

    /// Whether what happens now happens in time. Nothing comes too early since the start; too late
    /// it is by the first line, as nobody knows how long the machine takes to start a program.
    fn is_in_time(&mut self, times: Times) -> Result<(), Fault> {
        let now = Instant::now();
        let since_start = now.duration_since(self.started);
        let tenth_more = |seconds: f64| Duration::from_secs_f64(seconds * 1.1) + LATE;
        let (since, limit) = match self.first {
            Some((at, first)) => (now.duration_since(at), tenth_more(times.until - first.from)),
            None => (since_start, tenth_more(times.until) + START),
        };
        self.first.get_or_insert((now, times));
        if since_start.as_secs_f64() < times.from * 0.9 {
            return Err(Fault::wrong(format!("{since_start:.3?} is too early for {times}")));
        }
        if since > patience(limit) {
            return Err(Fault::late(format!("{since_start:.3?} is too late for {times}")));
        }
        Ok(())
    }
}

const SIGKILL: i32 = 9;
