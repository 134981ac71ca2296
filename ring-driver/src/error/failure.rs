//! "Too many open files" does not help anybody at three in the morning; "accept on 0.0.0.0:80" and
//! what to raise does.

use std::error::Error;
use std::fmt;
use std::io;

/// An error of the system together with the operation that met it, what it was done to, and what
/// mends it.
///
/// It comes as the payload of an [`io::Error`] of the same kind; [`Failure::of`] gets it out again.
/// The errno, which such an `io::Error` no longer shows by itself, is in [`errno`](Failure::errno).
///
/// ```
/// use std::io;
/// use wakering_ring_driver::Failure;
///
/// let refused = io::Error::from_raw_os_error(111);
/// let error = Failure::wrap("connect", "127.0.0.1:1", refused);
/// assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
///
/// let failure = Failure::of(&error).ok_or("no failure")?;
/// assert_eq!((failure.operation(), failure.object()), ("connect", "127.0.0.1:1"));
/// assert_eq!(failure.errno(), Some(111));
/// assert!(failure.remedy().is_some());
/// # Ok::<(), &str>(())
/// ```
#[derive(Debug)]
pub struct Failure {
    operation: &'static str,
    object: String,
    source: io::Error,
}

impl Failure {
    /// `error` with its operation and object. One that already names its own is left as it is:
    /// whoever was closest to the kernel knows best.
    pub fn wrap(operation: &'static str, object: impl Into<String>, error: io::Error) -> io::Error {
        if Failure::of(&error).is_some() {
            return error;
        }
        let kind = error.kind();
        io::Error::new(kind, Failure { operation, object: object.into(), source: error })
    }

    /// The failure that `error` carries, if it carries one.
    pub fn of(error: &io::Error) -> Option<&Failure> {
        error.get_ref()?.downcast_ref()
    }

    /// What was attempted, in the kernel's word for it: `"connect"`.
    pub fn operation(&self) -> &'static str {
        self.operation
    }

    /// What it was done to: an address, a path.
    pub fn object(&self) -> &str {
        &self.object
    }

    /// The system's error number, if the error came from there.
    pub fn errno(&self) -> Option<i32> {
        self.source.raw_os_error()
    }

    /// What mends it, where that can be said: a command, a setting.
    pub fn remedy(&self) -> Option<&'static str> {
        remedy(self.operation, self.errno()?)
    }

    /// The error without the names.
    pub fn cause(&self) -> &io::Error {
        &self.source
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.operation, self.object, self.source)?;
        match self.remedy() {
            Some(remedy) => write!(f, "; {remedy}"),
            None => Ok(()),
        }
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.source)
    }
}

/// The table of what helps. Only what is nearly always right is in it.
fn remedy(operation: &str, errno: i32) -> Option<&'static str> {
    Some(match errno {
        libc::EMFILE => {
            "raise the limit of open files: `ulimit -n 65536`, systemd `LimitNOFILE=65536`"
        }
        libc::ENFILE => "raise the machine's limit of open files: `sysctl -w fs.file-max=1000000`",
        libc::ENOSPC => "make room on the file system: `df -h` shows which one is full",
        libc::EDQUOT => "the user's disk quota is used up: `quota -s` shows it",
        libc::EROFS => {
            "the file system is mounted read-only: `mount -o remount,rw` makes it writable"
        }
        libc::EADDRINUSE => "another socket holds the address: `ss -lntup` shows whose",
        libc::EADDRNOTAVAIL => {
            "no interface of this machine has the address: `ip address` lists those it has"
        }
        libc::ECONNREFUSED => {
            "nobody listens there: `ss -lntup` on that machine shows who listens where"
        }
        libc::EHOSTUNREACH | libc::ENETUNREACH => {
            "no route leads there: `ip route get ADDRESS` shows why"
        }
        libc::EACCES if operation == "bind" => {
            "ports below 1024 need a privilege: `setcap cap_net_bind_service=+ep PROGRAM`"
        }
        libc::EACCES if !matches!(operation, "connect" | "send" | "sendmsg") => {
            "the user lacks the permission: `namei -l PATH` shows where on the way"
        }
        libc::EAGAIN if matches!(operation, "clone" | "spawn") => {
            "raise the limit of threads: `ulimit -u`, systemd `TasksMax=`, docker `--pids-limit`"
        }
        libc::ENOENT if operation == "spawn" => {
            "program, its interpreter or its directory is missing: `command -v PROGRAM` shows \
             where one is"
        }
        libc::ENOEXEC if operation == "spawn" => {
            "it is no program of this machine: `file PROGRAM` shows for what; scripts begin with `#!`"
        }
        libc::ENOSYS | libc::EPERM if operation == "pidfd_open" => {
            "Linux 5.3 has this call, and a container's filter must let it pass"
        }
        libc::ESRCH | libc::ECHILD if matches!(operation, "pidfd_open" | "wait") => {
            "somebody else has reaped the child: ignore SIGCHLD nowhere, and wait for no children \
             but your own"
        }
        libc::EISDIR => "it is a directory: read it with `read_dir`",
        libc::EFBIG => "raise the limit of file sizes: `ulimit -f unlimited`",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_what_was_done_to_what_and_what_mends_it() {
        let error =
            Failure::wrap("accept", "0.0.0.0:80", io::Error::from_raw_os_error(libc::EMFILE));
        let failure = Failure::of(&error).unwrap();
        assert_eq!(failure.operation(), "accept");
        assert_eq!(failure.object(), "0.0.0.0:80");
        assert_eq!(failure.errno(), Some(libc::EMFILE));
        assert!(failure.remedy().unwrap().contains("`ulimit -n 65536`"));
        assert_eq!(
            error.to_string(),
            format!("accept 0.0.0.0:80: {}; {}", failure.cause(), failure.remedy().unwrap())
        );
        let source =
            error.get_ref().unwrap().source().unwrap().downcast_ref::<io::Error>().unwrap();
        assert_eq!(source.raw_os_error(), Some(libc::EMFILE));
    }

    #[test]
    fn the_innermost_names_win_and_kinds_are_kept() {
        let inner = Failure::wrap("openat", "/a", io::Error::from_raw_os_error(libc::ENOENT));
        let outer = Failure::wrap("read", "a file", inner);
        assert_eq!(outer.kind(), io::ErrorKind::NotFound);
        assert_eq!(Failure::of(&outer).unwrap().object(), "/a");
    }

    #[test]
    fn what_did_not_come_from_the_system_has_no_errno_and_no_remedy() {
        let error = Failure::wrap("read", "stdin", io::ErrorKind::UnexpectedEof.into());
        let failure = Failure::of(&error).unwrap();
        assert_eq!((failure.errno(), failure.remedy()), (None, None));
        assert_eq!(error.to_string(), format!("read stdin: {}", failure.cause()));
    }

    #[test]
    fn a_remedy_depends_on_the_operation_where_that_matters() {
        assert_ne!(remedy("bind", libc::EACCES), remedy("openat", libc::EACCES));
        assert_ne!(remedy("spawn", libc::ENOENT), remedy("openat", libc::ENOENT));
        assert_ne!(remedy("wait", libc::ECHILD), None);
        assert_eq!(remedy("recv", libc::ECONNRESET), None);
    }
}
