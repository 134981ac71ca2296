//! Ctrl-C ends a run early, with the report of what was measured, and a second one at once.

use std::process::{Child, Output};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::program::{command, complaint, finish, patience};
use crate::server::{self, OK, Server};

fn interrupt(child: &Child) {
    kill_process(Pid::from_child(child), Signal::INT).expect("it runs");
}

/// Starts the program and waits until it has connected.
fn started(server: &Server, arguments: &str) -> Child {
    let child = command(&format!("{} {arguments}", server.url())).spawn().expect("it starts");
    let deadline = Instant::now() + patience(Duration::from_secs(20));
    while server.accepted.load(std::sync::atomic::Ordering::SeqCst) == 0 {
        assert!(Instant::now() < deadline, "the generator does not connect");
        thread::sleep(Duration::from_millis(10));
    }
    child
}

/// Interrupts a program, which soon ends and says with its status why.
fn interrupted(child: Child) -> Output {
    let asked = Instant::now();
    interrupt(&child);
    let output = finish(child);
    assert!(asked.elapsed() < patience(Duration::from_secs(5)), "{:?}", asked.elapsed());
    assert_eq!(output.status.code(), Some(130), "{}", complaint(&output));
    output
}

#[test]
fn the_report_so_far_is_printed_and_the_status_is_130() {
    let server = Server::answering(OK);
    let child = started(&server, "-c 2 -d 60s --warmup 0 --quiet --json -");
    thread::sleep(Duration::from_millis(1_000));
    let output = interrupted(child);
    let report: Value = serde_json::from_slice(&output.stdout).expect("a report");
    assert!(report["ok"].as_u64() > Some(0), "{report}");
    let measured = report["duration_ns"].as_u64().expect("a number");
    let longest = patience(Duration::from_secs(20)).as_nanos() as u64;
    assert!((500_000_000..longest).contains(&measured), "{measured}");
    assert_eq!(report["config"]["duration"], 60_000_000_000u64);
}

#[test]
fn what_is_under_way_gets_a_moment_and_is_then_counted_as_cancelled() {
    let server = Server::start(server::hold);
    let child = started(&server, "-c 3 -d 60s --warmup 0 --timeout 60s --quiet --json -");
    thread::sleep(Duration::from_millis(500));
    let output = interrupted(child);
    let report: Value = serde_json::from_slice(&output.stdout).expect("a report");
    assert_eq!(report["errors"][0]["class"], "cancelled-at-end", "{report}");
    assert_eq!((&report["sent"], &report["failed"]), (&3.into(), &3.into()));
}

#[test]
fn idle_connections_of_a_slow_schedule_do_not_delay_the_end() {
    let server = Server::answering(OK);
    let child = started(&server, "-c 8 -R 1 -d 60s --warmup 0");
    thread::sleep(Duration::from_millis(500));
    let output = interrupted(child);
    let text = String::from_utf8(output.stdout).expect("the report is text");
    assert!(text.contains("interrupted after"), "{text}");
}
