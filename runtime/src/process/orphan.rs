//! Children whose handle is gone: somebody has to reap them, or they stay as zombies.
//!
//! One that was killed dies within moments, and whoever dropped it answers for that: a scope, a
//! timeout or a task is over when its children are. One that was let go is waited for by a task
//! that ends with the runtime, and the child goes its own way.

use std::panic::Location;
use std::rc::Rc;
use std::time::Duration;

use super::child::Process;
use crate::context;
use crate::task::{TaskInfo, go_on};
use crate::time::timeout;

/// How long a thread without a runtime stands still for a child that was killed. Only one that
/// hangs in the kernel takes longer, and that stays a zombie.
const LAST_WAIT: Duration = Duration::from_secs(5);

/// Sees to the end of a process that nobody holds any more, and brings it about if it is to be
/// killed.
#[track_caller]
pub(super) fn leave(process: &Rc<Process>, kill: bool) {
    if !matches!(process.try_wait(), Ok(None)) {
        return;
    }
    let killed = kill && process.kill().is_ok();
    let location = Location::caller();
    let process = process.clone();
    match context::current().filter(|executor| !executor.has_given_up()) {
        Some(executor) if killed => {
            let grace = executor.grace();
            let soon = async move {
                if timeout(grace, process.exited()).await.is_err() {
                    // It hangs in the kernel, and nobody can do more.
                    reap(process, location);
                }
            };
            go_on(None, soon, None, location);
        }
        Some(_) => reap(process, location),
        None if killed => {
            process.ends_within(LAST_WAIT);
            let _ = process.try_wait();
        }
        None => {}
    }
}

/// Reaps the process when it has ended, if the runtime lives that long.
fn reap(process: Rc<Process>, location: &'static Location<'static>) {
    let Some(executor) = context::current() else { return };
    let info = TaskInfo::new(Some(format!("reaper of {}", process.id()).into()), location);
    drop(executor.spawn(|| info, async move { process.exited().await }));
}
