//! Where the output goes: text to standard output, progress to a terminal only, files as asked.

use std::fs::File;
use std::process::Stdio;

use crate::program::{command, complaint, finish, run, terminal};
use crate::server::{OK, Server};

#[test]
fn in_a_pipe_there_is_the_report_and_no_progress() {
    let server = Server::answering(OK);
    let output = run(&format!("{} -n 200 -c 2 --warmup 0", server.url()));
    assert_eq!(complaint(&output), "");
    let text = String::from_utf8(output.stdout).expect("the report is text");
    assert!(text.starts_with("bench-harness ") && text.contains(&server.url()), "{text}");
    for part in
        ["200 sent   200 ok   0 failed", "p99.99", "spectrum", "200 × 200", "errors     none"]
    {
        assert!(text.contains(part), "no `{part}` in\n{text}");
    }
    assert!(!text.contains('\x1b') && !text.contains('\r'), "no terminal codes:\n{text}");
}

#[test]
fn on_a_terminal_progress_moves_on_standard_error() {
    let (terminal, drawn) = terminal();
    let server = Server::answering(OK);
    let child = command(&format!("{} -d 1s -c 2 --warmup 200ms", server.url()))
        .stderr(Stdio::from(terminal))
        .spawn()
        .expect("it starts");
    let output = finish(child);
    let drawn = drawn.join().expect("the reader does not panic");
    assert_eq!(output.status.code(), Some(0));
    assert!(drawn.contains("warm-up") && drawn.contains("measure"), "{drawn:?}");
    let text = String::from_utf8(output.stdout).expect("the report is text");
    assert!(text.contains("requests") && !text.contains('\x1b'), "{text}");
}

#[test]
fn json_on_standard_output_moves_the_text_to_standard_error() {
    let server = Server::answering(OK);
    let output = run(&format!("{} -n 10 -c 1 --warmup 0 --json -", server.url()));
    serde_json::from_slice::<serde_json::Value>(&output.stdout).expect("JSON alone");
    assert!(complaint(&output).contains("  requests   10 sent"), "{}", complaint(&output));
}

#[test]
fn quiet_says_nothing_when_all_is_well() {
    let server = Server::answering(OK);
    let output = run(&format!("{} -n 10 -c 1 --warmup 0 --quiet", server.url()));
    assert_eq!((output.stdout.len(), complaint(&output)), (0, String::new()));
}

#[test]
fn json_and_hgrm_files_hold_the_same_run() {
    let folder = tempfile::tempdir().expect("a folder");
    let (json, hgrm) = (folder.path().join("r.json"), folder.path().join("r.hgrm"));
    let server = Server::answering(OK);
    let arguments = format!(
        "{} -n 300 -c 2 --warmup 0 --json {} --hgrm {}",
        server.url(),
        json.display(),
        hgrm.display()
    );
    assert_eq!(run(&arguments).status.code(), Some(0));
    let report: serde_json::Value =
        serde_json::from_reader(File::open(json).expect("it was written")).expect("JSON");
    let text = std::fs::read_to_string(hgrm).expect("it was written");
    let last = text.lines().rfind(|line| !line.starts_with('#')).expect("rows");
    let fields: Vec<&str> = last.split_whitespace().collect();
    assert_eq!(fields[1..], ["1.000000000000", "300"]);
    let max_ms: f64 = fields[0].parse().expect("a number");
    let max_ns = report["latency"]["service"]["max"].as_f64().expect("a number");
    assert!((max_ms * 1e6 - max_ns).abs() <= 1.0, "{max_ms} ms and {max_ns} ns");
}
