//! Children whose handle is gone: somebody has to reap them, or they stay as zombies.
//!
//! A task waits for the end of each. The end of the runtime cancels it, and a child that nobody has
//! killed then goes its own way. One that was killed dies within moments: those are waited for.

use std::panic::Location;
use std::rc::Rc;
use std::time::Duration;

use super::child::Process;
use crate::context;
use crate::task::TaskInfo;

/// How long a thread may stand still for a child that was killed. Only one that hangs in the kernel
/// takes longer, and that stays a zombie.
const LAST_WAIT: Duration = Duration::from_secs(5);

struct Orphan {
    process: Rc<Process>,
    killed: bool,
}

/// Sees to the end of a process that nobody holds any more, and brings it about if it is to be
/// killed.
#[track_caller]
pub(super) fn leave(process: &Rc<Process>, kill: bool) {
    if !matches!(process.try_wait(), Ok(None)) {
        return;
    }
    let killed = kill && process.kill().is_ok();
    let orphan = Orphan { process: process.clone(), killed };
    // Without a runtime the drop of the orphan does what can be done.
    if let Some(executor) = context::current() {
        let info = TaskInfo::new(Some("reaper".into()), Location::caller());
        executor.spawn(info, async move {
            let _ = orphan.process.exited().await;
        });
    }
}

impl Drop for Orphan {
    fn drop(&mut self) {
        if self.killed {
            self.process.ends_within(LAST_WAIT);
        }
        let _ = self.process.try_wait();
    }
}
