//! The tasks of one runtime: all that live, and those whose turn it is.
//!
//! The executor owns every task until it is over, so that futures are dropped here and nowhere
//! else. Whose turn it is stands in one queue, first come, first served. What happens between two
//! polls is the business of [`event_loop`](crate::event_loop).

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use slab::Slab;
use wakering_ring_driver::{AccountId, Debt, Driver, Orphans};

use crate::home::{Home, HomeKey, OnUnhandled};
use crate::task::{self, Cancel, JoinHandle, Place, Progress, Task, TaskInfo};
use crate::time::Timers;

pub(crate) struct Executor {
    key: HomeKey,
    driver: Driver,
    timers: Rc<Timers>,
    /// Tasks that were woken, in the order of their wakes.
    queue: RefCell<VecDeque<Arc<dyn Task>>>,
    /// All tasks that are not over.
    tasks: RefCell<Slab<Arc<dyn Task>>>,
    /// The slot of the task that is being polled.
    running: Cell<Option<u32>>,
    /// Whether new tasks are cancelled before they begin, because the runtime is ending.
    closing: Cell<bool>,
    /// What goes on elsewhere, until its bill is paid.
    debts: RefCell<Slab<Debt>>,
    /// Told when the last task is over.
    emptied: Cell<Option<Waker>>,
    tally: Cell<Tally>,
}

/// Counts that only the executor can keep.
#[derive(Clone, Copy, Default)]
pub(crate) struct Tally {
    pub(crate) spawned: u64,
    pub(crate) polls: u64,
}

impl Executor {
    pub(crate) fn new(driver: Driver, on_unhandled: OnUnhandled) -> Executor {
        Executor {
            key: HomeKey::new(driver.remote().clone(), on_unhandled),
            timers: Rc::new(Timers::new(driver.now())),
            driver,
            queue: RefCell::default(),
            tasks: RefCell::default(),
            running: Cell::new(None),
            closing: Cell::new(false),
            debts: RefCell::default(),
            emptied: Cell::new(None),
            tally: Cell::default(),
        }
    }

    pub(crate) fn driver(&self) -> &Driver {
        &self.driver
    }

    pub(crate) fn timers(&self) -> &Rc<Timers> {
        &self.timers
    }

    pub(crate) fn debts(&self) -> &RefCell<Slab<Debt>> {
        &self.debts
    }

    pub(crate) fn home(&self) -> &Arc<Home> {
        self.key.home()
    }

    pub(crate) fn is_home_of(&self, task: &dyn Task) -> bool {
        self.key.fits(task.header().home())
    }

    pub(crate) fn tally(&self) -> Tally {
        self.tally.get()
    }

    /// How many tasks are not over.
    pub(crate) fn len(&self) -> usize {
        self.tasks.borrow().len()
    }

    /// How many tasks wait for their turn.
    pub(crate) fn queued(&self) -> usize {
        self.queue.borrow().len()
    }

    /// Puts a task at the end of the queue. For whoever found it not queued.
    pub(crate) fn push(&self, task: Arc<dyn Task>) {
        self.queue.borrow_mut().push_back(task);
    }

    /// Makes a future of this thread a task.
    pub(crate) fn spawn<F: Future + 'static>(
        &self,
        info: TaskInfo,
        future: F,
    ) -> JoinHandle<F::Output> {
        let (task, joiner) = task::cell::new(&self.key, info, future);
        self.take_in(task);
        JoinHandle::new(joiner)
    }

    /// Makes a future of this thread a task and lets it have its first turn at once, inside that of
    /// whoever is running.
    pub(crate) fn spawn_eager<F: Future + 'static>(
        &self,
        info: TaskInfo,
        future: F,
    ) -> JoinHandle<F::Output> {
        let handle = self.spawn(info, future);
        // The last one to come is the first to go.
        let task = self.queue.borrow_mut().pop_back();
        self.run(task);
        handle
    }

    /// Takes in a task that was made on another thread, unless the runtime is ending: then the
    /// parcel in which it came tells its handle.
    pub(crate) fn adopt(&self, task: &Arc<dyn Task>) {
        if !self.closing.get() && task.header().claim_parcel() {
            self.take_in(task.clone());
        }
    }

    fn take_in(&self, task: Arc<dyn Task>) {
        let slot = self.tasks.borrow_mut().insert(task.clone()) as u32;
        // A child of the runtime, whoever spawns it.
        let account = self.driver.open_account(AccountId::ROOT);
        task.header().set_place(Place { slot, account });
        if self.closing.get() {
            task.header().cancel();
        }
        self.push(task);
        self.tally.update(|tally| Tally { spawned: tally.spawned + 1, ..tally });
    }

    /// Lets the first task of the queue have its turn.
    pub(crate) fn run_next(&self) {
        let task = self.queue.borrow_mut().pop_front();
        self.run(task);
    }

    fn run(&self, task: Option<Arc<dyn Task>>) {
        let Some(task) = task else { return };
        let Some(Place { slot, account }) = task.header().place() else { return };
        let waker = task.clone().into_waker();
        let mut cx = Context::from_waker(&waker);

        let payer = self.driver.charge_to(account);
        let running = self.running.replace(Some(slot));
        let progress = task.advance(&self.key, &mut cx);
        self.running.set(running);
        self.driver.charge_to(payer);
        self.tally.update(|tally| Tally { polls: tally.polls + 1, ..tally });

        if progress == Progress::Ended {
            match self.driver.poll_drained(account, Orphans::All, &mut cx) {
                Poll::Ready(()) => self.retire(&task),
                Poll::Pending => task.header().drain(),
            }
        }
    }

    /// Lets go of a task whose future has ended, and hands its output over.
    fn retire(&self, task: &Arc<dyn Task>) {
        let Some(Place { slot, account }) = task.header().place() else { return };
        self.tasks.borrow_mut().remove(slot as usize);
        self.driver.close_account(account);
        task.complete(&self.key);
        if self.tasks.borrow().is_empty()
            && let Some(waker) = self.emptied.take()
        {
            waker.wake();
        }
    }

    /// The task that is being polled.
    pub(crate) fn running(&self) -> Option<TaskInfo> {
        let slot = self.running.get()?;
        self.tasks.borrow().get(slot as usize).map(|task| task.header().info.clone())
    }

    /// Asks for the end of all tasks, and of those that are still to be spawned before they begin.
    pub(crate) fn cancel_all(&self) {
        self.closing.set(true);
        for (_, task) in &*self.tasks.borrow() {
            if task.header().cancel() == Cancel::Push {
                self.push(task.clone());
            }
        }
    }

    /// Ready when all tasks are over.
    pub(crate) fn poll_empty(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.tasks.borrow().is_empty() {
            return Poll::Ready(());
        }
        self.emptied.set(Some(cx.waker().clone()));
        Poll::Pending
    }

    /// Gives up waiting: what is left of each task ends here and now. Tells of which tasks the
    /// kernel still has something.
    pub(crate) fn abandon_all(&self) -> Vec<TaskInfo> {
        let mut abandoned = Vec::new();
        let tasks: Vec<_> = self.tasks.borrow().iter().map(|(_, task)| task.clone()).collect();
        let mut cx = Context::from_waker(Waker::noop());
        for task in tasks {
            let Some(Place { account, .. }) = task.header().place() else { continue };
            task.header().cancel();
            task.advance(&self.key, &mut cx);
            if self.driver.poll_drained(account, Orphans::All, &mut cx).is_pending() {
                abandoned.push(task.header().info.clone());
            }
            self.retire(&task);
        }
        // Dropped outside the borrow: the last owner of a task drops the waker of whoever awaited it.
        drop(self.queue.take());
        abandoned
    }
}
