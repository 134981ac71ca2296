//! Several cores: a ring, an executor and a thread for each, and what crosses between them.
//!
//! Tasks stay where they are made. What goes from one core to another is `Send`: a closure that
//! makes a future over there ([`spawn_on`](crate::spawn_on)), a value in a channel, a wake, a
//! request to end. All of it travels as messages to the inbox of a core's driver, so that a core
//! looks at nothing of another one's.

use std::future::Future;
use std::panic::Location;
use std::thread;

use wakering_ring_driver::{SetupError, affinity};

use crate::debug::{self, OnReport, Report};
use crate::handle::Handle;
use crate::task::{JoinHandle, TaskInfo};

/// A task of another core as a part of whoever awaits it.
mod errand;
/// The threads of all cores but the first.
mod others;
/// The cores of one runtime, as they know each other.
mod team;

pub(crate) use errand::Errand;
pub(crate) use others::Others;
pub(crate) use team::{Member, Seat, Team};

/// How many cores a runtime has; see [`Builder::cores`](crate::Builder::cores).
///
/// ```
/// use wakering_runtime::{Builder, Cores, Handle};
///
/// let count = Builder::new().cores(Cores::All).run(async { Handle::current().cores() });
/// assert_eq!(count.unwrap(), std::thread::available_parallelism()?.get());
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cores {
    /// So many.
    Count(usize),
    /// As many as this process may use, by its affinity mask and its control group's quota.
    All,
}

impl From<usize> for Cores {
    fn from(count: usize) -> Cores {
        Cores::Count(count)
    }
}

/// On which processor each core runs. One core alone runs where the system lets it, and so do those
/// that cannot be told apart.
pub(crate) type Places = Vec<Option<usize>>;

impl Cores {
    /// Where the cores are to run.
    pub(crate) fn places(self) -> Result<Places, SetupError> {
        if self == Cores::Count(1) {
            return Ok(vec![None]);
        }
        let available = affinity::unpinned(thread::available_parallelism).map_or(1, usize::from);
        let count = match self {
            Cores::All => available,
            Cores::Count(count) if (1..=available).contains(&count) => count,
            Cores::Count(count) => return Err(SetupError::cores(count, available)),
        };
        if count == 1 {
            return Ok(vec![None]);
        }
        let processors = affinity::unpinned(affinity::allowed).unwrap_or_default();
        Ok((0..count).map(|core| processors.get(core).copied()).collect())
    }
}

/// Keeps the calling thread on the processor of its core, if it has one. If that is refused, the
/// core runs where the system lets it.
pub(crate) fn pin(
    core: usize,
    place: Option<usize>,
    on_report: Option<&OnReport>,
) -> Option<affinity::Pinned> {
    match affinity::pin(place?) {
        Ok(pinned) => Some(pinned),
        Err(error) => {
            if let Some(on_report) = on_report {
                debug::tell(on_report, &Report::NotPinned { core, error: error.to_string() });
            }
            None
        }
    }
}

/// Has core `core` of this runtime make a future and run it as a task of its own.
///
/// What `make` captures travels, and so does the output; the future is made over there, and need
/// not be `Send`. The handle is like that of [`spawn`](crate::spawn): it resolves when the task is
/// over, its operations drained; it cancels the task, brings its panic, and dropping it detaches
/// the task.
///
/// ```
/// use std::{rc::Rc, thread};
/// use wakering_runtime::{Builder, Handle, spawn_on, task::yield_now};
///
/// let output = Builder::new().cores(1).run(async {
///     let last = Handle::current().cores() - 1;
///     let task = spawn_on(last, || async {
///         let local = Rc::new(21);
///         yield_now().await;
///         2 * *local
///     });
///     task.await.unwrap()
/// });
/// assert_eq!(output, Ok(42));
/// ```
///
/// # Panics
/// On a thread that is not running a runtime, and if its runtime has no such core.
#[track_caller]
pub fn spawn_on<F>(core: usize, make: impl FnOnce() -> F + Send + 'static) -> JoinHandle<F::Output>
where
    F: Future<Output: Send> + 'static,
{
    expect(core).spawn_as(TaskInfo::new(None, Location::caller()), make)
}

/// Core `core` of this thread's runtime.
#[track_caller]
pub(crate) fn expect(core: usize) -> Handle {
    let handle = Handle::current();
    handle.of_core(core).unwrap_or_else(|| {
        panic!(
            "there is no core {core} in a runtime of {}; `Builder::cores` says how many there are",
            handle.cores()
        )
    })
}
