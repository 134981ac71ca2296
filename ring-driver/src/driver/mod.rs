//! Puts the parts together: operations go in, requests go to the backend, completions come back,
//! somebody is told.
//!
//! A [`Driver`] is a handle on everything that one thread shares with its kernel. All state lies in
//! one [`Core`] that is borrowed for the length of one step and never while foreign code runs:
//! wakers are woken, buffers and descriptors dropped only after the borrow has ended
//! ([`Core::after`]). So a waker, or the drop of a caller's buffer, may call the driver again.

use std::cell::{Cell, RefCell};
use std::io;
use std::marker::PhantomData;
use std::os::fd::OwnedFd;
use std::panic::resume_unwind;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::account::{AccountId, Orphans};
use crate::backend::{Backend, choose, tell};
use crate::buffer::{Block, BufPool, Traffic};
use crate::capabilities::Capabilities;
use crate::completion::Outcome;
use crate::config::Config;
use crate::counters::Counters;
use crate::error::{Evidence, RuntimeError, SetupError};
use crate::fd::Fd;
use crate::fork::Process;
use crate::in_flight::Key;
use crate::op::{Lane, MultiOperation, Operation};
use crate::pool::Pool;
use crate::remote::{Message, Notifier, Remote};
use crate::request::Request;
use crate::time::{Instant, asleep};

mod caller;
mod core;
mod debt;
mod drain;
mod flight;
mod lanes;
mod listing;
mod missed;

pub(crate) use self::caller::Caller;
pub(crate) use self::core::Core;
use self::core::isolate;
pub use debt::Debt;
pub use drain::Drained;
pub use listing::Flight;

/// How long a turn may sleep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Not at all: there is something to do.
    Now,
    /// Until something happens, or until that time.
    Until(Option<Instant>),
}

/// One thread's link to its kernel. Clones are handles on the same driver; it stays on its thread.
///
/// ```
/// use wakering_ring_driver::{Config, Driver};
///
/// let driver = Driver::new(&Config::default())?;
/// assert!(Driver::current().is_err());
/// let entered = driver.enter();
/// assert!(Driver::current()?.is_same(&driver));
/// drop(entered);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Driver(Rc<Shared>);

struct Shared {
    core: RefCell<Core>,
    remote: Arc<Remote>,
    /// Keeps the process's pool alive until this driver has been shut down.
    pool: Cell<Option<Arc<Pool>>>,
    process: Process,
    /// How long a turn looks for something to do before it sleeps.
    busy_poll: Duration,
    /// Whether this is a child's copy of a driver, and has been emptied.
    disowned: Cell<bool>,
    /// Reused for the inbox, so that a turn allocates nothing.
    messages: Cell<Vec<Message>>,
}

/// How often a loop that is busy looking looks before it reads the clock again.
const LOOKS_A_READING: u32 = 16;

thread_local! {
    static CURRENT: RefCell<Option<Driver>> = const { RefCell::new(None) };
}

impl Driver {
    /// A driver for this thread, on the best backend that this machine gives.
    ///
    /// # Errors
    /// [`SetupError`] tells why no backend can be had and what mends it: descriptors have run out,
    /// a setting means nothing, or a ring was asked for by name and there is none.
    pub fn new(config: &Config) -> Result<Driver, SetupError> {
        let remote = Remote::new().map_err(SetupError::notifier)?;
        let pool = Pool::shared();
        let backend = choose(config, &remote, &pool)?;
        let busy_poll = match backend {
            Backend::Uring(_) => config.busy_poll,
            _ => Duration::ZERO,
        };
        Ok(Driver::assemble(backend, remote, pool, busy_poll))
    }

    /// A driver whose kernel is the test: it holds the other end and completes what and when it
    /// likes.
    ///
    /// # Errors
    /// [`SetupError`] where not even an eventfd can be had.
    #[cfg(feature = "testing")]
    #[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
    pub fn memory() -> Result<(Driver, crate::testing::Memory), SetupError> {
        let remote = Remote::new().map_err(SetupError::notifier)?;
        let (backend, memory) = crate::backend::memory::new();
        let backend = Backend::Memory(backend);
        Ok((Driver::assemble(backend, remote, Pool::shared(), Duration::ZERO), memory))
    }

    fn assemble(
        backend: Backend,
        remote: Arc<Remote>,
        pool: Arc<Pool>,
        busy_poll: Duration,
    ) -> Driver {
        Driver(Rc::new(Shared {
            busy_poll,
            core: RefCell::new(Core::new(backend)),
            remote,
            pool: Cell::new(Some(pool)),
            process: Process::here(),
            disowned: Cell::new(false),
            messages: Cell::default(),
        }))
    }

    /// The driver that this thread has entered.
    ///
    /// # Errors
    /// [`RuntimeError::NoRuntime`] outside; [`RuntimeError::ForkedChild`] in a child of its
    /// process.
    pub fn current() -> io::Result<Driver> {
        match CURRENT.try_with(|current| current.borrow().clone()).ok().flatten() {
            None => Err(RuntimeError::NoRuntime.into()),
            Some(driver) if driver.0.process.is_gone() => Err(RuntimeError::ForkedChild.into()),
            Some(driver) => Ok(driver),
        }
    }

    /// Refuses to go on where this is not the driver that the thread has entered.
    #[inline]
    pub(crate) fn check_current(&self) -> io::Result<()> {
        let is_current = CURRENT.try_with(|current| {
            current.borrow().as_ref().is_some_and(|current| current.is_same(self))
        });
        match is_current {
            Ok(true) if !self.0.process.is_gone() => Ok(()),
            _ => Err(Driver::wrong()),
        }
    }

    /// Why a driver that is not current cannot be used.
    #[cold]
    fn wrong() -> io::Error {
        Driver::current().err().unwrap_or_else(|| RuntimeError::WrongRuntime.into())
    }

    /// Makes this the thread's current driver until the guard is dropped.
    pub fn enter(&self) -> Entered {
        // A thread that ends has nowhere left to remember this, and may still have to shut down.
        let previous = CURRENT.try_with(|current| current.replace(Some(self.clone())));
        let previous = previous.ok().flatten();
        Entered { previous, _on_this_thread: PhantomData }
    }

    /// Whether `other` is a handle on the same driver.
    pub fn is_same(&self, other: &Driver) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }

    /// Whether this is a forked child's copy of its parent's driver, which does nothing.
    ///
    /// ```
    /// use wakering_ring_driver::{Config, Driver};
    ///
    /// assert!(!Driver::new(&Config::default())?.is_forked());
    /// # Ok::<(), wakering_ring_driver::SetupError>(())
    /// ```
    pub fn is_forked(&self) -> bool {
        self.0.process.is_gone()
    }

    /// What other threads hold to reach this driver.
    pub fn remote(&self) -> &Arc<Remote> {
        &self.0.remote
    }

    /// Ends the sleep of the driver whose `ring` that is by a completion there, if the calling
    /// thread has a ring to post from; tells `notifier` if the kernel has no room for it.
    pub(crate) fn nudge(ring: &OwnedFd, notifier: &Arc<Notifier>) -> bool {
        let post = |current: &RefCell<Option<Driver>>| {
            let current = current.try_borrow().ok()?;
            let driver = current.as_ref().filter(|driver| !driver.0.process.is_gone())?;
            let mut core = driver.0.core.try_borrow_mut().ok()?;
            Some(core.backend.nudge(ring, notifier))
        };
        CURRENT.try_with(post).ok().flatten().unwrap_or(false)
    }

    /// The time by this driver's clock. The last reading is what operations are dated with.
    pub fn now(&self) -> Instant {
        let now = Instant::now();
        self.0.core.borrow_mut().date(now);
        now
    }

    /// The name of the backend: `"uring"`, or `"poll"` where no ring can be had or
    /// `WAKERING_BACKEND=poll` asks for it.
    ///
    /// ```
    /// use wakering_ring_driver::{Backend, Config, Driver};
    ///
    /// let mut config = Config::default();
    /// config.backend = Backend::Poll;
    /// assert_eq!(Driver::new(&config)?.backend(), "poll");
    /// # Ok::<(), wakering_ring_driver::SetupError>(())
    /// ```
    pub fn backend(&self) -> &'static str {
        self.with(|core| core.backend.name())
    }

    /// What the backend has of the kernel's io_uring: what the ring can do; nothing, on `"poll"`.
    pub fn capabilities(&self) -> Capabilities {
        self.with(|core| core.backend.capabilities())
    }

    /// What was used so far.
    pub fn counters(&self) -> Counters {
        self.with(|core| core.counters())
    }

    /// One turn: submits what was queued, sleeps as long as `wait` allows and nothing has happened,
    /// takes in what has completed, and tells whoever waits for it.
    pub fn turn(&self, wait: Wait) {
        let wait = match wait {
            Wait::Until(deadline) if self.finds_news(deadline) => Wait::Now,
            wait => wait,
        };
        self.with(|core| {
            core.flush();
            let timeout = match wait {
                Wait::Now => None,
                Wait::Until(_) if core.has_news() || !self.0.remote.prepare_to_sleep() => None,
                Wait::Until(deadline) => Some(core.time_left(deadline)),
            };
            match timeout {
                None => core.backend.enter(None),
                Some(_) => {
                    asleep(|| core.backend.enter(timeout));
                    self.0.remote.awake();
                }
            }
            core.reap();
        });
        self.empty_inbox();
    }

    /// Hands over what was queued, and looks for something to take in until that is there, the
    /// time for it is over or `deadline` has come. False if there is time left to sleep.
    fn finds_news(&self, deadline: Option<Instant>) -> bool {
        if self.0.busy_poll.is_zero() {
            return false;
        }
        let left = self.with(|core| {
            core.flush();
            core.backend.enter(None);
            core.time_left(deadline)
        });
        let most = left.unwrap_or(Duration::MAX).min(self.0.busy_poll);
        let begun = std::time::Instant::now();
        loop {
            for _ in 0..LOOKS_A_READING {
                if self.0.remote.has_messages() || self.with(|core| core.has_news()) {
                    return true;
                }
                std::hint::spin_loop();
            }
            if begun.elapsed() >= most {
                return left == Some(most);
            }
        }
    }

    /// Whether a turn would do something: hand over what was queued, or take in what has come, as
    /// far as memory shared with the kernel and with other threads tells. Costs no system call.
    pub fn needs_turn(&self) -> bool {
        self.0.remote.has_messages() || self.with(|core| core.has_news() || core.needs_turn())
    }

    fn empty_inbox(&self) {
        if !self.0.remote.has_messages() {
            return;
        }
        let mut messages = self.0.messages.take();
        self.0.remote.take(&mut messages);
        let mut panic = None;
        for message in messages.drain(..) {
            isolate(&mut panic, || match message {
                Message::Completed(completion) => {
                    self.with(|core| core.on_completion(completion));
                }
                Message::Deliver(deliver) => deliver.deliver(),
            });
        }
        self.0.messages.set(messages);
        if let Some(panic) = panic {
            resume_unwind(panic);
        }
    }

    /// Opens an account under `parent` for somebody whose operations are to be counted.
    pub fn open_account(&self, parent: AccountId) -> AccountId {
        self.with(|core| core.accounts.open(parent, false))
    }

    /// As [`open_account`](Driver::open_account), for somebody who lives by himself, a task say:
    /// [`recall_below`](Driver::recall_below) a `parent` leaves alone what is charged to it.
    pub fn open_account_by_itself(&self, parent: AccountId) -> AccountId {
        self.with(|core| core.accounts.open(parent, true))
    }

    /// Charges what is submitted from now on to `account`; returns who paid before.
    pub fn charge_to(&self, account: AccountId) -> AccountId {
        std::mem::replace(&mut self.0.core.borrow_mut().paying, account)
    }

    /// Who pays for what is submitted now.
    pub fn payer(&self) -> AccountId {
        self.0.core.borrow().paying
    }

    /// The account above `account`; that of the runtime is its own.
    pub fn parent_of(&self, account: AccountId) -> AccountId {
        self.with(|core| core.accounts.parent(account))
    }

    /// `account` counts for those above `parent` from now on: whoever polls it has been moved
    /// there.
    pub fn move_account(&self, account: AccountId, parent: AccountId) {
        self.with(|core| core.accounts.move_below(account, parent, &mut core.after.wakers));
    }

    /// Wakes whoever waits for what is charged to accounts below `account` that are still open
    /// although it has ended. Where their futures live on elsewhere they are polled, and moved
    /// there, before [`recall_below`](Driver::recall_below) takes them for forgotten.
    pub fn remind_below(&self, account: AccountId) {
        self.with(|core| core.remind_below(account));
    }

    /// Takes back what is charged to accounts below `account` that are still open although it has
    /// ended. Their futures were forgotten; one that was only moved, and has not been polled since,
    /// gets `ECANCELED`.
    pub fn recall_below(&self, account: AccountId) {
        self.with(|core| core.recall_below(account));
    }

    /// Whether an account below `account` is open.
    pub fn has_open_below(&self, account: AccountId) -> bool {
        self.with(|core| core.accounts.has_open_below(account))
    }

    /// Whether none of these `orphans` is in flight, under `account` and below.
    pub fn is_drained(&self, account: AccountId, orphans: Orphans) -> bool {
        self.with(|core| !core.accounts.has(account, orphans))
    }

    /// Whether `account` belongs to an open account below `ancestor`.
    pub fn is_open_below(&self, account: AccountId, ancestor: AccountId) -> bool {
        self.with(|core| core.accounts.is_open_below(account, ancestor))
    }

    /// Runs `step`, in which operations get what is there for them already, and nothing is handed
    /// to the kernel: they stay as if they had not been polled. For whoever polls a future that is
    /// to be dropped unless it is ready.
    pub fn hold<R>(&self, step: impl FnOnce() -> R) -> R {
        struct Held<'driver>(&'driver Driver, bool);
        impl Drop for Held<'_> {
            fn drop(&mut self) {
                self.0.with(|core| core.holding = self.1);
            }
        }
        let _held = Held(self, self.with(|core| std::mem::replace(&mut core.holding, true)));
        step()
    }

    /// Ready when none of these `orphans`, which futures under `account` left behind, is in flight
    /// any more.
    pub fn poll_drained(
        &self,
        account: AccountId,
        orphans: Orphans,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        self.with_caller(cx.waker(), |core, caller| {
            if !core.accounts.has(account, orphans) {
                return Poll::Ready(());
            }
            caller.stay_in(core.accounts.waiter(account));
            Poll::Pending
        })
    }

    /// Closes `account`: what it still has in flight is its parent's from now on.
    pub fn close_account(&self, account: AccountId) {
        self.with(|core| {
            let waiter = core.accounts.close(account);
            core.after.silent.extend(waiter);
        });
    }

    /// Whether nothing at all is charged to `account`, nor to one below it.
    pub fn is_unused(&self, account: AccountId) -> bool {
        self.0.core.borrow().accounts.is_unused(account)
    }

    /// The buffers of this driver for streams or datagrams.
    pub(crate) fn buf_pool(&self, traffic: Traffic) -> io::Result<BufPool> {
        self.with(|core| core.buf_pool(traffic))
    }

    /// Tells the kernel of memory that will be read into and written from, if it can be told. Why
    /// not, is told to whoever wants to know.
    pub(crate) fn register(&self, block: &Arc<Block>) {
        match self.with(|core| core.backend.register(block)) {
            Ok(true) => block.set_registered(),
            Ok(false) => tell(&format!("backend {}: no buffers are registered", self.backend())),
            Err(error) => {
                let (size, limit) = (block.segment().iov_len / 1024, Evidence::collect().memlock);
                let limit = match limit {
                    Evidence::UNLIMITED => "any amount".to_owned(),
                    bytes => format!("{} KiB", bytes / 1024),
                };
                tell(&format!(
                    "io_uring_register {size} KiB of buffers: {error}; they are used unregistered \
                     (`ulimit -l` allows {limit} of locked memory)"
                ));
            }
        }
    }

    /// Carries out a request that does not wait.
    pub(crate) fn call_now(&self, request: &Request) -> io::Result<u32> {
        self.with(|core| core.backend.call_now(request)).value()
    }

    /// One step on the state, and afterwards what the step left to be done outside of it.
    pub(crate) fn with<R>(&self, step: impl FnOnce(&mut Core) -> R) -> R {
        if self.0.process.is_gone() {
            self.disown();
        }
        let mut core = self.0.core.borrow_mut();
        let result = step(&mut core);
        if !core.after.is_empty() {
            let mut after = core.take_after();
            drop(core);
            after.run(self);
            self.0.core.borrow_mut().give_back_after(after);
        }
        result
    }

    /// A step after which whoever polls may be remembered. One that could not remember them is made
    /// again.
    pub(crate) fn with_caller<R>(
        &self,
        waker: &Waker,
        mut step: impl FnMut(&mut Core, &mut Caller<'_>) -> R,
    ) -> R {
        let mut caller = Caller::new(waker);
        loop {
            let result = self.with(|core| step(core, &mut caller));
            if !caller.must_ask_again() {
                return result;
            }
        }
    }

    /// In a child: what is in flight is the parent's. Nothing of the ring is touched, nor freed.
    #[cold]
    fn disown(&self) {
        if self.0.disowned.replace(true) {
            return;
        }
        let mut core = self.0.core.borrow_mut();
        core.closed = true;
        core.slots.leak();
        core.leak_buf_pools();
        std::mem::forget(std::mem::replace(&mut core.backend, Backend::Gone));
        std::mem::forget(self.0.pool.take());
    }
}

impl std::fmt::Debug for Driver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Driver").field("counters", &self.counters()).finish()
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // Whoever has not shut down in good order gets the default: nothing is freed under the
        // kernel's hands.
        if Rc::strong_count(&self.0) == 1 {
            let patience = if std::thread::panicking() { 0 } else { 10 };
            self.shutdown(Duration::from_secs(patience));
        }
    }
}

/// Keeps a driver current; made by [`Driver::enter`].
#[must_use = "the driver is current only as long as this lives"]
pub struct Entered {
    previous: Option<Driver>,
    _on_this_thread: PhantomData<*const ()>,
}

impl Drop for Entered {
    fn drop(&mut self) {
        let left = CURRENT.try_with(|current| current.replace(self.previous.take()));
        drop(left);
    }
}

/// What became of an operation that wanted to start.
pub(crate) enum Begun<O> {
    InFlight(Key),
    /// Its side is occupied; it is counted there and its waker will be woken.
    Queued(O),
    /// Nothing may start now.
    Held(O),
    /// It is over: by what was left for it, or because the backend has answered at once.
    Served(O, Outcome),
    Refused(O, io::Error),
}

/// What a future finds in its slot.
pub(crate) enum Polled<O> {
    Pending,
    Done(O, Outcome),
    Robbed(O),
}

impl Driver {
    /// Starts `operation`, or says why not. `queued` tells that it stands in its side's queue
    /// already.
    pub(crate) fn begin<O: Operation>(
        &self,
        operation: O,
        fd: Option<&Fd>,
        queued: bool,
        waker: &Waker,
    ) -> Begun<O> {
        let mut caller = Caller::ready(waker);
        self.with(|core| core.begin(operation, fd, queued, &mut caller))
    }

    /// What `operation` comes to if it is carried out at once, before it moves anywhere.
    pub(crate) fn try_write<O: Operation>(&self, operation: &mut O, fd: &Fd) -> Option<Outcome> {
        self.with(|core| core.try_write(fd.index(), |number| operation.request(number)))
    }

    pub(crate) fn poll_slot<O: Operation>(&self, key: Key, waker: &Waker) -> Polled<O> {
        self.with_caller(waker, |core, caller| core.poll_slot(key, caller))
    }

    /// What was sent by a flight of which the kernel still reads what it was lent.
    pub(crate) fn lent(&self, key: Key) -> Option<Outcome> {
        self.with(|core| core.lent(key))
    }

    /// What multishots like `O`, or others, have left on `fd`.
    pub(crate) fn take_item<O: MultiOperation>(&self, fd: &Fd) -> Option<O::Taken> {
        self.with(|core| core.take_item::<O>(fd.index()))
    }

    /// The future of `key` is gone.
    pub(crate) fn abandon(&self, key: Key) {
        self.with(|core| core.abandon(key));
    }

    /// Asks the backend to end `key` early.
    pub(crate) fn cancel(&self, key: Key) {
        self.with(|core| core.cancel(key));
    }

    /// Somebody who waited for a side of `fd` is gone.
    pub(crate) fn leave_queue(&self, fd: &Fd, lane: Lane) {
        self.with(|core| core.leave_queue(fd.index(), lane));
    }

    /// The last handle of a descriptor is gone.
    pub(crate) fn release(&self, index: u32) {
        self.with(|core| core.release(index));
    }
}
