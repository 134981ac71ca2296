//! What the program says and how it ends when its arguments are bad or its target is away.

use std::os::unix::process::ExitStatusExt;
use std::process::Command;

use crate::program::{command, complaint, finish, report, run};
use crate::server::Server;

/// Runs the program with bad arguments; returns its one line of complaint.
fn refused(arguments: &str) -> String {
    let output = run(arguments);
    let complaint = complaint(&output);
    assert_eq!(output.status.code(), Some(2), "{arguments}: {complaint}");
    assert_eq!(complaint.lines().count(), 1, "{complaint}");
    assert!(output.stdout.is_empty());
    complaint
}

#[test]
fn bad_arguments_end_with_2_and_one_line() {
    for (arguments, said) in [
        ("https://localhost/", "plain http://"),
        ("-c 0", "--connections"),
        ("-d soon", "--duration"),
        ("-t 3 -c 2", "--threads 3"),
        ("--no-such-flag", "--no-such-flag"),
        ("frobnicate", "frobnicate"),
        ("--data-file /no/such/file http://127.0.0.1:9/", "/no/such/file: No such file"),
        ("--data-file / http://127.0.0.1:9/", "/: Is a directory"),
        ("--json /no/such/folder/x http://127.0.0.1:9/", "/no/such/folder/x: No such file"),
        ("--hgrm / http://127.0.0.1:9/", "/: Is a directory"),
    ] {
        let complaint = refused(arguments);
        assert!(complaint.starts_with("bench-harness: "), "{complaint}");
        assert!(complaint.contains(said), "`{complaint}` does not say `{said}`");
    }
}

#[test]
fn settings_without_a_meaning_end_with_1_and_one_line() {
    for (variable, value, said) in [
        ("WAKERING_CAPS", "-warp_drive", "`-warp_drive`"),
        ("WAKERING_BACKEND", "kqueue", "WAKERING_BACKEND=kqueue"),
    ] {
        for arguments in ["", "http://127.0.0.1:9/", "serve --addr 127.0.0.1:0"] {
            let mut command = command(arguments);
            let child = command.env(variable, value).env("RUST_BACKTRACE", "1").spawn();
            let output = finish(child.expect("the program is built before its tests"));
            let complaint = complaint(&output);
            assert_eq!(output.status.code(), Some(1), "{arguments}: {complaint}");
            assert_eq!(complaint.lines().count(), 1, "{complaint}");
            assert!(
                complaint.starts_with("bench-harness") && complaint.contains(said),
                "{complaint}"
            );
            assert!(complaint.contains(&format!("unset {variable}")), "{complaint}");
        }
    }
}

#[test]
fn more_connections_than_descriptors_are_refused_with_the_remedy() {
    let mut limited = Command::new("sh");
    let script = format!(
        "ulimit -n 64; exec '{}' -c 100 http://127.0.0.1:9/",
        crate::program::path().display()
    );
    let output = limited.args(["-c", &script]).output().expect("there is a shell");
    assert_eq!(output.status.code(), Some(2));
    assert!(complaint(&output).contains("ulimit -n 164"), "{}", complaint(&output));
}

#[test]
fn help_and_version_are_no_errors() {
    let help = run("--help");
    assert_eq!(help.status.code(), Some(0));
    let text = String::from_utf8(help.stdout).expect("help is text");
    for flag in ["--connections", "--rate", "--warmup", "--no-keepalive", "--hgrm", "serve"] {
        assert!(text.contains(flag), "{flag} is not in\n{text}");
    }
    assert_eq!(run("--version").status.code(), Some(0));
}

#[test]
fn an_unknown_host_is_unreachable_and_says_so() {
    // Longer than any name may be, so that no name service is asked.
    let host = "x".repeat(300);
    let (status, report) = report(&format!("http://{host}/"));
    assert_eq!(status, 3);
    assert_eq!(report["errors"][0]["class"], "dns");
    assert!(report.get("requests_per_s").is_none(), "nothing was measured: {report}");
}

#[test]
fn one_good_response_is_enough_for_success() {
    let server = Server::answering(crate::server::OK);
    let (status, report) = report(&format!("{} -n 1 -c 1 --warmup 0", server.url()));
    assert_eq!((status, &report["ok"]), (0, &1.into()));
}

#[test]
fn a_full_disk_is_an_internal_error_and_says_where() {
    let server = Server::answering(crate::server::OK);
    let output = run(&format!("{} -n 1 -c 1 --warmup 0 --quiet --json /dev/full", server.url()));
    assert_eq!(output.status.code(), Some(1));
    let complaint = complaint(&output);
    assert!(complaint.contains("--json /dev/full: No space left"), "{complaint}");
}

#[test]
fn a_closed_pipe_is_no_panic() {
    let server = Server::answering(crate::server::OK);
    let mut child = command(&format!("{} -n 1 -c 1 --warmup 0", server.url()))
        .spawn()
        .expect("the program starts");
    drop(child.stdout.take());
    let output = finish(child);
    assert_eq!(output.status.signal(), None);
    assert_eq!(output.status.code(), Some(1), "{}", complaint(&output));
    assert!(complaint(&output).contains("printing the report"), "{}", complaint(&output));
}
