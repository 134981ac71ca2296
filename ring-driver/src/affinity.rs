//! On which processors a thread may run, and how much of one it has used.
//!
//! Affinity is inherited: what a pinned thread starts, threads and processes alike, would share its
//! one processor. So a thread that was pinned here remembers what it was allowed before, and gives
//! that to what this crate starts for it ([`unpinned`](crate::affinity::unpinned)).

#![allow(unsafe_code)]

use std::cell::Cell;
use std::io;
use std::marker::PhantomData;
use std::mem::size_of;
use std::time::Duration;

thread_local! {
    /// What this thread was allowed before it was pinned.
    static BEFORE: Cell<Option<libc::cpu_set_t>> = const { Cell::new(None) };
}

/// The processors that the calling thread may run on, by number.
///
/// ```
/// use wakering_ring_driver::affinity;
///
/// assert!(!affinity::allowed()?.is_empty());
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
/// Where sched_getaffinity(2) is forbidden, or knows of more than 1,024 processors.
pub fn allowed() -> io::Result<Vec<usize>> {
    let set = get()?;
    // SAFETY: each number is below the size of the set.
    Ok((0..libc::CPU_SETSIZE as usize)
        .filter(|&cpu| unsafe { libc::CPU_ISSET(cpu, &set) })
        .collect())
}

/// Keeps the calling thread on processor `cpu` until the guard is dropped.
///
/// ```
/// use wakering_ring_driver::affinity;
///
/// let all = affinity::allowed()?;
/// let pinned = affinity::pin(all[0])?;
/// assert_eq!(affinity::allowed()?, all[..1]);
/// drop(pinned);
/// assert_eq!(affinity::allowed()?, all);
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
/// Where there is no such processor, the thread must not run on it, or sched_setaffinity(2) is
/// forbidden.
pub fn pin(cpu: usize) -> io::Result<Pinned> {
    let before = get()?;
    if cpu >= libc::CPU_SETSIZE as usize {
        return Err(io::Error::from_raw_os_error(libc::EINVAL));
    }
    // SAFETY: a set is plain bits, and the number is below its size.
    let only = unsafe {
        let mut only: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(cpu, &mut only);
        only
    };
    set(&only)?;
    let outer = BEFORE.replace(Some(before));
    Ok(Pinned { before, outer, _on_this_thread: PhantomData })
}

/// Runs `start`, in which a thread or a process is started, with what the calling thread was
/// allowed before it was pinned.
///
/// ```
/// use wakering_ring_driver::affinity;
///
/// let all = affinity::allowed()?;
/// let _pinned = affinity::pin(all[0])?;
/// let thread = affinity::unpinned(|| std::thread::spawn(affinity::allowed));
/// assert_eq!(thread.join().unwrap()?, all);
/// assert_eq!(affinity::allowed()?, all[..1]);
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn unpinned<R>(start: impl FnOnce() -> R) -> R {
    let Some(before) = BEFORE.try_with(Cell::get).ok().flatten() else { return start() };
    let Ok(pinned) = get() else { return start() };
    // What is refused leaves the thread where it is, which is slow and not wrong.
    let _ = set(&before);
    let _again = Again(pinned);
    start()
}

/// Keeps a thread on its processor; made by [`pin`].
#[must_use = "the thread is pinned only as long as this lives"]
pub struct Pinned {
    before: libc::cpu_set_t,
    outer: Option<libc::cpu_set_t>,
    _on_this_thread: PhantomData<*const ()>,
}

impl Drop for Pinned {
    fn drop(&mut self) {
        // It was allowed when it was taken away. What a container forbids meanwhile it forbids.
        let _ = set(&self.before);
        let _ = BEFORE.try_with(|before| before.set(self.outer));
    }
}

impl std::fmt::Debug for Pinned {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pinned").finish_non_exhaustive()
    }
}

/// Puts a set back, also when a panic passes.
struct Again(libc::cpu_set_t);

impl Drop for Again {
    fn drop(&mut self) {
        let _ = set(&self.0);
    }
}

fn get() -> io::Result<libc::cpu_set_t> {
    // SAFETY: a set is plain bits.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: the kernel writes at most the size of the set, which lives here.
    let result = unsafe { libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &mut set) };
    if result == 0 { Ok(set) } else { Err(io::Error::last_os_error()) }
}

fn set(set: &libc::cpu_set_t) -> io::Result<()> {
    // SAFETY: the kernel reads the set, which lives across the call.
    let result = unsafe { libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), set) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Tells any thread how much processor time another one has used.
///
/// ```
/// use wakering_ring_driver::affinity::ThreadClock;
///
/// let clock = ThreadClock::here();
/// let before = clock.used();
/// while clock.used() == before {}
/// ```
#[derive(Clone, Copy, Debug)]
pub struct ThreadClock(Option<libc::clockid_t>);

impl ThreadClock {
    /// That of the calling thread.
    pub fn here() -> ThreadClock {
        let mut clock = 0;
        // SAFETY: the calling thread lives, and the number is written to a place that does.
        let result = unsafe { libc::pthread_getcpuclockid(libc::pthread_self(), &mut clock) };
        ThreadClock((result == 0).then_some(clock))
    }

    /// The time that the thread has used so far; zero once it has ended.
    pub fn used(&self) -> Duration {
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        let Some(clock) = self.0 else { return Duration::ZERO };
        // SAFETY: the time is written to a place that lives. A clock whose thread has ended is
        // refused, and at worst that of a thread which has got its number since.
        match unsafe { libc::clock_gettime(clock, &mut time) } {
            0 => Duration::new(time.tv_sec as u64, time.tv_nsec as u32),
            _ => Duration::ZERO,
        }
    }
}
