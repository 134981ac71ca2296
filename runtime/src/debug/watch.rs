//! What debug mode does beside the loop: it times polls, and remembers whom it has told of.

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use wakering_ring_driver::AccountId;

use super::{OnReport, Report, tell};
use crate::executor::Executor;
use crate::node::Kind;
use crate::sparse::Sparse;
use crate::task::{Header, TaskInfo};

/// The memory of debug mode.
pub(crate) struct Watch {
    /// A poll that takes longer is told.
    slow: Duration,
    longest: Cell<Duration>,
    /// Tasks that have been polled, by account, and whether one was told of as slow.
    polled: RefCell<Sparse<bool>>,
    main_was_slow: Cell<bool>,
}

/// A poll that goes on.
pub(crate) struct Begun {
    at: Instant,
    is_poll: bool,
}

impl Watch {
    pub(crate) fn new(slow: Duration) -> Watch {
        Watch {
            slow,
            longest: Cell::default(),
            polled: RefCell::default(),
            main_was_slow: Cell::new(false),
        }
    }

    /// How long the longest poll has taken so far.
    pub(crate) fn longest(&self) -> Duration {
        self.longest.get()
    }

    /// A poll begins: of a task, or of the future that the loop runs for.
    pub(crate) fn begin(&self, task: Option<&Header>) -> Begun {
        // Its turn may be for nothing but to be dropped.
        let is_poll = !task.is_some_and(Header::is_cancelled);
        Begun { at: Instant::now(), is_poll }
    }

    /// The poll of the task of this account is over.
    pub(crate) fn end_task(
        &self,
        begun: Begun,
        account: AccountId,
        header: &Header,
        hook: &OnReport,
    ) {
        let (took, is_slow) = self.measure(&begun);
        let mut polled = self.polled.borrow_mut();
        let was_slow = polled.get(account.index()).copied();
        if begun.is_poll || was_slow.is_some() {
            polled.put(account.index(), was_slow == Some(true) || is_slow);
        }
        drop(polled);
        if is_slow && was_slow != Some(true) {
            tell(hook, &Report::SlowPoll { task: Some(header.info.clone()), took });
        }
    }

    /// The poll of the future that the loop runs for is over.
    pub(crate) fn end_main(&self, begun: Begun, hook: &OnReport) {
        let (took, is_slow) = self.measure(&begun);
        if is_slow && !self.main_was_slow.replace(true) {
            tell(hook, &Report::SlowPoll { task: None, took });
        }
    }

    fn measure(&self, begun: &Begun) -> (Duration, bool) {
        let took = begun.at.elapsed();
        self.longest.set(self.longest.get().max(took));
        (took, took >= self.slow)
    }

    /// The task of this account is over.
    pub(crate) fn forget(
        &self,
        account: AccountId,
        header: &Header,
        is_ending: bool,
        hook: &OnReport,
    ) {
        let was_polled = self.polled.borrow_mut().take(account.index()).is_some();
        if is_ending && !was_polled {
            tell(hook, &Report::NeverPolled { task: header.info.clone() });
        }
    }
}

/// Tells of descriptors that were closed under somebody. Right after a turn: nobody who was
/// awaiting has been polled since.
pub(crate) fn report_closed_in_use(executor: &Executor) {
    for flight in executor.driver().take_closed_in_use() {
        let Some(descriptor) = flight.descriptor else { continue };
        let (operation, task) = (flight.operation, task_of(executor, flight.account));
        let report = Report::ClosedInUse { descriptor, operation, task };
        tell(executor.on_report(), &report);
    }
}

/// Tells of descriptors that outlive the runtime.
pub(crate) fn report_still_open(executor: &Executor) {
    let mut descriptors = executor.driver().open_numbers();
    descriptors.sort_unstable();
    if !descriptors.is_empty() {
        tell(executor.on_report(), &Report::StillOpen { descriptors });
    }
}

/// The task that `account` is, or is part of.
fn task_of(executor: &Executor, mut account: AccountId) -> Option<TaskInfo> {
    while account != AccountId::ROOT {
        if executor.nodes().get(account) == Some(Kind::Task) {
            return executor.info(account);
        }
        account = executor.driver().parent_of(account);
    }
    None
}
