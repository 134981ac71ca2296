//! A test's body in a process of its own, found by running this very test binary again.

#![allow(unsafe_code)]

use std::fs::File;
use std::io::{Read, Seek, Write};
use std::os::fd::{FromRawFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use super::patience;

const VARIABLE: &str = "WAKERING_TEST_CHILD";

/// Runs `body` in a child process: this binary again, with only the test `name`. Returns what the
/// child printed.
///
/// `name` is the test's name as the test runner prints it, modules included. The child reaches this
/// same call, runs `body` there and exits; the parent never runs it. So everything before this call
/// happens in both processes, everything after it in the parent alone, and a test calls it once (or
/// in a loop, with one body).
///
/// # Panics
///
/// In the parent, with the child's output: if the child panics, exits in another way, is killed by
/// a signal, does not reach `body`, or takes longer than a minute times [`patience`].
#[track_caller]
pub fn in_child(name: &str, body: impl FnOnce()) -> String {
    in_child_with(name, &[], body)
}

/// As [`in_child`], with environment variables set for the child.
///
/// # Panics
///
/// As [`in_child`].
#[track_caller]
pub fn in_child_with(name: &str, environment: &[(&str, &str)], body: impl FnOnce()) -> String {
    let done = format!("{name} has run in a child");
    if std::env::var_os(VARIABLE).is_some_and(|child| child == name) {
        let passed = catch_unwind(AssertUnwindSafe(body)).is_ok();
        if passed {
            println!("{done}");
        }
        let _ = std::io::stdout().flush();
        // The standard library's `exit` unmaps the main thread's signal stack, on which that thread
        // may be running a handler right now.
        // SAFETY: What is to run at an exit runs in this thread, as it does when it is left to the
        // standard library.
        unsafe { libc::exit(if passed { 0 } else { 101 }) };
    }
    let program = std::env::current_exe().expect("the path of this test binary");
    let mut command = Command::new(program);
    command.args([name, "--exact", "--nocapture", "--include-ignored"]);
    command.env(VARIABLE, name).envs(environment.iter().copied());
    let (status, output) = run(command, patience(Duration::from_secs(60)));
    match status {
        Some(status) if status.success() && output.contains(&done) => {
            // What the child skipped, this test has skipped. On one processor the test runner puts
            // the test's name in front.
            let skips = output.lines().filter_map(|line| line.find("SKIP ").map(|at| &line[at..]));
            skips.for_each(|skip| println!("{skip}"));
            output
        }
        Some(status) if status.success() => panic!("no test `{name}` ran in the child:\n{output}"),
        Some(status) => panic!("`{name}` failed in its child ({status}):\n{output}"),
        None => panic!("`{name}` was killed, it took too long in its child:\n{output}"),
    }
}

/// Runs a command to its end, or kills it: then there is no status. Its output goes through memory
/// that needs neither a directory nor a thread that reads along.
fn run(mut command: Command, bound: Duration) -> (Option<ExitStatus>, String) {
    let mut output = memory_file();
    let handle = || Stdio::from(output.try_clone().expect("a descriptor for the child's output"));
    command.stdin(Stdio::null()).stdout(handle()).stderr(handle());
    let mut child = command.spawn().expect("this binary can be run again");
    let deadline = Instant::now() + bound;
    let status = loop {
        if let Some(status) = child.try_wait().expect("the child is ours to wait for") {
            break Some(status);
        }
        if Instant::now() > deadline {
            child.kill().expect("the child is ours to kill");
            child.wait().expect("the child is ours to wait for");
            break None;
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    let mut bytes = Vec::new();
    output.rewind().expect("memory can be read from the start");
    output.read_to_end(&mut bytes).expect("memory can be read");
    (status, String::from_utf8_lossy(&bytes).into_owned())
}

fn memory_file() -> File {
    // SAFETY: The name is a string that ends with a zero; a new descriptor or -1 comes back.
    let number = unsafe { libc::memfd_create(c"output".as_ptr(), libc::MFD_CLOEXEC) };
    assert!(number >= 0, "memfd_create: {}", std::io::Error::last_os_error());
    // SAFETY: The descriptor is new and nobody else's.
    File::from(unsafe { OwnedFd::from_raw_fd(number) })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: &str = "testing::child::tests::";

    fn panic_of(name: &str, body: impl FnOnce()) -> String {
        let panic =
            catch_unwind(AssertUnwindSafe(|| in_child(name, body))).expect_err("the child fails");
        panic.downcast_ref::<String>().expect("a message").clone()
    }

    #[test]
    fn a_child_is_another_process_and_its_output_comes_back() {
        let parent = std::process::id();
        let output = in_child_with(
            &format!("{HERE}a_child_is_another_process_and_its_output_comes_back"),
            &[("WAKERING_TEST_COLOUR", "green")],
            || {
                println!(
                    "id {} colour {}",
                    std::process::id(),
                    std::env::var("WAKERING_TEST_COLOUR").unwrap()
                );
            },
        );
        assert!(
            output.contains("colour green") && !output.contains(&format!("id {parent} ")),
            "{output}"
        );
    }

    #[test]
    fn a_panic_in_a_child_fails_the_parent_with_its_message() {
        let name = format!("{HERE}a_panic_in_a_child_fails_the_parent_with_its_message");
        let message = panic_of(&name, || panic!("seven is not eight"));
        assert!(message.contains("seven is not eight") && message.contains("101"), "{message}");
    }

    #[test]
    fn a_child_that_exits_early_or_by_a_signal_has_not_passed() {
        let name = format!("{HERE}a_child_that_exits_early_or_by_a_signal_has_not_passed");
        let message = panic_of(&name, || std::process::abort());
        assert!(message.contains("signal"), "{message}");
        let message = panic_of(&format!("{HERE}no_such_test"), || {});
        assert!(message.contains("no test"), "{message}");
    }

    #[test]
    fn a_command_that_takes_too_long_is_killed() {
        let mut command = Command::new("sleep");
        command.arg("600");
        let start = Instant::now();
        let (status, _) = run(command, Duration::from_millis(20));
        assert!(status.is_none() && start.elapsed() < patience(Duration::from_secs(10)));
    }
}
