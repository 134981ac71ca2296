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
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

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
use crate::time::Instant;

mod after;
mod arrival;
mod caller;
mod charges;
mod core;
mod debt;
mod drain;
mod flight;
mod lanes;
mod listing;
mod missed;
mod turn;

pub(crate) use self::caller::Caller;
pub(crate) use self::core::Core;
pub use debt::Debt;
pub use drain::Drained;
pub use listing::Flight;
pub use turn::Wait;

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
