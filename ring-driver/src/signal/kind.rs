//! Which signal: its number, and its name for people.

use std::fmt;
use std::io;

/// A signal of the system.
///
/// ```
/// use wakering_ring_driver::signal::SignalKind;
///
/// assert_eq!(SignalKind::terminate().to_string(), "SIGTERM");
/// assert_eq!(SignalKind::from_raw(9).to_string(), "SIGKILL");
/// assert_eq!(SignalKind::interrupt().as_raw(), 2);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SignalKind(i32);

impl SignalKind {
    /// SIGALRM: a timer of the process has expired.
    pub const fn alarm() -> SignalKind {
        SignalKind(libc::SIGALRM)
    }

    /// SIGCHLD: a child has ended, stopped or gone on.
    pub const fn child() -> SignalKind {
        SignalKind(libc::SIGCHLD)
    }

    /// SIGHUP: the terminal is gone; for daemons by custom, that the configuration has changed.
    pub const fn hangup() -> SignalKind {
        SignalKind(libc::SIGHUP)
    }

    /// SIGINT: somebody has pressed Ctrl-C.
    pub const fn interrupt() -> SignalKind {
        SignalKind(libc::SIGINT)
    }

    /// SIGPIPE: nobody reads the pipe that was written to.
    pub const fn pipe() -> SignalKind {
        SignalKind(libc::SIGPIPE)
    }

    /// SIGQUIT: somebody has pressed Ctrl-\, and wants to know what the process was doing.
    pub const fn quit() -> SignalKind {
        SignalKind(libc::SIGQUIT)
    }

    /// SIGTERM: the process shall end.
    pub const fn terminate() -> SignalKind {
        SignalKind(libc::SIGTERM)
    }

    /// SIGUSR1: whatever the program says it means.
    pub const fn user_defined1() -> SignalKind {
        SignalKind(libc::SIGUSR1)
    }

    /// SIGUSR2: whatever the program says it means.
    pub const fn user_defined2() -> SignalKind {
        SignalKind(libc::SIGUSR2)
    }

    /// SIGWINCH: the terminal has another size.
    pub const fn window_change() -> SignalKind {
        SignalKind(libc::SIGWINCH)
    }

    /// The signal of that number. Whether there is one, and whether it can be listened to, only
    /// listening tells.
    pub const fn from_raw(number: i32) -> SignalKind {
        SignalKind(number)
    }

    /// Its number.
    pub const fn as_raw(self) -> i32 {
        self.0
    }

    fn name(self) -> Option<&'static str> {
        NAMES.iter().find(|(number, _)| *number == self.0).map(|(_, name)| *name)
    }

    /// Why nobody can listen to it, if that is so.
    pub(super) fn refuse(self) -> io::Result<()> {
        let reason = match self.0 {
            libc::SIGKILL | libc::SIGSTOP => {
                "the kernel lets no process catch it; SIGTERM is what asks a process to end"
            }
            libc::SIGSEGV | libc::SIGBUS | libc::SIGILL | libc::SIGFPE => {
                "it stops a thread at a fault of its own, which nobody can await"
            }
            number if number < 1 || number > libc::SIGRTMAX() => "there is no such signal",
            number if (libc::SIGSYS + 1..libc::SIGRTMIN()).contains(&number) => {
                "the C library keeps it for itself"
            }
            _ => return Ok(()),
        };
        let message = format!("cannot listen to {self}: {reason}");
        Err(io::Error::new(io::ErrorKind::InvalidInput, message))
    }
}

impl fmt::Display for SignalKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "signal {}", self.0),
        }
    }
}

/// The signals that have names. The others are told apart by their numbers.
const NAMES: &[(i32, &str)] = &[
    (libc::SIGABRT, "SIGABRT"),
    (libc::SIGALRM, "SIGALRM"),
    (libc::SIGBUS, "SIGBUS"),
    (libc::SIGCHLD, "SIGCHLD"),
    (libc::SIGCONT, "SIGCONT"),
    (libc::SIGFPE, "SIGFPE"),
    (libc::SIGHUP, "SIGHUP"),
    (libc::SIGILL, "SIGILL"),
    (libc::SIGINT, "SIGINT"),
    (libc::SIGIO, "SIGIO"),
    (libc::SIGKILL, "SIGKILL"),
    (libc::SIGPIPE, "SIGPIPE"),
    (libc::SIGPROF, "SIGPROF"),
    (libc::SIGPWR, "SIGPWR"),
    (libc::SIGQUIT, "SIGQUIT"),
    (libc::SIGSEGV, "SIGSEGV"),
    (libc::SIGSTKFLT, "SIGSTKFLT"),
    (libc::SIGSTOP, "SIGSTOP"),
    (libc::SIGSYS, "SIGSYS"),
    (libc::SIGTERM, "SIGTERM"),
    (libc::SIGTRAP, "SIGTRAP"),
    (libc::SIGTSTP, "SIGTSTP"),
    (libc::SIGTTIN, "SIGTTIN"),
    (libc::SIGTTOU, "SIGTTOU"),
    (libc::SIGURG, "SIGURG"),
    (libc::SIGUSR1, "SIGUSR1"),
    (libc::SIGUSR2, "SIGUSR2"),
    (libc::SIGVTALRM, "SIGVTALRM"),
    (libc::SIGWINCH, "SIGWINCH"),
    (libc::SIGXCPU, "SIGXCPU"),
    (libc::SIGXFSZ, "SIGXFSZ"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_have_their_names() {
        assert_eq!(SignalKind::user_defined1().to_string(), "SIGUSR1");
        assert_eq!(SignalKind::from_raw(libc::SIGXFSZ).to_string(), "SIGXFSZ");
        assert_eq!(SignalKind::from_raw(40).to_string(), "signal 40");
    }

    #[test]
    fn what_cannot_be_listened_to_is_refused_by_name() {
        let refused = |number| SignalKind::from_raw(number).refuse().unwrap_err();
        for (number, text) in [
            (libc::SIGKILL, "SIGKILL: the kernel lets no process catch it"),
            (libc::SIGSEGV, "SIGSEGV: it stops a thread at a fault of its own"),
            (32, "signal 32: the C library keeps it"),
            (0, "signal 0: there is no such signal"),
            (65, "signal 65: there is no such signal"),
            (-9, "signal -9: there is no such signal"),
        ] {
            let error = refused(number);
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
            assert!(error.to_string().contains(text), "{error}");
        }
        assert!(SignalKind::from_raw(libc::SIGRTMIN()).refuse().is_ok());
        assert!(SignalKind::from_raw(libc::SIGSYS).refuse().is_ok());
    }
}
