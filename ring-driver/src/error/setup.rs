//! Why there is no ring or no driver: the decision table from what the kernel answered and what the
//! machine shows to a cause, its evidence and one thing to do.
//!
//! The diagnosis is exact where it can be because the switches act at different places:
//! `kernel.io_uring_disabled` guards the setup call alone, a seccomp filter each of the calls, so
//! `io_uring_enter` on no ring tells them apart.

use std::error::Error;
use std::fmt;
use std::io;

use super::evidence::Evidence;

/// Why no ring or no driver could be made: the cause, the evidence for it, and what mends it.
///
/// ```
/// use wakering_ring_driver::{Config, Driver};
///
/// match Driver::new(&Config::default()) {
///     Ok(driver) => println!("a driver on {}", driver.backend()),
///     Err(error) => eprintln!("{error}\ntry this: {}", error.remedy()),
/// }
/// ```
#[derive(Debug)]
pub struct SetupError(Box<Diagnosis>);

#[derive(Debug)]
struct Diagnosis {
    operation: &'static str,
    object: String,
    cause: SetupCause,
    shown_by: String,
    remedy: String,
    source: Option<io::Error>,
}

/// The kinds of reasons for which there is no ring, and no driver either if the ring was asked for
/// by name. Where it was not, only [`Setting`](SetupCause::Setting) and
/// [`OutOfDescriptors`](SetupCause::OutOfDescriptors) leave a program without a driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SetupCause {
    /// A seccomp filter, as a rule a container's profile, forbids the system calls.
    Seccomp,
    /// `kernel.io_uring_disabled` forbids it to this user or to all.
    Sysctl,
    /// Something else that may forbid, as a rule a security module's policy.
    Policy,
    /// The kernel is older than io_uring.
    KernelTooOld,
    /// The kernel was built without io_uring, or is none of Linux's.
    NotBuiltIn,
    /// The user may not lock as much memory as rings need.
    LockedMemory,
    /// The machine or the control group is short of memory.
    OutOfMemory,
    /// The process or the machine has no descriptors left.
    OutOfDescriptors,
    /// The kernel has io_uring, but not what this driver needs of it.
    Unsupported,
    /// A setting or environment variable has no meaning.
    Setting,
    /// None of these.
    Other,
}

impl SetupError {
    /// What `operation` on `object` met, judged by what the machine shows.
    pub(crate) fn diagnosed(
        operation: &'static str,
        object: String,
        error: io::Error,
    ) -> SetupError {
        diagnose(operation, object, error, &Evidence::collect())
    }

    /// A ring without `features`.
    pub(crate) fn unsupported(features: &[&str]) -> SetupError {
        lacking(features, &Evidence::collect())
    }

    /// The eventfd by which other threads wake the driver could not be had.
    pub(crate) fn notifier(error: io::Error) -> SetupError {
        SetupError::diagnosed("eventfd", "the driver's notifier".to_owned(), error)
    }

    /// The signals that shall cancel cannot be listened to.
    ///
    /// ```
    /// use wakering_ring_driver::signal::{Listener, SignalKind};
    /// use wakering_ring_driver::{SetupCause, SetupError};
    ///
    /// let refused = Listener::new(SignalKind::from_raw(9)).unwrap_err();
    /// assert_eq!(SetupError::signals(refused).cause(), SetupCause::Setting);
    /// ```
    pub fn signals(error: io::Error) -> SetupError {
        let object = "the signals that cancel".to_owned();
        if error.raw_os_error().is_some() {
            return SetupError::diagnosed("listen to", object, error);
        }
        SetupError(Box::new(Diagnosis {
            operation: "listen to",
            object,
            cause: SetupCause::Setting,
            shown_by: error.to_string(),
            remedy: "name others where the runtime is built".to_owned(),
            source: None,
        }))
    }

    /// A runtime on `wanted` cores, of which this process may use `available`.
    ///
    /// ```
    /// use wakering_ring_driver::{SetupCause, SetupError};
    ///
    /// let error = SetupError::cores(64, 2);
    /// assert_eq!((error.cause(), error.object()), (SetupCause::Setting, "a runtime on 64 cores"));
    /// assert!(error.evidence().contains("may use 2"));
    /// ```
    pub fn cores(wanted: usize, available: usize) -> SetupError {
        let (shown_by, remedy) = match wanted {
            0 => ("a runtime has one core at least".to_owned(), "ask for one".to_owned()),
            _ => (
                format!(
                    "this process may use {available}, by its affinity mask (`taskset`, cpusets) \
                     and its control group's quota"
                ),
                format!("ask for {available} at most, or for all there are (`Cores::All`)"),
            ),
        };
        SetupError(Box::new(Diagnosis {
            operation: "set up",
            object: format!("a runtime on {wanted} cores"),
            cause: SetupCause::Setting,
            shown_by,
            remedy,
            source: None,
        }))
    }

    /// Paused time on several cores.
    ///
    /// ```
    /// use wakering_ring_driver::{SetupCause, SetupError};
    ///
    /// assert_eq!(SetupError::paused_cores().cause(), SetupCause::Setting);
    /// ```
    #[cfg(feature = "testing")]
    #[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
    pub fn paused_cores() -> SetupError {
        SetupError(Box::new(Diagnosis {
            operation: "pause",
            object: "the time of several cores".to_owned(),
            cause: SetupCause::Setting,
            shown_by: "time stands still on one thread".to_owned(),
            remedy: "pause it on one core".to_owned(),
            source: None,
        }))
    }

    /// The thread for a core could not be started.
    ///
    /// ```
    /// use std::io;
    /// use wakering_ring_driver::SetupError;
    ///
    /// let error = SetupError::thread(io::Error::from_raw_os_error(11)).on_core(3);
    /// assert_eq!((error.operation(), error.object()), ("clone", "a thread for core 3"));
    /// ```
    pub fn thread(error: io::Error) -> SetupError {
        SetupError::diagnosed("clone", "a thread".to_owned(), error)
    }

    /// The same, of a runtime's core `core`.
    ///
    /// ```
    /// use std::io;
    /// use wakering_ring_driver::SetupError;
    ///
    /// let error = SetupError::signals(io::ErrorKind::InvalidInput.into()).on_core(1);
    /// assert_eq!(error.object(), "the signals that cancel for core 1");
    /// ```
    pub fn on_core(mut self, core: usize) -> SetupError {
        self.0.object.push_str(&format!(" for core {core}"));
        self
    }

    /// A setting with a value that means nothing: `why` says what would.
    pub(crate) fn setting(name: &'static str, value: &str, why: impl fmt::Display) -> SetupError {
        SetupError(Box::new(Diagnosis {
            operation: "set up",
            object: format!("{name}={value}"),
            cause: SetupCause::Setting,
            shown_by: format!("the setting is not understood: {why}"),
            remedy: format!("correct {name}, or `unset {name}`"),
            source: None,
        }))
    }

    /// The kind of reason.
    pub fn cause(&self) -> SetupCause {
        self.0.cause
    }

    /// What was attempted, in the kernel's word for it: `"io_uring_setup"`.
    pub fn operation(&self) -> &'static str {
        self.0.operation
    }

    /// What it was done to.
    pub fn object(&self) -> &str {
        &self.0.object
    }

    /// What was found that shows the cause.
    pub fn evidence(&self) -> &str {
        &self.0.shown_by
    }

    /// What mends it: one command or setting.
    pub fn remedy(&self) -> &str {
        &self.0.remedy
    }

    /// The system's error number, if the error came from there.
    pub fn errno(&self) -> Option<i32> {
        self.0.source.as_ref()?.raw_os_error()
    }
}

impl fmt::Display for SetupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Diagnosis { operation, object, shown_by, remedy, source, .. } = &*self.0;
        write!(f, "{operation} {object}: ")?;
        if let Some(source) = source {
            write!(f, "{source}: ")?;
        }
        write!(f, "{shown_by}; to mend it: {remedy}")
    }
}

impl Error for SetupError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source.as_ref().map(|source| source as _)
    }
}

impl From<SetupError> for io::Error {
    /// An error of the same kind that carries this one.
    fn from(error: SetupError) -> io::Error {
        let kind = error.0.source.as_ref().map_or(io::ErrorKind::InvalidInput, io::Error::kind);
        io::Error::new(kind, error)
    }
}

const SETUP: &str = "io_uring_setup";

const ALLOW: &str = "allow io_uring_setup, io_uring_enter and io_uring_register in the sandbox's \
                     seccomp profile (Docker: `--security-opt seccomp=PROFILE.json`, or \
                     `seccomp=unconfined` to try it)";
const SWITCH_ON: &str = "`sysctl -w kernel.io_uring_disabled=0` as root of the host";
const UPGRADE: &str = "boot Linux 5.15 or newer (5.10.162 is the oldest that works)";

/// A row of the decision table: the cause, what shows it, what mends it.
type Row = (SetupCause, String, String);

fn row(cause: SetupCause, evidence: impl Into<String>, remedy: impl Into<String>) -> Row {
    (cause, evidence.into(), remedy.into())
}

/// The decision table.
fn diagnose(
    operation: &'static str,
    object: String,
    error: io::Error,
    evidence: &Evidence,
) -> SetupError {
    let errno = error.raw_os_error().unwrap_or(0);
    let is_setup = operation == SETUP;
    let (cause, shown_by, remedy) = match errno {
        libc::EPERM | libc::EACCES if is_setup && evidence.enter == errno => row(
            SetupCause::Seccomp,
            "io_uring_enter is refused in the same way: a sandbox's seccomp filter forbids \
             io_uring, as the default profiles of Docker 25, containerd 2 and Kubernetes do",
            ALLOW,
        ),
        libc::EPERM if is_setup => refused(evidence),
        libc::ENOSYS if is_setup => hidden(evidence),
        libc::EINVAL if is_setup => row(
            SetupCause::Unsupported,
            format!("Linux {} takes no setup flags that this driver knows", evidence.release),
            UPGRADE,
        ),
        // A ring could be set up, so neither the kernel nor its switch forbids the rest.
        libc::EPERM | libc::EACCES | libc::ENOSYS
            if matches!(operation, "io_uring_enter" | "io_uring_register") =>
        {
            row(
                SetupCause::Seccomp,
                "the sandbox's seccomp filter allows io_uring_setup but not this call",
                ALLOW,
            )
        }
        libc::ENOMEM => no_memory(evidence),
        libc::EMFILE => row(
            SetupCause::OutOfDescriptors,
            format!("the {} open files that RLIMIT_NOFILE allows are in use", evidence.nofile),
            "`ulimit -n 65536`, systemd `LimitNOFILE=65536`, Docker `--ulimit nofile=65536`",
        ),
        libc::ENFILE => row(
            SetupCause::OutOfDescriptors,
            "the machine has no open files left",
            "`sysctl -w fs.file-max=1000000` as root of the host",
        ),
        _ => row(
            SetupCause::Other,
            format!("no usual cause is known (Linux {})", evidence.release),
            "report it with the output of `wakering::driver::doctor()`",
        ),
    };
    let source = Some(error);
    SetupError(Box::new(Diagnosis { operation, object, cause, shown_by, remedy, source }))
}

/// EPERM from the setup call alone.
fn refused(evidence: &Evidence) -> Row {
    match (evidence.disabled, evidence.group.filter(|&group| group >= 0)) {
        (Some(2), _) => row(
            SetupCause::Sysctl,
            "kernel.io_uring_disabled is 2: nobody may use io_uring",
            SWITCH_ON,
        ),
        (Some(1), _) if evidence.may_administer || evidence.in_group => policy(),
        (Some(1), Some(group)) => row(
            SetupCause::Sysctl,
            format!(
                "kernel.io_uring_disabled is 1: only group {group} and CAP_SYS_ADMIN may use \
                 io_uring, and this process has neither"
            ),
            format!("add the user to group {group}, or {SWITCH_ON}"),
        ),
        (Some(1), None) => row(
            SetupCause::Sysctl,
            "kernel.io_uring_disabled is 1: only CAP_SYS_ADMIN may use io_uring, and no group is \
             let in",
            format!("{SWITCH_ON}, or name the user's group in kernel.io_uring_group"),
        ),
        _ => policy(),
    }
}

fn policy() -> Row {
    row(
        SetupCause::Policy,
        "neither a seccomp filter nor kernel.io_uring_disabled forbids it: a security module may",
        "look for io_uring in the audit log (`ausearch -m avc -ts recent`) and allow it there",
    )
}

/// ENOSYS from the setup call.
fn hidden(evidence: &Evidence) -> Row {
    let release = &evidence.release;
    // gVisor comes first because it calls itself 4.4.
    if evidence.gvisor {
        row(
            SetupCause::Seccomp,
            "this is gVisor, whose kernel has no io_uring",
            "run the container on the host's kernel (`--runtime runc`)",
        )
    } else if evidence.version().is_some_and(|version| version < (5, 1)) {
        row(
            SetupCause::KernelTooOld,
            format!("io_uring came with Linux 5.1, this is {release}"),
            UPGRADE,
        )
    } else if evidence.seccomp == Some(2) {
        row(SetupCause::Seccomp, "a seccomp filter is in force and hides io_uring", ALLOW)
    } else {
        row(
            SetupCause::NotBuiltIn,
            format!("Linux {release} was built without CONFIG_IO_URING"),
            "boot a kernel with CONFIG_IO_URING=y",
        )
    }
}

/// ENOMEM from the smallest ring.
fn no_memory(evidence: &Evidence) -> Row {
    let is_limited = !evidence.may_lock && evidence.memlock != Evidence::UNLIMITED;
    if !is_limited || !evidence.charges_rings() {
        return row(
            SetupCause::OutOfMemory,
            "the kernel has no memory for it, and RLIMIT_MEMLOCK is not what forbids it",
            "raise the memory limit of the container or control group (memory.max)",
        );
    }
    let kib = evidence.memlock / 1024;
    let own = match evidence.rings {
        0 => String::new(),
        rings => format!(", of which this process has {rings}"),
    };
    row(
        SetupCause::LockedMemory,
        format!("RLIMIT_MEMLOCK allows {kib} KiB for all rings of the user together{own}"),
        "`ulimit -l unlimited`, systemd `LimitMEMLOCK=infinity`, Docker `--ulimit memlock=-1`",
    )
}

/// The last row of the table: a ring that can do too little.
fn lacking(features: &[&str], evidence: &Evidence) -> SetupError {
    let features = features.join(", ");
    SetupError(Box::new(Diagnosis {
        operation: SETUP,
        object: "a ring".to_owned(),
        cause: SetupCause::Unsupported,
        shown_by: format!(
            "Linux {} or WAKERING_CAPS leaves it without {features}",
            evidence.release
        ),
        remedy: UPGRADE.to_owned(),
        source: Some(io::ErrorKind::Unsupported.into()),
    }))
}

#[cfg(test)]
#[path = "setup_tests.rs"]
mod tests;
