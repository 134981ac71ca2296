//! The main job: without any target the program loads a server of its own.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::program::{command, patience, report};

#[test]
fn without_a_url_the_embedded_server_is_loaded_and_leaves_nothing_behind() {
    let (status, report) = report("-d 1s --warmup 300ms");
    assert_eq!(status, 0, "{report}");
    assert!(report["ok"].as_u64() > Some(1_000), "{report}");
    assert_eq!((&report["failed"], &report["errors"]), (&0.into(), &serde_json::json!([])));
    assert_eq!(report["config"]["connections"], 64);
    let url = report["config"]["url"].as_str().expect("a text");
    assert!(url.starts_with("http://127.0.0.1:") && url.ends_with("/get"), "{url}");
    for side in ["client", "server"] {
        let usage = &report["usage"][side];
        let cpu = usage["user_ns"].as_u64().zip(usage["sys_ns"].as_u64());
        assert!(cpu.is_some_and(|(user, sys)| user + sys > 0), "{side}: {usage}");
    }
    // That there is a report at all shows that the server has ended: it held the standard error
    // of the program, and `report` waits for all who do.
}

#[test]
fn a_killed_generator_takes_its_server_along() {
    let mut child = command("-d 30s --quiet").spawn().expect("it starts");
    let deadline = Instant::now() + patience(Duration::from_secs(20));
    let server = loop {
        // A child is listed with the thread that started it.
        let found = fs::read_dir(format!("/proc/{}/task", child.id()))
            .expect("the generator runs")
            .flatten()
            .find_map(|task| {
                let children = fs::read_to_string(task.path().join("children")).ok()?;
                children.split_whitespace().next().map(str::to_owned)
            });
        match found {
            Some(pid) => break pid,
            None => assert!(Instant::now() < deadline, "no server was started"),
        }
        thread::sleep(Duration::from_millis(10));
    };
    child.kill().expect("it runs");
    child.wait().expect("it ends");
    while is_running(&server) {
        assert!(Instant::now() < deadline, "the server outlives its parent");
        thread::sleep(Duration::from_millis(10));
    }
}

/// Whether a process runs; one that only waits to be reaped does not.
fn is_running(pid: &str) -> bool {
    let stat = fs::read_to_string(Path::new("/proc").join(pid).join("stat"));
    stat.is_ok_and(|stat| !stat.rsplit(')').next().unwrap_or_default().starts_with(" Z"))
}
