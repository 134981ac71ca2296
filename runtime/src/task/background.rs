//! A task that nobody awaits.

use std::fmt::Display;
use std::future::Future;
use std::panic::Location;

use super::TaskInfo;
use crate::context;
use crate::debug::{self, Report};

/// Makes `future` a task that nobody awaits, and whose error is told all the same.
///
/// A handle that is dropped takes the error of its task with it, since an output is only a value.
/// Here it becomes a [`Report::Failed`], a line on standard error if
/// [`Builder::on_report`](crate::Builder::on_report) says nothing else. Panics are told as those of
/// every task without a handle. The task goes on until it ends or the runtime does.
///
/// ```
/// use std::{io, sync::{Arc, Mutex}};
/// use wakering_runtime::{Builder, task};
///
/// let told = Arc::new(Mutex::new(Vec::new()));
/// let log = told.clone();
/// let hook = move |report: &_| log.lock().unwrap().push(format!("{report}"));
/// let runtime = Builder::new().on_report(hook).build()?;
/// runtime.block_on(async {
///     task::background(async { Err(io::Error::other("the disk is full")) });
///     task::background(async { Ok::<_, io::Error>(()) });
///     task::yield_now().await;
/// });
/// let told = told.lock().unwrap();
/// assert_eq!(told.len(), 1);
/// assert!(told[0].ends_with("failed: the disk is full; nobody awaits its outcome"), "{told:?}");
/// # Ok::<(), wakering_runtime::SetupError>(())
/// ```
///
/// # Panics
/// On a thread that is not running a runtime.
#[track_caller]
pub fn background<E: Display>(future: impl Future<Output = Result<(), E>> + 'static) -> TaskInfo {
    let info = TaskInfo::new(None, Location::caller());
    let executor = context::expect("spawn a task");
    let (task, hook) = (info.clone(), executor.on_report().clone());
    drop(executor.spawn(|| info.clone(), async move {
        if let Err(error) = future.await {
            debug::tell(&hook, &Report::Failed { task, error: error.to_string() });
        }
    }));
    info
}
