//! What a driver is made from: its sizes, its backend, and what it has to do without.

use std::time::Duration;

use crate::capabilities::Mask;

/// Which backend carries the operations out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Backend {
    /// What `WAKERING_BACKEND` asks for, else an io_uring or, where this machine gives none, epoll.
    #[default]
    Auto,
    /// An io_uring, or an error that says why there is none.
    Uring,
    /// Epoll, plain system calls and a thread pool, as where io_uring is forbidden.
    Poll,
}

/// What a [`Driver`](crate::Driver) is made from.
///
/// ```
/// use wakering_ring_driver::{Config, Driver};
///
/// let mut config = Config::default();
/// config.entries = 64;
/// let driver = Driver::new(&config)?;
/// assert!(["uring", "poll"].contains(&driver.backend()));
/// # Ok::<(), wakering_ring_driver::SetupError>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// Entries of a ring's submission queue, 1 to 32,768; rounded up to a power of two. Default
    /// 256.
    pub entries: u32,
    /// Entries of a ring's completion queue, at least as many; default 4,096. Multishots and bursts
    /// fan out.
    pub completions: u32,
    /// How many threads the kernel may start for those of a ring's operations on files and names
    /// that would block; default 32. It never starts more than four a core.
    pub file_workers: u32,
    /// The same for whatever else would block, such as a splice between pipes; default 512. What
    /// finds none waits until another one has ended, so this is there to stop a runaway.
    pub other_workers: u32,
    /// How long a wait goes on although something has completed, so that more is taken at once;
    /// zero, as is the default, ends it with the first completion. Without the capability
    /// `min_wait` it is zero always.
    pub min_wait: Duration,
    /// How many completions end such a wait sooner.
    pub min_completions: u32,
    /// How long a turn looks for completions and messages before it sleeps; zero, the default, is
    /// not at all. Without a ring it is zero always: there a look is a system call.
    pub busy_poll: Duration,
    /// Which backend to use.
    pub backend: Backend,
    /// Capabilities to do without; `None` means what `WAKERING_CAPS` says.
    pub mask: Option<Mask>,
}

/// Whether `WAKERING_DEBUG` asks for debug mode: it is set, and neither empty nor `0`.
///
/// ```
/// let set = std::env::var_os("WAKERING_DEBUG").is_some_and(|value| value == "1");
/// assert!(!set || wakering_ring_driver::is_debugging());
/// ```
pub fn is_debugging() -> bool {
    std::env::var_os("WAKERING_DEBUG").is_some_and(|value| !value.is_empty() && value != "0")
}

impl Default for Config {
    fn default() -> Config {
        Config {
            entries: 256,
            completions: 4096,
            file_workers: 32,
            other_workers: 512,
            min_wait: Duration::ZERO,
            min_completions: 1,
            busy_poll: Duration::ZERO,
            backend: Backend::Auto,
            mask: None,
        }
    }
}
