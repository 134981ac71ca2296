//! Child processes: talking to them, ending them, and leaving none behind.

mod end;
mod role;

use std::io::ErrorKind;
use std::path::Path;

use role::{role, said, status_line};
use wakering_ring_driver::testing::{in_child, open_descriptors, skip};
use wakering_runtime::io::{AsyncBufRead, AsyncRead, AsyncWrite, PipeReader, Sink};
use wakering_runtime::process::{Command, Stdio};

use crate::within_bounds;

fn piped(name: &str) -> Command {
    let mut command = role(name);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    command
}

/// Given a child that copies its input to its output, and one that writes a lot before it reads;
/// when 1,000,000 bytes are sent to it while its output is read; then neither waits for the other
/// for ever, and each byte comes back.
#[test]
fn case_p02_much_input_and_much_output_do_not_lock_up() {
    within_bounds(async {
        let input: Vec<u8> = (0..1_000_000u32).map(|at| (at % 251) as u8).collect();
        let output = piped("cat").spawn().unwrap().communicate(input.clone()).await.unwrap();
        assert!(output.status.success());
        assert!(said(&output.stdout) == input, "{} bytes", output.stdout.len());
        assert!(output.stderr.is_empty(), "it is not piped");

        let mut child = piped("talkative").stderr(Stdio::piped()).spawn().unwrap();
        let output = child.communicate(input.clone()).await.unwrap();
        assert!(output.status.success());
        let (own, copied) = said(&output.stdout).split_at(300_000);
        assert!(own == [b'o'; 300_000] && copied == input && output.stderr == [b'e'; 300_000]);
    });
}

/// Given a child that ends without reading; when more is sent to it than a pipe holds; then that is
/// no error, and its status tells how it ended.
#[test]
fn case_p03_a_child_that_does_not_read_is_no_error() {
    within_bounds(async {
        let mut child = piped("deaf").spawn().unwrap();
        let output = child.communicate(vec![7; 1_000_000]).await.unwrap();
        assert!(output.status.success());
    });
}

/// Given a program that is not there; when it is spawned ten times; then each time the error names
/// it and what mends that, and no descriptor is left open.
#[test]
fn case_p08_a_missing_program_leaves_no_descriptor() {
    in_child("process::case_p08_a_missing_program_leaves_no_descriptor", || {
        within_bounds(async {
            let missing = || {
                let mut command = Command::new("/no/such/program");
                command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
                command.spawn().unwrap_err()
            };
            missing();
            let before = open_descriptors();
            for _ in 0..10 {
                let error = missing();
                assert_eq!(error.kind(), ErrorKind::NotFound);
                let text = error.to_string();
                assert!(text.starts_with("spawn /no/such/program: "), "{text}");
                assert!(text.contains("command -v PROGRAM"), "{text}");
            }
            let failed = Command::new("/no/such/program").output().await.unwrap_err();
            assert_eq!(failed.kind(), ErrorKind::NotFound);
            assert_eq!(open_descriptors(), before);
        });
    });
}

/// Given the settings of std's builder; when a child is run with them; then it finds each as std
/// would have it: standard error in standard output, no input, variables, directory, a session of
/// its own, and the shell's exit code.
#[test]
fn case_p10_settings_arrive_as_with_std() {
    within_bounds(async {
        let both = role("both").stderr_to_stdout().output().await.unwrap();
        assert_eq!(said(&both.stdout), b"one two three ");
        assert!(both.stderr.is_empty());

        let mut describes = role("describes");
        describes.env("WAKERING_TEST_A", "a").env_remove("HOME").current_dir("/proc");
        let text = String::from_utf8(describes.output().await.unwrap().stdout).unwrap();
        assert_eq!(said(text.as_bytes()), b"/proc\na none\ninherited inherited 0\n", "{text}");

        let mut grouped = role("describes");
        grouped.stdin(Stdio::null()).current_dir("/").env("HOME", "h").process_group(0);
        let text = String::from_utf8(grouped.output().await.unwrap().stdout).unwrap();
        assert_eq!(said(text.as_bytes()), b"/\nnone h\nown inherited 0\n", "{text}");

        let mut leading = piped("describes");
        let mut leading = leading.new_session().current_dir("/").env("HOME", "h").spawn().unwrap();
        let text = String::from_utf8(leading.communicate("four").await.unwrap().stdout).unwrap();
        assert_eq!(said(text.as_bytes()), b"/\nnone h\nown own 4\n", "{text}");

        let status = role("seven").stdout(Stdio::null()).status().await.unwrap();
        assert_eq!(status.code(), Some(7));
        if !Path::new("/bin/sh").exists() {
            return skip("case_p10_settings_arrive_as_with_std", "there is no /bin/sh");
        }
        assert_eq!(Command::shell("exit 7").status().await.unwrap().code(), Some(7));
        let std = std::process::Command::new("/bin/sh");
        let mut std = Command::from(std);
        let output = std.args(["-c", "echo $X; exit 3"]).env_clear().env("X", "y").output().await;
        let output = output.unwrap();
        assert_eq!((output.status.code(), &output.stdout[..]), (Some(3), &b"y\n"[..]));
    });
}

/// Given a conversation by lines; when each is answered before the next is asked; then the streams
/// are streams like any other, and the end of one is the end of the other.
#[test]
fn a_child_is_talked_to_line_by_line() {
    within_bounds(async {
        let mut child = piped("cat").spawn().unwrap();
        let (mut stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let mut lines = stdout.lines(80);
        while !lines.next_line().await.unwrap().unwrap().contains("the role begins") {}
        for word in ["one", "two", "three"] {
            stdin.queue(word.as_bytes()).unwrap();
            stdin.write_all("\n").await.unwrap();
            assert_eq!(lines.next_line().await.unwrap().as_deref(), Some(word));
        }
        AsyncWrite::shutdown(&mut stdin).await.unwrap();
        assert_eq!(lines.next_line().await.unwrap(), None);
        assert!(child.wait().await.unwrap().success());
        let again = child.communicate("x").await.unwrap_err();
        assert_eq!(again.kind(), ErrorKind::InvalidInput);
        assert!(again.to_string().contains("Stdio::piped()"), "{again}");
    });
}

/// Given the output of one child as the input of another, and a pipe of std's as the output of that;
/// when both run; then what the first writes comes out of the pipe.
#[test]
fn children_are_joined_by_pipes() {
    within_bounds(async {
        let mut first = piped("both").stderr(Stdio::null()).spawn().unwrap();
        let (between, _) = first.stdout.take().unwrap().into_std().await.unwrap();
        let (reader, writer) = std::io::pipe().unwrap();
        // The command keeps the ends that it was given: the pipe ends with the last of them.
        let mut second = role("cat").stdin(between).stdout(writer).spawn().unwrap();
        assert!(first.wait().await.unwrap().success());
        assert!(second.wait().await.unwrap().success());
        let mut reader = PipeReader::from_std(reader).unwrap();
        let (_, text) = reader.read_to_end(Vec::new()).await.unwrap();
        assert_eq!(said(said(&text)), b"one three ");
    });
}

/// Given `output` with its own streams; when the same command is spawned again; then it inherits
/// them as if nothing had been.
#[test]
fn output_leaves_the_settings_as_they_were() {
    in_child("process::output_leaves_the_settings_as_they_were", || {
        within_bounds(async {
            let mut command = role("both");
            let output = command.output().await.unwrap();
            assert_eq!(said(&output.stdout), b"one three ");
            assert_eq!(output.stderr, b"two ");
            // Into the output of this test, which is thrown away.
            let mut child = command.spawn().unwrap();
            assert!(child.stdin.is_none() && child.stdout.is_none() && child.stderr.is_none());
            assert!(child.wait().await.unwrap().success());
        });
    });
}

/// Given a thread without a runtime; when a command is spawned there; then it is refused, and
/// nothing was started.
#[test]
fn without_a_runtime_nothing_is_started() {
    let (mut reader, writer) = std::io::pipe().unwrap();
    let mut command = role("both");
    let refused = command.stdout(writer).spawn().unwrap_err();
    assert!(refused.to_string().contains("runtime"), "{refused}");
    drop(command);
    assert_eq!(std::io::Read::read(&mut reader, &mut [0; 8]).unwrap(), 0);
}

/// Given nothing but children that end; when they are waited for; then the disposition of SIGCHLD is
/// what it was, and the signal is not blocked: whoever listens for it is not disturbed.
#[test]
fn nobody_touches_sigchld() {
    in_child("process::nobody_touches_sigchld", || {
        let masks = || ["SigBlk:", "SigIgn:", "SigCgt:"].map(|key| status_line("thread-self", key));
        let before = masks();
        within_bounds(async {
            assert!(role("both").output().await.unwrap().status.success());
            assert_eq!(masks(), before);
        });
        assert_eq!(masks(), before);
    });
}
