//! What std's child processes lack: a descriptor that tells their end, and a few things that a
//! child does to itself before it becomes its program.

#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

use crate::call;
use crate::error::Failure;

/// A process by descriptor (pidfd): unlike a number it never becomes another process.
///
/// It is readable once the process has ended: await that with [`op::poll`](crate::op::poll()). It
/// does not reap.
///
/// ```
/// use std::process::Command;
/// use std::time::Duration;
/// use wakering_ring_driver::process::PidFd;
///
/// let mut child = Command::new("sleep").arg("60").spawn()?;
/// let pidfd = PidFd::open(child.id())?;
/// assert!(!pidfd.ends_within(Duration::ZERO));
/// pidfd.send_signal(9)?;
/// assert!(pidfd.ends_within(Duration::from_secs(60)));
/// assert!(!child.wait()?.success());
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct PidFd(OwnedFd);

impl PidFd {
    /// The process with the number `pid`. Only of a child that was not reaped is it sure that it is
    /// the one that is meant.
    ///
    /// # Errors
    /// `NotFound` (`ESRCH`) if there is none any more; at the limit of descriptors; where a filter
    /// of system calls forbids it.
    ///
    /// # Kernel
    /// pidfd_open(2), 5.3.
    pub fn open(pid: u32) -> io::Result<PidFd> {
        // SAFETY: no memory is involved.
        let number = unsafe { libc::syscall(libc::SYS_pidfd_open, pid as libc::pid_t, 0) };
        if number < 0 {
            let error = io::Error::last_os_error();
            return Err(Failure::wrap("pidfd_open", format!("process {pid}"), error));
        }
        // SAFETY: the descriptor is new and nobody else's; the kernel has made it close-on-exec.
        Ok(PidFd(unsafe { OwnedFd::from_raw_fd(number as i32) }))
    }

    /// Sends the signal of that number.
    ///
    /// # Errors
    /// `ESRCH` if the process was reaped, `InvalidInput` if there is no such signal,
    /// `PermissionDenied` if it is somebody else's.
    ///
    /// # Kernel
    /// pidfd_send_signal(2), 5.1.
    pub fn send_signal(&self, signal: i32) -> io::Result<()> {
        let (fd, none) = (self.0.as_raw_fd(), std::ptr::null::<libc::siginfo_t>());
        // SAFETY: the kernel fills in who sends it if it is given no siginfo.
        let sent = unsafe { libc::syscall(libc::SYS_pidfd_send_signal, fd, signal, none, 0) };
        if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    /// Waits on this thread until the process has ended, but not longer than `bound`; whether it
    /// has.
    pub fn ends_within(&self, bound: Duration) -> bool {
        let milliseconds = i32::try_from(bound.as_millis()).unwrap_or(i32::MAX);
        call::poll(self.0.as_raw_fd(), libc::POLLIN as u32, milliseconds) > 0
    }
}

impl AsFd for PidFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Lets the child lead a session of its own, without a terminal (setsid(2)).
///
/// ```
/// use std::process::Command;
///
/// let mut command = Command::new("true");
/// wakering_ring_driver::process::new_session(&mut command);
/// assert!(command.status()?.success());
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn new_session(command: &mut Command) {
    // SAFETY: between fork and exec only one system call is made, and nothing allocated.
    unsafe { command.pre_exec(|| checked(libc::setsid())) };
}

/// Lets what the child writes to its standard error go where its standard output goes, in the order
/// of the writes (dup2(2)).
///
/// ```
/// use std::process::Command;
///
/// let mut command = Command::new("sh");
/// command.args(["-c", "echo one; echo two >&2"]);
/// wakering_ring_driver::process::stderr_to_stdout(&mut command);
/// assert_eq!(command.output()?.stdout, b"one\ntwo\n");
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn stderr_to_stdout(command: &mut Command) {
    // SAFETY: between fork and exec only one system call is made, on the child's own table of
    // descriptors, and nothing allocated.
    unsafe { command.pre_exec(|| checked(libc::dup2(libc::STDOUT_FILENO, libc::STDERR_FILENO))) };
}

fn checked(result: i32) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
