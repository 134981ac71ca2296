//! Poorer surroundings for the calling process: fewer rights, lower limits, no io_uring. There is
//! no way back, so all of it belongs into [`in_child`](super::in_child).

#![allow(unsafe_code)]

use std::io;
use std::time::Duration;

/// A limit of the process, for [`limit`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Limit {
    /// Open files: `ulimit -n`.
    OpenFiles,
    /// Bytes of locked memory: `ulimit -l` times 1024.
    LockedMemory,
    /// Bytes of a file that is written: `ulimit -f` times 1024.
    FileSize,
    /// Processes and threads of the user: `ulimit -u`.
    Processes,
}

/// Sets a limit of this process, soft and hard; only root may set it higher than the hard one.
///
/// # Panics
///
/// If it may not be set so.
#[track_caller]
pub fn limit(limit: Limit, value: u64) {
    let resource = match limit {
        Limit::OpenFiles => libc::RLIMIT_NOFILE,
        Limit::LockedMemory => libc::RLIMIT_MEMLOCK,
        Limit::FileSize => libc::RLIMIT_FSIZE,
        Limit::Processes => libc::RLIMIT_NPROC,
    };
    let new = libc::rlimit { rlim_cur: value, rlim_max: value };
    // SAFETY: The kernel reads one `rlimit`.
    succeeded("setrlimit", unsafe { libc::setrlimit(resource, &raw const new) });
}

/// Turns this process into one of the user `uid` (and the group of that number), without groups and
/// capabilities.
///
/// # Panics
///
/// If the process is not root's.
#[track_caller]
pub fn drop_privileges(uid: u32) {
    // SAFETY: An empty list is read from nowhere.
    succeeded("setgroups", unsafe { libc::setgroups(0, std::ptr::null()) });
    // SAFETY: These take numbers only. The C library applies them to all threads.
    succeeded("setresgid", unsafe { libc::setresgid(uid, uid, uid) });
    // SAFETY: As above.
    succeeded("setresuid", unsafe { libc::setresuid(uid, uid, uid) });
}

/// Installs a seccomp filter that answers the three system calls of io_uring with `errno`, as
/// sandboxes do: for this thread and those it starts from now on.
///
/// # Panics
///
/// If the kernel takes no filter.
#[track_caller]
pub fn forbid_io_uring(errno: i32) {
    let load = |offset: u32| libc::sock_filter { code: 0x20, jt: 0, jf: 0, k: offset };
    let jump_if_equal = |number: libc::c_long, jt: u8| libc::sock_filter {
        code: 0x15,
        jt,
        jf: 0,
        k: number as u32,
    };
    let answer = |action: u32| libc::sock_filter { code: 0x06, jt: 0, jf: 0, k: action };
    let mut program = [
        // The number of the system call is the first field of `seccomp_data`.
        load(0),
        jump_if_equal(libc::SYS_io_uring_setup, 3),
        jump_if_equal(libc::SYS_io_uring_enter, 2),
        jump_if_equal(libc::SYS_io_uring_register, 1),
        answer(libc::SECCOMP_RET_ALLOW),
        answer(libc::SECCOMP_RET_ERRNO | errno as u32),
    ];
    let filter = libc::sock_fprog { len: program.len() as u16, filter: program.as_mut_ptr() };
    // SAFETY: This takes numbers only.
    succeeded("prctl", unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) });
    let mode = libc::SECCOMP_MODE_FILTER;
    // SAFETY: The kernel copies the program, which lives across the call.
    succeeded("prctl", unsafe { libc::prctl(libc::PR_SET_SECCOMP, mode, &raw const filter, 0, 0) });
}

/// The time that this process has kept processors busy so far, user and system together.
///
/// ```
/// use wakering_ring_driver::testing::cpu_time;
///
/// let start = cpu_time();
/// let sum: u64 = (0..1_000_000).map(std::hint::black_box).sum();
/// assert!(sum > 0 && cpu_time() >= start);
/// ```
pub fn cpu_time() -> Duration {
    let mut spent = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: The kernel writes one `timespec`.
    let result = unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut spent) };
    succeeded("clock_gettime", result);
    Duration::new(spent.tv_sec as u64, spent.tv_nsec as u32)
}

#[track_caller]
fn succeeded(call: &str, result: libc::c_int) {
    assert_eq!(result, 0, "{call}: {}", io::Error::last_os_error());
}
