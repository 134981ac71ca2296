//! The program, run by a test with a limit in time.

use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

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

/// Waits for the end of a running program, which must come within a minute.
pub fn finish(mut child: Child) -> Output {
    let end = Instant::now() + patience(Duration::from_secs(60));
    let (mut out, mut err) = (child.stdout.take(), child.stderr.take());
    let reader = |pipe: Option<Box<dyn std::io::Read + Send>>| {
        thread::spawn(move || {
            let mut bytes = Vec::new();
            if let Some(mut pipe) = pipe {
                pipe.read_to_end(&mut bytes).expect("pipes can be read");
            }
            bytes
        })
    };
    let stdout = reader(out.take().map(|pipe| Box::new(pipe) as _));
    let stderr = reader(err.take().map(|pipe| Box::new(pipe) as _));
    let status: ExitStatus = loop {
        if let Some(status) = child.try_wait().expect("a child can be waited for") {
            break status;
        }
        if Instant::now() > end {
            child.kill().expect("a child can be killed");
            panic!("bench-harness did not end within its time");
        }
        thread::sleep(Duration::from_millis(10));
    };
    let stdout = stdout.join().expect("the reader does not panic");
    let stderr = stderr.join().expect("the reader does not panic");
    Output { status, stdout, stderr }
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
