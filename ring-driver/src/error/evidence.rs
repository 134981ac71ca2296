//! What the machine shows to somebody who asks why there is no ring: limits, sysctls, sandboxes,
//! the kernel's release.
//!
//! Collecting never fails. When descriptors have run out no file can be read; then what is known
//! without files remains. The release only ever goes into texts and diagnoses, never into the
//! choice of what to use.

#![allow(unsafe_code)]

use std::ffi::CStr;
use std::fs;

use crate::backend::uring::enter::errno_of_enter;

const CAP_IPC_LOCK: u32 = 14;
const CAP_SYS_ADMIN: u32 = 21;

/// The state of this process and machine, as far as it bears on io_uring.
#[derive(Clone, Debug)]
pub(crate) struct Evidence {
    /// What `io_uring_enter` gives on no ring: EBADF means that the call itself is allowed.
    pub(crate) enter: i32,
    /// `kernel.io_uring_disabled`; the kernel has no such switch before 6.6.
    pub(crate) disabled: Option<u32>,
    /// `kernel.io_uring_group`: who may, if the switch is at 1.
    pub(crate) group: Option<i64>,
    /// Whether this process is in that group.
    pub(crate) in_group: bool,
    /// `Seccomp:` in `/proc/thread-self/status`: 2 if filters are in force.
    pub(crate) seccomp: Option<u32>,
    /// Whether the kernel is gVisor, which is one only by name.
    pub(crate) gvisor: bool,
    /// `uname -r`.
    pub(crate) release: String,
    /// RLIMIT_MEMLOCK in bytes.
    pub(crate) memlock: u64,
    /// Whether the process is exempt from it (CAP_IPC_LOCK).
    pub(crate) may_lock: bool,
    /// Whether the process is root on this machine (CAP_SYS_ADMIN, outside of user namespaces).
    pub(crate) may_administer: bool,
    /// RLIMIT_NOFILE.
    pub(crate) nofile: u64,
    /// How many rings this process has open.
    pub(crate) rings: usize,
}

impl Evidence {
    /// No limit, as the kernel says it.
    pub(crate) const UNLIMITED: u64 = u64::MAX;

    pub(crate) fn collect() -> Evidence {
        // The thread's own, since filters and capabilities are given to threads.
        let status = read("/proc/thread-self/status");
        let group = sysctl("io_uring_group");
        // A capability in a user namespace is none outside of it, and only those outside count
        // here.
        let namespaced = !is_initial_namespace(&read("/proc/self/uid_map"));
        let capabilities =
            field(&status, "CapEff:").and_then(|hex| u64::from_str_radix(hex, 16).ok());
        let capable =
            |bit: u32| !namespaced && capabilities.is_some_and(|set| set & (1 << bit) != 0);
        // A closure because libraries disagree about the type of `resource`.
        let limit = |resource| {
            let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
            // SAFETY: The kernel writes one `rlimit`. It fails for no resource that is passed here.
            match unsafe { libc::getrlimit(resource, &raw mut limit) } {
                0 => limit.rlim_cur,
                _ => Evidence::UNLIMITED,
            }
        };
        Evidence {
            enter: errno_of_enter(),
            disabled: sysctl("io_uring_disabled").and_then(|value| u32::try_from(value).ok()),
            in_group: group.is_some_and(|group| groups(&status).any(|own| own == group)),
            group,
            seccomp: field(&status, "Seccomp:").and_then(|value| value.parse().ok()),
            gvisor: read("/proc/version").contains("gVisor"),
            release: release(),
            memlock: limit(libc::RLIMIT_MEMLOCK),
            may_lock: capable(CAP_IPC_LOCK),
            may_administer: capable(CAP_SYS_ADMIN),
            nofile: limit(libc::RLIMIT_NOFILE),
            rings: rings(),
        }
    }

    /// Major and minor number of the release, if it begins with two numbers.
    pub(crate) fn version(&self) -> Option<(u32, u32)> {
        let mut numbers = self.release.split(|c: char| !c.is_ascii_digit()).map(str::parse);
        Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
    }

    /// Whether this kernel counts rings as locked memory of the user.
    pub(crate) fn charges_rings(&self) -> bool {
        self.version().is_some_and(|version| !((5, 12)..(6, 14)).contains(&version))
    }
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

fn sysctl(name: &str) -> Option<i64> {
    read(&format!("/proc/sys/kernel/{name}")).trim().parse().ok()
}

fn field<'a>(status: &'a str, name: &str) -> Option<&'a str> {
    Some(status.lines().find_map(|line| line.strip_prefix(name))?.trim())
}

/// The effective group and the supplementary ones.
fn groups(status: &str) -> impl Iterator<Item = i64> {
    let effective = field(status, "Gid:").and_then(|ids| ids.split_whitespace().nth(1));
    let others = field(status, "Groups:").unwrap_or_default().split_whitespace();
    effective.into_iter().chain(others).filter_map(|id| id.parse().ok())
}

fn is_initial_namespace(uid_map: &str) -> bool {
    uid_map.split_whitespace().eq(["0", "0", "4294967295"])
}

fn rings() -> usize {
    let Ok(directory) = fs::read_dir("/proc/self/fd") else { return 0 };
    let targets = directory.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    targets.filter(|target| target.as_os_str() == "anon_inode:[io_uring]").count()
}

fn release() -> String {
    // SAFETY: All zeros is a value of this struct of character arrays.
    let mut name: libc::utsname = unsafe { std::mem::zeroed() };
    // SAFETY: The kernel writes one `utsname`.
    if unsafe { libc::uname(&raw mut name) } != 0 {
        return String::from("unknown");
    }
    // SAFETY: The kernel ends its strings with a zero, and the struct was zeros before.
    unsafe { CStr::from_ptr(name.release.as_ptr()) }.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{SetupCause, SetupError};

    const STATUS: &str = "Name:\tcat\nGid:\t10\t11\t12\t13\nGroups:\t4 27 \nSeccomp:\t2\n";

    #[test]
    fn fields_of_a_status_are_found_by_name() {
        assert_eq!(field(STATUS, "Seccomp:"), Some("2"));
        assert_eq!(field(STATUS, "Sec:"), None);
        assert_eq!(groups(STATUS).collect::<Vec<_>>(), [11, 4, 27]);
        assert_eq!(groups("").count(), 0);
    }

    #[test]
    fn the_first_user_namespace_maps_every_user_to_itself() {
        assert!(is_initial_namespace("         0          0 4294967295\n"));
        assert!(!is_initial_namespace("         0       1000          1\n"));
        assert!(!is_initial_namespace(""));
    }

    #[test]
    fn versions_are_read_from_all_kinds_of_releases() {
        for (release, version) in [
            ("6.18.44-fc-v669", Some((6, 18))),
            ("5.10.0-32-amd64", Some((5, 10))),
            ("7.0-rc1", Some((7, 0))),
            ("6.6+", Some((6, 6))),
            ("unknown", None),
        ] {
            let evidence = Evidence { release: release.to_owned(), ..Evidence::collect() };
            assert_eq!(evidence.version(), version, "{release}");
        }
    }

    #[test]
    fn collecting_agrees_with_the_machine() {
        let evidence = Evidence::collect();
        assert!(evidence.version() >= Some((5, 10)), "{}", evidence.release);
        assert!(evidence.nofile > 3, "{evidence:?}");
        let is_allowed = evidence.enter == libc::EBADF;
        match crate::doctor().error().map(SetupError::cause) {
            None => assert!(is_allowed, "{evidence:?}"),
            Some(SetupCause::Seccomp) => {
                assert!(!is_allowed && evidence.seccomp == Some(2), "{evidence:?}");
            }
            Some(_) => {}
        }
    }
}
