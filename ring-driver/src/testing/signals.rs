//! Signals as somebody else sends them, and what the system says is done about them. All of it is
//! the whole process's, so it belongs into [`in_child`](super::in_child).

#![allow(unsafe_code)]

use std::fs;
use std::io;

use crate::signal::SignalKind;

/// Sends `kind` to a process; to which of its threads is the system's choice.
///
/// # Panics
///
/// If that may not be, or there is none.
#[track_caller]
pub fn send(kind: SignalKind, process: u32) {
    // SAFETY: Numbers only; what the signal does is the test's business.
    let sent = unsafe { libc::kill(process as i32, kind.as_raw()) };
    assert_eq!(sent, 0, "kill {process}: {}", io::Error::last_os_error());
}

/// The number of the calling thread, for [`send_to_thread`].
pub fn this_thread() -> i32 {
    // SAFETY: It takes nothing.
    unsafe { libc::gettid() }
}

/// Sends `kind` to a thread of this process.
///
/// # Panics
///
/// If there is no such thread.
#[track_caller]
pub fn send_to_thread(kind: SignalKind, thread: i32) {
    let process = std::process::id();
    // SAFETY: Numbers only, as above.
    let sent = unsafe { libc::syscall(libc::SYS_tgkill, process, thread, kind.as_raw()) };
    assert_eq!(sent, 0, "tgkill {thread}: {}", io::Error::last_os_error());
}

/// Lets this process ignore `kind`.
pub fn ignore(kind: SignalKind) {
    // SAFETY: No function is installed.
    unsafe { libc::signal(kind.as_raw(), libc::SIG_IGN) };
}

/// Whether a handler is installed for `kind`.
///
/// # Panics
///
/// If `/proc` is not there.
pub fn is_caught(kind: SignalKind) -> bool {
    let status = fs::read_to_string("/proc/self/status").expect("/proc/self/status can be read");
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    let caught = u64::from_str_radix(caught.expect("a line SigCgt").trim(), 16);
    caught.expect("a hexadecimal mask") >> (kind.as_raw() - 1) & 1 == 1
}
