//! What is odd about a program, one sentence each.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::TaskNode;
use crate::report::ShutdownReport;
use crate::task::TaskInfo;
use crate::unheard::unheard;

/// Something that is no error of anybody's but that somebody should know.
///
/// [`Builder::on_report`](crate::Builder::on_report) tells who gets it; otherwise it is a line on
/// standard error. `Failed`, `CleanupCut` and `Unclean` are told always, the others in debug mode
/// only.
///
/// ```
/// use std::sync::mpsc;
/// use std::{thread, time::Duration};
/// use wakering_runtime::{Builder, debug::Report, spawn};
///
/// let (sender, reports) = mpsc::channel();
/// let sender = std::sync::Mutex::new(sender);
/// let runtime = Builder::new()
///     .debug(true)
///     .slow_poll(Duration::from_millis(2))
///     .on_report(move |report| sender.lock().unwrap().send(report.clone()).unwrap())
///     .build()?;
/// runtime.block_on(async {
///     // No other task runs meanwhile.
///     spawn(async { thread::sleep(Duration::from_millis(5)) }).await.unwrap();
/// });
/// let report = reports.try_recv().unwrap();
/// let Report::SlowPoll { task: Some(task), took, .. } = report else { panic!("{report:?}") };
/// assert!(took >= Duration::from_millis(5) && task.location().line() > 0);
/// # Ok::<(), wakering_runtime::SetupError>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Report {
    /// A poll that took longer than [`Builder::slow_poll`](crate::Builder::slow_poll), 100 ms if
    /// nothing else was said. Told once for each task.
    #[non_exhaustive]
    SlowPoll {
        /// Whose; `None` is the future given to `run` or `block_on`.
        task: Option<TaskInfo>,
        /// How long nothing else could run.
        took: Duration,
    },
    /// A task had never been polled when the runtime ended.
    #[non_exhaustive]
    NeverPolled {
        /// Which one.
        task: TaskInfo,
    },
    /// A descriptor was closed, and that ended an operation which somebody awaited.
    #[non_exhaustive]
    ClosedInUse {
        /// Its number.
        descriptor: i32,
        /// The kernel's word for the operation: `"recv"`.
        operation: &'static str,
        /// Who awaited it; `None` is the future given to `run` or `block_on`.
        task: Option<TaskInfo>,
    },
    /// A [background](crate::task::background) task returned an error.
    #[non_exhaustive]
    Failed {
        /// Which one.
        task: TaskInfo,
        /// The text of the error.
        error: String,
    },
    /// The runtime has ended, and these descriptors are still open because something outlives it
    /// that holds them.
    #[non_exhaustive]
    StillOpen {
        /// Their numbers.
        descriptors: Vec<i32>,
    },
    /// A [cleanup](crate::task::with_cleanup) was ended because it took longer than the grace.
    #[non_exhaustive]
    CleanupCut {
        /// The task that carried it out, with what it was waiting for.
        task: TaskNode,
        /// How long it had.
        grace: Duration,
    },
    /// A core runs on whatever processor the system gives it, because it could not be kept on its
    /// own.
    #[non_exhaustive]
    NotPinned {
        /// Which one.
        core: usize,
        /// What sched_setaffinity(2) says.
        error: String,
    },
    /// A runtime that was dropped has not ended cleanly.
    Unclean(ShutdownReport),
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Report::SlowPoll { task, took } => write!(
                f,
                "{} kept everything else waiting for {took:.1?} in one poll; code that blocks or \
                 computes belongs into `blocking::unblock`",
                Whose(task)
            ),
            Report::NeverPolled { task } => write!(
                f,
                "{task} was cancelled by the end of the runtime before it had ever been polled; \
                 await its handle"
            ),
            Report::ClosedInUse { descriptor, operation, task } => write!(
                f,
                "descriptor {descriptor} was closed while {} awaited its `{operation}`",
                Whose(task)
            ),
            Report::Failed { task, error } => {
                write!(f, "{task} failed: {error}; nobody awaits its outcome")
            }
            Report::StillOpen { descriptors } => write!(
                f,
                "the runtime has ended, and of its descriptors these are still open, held by \
                 something that outlives it: {descriptors:?}"
            ),
            Report::CleanupCut { task, grace } => write!(
                f,
                "a cleanup was ended that took longer than {grace:?}; `Builder::grace` gives more \
                 time\n{task}"
            ),
            Report::NotPinned { core, error } => write!(
                f,
                "core {core} is not kept on a processor of its own (sched_setaffinity: {error}); \
                 it runs where the system lets it"
            ),
            Report::Unclean(report) => report.fmt(f),
        }
    }
}

/// A task, or the future beside all tasks.
struct Whose<'report>(&'report Option<TaskInfo>);

impl fmt::Display for Whose<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(task) => task.fmt(f),
            None => f.write_str("the future given to `run` or `block_on`"),
        }
    }
}

/// Who is told.
pub(crate) type OnReport = Arc<dyn Fn(&Report) + Send + Sync>;

/// A line on standard error.
pub(crate) fn default_hook() -> OnReport {
    Arc::new(|report| eprintln!("wakering: {report}"))
}

/// Tells it. A hook that panics is not heard.
pub(crate) fn tell(hook: &OnReport, report: &Report) {
    unheard(|| hook(report));
}
