//! Child processes: std's builder, pipes as streams, and an end that can be awaited.
//!
//! The end of a child is a descriptor that becomes readable, so nothing here has to do with the
//! signal SIGCHLD, no thread waits, and other children of the process are nobody's business.
//! Processes are made, and their status is read, by std.
//!
//! ```
//! use wakering_runtime::process::{Command, Stdio};
//!
//! wakering_runtime::run(async {
//!     let output = Command::new("echo").arg("hello").output().await?;
//!     assert_eq!(output.stdout, b"hello\n");
//!
//!     let mut sort = Command::new("sort");
//!     let mut sort = sort.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
//!     assert_eq!(sort.communicate("b\na\n").await?.stdout, b"a\nb\n");
//!     Ok::<_, std::io::Error>(())
//! })
//! # .unwrap();
//! ```
//!
//! # Dropping
//!
//! A [`Child`](crate::process::Child) that is dropped runs on unless it was spawned with
//! [`kill_on_drop`](crate::process::Command::kill_on_drop). One that is killed is also waited for,
//! by whoever answers for the drop: a scope, a timeout, a task and `run` itself are over when their
//! children are. One that runs on is reaped when it has ended, as long as the runtime lives.
//!
//! # Kernel
//!
//! pidfd_open(2), 5.3.

/// What is to be run, and how.
mod command;
/// What runs.
mod child;
/// What runs on after its handle was dropped.
mod orphan;

pub use std::process::{ExitStatus, Output, Stdio};

pub use child::{Child, ChildStderr, ChildStdin, ChildStdout};
pub use command::Command;
