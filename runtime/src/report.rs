//! What the end of a runtime came to.

use std::fmt;

use crate::debug::TaskNode;

/// Who did not end in time, as [`Runtime::close`](crate::Runtime::close) tells it.
///
/// ```
/// let runtime = wakering_runtime::Runtime::new()?;
/// let report = runtime.close();
/// assert!(report.is_clean());
/// assert_eq!(report.to_string(), "the runtime has ended cleanly");
/// # Ok::<(), wakering_runtime::SetupError>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
#[must_use = "it names the tasks that did not end"]
pub struct ShutdownReport {
    /// Tasks that were not over when the time was, with what they were waiting for. Their futures
    /// have been dropped; their operations went on.
    pub abandoned: Vec<TaskNode>,
    /// Operations that the kernel has not given back. What they were lent is never freed.
    pub leaked_operations: usize,
    /// Cores whose threads have not ended, because a task blocks there or because they have
    /// panicked. Nothing is known of what was running on them.
    pub stuck: Vec<usize>,
}

impl ShutdownReport {
    /// Whether everything has ended in time.
    ///
    /// ```
    /// assert!(wakering_runtime::Runtime::new()?.close().is_clean());
    /// # Ok::<(), wakering_runtime::SetupError>(())
    /// ```
    pub fn is_clean(&self) -> bool {
        self.abandoned.is_empty() && self.leaked_operations == 0 && self.stuck.is_empty()
    }

    /// Adds what came of another core.
    pub(crate) fn add(&mut self, other: ShutdownReport) {
        self.abandoned.extend(other.abandoned);
        self.leaked_operations += other.leaked_operations;
        self.stuck.extend(other.stuck);
    }
}

impl fmt::Display for ShutdownReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_clean() {
            return f.write_str("the runtime has ended cleanly");
        }
        write!(
            f,
            "the runtime has ended with {} operations still in the kernel, whose buffers are \
             leaked, and without {} tasks that were not over; `Builder::grace` gives more time",
            self.leaked_operations,
            self.abandoned.len(),
        )?;
        for core in &self.stuck {
            write!(f, "\nthe thread of core {core} has not ended: something blocks it")?;
        }
        for task in &self.abandoned {
            write!(f, "\n{task}")?;
        }
        Ok(())
    }
}
