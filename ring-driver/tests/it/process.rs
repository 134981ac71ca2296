//! Processes by descriptor: their end, and whom a signal meets.

#![allow(unsafe_code)]

use std::io::ErrorKind;
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};

use wakering_ring_driver::op::{self, Interest};
use wakering_ring_driver::process::PidFd;
use wakering_ring_driver::testing::{in_child, patience};

use crate::{block_on, driver};

/// This binary again, which tells what tests it has and ends.
fn lister() -> Command {
    let mut command = Command::new(std::env::current_exe().expect("the path of this test binary"));
    command.args(["--list", "no such test"]).stdout(Stdio::null());
    command
}

/// Given two who wait for one child by its descriptor; when it ends; then both are told, it is still
/// there to be reaped, and once it is a signal meets nobody.
#[test]
fn a_descriptor_tells_the_end_and_does_not_reap() {
    let driver = driver();
    let mut child = lister().spawn().unwrap();
    let pidfd = Rc::new(PidFd::open(child.id()).unwrap());
    for _ in 0..2 {
        let ready = block_on(&driver, op::poll(Rc::clone(&pidfd), Interest::READABLE)).unwrap();
        assert!(ready.readable);
    }
    assert!(pidfd.ends_within(patience(Duration::from_secs(5))));
    pidfd.send_signal(9).expect("a zombie can be signalled, in vain");
    assert!(child.wait().unwrap().success());
    let gone = pidfd.send_signal(9).unwrap_err();
    assert_eq!(gone.raw_os_error(), Some(libc::ESRCH));
    let refused = PidFd::open(u32::MAX).unwrap_err();
    assert!(refused.to_string().starts_with("pidfd_open process 4294967295: "), "{refused}");
}

/// Given a process that ignores SIGCHLD, so that its children reap themselves; when one that has
/// ended is asked for; then the error says so and what mends it.
#[test]
fn a_child_that_was_reaped_by_others_is_not_found() {
    in_child("process::a_child_that_was_reaped_by_others_is_not_found", || {
        // SAFETY: this process has no handler for the signal and wants none.
        unsafe { libc::signal(libc::SIGCHLD, libc::SIG_IGN) };
        let mut child = lister().spawn().unwrap();
        let waited = child.wait().unwrap_err();
        assert_eq!(waited.raw_os_error(), Some(libc::ECHILD));
        // The kernel lets go of its number a moment after it has let go of the child.
        let start = Instant::now();
        let error = loop {
            match PidFd::open(child.id()) {
                Err(error) => break error,
                Ok(_) => assert!(start.elapsed() < patience(Duration::from_secs(1))),
            }
            thread::sleep(Duration::from_millis(1));
        };
        assert_ne!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains("somebody else has reaped the child"), "{error}");
    });
}
