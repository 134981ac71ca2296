//! The tasks of one runtime: all that live, and those whose turn it is.
//!
//! The executor owns every task until it is over, so that futures are dropped here and nowhere
//! else. Whose turn it is stands in one queue, first come, first served. What happens between two
//! polls is the business of [`event_loop`](crate::event_loop).

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::VecDeque;
use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use slab::Slab;
use wakering_ring_driver::{AccountId, Debt, Driver, Instant, Orphans, Recall};

use crate::context::{self, Origin};
use crate::cores::{Member, Seat, Team};
use crate::debug::{OnReport, Watch};
use crate::home::{Home, HomeKey, OnUnhandled};
use crate::node::{Kind, Nodes};
use crate::roster::Roster;
use crate::sparse::Sparse;
use crate::task::{self, Bond, Cancel, JoinHandle, Progress, TaskInfo, TaskRef, Wake};
use crate::time::{Sleeper, Timers};
use ending::Ending;

/// Its end.
mod ending;
/// What those who have ended leave.
mod below;

pub(crate) struct Executor {
    key: HomeKey,
    /// Which core this is, once all are there.
    member: OnceCell<Member>,
    driver: Driver,
    timers: Rc<Timers>,
    nodes: Rc<Nodes>,
    /// Tasks that were woken, in the order of their wakes.
    queue: RefCell<VecDeque<TaskRef>>,
    /// Memory for those that are woken from afar.
    called: Cell<Vec<TaskRef>>,
    /// All tasks that are not over.
    tasks: RefCell<Roster>,
    /// Who answers for those for whom the runtime does not, by account.
    bonds: RefCell<Sparse<Bond>>,
    /// The account of the task that is being polled; that of the runtime itself if there is none.
    running: Cell<AccountId>,
    /// What goes on elsewhere, until its bill is paid.
    debts: RefCell<Slab<Debt>>,
    ending: Cell<Ending>,
    /// How long what is shielded may take once it was cancelled.
    grace: Duration,
    /// Told when the last task is over.
    emptied: Cell<Option<Waker>>,
    tally: Tally,
    /// Who is told of what is odd.
    on_report: OnReport,
    /// In debug mode only.
    watch: Option<Watch>,
}

/// Counts that only the executor can keep.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) spawned: Count,
    pub(crate) polls: Count,
    pub(crate) wakes_local: Count,
    pub(crate) wakes_remote: Count,
}

/// A number that grows.
#[derive(Default)]
pub(crate) struct Count(Cell<u64>);

impl Count {
    fn add(&self, more: u64) {
        self.0.set(self.0.get() + more);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.get()
    }
}

impl Executor {
    pub(crate) fn new(
        driver: Driver,
        grace: Duration,
        on_unhandled: OnUnhandled,
        on_report: OnReport,
        watch: Option<Watch>,
    ) -> Executor {
        if watch.is_some() {
            driver.watch_closing();
        }
        Executor {
            key: HomeKey::new(driver.remote().clone(), on_unhandled),
            member: OnceCell::new(),
            timers: Rc::new(Timers::new(driver.now())),
            driver,
            nodes: Rc::default(),
            queue: RefCell::default(),
            called: Cell::default(),
            tasks: RefCell::default(),
            bonds: RefCell::default(),
            running: Cell::new(AccountId::ROOT),
            debts: RefCell::default(),
            ending: Cell::new(Ending::Not),
            grace,
            emptied: Cell::new(None),
            tally: Tally::default(),
            on_report,
            watch,
        }
    }

    pub(crate) fn driver(&self) -> &Driver {
        &self.driver
    }

    pub(crate) fn timers(&self) -> &Rc<Timers> {
        &self.timers
    }

    /// Whether anything goes on elsewhere.
    #[cfg(feature = "testing")]
    pub(crate) fn has_debts(&self) -> bool {
        !self.debts.borrow().is_empty()
    }

    pub(crate) fn debts(&self) -> &RefCell<Slab<Debt>> {
        &self.debts
    }

    pub(crate) fn nodes(&self) -> &Rc<Nodes> {
        &self.nodes
    }

    pub(crate) fn grace(&self) -> Duration {
        self.grace
    }

    pub(crate) fn home(&self) -> &Arc<Home> {
        self.key.home()
    }

    /// Says which core of which runtime this is.
    pub(crate) fn join(&self, member: Member) {
        let joined = self.member.set(member);
        debug_assert!(joined.is_ok(), "a core belongs to one runtime");
    }

    /// Which core of which runtime this is: the only one, if nothing else was said.
    pub(crate) fn member(&self) -> &Member {
        self.member.get_or_init(|| {
            let seats = vec![Seat::here(self.home())];
            Member { team: Arc::new(Team { seats }), core: 0 }
        })
    }

    pub(crate) fn key(&self) -> &HomeKey {
        &self.key
    }

    pub(crate) fn is_home_of(&self, task: &TaskRef) -> bool {
        self.key.fits(task.header().home())
    }

    pub(crate) fn tally(&self) -> &Tally {
        &self.tally
    }

    /// How many tasks are not over.
    pub(crate) fn len(&self) -> usize {
        self.tasks.borrow().len()
    }

    /// How many wait for their turn.
    #[inline]
    pub(crate) fn queued(&self) -> usize {
        self.queue.borrow().len()
    }

    /// Whoever is next in the queue.
    #[inline]
    pub(crate) fn pop(&self) -> Option<TaskRef> {
        self.queue.borrow_mut().pop_front()
    }

    /// Somebody to be woken like a task, for the future on which the runtime blocks; first in the
    /// queue.
    pub(crate) fn settle_down(&self) -> TaskRef {
        let resident = task::cell::new_resident(&self.key, TaskInfo::resident());
        resident.header().wake();
        self.queue.borrow_mut().push_front(resident.clone());
        resident
    }

    /// Nobody waits for his turn: what a crowd has left of the queue is given back.
    pub(crate) fn give_back(&self) {
        /// How many may be woken at once again and again.
        const KEPT: usize = 16 * 1024;
        let mut queue = self.queue.borrow_mut();
        if queue.capacity() > KEPT && queue.is_empty() {
            queue.shrink_to(KEPT);
        }
    }

    /// Puts a task at the end of the queue. For whoever found it not queued.
    #[inline(always)]
    pub(crate) fn push(&self, task: TaskRef) {
        self.queue.borrow_mut().push_back(task);
    }

    /// Puts a task at the end of the queue because somebody has woken it.
    #[inline]
    pub(crate) fn push_woken(&self, task: TaskRef, from: Origin) {
        if task.header().account().is_some() {
            match from {
                Origin::Here => self.tally.wakes_local.add(1),
                Origin::Afar => self.tally.wakes_remote.add(1),
            }
        }
        self.push(task);
    }

    /// Takes in the tasks that were woken from afar.
    pub(crate) fn push_called(&self) {
        let mut called = self.home().take_called(self.called.take());
        for task in called.drain(..) {
            if task.header().arrive() == Wake::Push {
                self.push_woken(task, Origin::Afar);
            }
        }
        self.called.set(called);
    }

    /// Makes a future of this thread a task. Who it is, is written down where it stays.
    #[inline]
    pub(crate) fn spawn<F: Future + 'static>(
        &self,
        info: impl FnOnce() -> TaskInfo,
        future: F,
    ) -> JoinHandle<F::Output> {
        let (task, joiner) = task::cell::new(&self.key, info, future);
        self.take_in(task);
        JoinHandle::new(joiner)
    }

    /// Makes a future of this thread a task for which somebody else than the runtime answers; its
    /// handle and its account.
    pub(crate) fn spawn_bound<F: Future + 'static>(
        &self,
        info: TaskInfo,
        bond: Bond,
        future: F,
    ) -> (JoinHandle<F::Output>, AccountId) {
        let (task, joiner) = task::cell::new(&self.key, || info, future);
        let account = self.take_in_bound(task, bond);
        (JoinHandle::new(joiner), account)
    }

    /// Makes a future of this thread a task and lets it have its first turn at once, inside that of
    /// whoever is running.
    pub(crate) fn spawn_eager<F: Future + 'static>(
        &self,
        info: impl FnOnce() -> TaskInfo,
        future: F,
    ) -> JoinHandle<F::Output> {
        let handle = self.spawn(info, future);
        // The last one to come is the first to go.
        let task = self.queue.borrow_mut().pop_back();
        if let Some(task) = task {
            self.run(task);
        }
        handle
    }

    /// Takes in a task that was made on another thread, unless the runtime is ending: then the
    /// parcel in which it came tells its handle.
    pub(crate) fn adopt(&self, task: &TaskRef) {
        if self.ending.get() == Ending::Not && task.header().claim_parcel() {
            self.take_in([task.clone(), task.clone()]);
        }
    }

    /// Takes in a child of the runtime, whoever spawns it: one reference is kept, the other queued.
    #[inline]
    fn take_in(&self, [kept, queued]: [TaskRef; 2]) {
        let account = self.tasks.borrow_mut().insert_idle(kept);
        let account = account.unwrap_or_else(|kept| self.insert_first(kept));
        queued.header().set_account(account);
        if self.ending.get() != Ending::Not {
            queued.header().cancel();
        }
        self.push(queued);
        self.tally.spawned.add(1);
    }

    /// The same with somebody else's child.
    fn take_in_bound(&self, [kept, queued]: [TaskRef; 2], bond: Bond) -> AccountId {
        let parent = bond.debt.account();
        let is_cancelled = match self.ending.get() {
            Ending::Not => false,
            Ending::Cancelling => !self.shields(&bond),
            Ending::Abandoning => true,
        };
        let account = self.open_account(parent);
        self.tasks.borrow_mut().insert(account, kept);
        self.bonds.borrow_mut().put(account.index(), bond);
        queued.header().set_account(account);
        if is_cancelled {
            queued.header().cancel();
        }
        self.push(queued);
        self.tally.spawned.add(1);
        account
    }

    /// The account of a child of the runtime for which no other has left one.
    #[cold]
    fn insert_first(&self, kept: TaskRef) -> AccountId {
        let account = self.open_account(AccountId::ROOT);
        self.tasks.borrow_mut().insert(account, kept);
        account
    }

    fn open_account(&self, parent: AccountId) -> AccountId {
        let account = self.driver.open_account_by_itself(parent);
        self.nodes.set(account, Kind::Task);
        account
    }

    /// Lets a task that came out of the queue have its turn.
    #[inline]
    pub(crate) fn run(&self, task: TaskRef) {
        let Some(account) = task.header().account() else { return };
        let progress = {
            let waker = task.waker();
            let mut cx = Context::from_waker(&waker);
            let payer = self.driver.charge_to(account);
            let running = self.running.replace(account);
            let spawner = context::set_running(Some(task.header().info.id()));
            let progress = match &self.watch {
                None => task.advance(&self.key, &mut cx),
                Some(watch) => self.advance_watched(watch, &task, account, &mut cx),
            };
            context::set_running(spawner);
            self.running.set(running);
            self.driver.charge_to(payer);
            progress
        };
        self.tally.polls.add(1);
        match progress {
            Progress::Pending => drop(task),
            Progress::Ended => self.end(task, account),
        }
    }

    #[cold]
    fn advance_watched(
        &self,
        watch: &Watch,
        task: &TaskRef,
        account: AccountId,
        cx: &mut Context<'_>,
    ) -> Progress {
        let begun = watch.begin(Some(task.header()));
        let progress = task.advance(&self.key, cx);
        watch.end_task(begun, account, task.header(), &self.on_report);
        progress
    }

    /// The future of a task has ended: most have left nothing behind, and are children of the
    /// runtime, whose account stays open for whoever comes next.
    #[inline]
    fn end(&self, task: TaskRef, account: AccountId) {
        if !self.driver.is_unused(account) {
            return self.wind_up(task, account);
        }
        if self.watch.is_some() || self.is_bound(account) {
            return self.retire(task, account);
        }
        let mut tasks = self.tasks.borrow_mut();
        // Not the last reference, so that nothing foreign is dropped.
        drop(tasks.remove(account));
        tasks.leave_idle(account);
        let is_last = tasks.is_empty();
        drop(tasks);
        task.complete(&self.key);
        if is_last {
            self.tell_emptied();
        }
    }

    /// Whether somebody else than the runtime answers for the task of this account.
    #[inline]
    fn is_bound(&self, account: AccountId) -> bool {
        self.bonds.borrow().get(account.index()).is_some()
    }

    /// A future that has ended has left something behind, or has given it to others.
    #[cold]
    fn wind_up(&self, task: TaskRef, account: AccountId) {
        let is_first = !task.header().is_draining();
        // Before any foreign code, which may panic: the future is gone, and not to be polled again.
        task.header().drain();
        if is_first && self.remind_below(account) {
            // Those who were reminded have their turn first.
            if task.header().wake() == Wake::Push {
                self.push(task);
            }
            return;
        }
        self.recall_below(account);
        let drained = {
            let waker = task.waker();
            self.driver.poll_drained(account, Orphans::All, &mut Context::from_waker(&waker))
        };
        match drained {
            Poll::Ready(()) => self.retire(task, account),
            Poll::Pending => self.with_bond(account, |bond| {
                if bond.debt.is_abandoned() {
                    bond.debt.abandon(self.recall_of(&task));
                }
            }),
        }
    }

    /// How soon a task that is asked to end does: one that only drains what cannot be cancelled is
    /// no more than that.
    fn recall_of(&self, task: &TaskRef) -> Recall {
        let header = task.header();
        match header.account() {
            Some(account)
                if header.is_draining()
                    && self.driver.is_drained(account, Orphans::Cancellable) =>
            {
                Recall::Futile
            }
            _ => Recall::Cancellable,
        }
    }

    /// Does something with a bond, outside of the table: it may wake somebody, who is foreign code.
    fn with_bond(&self, account: AccountId, act: impl FnOnce(&mut Bond)) {
        let bond = self.bonds.borrow_mut().take(account.index());
        if let Some(mut bond) = bond {
            act(&mut bond);
            self.bonds.borrow_mut().put(account.index(), bond);
        }
    }

    fn task_of(&self, account: AccountId) -> Option<TaskRef> {
        self.tasks.borrow().get(account).cloned()
    }

    /// Asks for the end of the task of this account.
    pub(crate) fn cancel(&self, account: AccountId) {
        let task = self.task_of(account);
        if let Some(task) = task
            && task.header().cancel() == Cancel::Wake
            && task.header().wake() == Wake::Push
        {
            self.push(task);
        }
    }

    /// Lets the task of this account have a turn.
    pub(crate) fn wake(&self, account: AccountId) {
        let task = self.task_of(account);
        if let Some(task) = task
            && task.header().wake() == Wake::Push
        {
            self.push_woken(task, Origin::Here);
        }
    }

    /// Whom a timer is to wake that begins in a poll with `waker`.
    pub(crate) fn sleeper<'waker>(&self, waker: &'waker Waker) -> Sleeper<&'waker Waker> {
        let account = self.running.get();
        match self.tasks.borrow().get(account) {
            Some(task) if task.waker().will_wake(waker) => Sleeper::Task(account),
            _ => Sleeper::Other(waker),
        }
    }

    /// Wakes those whose timers are due.
    #[inline(never)]
    pub(crate) fn fire(&self, now: Instant) {
        self.timers.fire(now, |account| self.wake(account));
    }

    /// Asks for the end of the task of this account, for which whoever answers for it waits from now
    /// on.
    pub(crate) fn abandon(&self, account: AccountId) {
        if let Some(task) = self.task_of(account) {
            self.with_bond(account, |bond| bond.debt.abandon(self.recall_of(&task)));
        }
        self.cancel(account);
    }

    /// Lets go of a task whose future has ended, and hands its output over.
    #[cold]
    fn retire(&self, task: TaskRef, account: AccountId) {
        let kept = self.tasks.borrow_mut().remove(account);
        drop(kept);
        let bond = self.bonds.borrow_mut().take(account.index());
        // What is dropped from here on may spawn, and end the group: the account is another's by then.
        if let Some(Bond { seat: Some(seat), .. }) = &bond {
            seat.vacate();
        }
        if let Some(watch) = &self.watch {
            let is_ending = self.ending.get() != Ending::Not;
            watch.forget(account, task.header(), is_ending, &self.on_report);
        }
        self.give_up(account, bond.is_some());
        match bond {
            None => task.complete(&self.key),
            Some(Bond { debt, seat, .. }) => {
                let info = task.header().info.clone();
                task.complete(&self.key);
                // Only now: whoever waits for the task finds its output.
                drop(debt);
                if let Some(seat) = seat {
                    seat.leave(&info);
                }
            }
        }
        self.tell_emptied();
    }

    /// A task is gone, whose account serves the next one, or is closed: something may be charged to
    /// it still, or it counts for somebody else.
    fn give_up(&self, account: AccountId, is_bound: bool) {
        if !is_bound && self.driver.is_unused(account) {
            self.tasks.borrow_mut().leave_idle(account);
        } else {
            self.nodes.clear(account);
            self.driver.close_account(account);
        }
    }

    /// Asks for the end of the task that is being polled.
    pub(crate) fn cancel_running(&self) {
        self.cancel(self.running.get());
    }

    /// The task that is being polled.
    pub(crate) fn running(&self) -> Option<TaskInfo> {
        self.info(self.running.get())
    }

    /// What is known of the task of this account.
    pub(crate) fn info(&self, account: AccountId) -> Option<TaskInfo> {
        self.tasks.borrow().get(account).map(|task| task.header().info.clone())
    }

    /// What is known of all tasks that are not over.
    pub(crate) fn infos(&self) -> Vec<TaskInfo> {
        self.tasks.borrow().iter().map(|(_, task)| task.header().info.clone()).collect()
    }

    /// The accounts of those whose turn has come.
    pub(crate) fn queued_accounts(&self) -> Vec<AccountId> {
        self.queue.borrow().iter().filter_map(|task| task.header().account()).collect()
    }

    pub(crate) fn on_report(&self) -> &OnReport {
        &self.on_report
    }

    pub(crate) fn watch(&self) -> Option<&Watch> {
        self.watch.as_ref()
    }
}

impl Drop for Executor {
    fn drop(&mut self) {
        if self.driver.is_forked() {
            self.key.disown();
        }
    }
}
