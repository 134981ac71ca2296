//! The picture of this machine for people: which backend there is, whether a ring can be had, why
//! not, what it can do, and the limits around it.
//!
//! It is what a bug report should open with. Everything in it comes from the same code that sets a
//! driver up, so it cannot tell another story than the driver does.

use std::fmt;

use crate::backend;
use crate::backend::uring::setup::{Ring, Size};
use crate::capabilities::{self, Capabilities, Mask};
use crate::config::Config;
use crate::error::{Evidence, SetupError};

/// Looks at this machine as a driver of this thread would, with what `WAKERING_BACKEND` and
/// `WAKERING_CAPS` say.
///
/// ```
/// let doctor = wakering_ring_driver::doctor();
/// println!("{doctor}");
/// assert!(doctor.to_string().contains("kernel"));
/// assert_eq!(doctor.capabilities().is_some(), doctor.error().is_none());
/// assert!(doctor.backend().is_some(), "there is always epoll");
/// ```
pub fn doctor() -> Doctor {
    let config = Config::default();
    let size = Size::new(config.entries, config.completions);
    let ring = Mask::from_env().and_then(|mask| Ring::open(size, mask));
    let cause = ring.as_ref().err().map(SetupError::cause);
    // What is misspelt is refused also where it would not matter.
    let asked = Mask::from_env().and_then(|_mask| backend::asked(&config));
    Doctor {
        backend: asked.map(|asked| backend::decide(asked, cause)),
        ring: ring.map(|ring| Found {
            size: ring.size(),
            smaller: ring.size() != size,
            flags: ring.flags.names().collect(),
            capabilities: ring.capabilities,
        }),
        settings: [backend::VARIABLE, capabilities::VARIABLE]
            .into_iter()
            .filter_map(|name| Some((name, std::env::var_os(name)?.to_string_lossy().into_owned())))
            .collect(),
        evidence: Evidence::collect(),
    }
}

/// What [`doctor`] found; displays as a table.
#[derive(Debug)]
pub struct Doctor {
    /// The backend's name; `None` if there is none.
    backend: Result<Option<&'static str>, SetupError>,
    ring: Result<Found, SetupError>,
    settings: Vec<(&'static str, String)>,
    evidence: Evidence,
}

#[derive(Debug)]
struct Found {
    size: Size,
    /// Whether it is smaller than asked for, for want of memory.
    smaller: bool,
    flags: Vec<&'static str>,
    capabilities: Capabilities,
}

impl Doctor {
    /// The name of the backend that a driver gets here, as
    /// [`Driver::backend`](crate::Driver::backend) has it; `None` if a driver is refused.
    pub fn backend(&self) -> Option<&'static str> {
        self.backend.as_ref().ok().copied().flatten()
    }

    /// What a ring can do here; `None` if there is none.
    pub fn capabilities(&self) -> Option<Capabilities> {
        self.ring.as_ref().ok().map(|found| found.capabilities)
    }

    /// Why there is no ring; `None` if there is one.
    pub fn error(&self) -> Option<&SetupError> {
        self.ring.as_ref().err()
    }
}

impl fmt::Display for Doctor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut row = |name: &str, text: &str| writeln!(f, "{name:<14}{text}");
        row("kernel", &self.evidence.release)?;
        for (name, value) in &self.settings {
            row("setting", &format!("{name}={value}"))?;
        }
        match &self.backend {
            Ok(Some(name)) => row("backend", name)?,
            Ok(None) => row("backend", "none: drivers are refused for the reason below")?,
            Err(error) => row("backend", &format!("none: {error}"))?,
        }
        match &self.ring {
            Ok(Found { size, smaller, flags, capabilities }) => {
                row("io_uring", &format!("yes, {}", capabilities.tier()))?;
                let locked = size.locked_bytes() / 1024;
                let why = if *smaller { ", smaller than usual for want of memory" } else { "" };
                row("ring", &format!("{size}, {locked} KiB{why}"))?;
                row("setup flags", &list(flags))?;
                let (has, lacks): (Vec<_>, Vec<_>) =
                    capabilities.entries().partition(|entry| entry.1);
                row("capabilities", &list(&names(has)))?;
                row("lacking", &list(&names(lacks)))?;
                let (has, lacks) = capabilities.operations();
                row("operations", &list(&has))?;
                row("lacking", &list(&lacks))?;
            }
            Err(error) => {
                row("io_uring", "no")?;
                row("cause", &format!("{:?}", error.cause()))?;
                row("error", &error.to_string())?;
                row("remedy", error.remedy())?;
            }
        }
        let evidence = &self.evidence;
        row("memlock", &memlock(evidence))?;
        row("open files", &evidence.nofile.to_string())?;
        row(
            "seccomp",
            match evidence.seccomp {
                Some(0) => "no filter",
                Some(1) => "strict",
                Some(2) => "a filter is in force",
                _ => "unknown",
            },
        )?;
        row(
            "sysctl",
            &match (evidence.disabled, evidence.group) {
                (None, _) => "this kernel has no kernel.io_uring_disabled".to_owned(),
                (Some(1), Some(group)) => {
                    format!("kernel.io_uring_disabled = 1, kernel.io_uring_group = {group}")
                }
                (Some(value), _) => format!("kernel.io_uring_disabled = {value}"),
            },
        )
    }
}

fn memlock(evidence: &Evidence) -> String {
    let limit = match evidence.memlock {
        Evidence::UNLIMITED => "unlimited".to_owned(),
        bytes => format!("{} KiB", bytes / 1024),
    };
    let meaning = match (evidence.charges_rings(), evidence.may_lock) {
        (false, _) => "this kernel does not count rings",
        (true, true) => "this process is exempt",
        // 5.10.162 does not, but its release does not tell.
        (true, false) if evidence.version() < Some((5, 12)) => "this kernel may count rings",
        (true, false) => "for all rings of the user",
    };
    format!("{limit}; {meaning}")
}

fn names(entries: Vec<(&'static str, bool)>) -> Vec<&'static str> {
    entries.into_iter().map(|(name, _)| name).collect()
}

fn list(words: &[&str]) -> String {
    if words.is_empty() { "none".to_owned() } else { words.join(" ") }
}
