//! A runtime in numbers.

use std::collections::BTreeMap;
use std::time::Duration;

use wakering_ring_driver::Counters;
use wakering_ring_driver::pool::{Class, CrewCounters, Pool};

use crate::debug::Watch;
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
    /// How long the longest of them has taken, or the longest turn of the future given to
    /// `block_on`. Known in debug mode only: to read the clock costs as much as a short poll.
    pub longest_poll: Option<Duration>,
    /// Times that a task joined the queue because of a wake on this thread.
    pub wakes_local: u64,
    /// Times that one did because of a wake from another thread, or while the runtime did not run.
    pub wakes_remote: u64,
    /// Operations in flight, by the kernel's word for them. Counted when it is asked for.
    pub operations: BTreeMap<&'static str, usize>,
    /// Threads of the process's pool that carry out system calls, and how busy they are.
    pub kernel_pool: CrewCounters,
    /// Threads of the process's pool that run closures, and how busy they are.
    pub user_pool: CrewCounters,
    /// What the driver counts: enters, submissions, completions, cancellations.
    pub driver: Counters,
}

impl Metrics {
    pub(crate) fn of(executor: &Executor) -> Metrics {
        let tally = executor.tally();
        let mut operations = BTreeMap::new();
        for flight in executor.driver().flights() {
            *operations.entry(flight.operation).or_default() += 1;
        }
        let pool = Pool::shared();
        Metrics {
            tasks: executor.len(),
            queued: executor.queued_accounts().len(),
            timers: executor.timers().len(),
            spawned: tally.spawned.get(),
            polls: tally.polls.get(),
            longest_poll: executor.watch().map(Watch::longest),
            wakes_local: tally.wakes_local.get(),
            wakes_remote: tally.wakes_remote.get(),
            operations,
            kernel_pool: pool.counters(Class::Kernel),
            user_pool: pool.counters(Class::User),
            driver: executor.driver().counters(),
        }
    }
}
