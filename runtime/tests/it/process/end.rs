//! The end of children: awaited by several, brought about, and never left as a zombie.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::time::Duration;

use wakering_ring_driver::testing::{in_child, open_descriptors, patience, skip};
use wakering_runtime::process::{Child, Command, Stdio};
use wakering_runtime::time::{Instant, sleep, timeout};
use wakering_runtime::{run, spawn};

use super::role::{role, said, status_line};
use crate::within_bounds;

const HERE: &str = "process::end::";

fn quiet(name: &str) -> Command {
    let mut command = role(name);
    command.stdout(Stdio::null());
    command
}

fn sleeper() -> Child {
    quiet("sleeps").kill_on_drop(true).spawn().unwrap()
}

/// Whether the process is there, be it as a zombie.
fn is_there(id: u32) -> bool {
    Path::new(&format!("/proc/{id}")).exists()
}

fn is_zombie(id: u32) -> bool {
    status_line(&id.to_string(), "State:").is_some_and(|state| state.starts_with('Z'))
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + patience(Duration::from_secs(10));
    while !holds() {
        assert!(Instant::now() < end, "{what} takes too long");
        sleep(Duration::from_millis(1)).await;
    }
}

/// Given a child that sleeps; when it is killed, terminated, or sent SIGHUP; then its status names
/// signal 9, 15 and 1. A signal that there is not is refused, and one to a child that is over does
/// nothing.
#[test]
fn case_p04_the_status_tells_the_signal() {
    within_bounds(async {
        let mut killed = sleeper();
        assert_eq!(killed.try_wait().unwrap(), None);
        assert_eq!(killed.kill().await.unwrap().signal(), Some(9));

        let mut terminated = sleeper();
        let refused = terminated.signal(1000).unwrap_err();
        assert!(refused.to_string().contains("with signal 1000"), "{refused}");
        terminated.terminate().unwrap();
        assert_eq!(terminated.wait().await.unwrap().signal(), Some(15));
        terminated.terminate().unwrap();
        terminated.start_kill().unwrap();
        assert_eq!(terminated.try_wait().unwrap().unwrap().signal(), Some(15));

        let ignored = status_line("self", "SigIgn:").expect("the status of this process");
        if u64::from_str_radix(&ignored, 16).unwrap() & 1 != 0 {
            return skip("case_p04_the_status_tells_the_signal", "SIGHUP is ignored here");
        }
        let mut hung_up = sleeper();
        hung_up.signal(1).unwrap();
        assert_eq!(hung_up.wait().await.unwrap().signal(), Some(1));
    });
}

/// Given two tasks that wait for one child; when one of them is cancelled; then the child lives, and
/// the other is told its exit code.
#[test]
fn case_p05_a_cancelled_wait_disturbs_neither_child_nor_others() {
    within_bounds(async {
        let mut child = quiet("waits");
        let mut child = child.stdin(Stdio::piped()).spawn().unwrap();
        let (one, other) = (spawn(child.exited()), spawn(child.exited()));
        sleep(Duration::from_millis(2)).await;
        assert!(one.cancel());
        assert!(one.await.unwrap_err().is_cancelled());
        assert!(timeout(Duration::from_millis(2), child.exited()).await.is_err());
        assert_eq!(child.try_wait().unwrap(), None, "it lives");
        assert!(!other.is_finished());

        drop(child.stdin.take());
        assert_eq!(other.await.unwrap().unwrap().code(), Some(0));
        assert_eq!(child.wait().await.unwrap().code(), Some(0));
        let late = child.exited();
        drop(child);
        assert_eq!(late.await.unwrap().code(), Some(0));
    });
}

/// Given a running child; when its handle is dropped, or the future of `status` or `output`, or its
/// task is cancelled; then it is killed and reaped: the process is gone, not a zombie, and whoever
/// cancelled has waited for that.
#[test]
fn case_p06_a_dropped_child_is_killed_and_reaped() {
    in_child(&format!("{HERE}case_p06_a_dropped_child_is_killed_and_reaped"), || {
        within_bounds(async {
            let before = open_descriptors();
            let child = sleeper();
            let id = child.id();
            assert!(is_there(id) && !is_zombie(id));
            drop(child);
            until("reaping", || !is_there(id)).await;

            let child = sleeper();
            let id = child.id();
            let task = spawn(async move { child.exited().await });
            sleep(Duration::from_millis(2)).await;
            task.cancel();
            assert!(task.await.unwrap_err().is_cancelled());
            assert!(!is_there(id), "whoever cancels waits for it");

            for captured in [false, true] {
                let mut command = quiet("sleeps");
                let running = async {
                    match captured {
                        true => command.output().await.map(|output| output.status),
                        false => command.status().await,
                    }
                };
                assert!(timeout(Duration::from_millis(50), running).await.is_err());
                assert_eq!(own_children(), [0; 0], "the timeout has waited for it");
            }
            until("closing", || open_descriptors() == before).await;
        });
    });
}

/// Given 20 running children in tasks and in the main future; when `run` returns; then they are
/// killed and reaped by then.
#[test]
fn case_p06_the_end_of_the_runtime_kills_and_reaps() {
    in_child(&format!("{HERE}case_p06_the_end_of_the_runtime_kills_and_reaps"), || {
        let before = open_descriptors();
        run(async {
            for _ in 0..10 {
                let child = sleeper();
                spawn(async move { child.exited().await });
            }
            let _children: Vec<Child> = (0..10).map(|_| sleeper()).collect();
            sleep(Duration::from_millis(2)).await;
            assert_eq!(own_children().len(), 20);
        });
        assert_eq!(own_children(), [0; 0]);
        assert_eq!(open_descriptors(), before);

        // Nobody runs the runtime any more that it was made on.
        let child = run(async { sleeper() });
        drop(child);
        assert_eq!(own_children(), [0; 0]);
    });
}

/// Given a running child that is not to be killed; when its handle is dropped; then it lives, and is
/// reaped when it ends by itself; also when the runtime ends before it.
#[test]
fn a_child_that_is_let_go_lives_and_is_reaped() {
    let spawned = |input: std::io::PipeReader| {
        let child = quiet("waits").stdin(input).spawn().unwrap();
        child.id()
    };
    in_child(&format!("{HERE}a_child_that_is_let_go_lives_and_is_reaped"), || {
        within_bounds(async {
            let (input, held) = std::io::pipe().unwrap();
            let id = spawned(input);
            sleep(Duration::from_millis(20)).await;
            assert!(is_there(id) && !is_zombie(id));
            drop(held);
            until("reaping", || !is_there(id)).await;
        });
        let (input, held) = std::io::pipe().unwrap();
        let id = run(async { spawned(input) });
        assert!(is_there(id) && !is_zombie(id));
        drop(held);
    });
}

/// Given a child that ends when its input does; when it is waited for by its handle, or just asked
/// about by others; then only the former closes that input.
#[test]
fn waiting_closes_the_input_and_looking_on_does_not() {
    within_bounds(async {
        let mut command = quiet("waits");
        let mut child = command.stdin(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
        assert!(timeout(Duration::from_millis(20), child.exited()).await.is_err());
        assert_eq!(child.try_wait().unwrap(), None);
        assert!(child.wait().await.unwrap().success());
    });
}

/// Given a child that takes too long; when talking to it is given up and it is killed; then what it
/// has written can still be read, with its status.
#[test]
fn communicate_can_be_given_up_and_taken_up_again() {
    within_bounds(async {
        let mut command = role("sleeps");
        let mut child = command.stdout(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
        let late = timeout(Duration::from_millis(1), child.communicate(Vec::new())).await;
        assert!(late.is_err());
        child.start_kill().unwrap();
        let output = child.communicate(Vec::new()).await.unwrap();
        assert_eq!(output.status.signal(), Some(9));
    });
}

/// Given many children at once; when each ends in its time; then each waiter is told its own.
#[test]
fn many_children_are_waited_for_at_once() {
    within_bounds(async {
        let tasks: Vec<_> = (0..20)
            .map(|n| {
                let name = if n % 2 == 0 { "seven" } else { "deaf" };
                spawn(async move { role(name).output().await })
            })
            .collect();
        for (n, task) in tasks.into_iter().enumerate() {
            let output = task.await.unwrap().unwrap();
            let (code, said) = match n % 2 {
                0 => (7, said(&output.stdout)),
                _ => (0, &[][..]),
            };
            assert_eq!((output.status.code(), said), (Some(code), &[][..]));
        }
    });
}

/// The children of this process, zombies too.
fn own_children() -> Vec<u32> {
    let own = std::process::id().to_string();
    let numbers = std::fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let name = entry.unwrap().file_name();
        name.to_str()?.parse::<u32>().ok()
    });
    numbers.filter(|id| status_line(&id.to_string(), "PPid:").as_ref() == Some(&own)).collect()
}
