//! Why there is no driver: the decision table from what the kernel answered and what the machine shows to a cause, its
//! evidence and one thing to do.
//!
//! The diagnosis is exact where it can be because the switches act at different places: `kernel.io_uring_disabled` guards
//! the setup call alone, a seccomp filter each of the calls, so `io_uring_enter` on no ring tells them apart.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::io;

use super::evidence::Evidence;

/// Why no driver could be made: the cause, the evidence for it, and what mends it.
///
/// ```
/// use wakering_ring_driver::{Config, Driver};
///
/// match Driver::new(&Config::default()) {
///     Ok(driver) => println!("a driver with {}", driver.capabilities()),
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
    evidence: Cow<'static, str>,
    remedy: Cow<'static, str>,
    source: Option<io::Error>,
}

/// The kinds of reasons for which there is no driver.
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

    /// A setting with a value that means nothing: `why` says what would.
    pub(crate) fn setting(name: &'static str, value: &str, why: impl fmt::Display) -> SetupError {
        SetupError(Box::new(Diagnosis {
            operation: "set up",
            object: format!("{name}={value}"),
            cause: SetupCause::Setting,
            evidence: format!("the setting is not understood: {why}").into(),
            remedy: format!("correct {name}, or `unset {name}`").into(),
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
        &self.0.evidence
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
        let Diagnosis { operation, object, evidence, remedy, source, .. } = &*self.0;
        write!(f, "{operation} {object}: ")?;
        if let Some(source) = source {
            write!(f, "{source}: ")?;
        }
        write!(f, "{evidence}; to mend it: {remedy}")
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

const ALLOW: &str = "allow io_uring_setup, io_uring_enter and io_uring_register in the sandbox's seccomp profile (Docker: \
                     `--security-opt seccomp=PROFILE.json`, or `seccomp=unconfined` to try it)";
const UPGRADE: &str = "boot Linux 5.15 or newer (5.10.162 is the oldest that works)";

/// The decision table.
fn diagnose(
    operation: &'static str,
    object: String,
    error: io::Error,
    evidence: &Evidence,
) -> SetupError {
    use SetupCause::*;
    let errno = error.raw_os_error().unwrap_or(0);
    let (cause, found, remedy): (_, Cow<'static, str>, Cow<'static, str>) = match errno {
        // Only filters act on the other calls, and only on them while a ring could be set up.
        libc::EPERM | libc::EACCES | libc::ENOSYS if is_ring_call(operation) && operation != SETUP => (
            Seccomp,
            "the sandbox's filter allows io_uring_setup but not this call".into(),
            ALLOW.into(),
        ),
        libc::EPERM | libc::EACCES if operation == SETUP && evidence.enter == errno => (
            Seccomp,
            "io_uring_enter is refused in the same way: a sandbox's seccomp filter forbids io_uring, as the default \
             profiles of Docker 25, containerd 2 and Kubernetes do"
                .into(),
            ALLOW.into(),
        ),
        libc::EPERM if operation == SETUP => match (evidence.disabled, evidence.group) {
            (Some(2), _) => (
                Sysctl,
                "kernel.io_uring_disabled is 2: nobody may use io_uring".into(),
                "`sysctl -w kernel.io_uring_disabled=0` as root of the host".into(),
            ),
            (Some(1), group) if !evidence.may_administer && !evidence.in_group => (
                Sysctl,
                match group {
                    Some(group) if group >= 0 => format!(
                        "kernel.io_uring_disabled is 1: only group {group} and CAP_SYS_ADMIN may use io_uring, and this \
                         process has neither"
                    ),
                    _ => "kernel.io_uring_disabled is 1: only CAP_SYS_ADMIN may use io_uring, and no group is let in"
                        .to_owned(),
                }
                .into(),
                match group {
                    Some(group) if group >= 0 => format!(
                        "add the user to group {group}, or `sysctl -w kernel.io_uring_disabled=0` as root of the host"
                    ),
                    _ => "`sysctl -w kernel.io_uring_disabled=0` as root of the host, or name the user's group in \
                          kernel.io_uring_group"
                        .to_owned(),
                }
                .into(),
            ),
            _ => (
                Policy,
                "neither a seccomp filter nor kernel.io_uring_disabled forbids it: a security module's policy may".into(),
                "look for io_uring in the audit log (`ausearch -m avc -ts recent`) and allow it there".into(),
            ),
        },
        libc::ENOSYS if operation == SETUP => {
            // gVisor first: it calls itself 4.4.
            if evidence.gvisor {
                (
                    Seccomp,
                    "this is gVisor, whose kernel has no io_uring".into(),
                    "run the container on the host's kernel (`--runtime runc`)".into(),
                )
            } else if (1, 0) <= evidence.version() && evidence.version() < (5, 1) {
                (
                    KernelTooOld,
                    format!("io_uring came with Linux 5.1, this is {}", evidence.release).into(),
                    UPGRADE.into(),
                )
            } else if evidence.seccomp == Some(2) {
                (
                    Seccomp,
                    "a seccomp filter is in force and hides io_uring".into(),
                    ALLOW.into(),
                )
            } else {
                (
                    NotBuiltIn,
                    format!("Linux {} was built without CONFIG_IO_URING", evidence.release).into(),
                    "boot a kernel with CONFIG_IO_URING=y".into(),
                )
            }
        }
        libc::ENOMEM => {
            if !evidence.may_lock && evidence.memlock != Evidence::UNLIMITED && evidence.charges_rings() {
                let rings = match evidence.rings {
                    0 => "all rings of the user together".to_owned(),
                    rings => format!("all rings of the user together, of which this process has {rings}"),
                };
                (
                    LockedMemory,
                    format!("RLIMIT_MEMLOCK allows {} KiB of locked memory for {rings}", evidence.memlock / 1024).into(),
                    "`ulimit -l unlimited`, systemd `LimitMEMLOCK=infinity`, Docker `--ulimit memlock=-1`".into(),
                )
            } else {
                (
                    OutOfMemory,
                    "the kernel has no memory for it, and RLIMIT_MEMLOCK is not what forbids it".into(),
                    "raise the memory limit of the container or control group (memory.max)".into(),
                )
            }
        }
        libc::EMFILE => (
            OutOfDescriptors,
            format!("RLIMIT_NOFILE allows this process {} open files, and they are in use", evidence.nofile).into(),
            "`ulimit -n 65536`, systemd `LimitNOFILE=65536`, Docker `--ulimit nofile=65536`".into(),
        ),
        libc::ENFILE => (
            OutOfDescriptors,
            "the machine has no open files left".into(),
            "`sysctl -w fs.file-max=1000000` as root of the host".into(),
        ),
        libc::EINVAL if operation == SETUP => (
            Unsupported,
            format!("Linux {} takes no combination of setup flags that this driver knows", evidence.release).into(),
            UPGRADE.into(),
        ),
        _ => (
            Other,
            format!("no usual cause is known (Linux {})", evidence.release).into(),
            "report it with the output of `wakering::driver::doctor()`".into(),
        ),
    };
    let source = Some(error);
    SetupError(Box::new(Diagnosis { operation, object, cause, evidence: found, remedy, source }))
}

/// The last row of the table: a ring that can do too little.
fn lacking(features: &[&str], evidence: &Evidence) -> SetupError {
    let features = features.join(", ");
    SetupError(Box::new(Diagnosis {
        operation: SETUP,
        object: "a ring".to_owned(),
        cause: SetupCause::Unsupported,
        evidence: format!(
            "Linux {} or WAKERING_CAPS leaves it without {features}",
            evidence.release
        )
        .into(),
        remedy: UPGRADE.into(),
        source: Some(io::ErrorKind::Unsupported.into()),
    }))
}

const SETUP: &str = "io_uring_setup";

fn is_ring_call(operation: &str) -> bool {
    matches!(operation, SETUP | "io_uring_enter" | "io_uring_register")
}

#[cfg(test)]
#[path = "setup_tests.rs"]
mod tests;
