//! Which backend there is: the doctor and the report tell it, and what forbids all of them is told
//! in one line.

use std::process::{Command, Output, Stdio};

use crate::program::{command, complaint, finish, terminal};
use crate::server::{OK, Server};

/// The program with these settings, and no others that concern the runtime.
fn under(settings: &[(&str, &str)], arguments: &str) -> Command {
    let mut command = command(arguments);
    for name in ["WAKERING_BACKEND", "WAKERING_CAPS", "WAKERING_DEBUG"] {
        command.env_remove(name);
    }
    command.envs(settings.iter().copied());
    command
}

fn run_under(settings: &[(&str, &str)], arguments: &str) -> Output {
    finish(under(settings, arguments).spawn().expect("it starts"))
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("it is text")
}

/// The row of a picture with this name.
fn row<'a>(picture: &'a str, name: &str) -> Option<&'a str> {
    picture.lines().find_map(|line| line.strip_prefix(name)).map(str::trim)
}

/// Given a backend that is asked for; when the doctor looks and a load runs; then both name it.
#[test]
fn doctor_and_reports_name_the_backend() {
    let server = Server::answering(OK);
    let poll = [("WAKERING_BACKEND", "poll")];

    let doctor = run_under(&poll, "doctor");
    assert_eq!((doctor.status.code(), complaint(&doctor)), (Some(0), String::new()));
    let picture = text(&doctor);
    assert_eq!(row(&picture, "backend"), Some("poll"), "{picture}");
    assert_eq!(row(&picture, "setting"), Some("WAKERING_BACKEND=poll"), "{picture}");

    let run = run_under(&poll, &format!("{} -n 20 -c 2 --warmup 0 --json -", server.url()));
    assert_eq!(run.status.code(), Some(0), "{}", complaint(&run));
    let report: serde_json::Value = serde_json::from_slice(&run.stdout).expect("a report");
    assert_eq!(report["env"], serde_json::json!({ "backend": "poll", "capabilities": [] }));
    assert!(complaint(&run).contains("wakering on poll, Linux "), "{}", complaint(&run));
}

/// Given no wish; when the doctor looks and a load runs; then both name the same backend.
#[test]
fn the_backend_that_the_doctor_promises_is_the_one_that_runs() {
    let server = Server::answering(OK);
    let doctor = run_under(&[], "doctor");
    assert_eq!(doctor.status.code(), Some(0), "{}", complaint(&doctor));
    let picture = text(&doctor);
    let backend = row(&picture, "backend").expect("a row");
    let has_ring = row(&picture, "io_uring").is_some_and(|found| found.starts_with("yes"));
    assert_eq!(backend, if has_ring { "uring" } else { "poll" }, "{picture}");

    let run = run_under(&[], &format!("{} -n 20 -c 2 --warmup 0", server.url()));
    let said = format!("wakering on {backend}, Linux ");
    assert!(text(&run).contains(&said), "no `{said}` in\n{}", text(&run));
}

/// Given a ring that lacks what no driver can do without; when nobody asks for one by name; then
/// programs run on epoll, and the doctor says why. When somebody does; then both refuse.
#[test]
fn without_a_ring_there_is_epoll_unless_a_ring_is_asked_for() {
    let server = Server::answering(OK);
    let load = format!("{} -n 20 -c 2 --warmup 0", server.url());
    let useless = ("WAKERING_CAPS", "-ext_arg");

    let doctor = run_under(&[useless], "doctor");
    let picture = text(&doctor);
    assert_eq!(doctor.status.code(), Some(0), "{picture}");
    assert_eq!((row(&picture, "backend"), row(&picture, "io_uring")), (Some("poll"), Some("no")));
    let run = run_under(&[useless, ("WAKERING_DEBUG", "1")], &load);
    assert!(text(&run).contains("wakering on poll, Linux "), "{}", text(&run));
    let reason = row(&picture, "error").expect("a row");
    assert_eq!(complaint(&run), format!("wakering: backend poll: {reason}\n"));

    let asked = [useless, ("WAKERING_BACKEND", "uring")];
    let doctor = run_under(&asked, "doctor");
    let picture = text(&doctor);
    assert_eq!(doctor.status.code(), Some(1), "{picture}");
    assert!(row(&picture, "backend").is_some_and(|found| found.starts_with("none: ")), "{picture}");
    let run = run_under(&asked, &load);
    assert_eq!(run.status.code(), Some(1));
    assert_eq!(complaint(&run), format!("bench-harness: {reason}\n"));
}

/// Given a terminal; when the doctor prints on it; then it is what a pipe gets.
#[test]
fn a_terminal_gets_the_same_picture_as_a_pipe() {
    let poll = [("WAKERING_BACKEND", "poll")];
    let (terminal, shown) = terminal();
    let mut on_terminal = under(&poll, "doctor");
    let child = on_terminal.stdout(Stdio::from(terminal)).spawn().expect("it starts");
    // It holds the terminal open.
    drop(on_terminal);
    assert_eq!(finish(child).status.code(), Some(0));
    let shown = shown.join().expect("the reader does not panic");
    let piped = text(&run_under(&poll, "doctor"));
    assert!(!piped.is_empty() && !piped.contains('\x1b'), "{piped:?}");
    // Terminals begin a line at its left.
    assert_eq!(shown.replace("\r\n", "\n"), piped);
}

/// Given a setting that means nothing; when anything is run under it; then one line quotes it, and
/// nothing is started.
#[test]
fn a_misspelt_setting_is_one_line() {
    let server = Server::answering(OK);
    let url = format!("{} -n 1 -c 1 --warmup 0", server.url());
    for setting in [("WAKERING_BACKEND", "kqueue"), ("WAKERING_CAPS", "t9")] {
        let quoted = format!("{}={}", setting.0, setting.1);
        for arguments in [url.as_str(), "-n 1 -c 1", "serve --addr 127.0.0.1:0"] {
            let output = run_under(&[setting], arguments);
            let complaint = complaint(&output);
            assert_eq!(output.status.code(), Some(1), "{arguments}: {complaint}");
            assert_eq!(complaint.lines().count(), 1, "{arguments}: {complaint}");
            assert!(complaint.starts_with("bench-harness") && complaint.contains(&quoted));
            assert!(output.stdout.is_empty(), "{arguments}: {}", text(&output));
        }
    }
}

/// Given a setting that means nothing, perhaps where it would not matter; when the doctor looks;
/// then its picture says that there is no backend and quotes the setting.
#[test]
fn the_doctor_finds_a_misspelt_setting() {
    let poll = ("WAKERING_BACKEND", "poll");
    for settings in [
        &[("WAKERING_BACKEND", "kqueue")][..],
        &[("WAKERING_CAPS", "t9")],
        &[poll, ("WAKERING_CAPS", "t9")],
    ] {
        let output = run_under(settings, "doctor");
        let picture = text(&output);
        assert_eq!((output.status.code(), complaint(&output)), (Some(1), String::new()));
        let backend = row(&picture, "backend").expect("a row");
        let (name, value) = settings[settings.len() - 1];
        assert!(backend.starts_with("none: ") && backend.contains(&format!("{name}={value}")));
    }
}
