//! The programs that the tests run: this binary again, which plays a part instead of testing.

use std::io::{Read, Write, copy, stderr, stdin, stdout};
use std::process::exit;
use std::thread;
use std::time::Duration;

use wakering_runtime::process::Command;

const ROLE: &str = "WAKERING_TEST_ROLE";

/// What stands in front of the output of a role: the test runner has said something before.
const MARK: &[u8] = b"-- the role begins --\n";

/// This binary in the given role.
pub(super) fn role(name: &str) -> Command {
    let program = std::env::current_exe().expect("the path of this test binary");
    let mut command = Command::new(program);
    command.args(["process::role::plays_its_part", "--exact", "--nocapture"]).env(ROLE, name);
    command
}

/// What a role has written to its standard output.
#[track_caller]
pub(super) fn said(output: &[u8]) -> &[u8] {
    let at = output.windows(MARK.len()).position(|window| window == MARK);
    let at = at.unwrap_or_else(|| panic!("no role: {}", String::from_utf8_lossy(output)));
    &output[at + MARK.len()..]
}

/// What the kernel says of a process in one line of its status.
pub(super) fn status_line(id: &str, key: &str) -> Option<String> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with(key))?;
    Some(line[key.len()..].trim().to_string())
}

#[test]
fn plays_its_part() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let mut out = stdout().lock();
    if role != "deaf" {
        out.write_all(MARK).unwrap();
        out.flush().unwrap();
    }
    match role.as_str() {
        "cat" => {
            copy(&mut stdin(), &mut out).unwrap();
        }
        // Writes before it reads, more than a pipe holds.
        "talkative" => {
            out.write_all(&[b'o'; 300_000]).unwrap();
            stderr().write_all(&[b'e'; 300_000]).unwrap();
            copy(&mut stdin(), &mut out).unwrap();
        }
        "deaf" => {}
        "seven" => exit(7),
        "sleeps" => thread::sleep(Duration::from_secs(600)),
        // Ends when its input does.
        "waits" => {
            stdin().read_to_end(&mut Vec::new()).unwrap();
        }
        "both" => {
            for (at, word) in ["one ", "two ", "three "].into_iter().enumerate() {
                if at % 2 == 0 {
                    out.write_all(word.as_bytes()).unwrap();
                    out.flush().unwrap();
                } else {
                    stderr().write_all(word.as_bytes()).unwrap();
                }
            }
        }
        "describes" => {
            let here = std::env::current_dir().unwrap();
            let variable = |key| std::env::var(key).unwrap_or_else(|_| "none".to_string());
            let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
            // Behind the name in parentheses: state, parent, group, session.
            let ids: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
            let own = std::process::id().to_string();
            let leads = |id: &str| if id == own { "own" } else { "inherited" };
            let mut input = Vec::new();
            stdin().read_to_end(&mut input).unwrap();
            writeln!(out, "{}", here.display()).unwrap();
            writeln!(out, "{} {}", variable("WAKERING_TEST_A"), variable("HOME")).unwrap();
            writeln!(out, "{} {} {}", leads(ids[2]), leads(ids[3]), input.len()).unwrap();
        }
        role => panic!("no such role: {role}"),
    }
    out.flush().unwrap();
    exit(0);
}
