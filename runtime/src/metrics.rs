//! A runtime in numbers.

use wakering_ring_driver::Counters;

use crate::executor::Executor;

/// What a runtime has and has done, as [`Runtime::metrics`](crate::Runtime::metrics) tells it.
///
/// ```
/// use wakering_runtime::{Runtime, task::yield_now};
///
/// let runtime = Runtime::new()?;
/// let task = runtime.spawn(yield_now());
/// assert_eq!((runtime.metrics().tasks, runtime.metrics().queued), (1, 1));
/// runtime.block_on(task).unwrap();
/// assert_eq!((runtime.metrics().tasks, runtime.metrics().polls), (0, 2));
/// # Ok::<(), wakering_runtime::SetupError>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Metrics {
    /// Tasks that are not over.
    pub tasks: usize,
    /// Tasks whose turn has come but which have not been polled.
    pub queued: usize,
    /// Timers that run.
    pub timers: usize,
    /// Tasks spawned so far.
    pub spawned: u64,
    /// Turns that tasks have had so far.
    pub polls: u64,
    /// What the driver counts.
    pub driver: Counters,
}

impl Metrics {
    pub(crate) fn of(executor: &Executor) -> Metrics {
        let tally = executor.tally();
        Metrics {
            tasks: executor.len(),
            queued: executor.queued(),
            timers: executor.timers().len(),
            spawned: tally.spawned,
            polls: tally.polls,
            driver: executor.driver().counters(),
        }
    }
}
