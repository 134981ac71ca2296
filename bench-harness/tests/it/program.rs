//! The program, run by a test with a limit in time.

use std::fs::{File, OpenOptions};
use std::io::Read;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use serde_json::Value;

/// The program's file: cargo puts it above the folder of the test binaries.
pub fn path() -> PathBuf {
    let test = std::env::current_exe().expect("a test knows its own file");
    let folder = test.parent().and_then(|deps| deps.parent()).expect("two folders up");
    folder.join("bench-harness")
}

/// The program with arguments, separated by spaces, and without any terminal.
pub fn command(arguments: &str) -> Command {
    let mut command = Command::new(path());
    command
        .args(arguments.split_whitespace())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Runs the program to its end.
pub fn run(arguments: &str) -> Output {
    finish(command(arguments).spawn().expect("the program is built before its tests"))
}

/// Runs the program with `--quiet --json -`; returns its status and the report.
pub fn report(arguments: &str) -> (i32, Value) {
    let output = run(&format!("{arguments} --quiet --json -"));
    let status = output.status.code().expect("no signal ended it");
    let report = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error} in {output:?}"));
    (status, report)
}

/// Waits for the end of a running program and of everybody who holds its output, which must come
/// within a minute.
pub fn finish(mut child: Child) -> Output {
    let end = Instant::now() + patience(Duration::from_secs(60));
    let stdout = child.stdout.take().map(read);
    let stderr = child.stderr.take().map(read);
    let status = loop {
        if let Some(status) = child.try_wait().expect("a child can be waited for") {
            break status;
        }
        if Instant::now() > end {
            child.kill().expect("a child can be killed");
            panic!("bench-harness did not end within its time");
        }
        thread::sleep(Duration::from_millis(10));
    };
    let collected = |bytes: Option<Receiver<Vec<u8>>>| {
        let rest = end.saturating_duration_since(Instant::now());
        bytes.map_or(Vec::new(), |bytes| {
            bytes.recv_timeout(rest).expect("a child of bench-harness still holds its output")
        })
    };
    Output { status, stdout: collected(stdout), stderr: collected(stderr) }
}

/// Reads a pipe to its end, on a thread of its own.
fn read(mut pipe: impl Read + Send + 'static) -> Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        pipe.read_to_end(&mut bytes).expect("pipes can be read");
        // Nobody waits any more when the test has failed already.
        let _ = sender.send(bytes);
    });
    receiver
}

/// A terminal, and what has been written to it when its last holder has closed it.
pub fn terminal() -> (File, JoinHandle<String>) {
    let controller = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a pseudo-terminal");
    grantpt(&controller).and_then(|()| unlockpt(&controller)).expect("it is ours");
    let name = ptsname(&controller, Vec::new()).expect("it has a name");
    let name = name.to_str().expect("names of terminals are ASCII");
    let terminal = OpenOptions::new().read(true).write(true).open(name).expect("it opens");
    let reader = thread::spawn(move || {
        let mut bytes = Vec::new();
        // Reading from the controller fails with EIO when the last terminal is closed.
        let _ = File::from(controller).read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    });
    (terminal, reader)
}

/// What the program wrote to standard error.
pub fn complaint(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// An upper bound in time, stretched on slow machines.
pub fn patience(time: Duration) -> Duration {
    let factor = std::env::var("WAKERING_TEST_PATIENCE").ok();
    time * factor.map_or(1, |factor| factor.parse().expect("a whole number"))
}
