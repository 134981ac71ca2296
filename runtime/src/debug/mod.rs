//! Looking in: what tasks wait for, and what is odd about them.
//!
//! [`Handle::dump`](crate::Handle::dump) shows all that runs as a
//! [tree](crate::debug::TaskTree), at any time. Debug mode, by `WAKERING_DEBUG=1` or
//! [`Builder::debug`](crate::Builder::debug), looks while it runs and makes a
//! [report](crate::debug::Report) of what is no error but hardly meant: a task that keeps all
//! others waiting, a descriptor that is closed under somebody who reads from it. Nobody's future is
//! polled for any of this.

/// What is told.
mod report;
/// All that runs.
mod tree;
/// Who notices it.
mod watch;

pub use report::Report;
pub use tree::{Awaited, NodeKind, TaskNode, TaskTree};

pub(crate) use report::{OnReport, default_hook, tell};
pub(crate) use tree::{running, tree};
pub(crate) use watch::{Watch, report_closed_in_use, report_still_open};
