//! A runtime as its owner sees it: made, used for as many futures as one likes, and ended cleanly.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use wakering_ring_driver::affinity::Pinned;
use wakering_ring_driver::{Orphans, SetupError, Wait};

use crate::account::Account;
use crate::builder::Builder;
use crate::conduct::{self, Conduct, Ended};
use crate::context;
use crate::cores::{Member, Others, Seat, Team};
use crate::debug::{self, Report, TaskTree};
use crate::event_loop;
use crate::executor::Executor;
use crate::handle::Handle;
use crate::metrics::Metrics;
use crate::node::Kind;
use crate::report::ShutdownReport;
use crate::signal::{Cancelled, Signals, poll_cancelled};
use crate::task::{JoinHandle, TaskInfo, yield_now};
use crate::time::{Instant, sleep};

/// Runs `future` to its end on this thread, then ends everything that it has left running, and
/// returns its output.
///
/// This is the usual entry into a program. Tasks that are still alive when `future` is ready are
/// cancelled and awaited, and what they have in the kernel is drained, for 10 seconds at most
/// ([`Builder::grace`](crate::Builder::grace) sets another limit); what takes longer is named on
/// standard error. A panic of `future` comes out of `run` after that.
///
/// ```
/// use std::time::Duration;
/// use wakering_runtime::{run, spawn, time::sleep};
///
/// let sum = run(async {
///     let one = spawn(async {
///         sleep(Duration::from_millis(1)).await;
///         1
///     });
///     one.await.unwrap() + 1
/// });
/// assert_eq!(sum, 2);
/// ```
///
/// # Panics
/// With the text of the [`SetupError`] if no driver can be had: a setting in the environment means
/// nothing, or descriptors have run out. It is told in one line on standard error, without the
/// panic hook; [`Runtime::new`] returns it instead. And on a thread that is running tasks, at once;
/// whatever runs there goes on.
#[track_caller]
pub fn run<F: Future>(future: F) -> F::Output {
    match Builder::new().run(future) {
        Ok(output) => output,
        Err(_) => unreachable!("no signal cancels it"),
    }
}

impl Builder {
    /// Runs `future` to its end on this thread as [`run`] does, with these settings, or until one
    /// of the signals of [`cancel_on`](Builder::cancel_on) comes.
    ///
    /// ```
    /// use wakering_runtime::{Builder, signal};
    ///
    /// let output = Builder::new().cancel_on(signal::shutdown()).run(async { 42 });
    /// assert_eq!(output, Ok(42));
    /// ```
    ///
    /// # Errors
    /// [`Cancelled`] tells which signal came. By then everything that was running has been
    /// cancelled and awaited.
    ///
    /// # Panics
    /// As [`run`] does.
    #[track_caller]
    pub fn run<F: Future>(self, future: F) -> Result<F::Output, Cancelled> {
        context::assert_may_block("run");
        let runtime = match self.build() {
            Ok(runtime) => runtime,
            Err(error) => refuse(&error),
        };
        let output = catch_unwind(AssertUnwindSafe(|| runtime.try_block_on(future)));
        drop(runtime);
        output.unwrap_or_else(|panic| resume_unwind(panic))
    }
}

/// Tells it in one line: whoever reads that can mend the machine or the setting, and has no use for
/// the place in the source and the backtrace that the panic hook would put around it.
fn refuse(error: &SetupError) -> ! {
    let text = format!("cannot start a runtime: {error}");
    eprintln!("wakering: {text}");
    resume_unwind(Box::new(text))
}

/// The loop, the tasks and the timers of one thread, or of several
/// [cores](Builder::cores).
///
/// It is made on the thread where it is used and stays there. Tasks run while
/// [`block_on`](Runtime::block_on) does; those that are left over wait for the next `block_on`.
/// Those of other cores run all the time.
/// Dropping the runtime ends it as [`close`](Runtime::close) does, and
/// [reports](Builder::on_report) what would not end.
///
/// ```
/// use wakering_runtime::{Runtime, task::yield_now};
///
/// let runtime = Runtime::new()?;
/// let task = runtime.spawn(async {
///     yield_now().await;
///     42
/// });
/// runtime.block_on(yield_now());
/// assert!(!task.is_finished(), "it has had one turn");
/// assert_eq!(runtime.block_on(task).unwrap(), 42);
/// # Ok::<(), wakering_runtime::SetupError>(())
/// ```
pub struct Runtime {
    executor: Rc<Executor>,
    /// What cancels the future that it blocks on, until that has happened.
    cancel_on: RefCell<Option<Signals>>,
    is_shut_down: bool,
    /// The cores beside the one on this thread.
    others: Others,
    /// Keeps this thread on the processor of its core.
    pinned: Option<Pinned>,
    /// Ends when the runtime has ended.
    #[cfg(feature = "testing")]
    clock: Option<wakering_ring_driver::testing::StoppedClock>,
}

/// What the kernel gets to let go of everything, even if tasks have used up all of the grace.
const LAST_WAIT: Duration = Duration::from_millis(100);
/// The longest that the driver is told to wait: more than anybody will, and the clock can count to
/// it.
const FOR_EVER: Duration = Duration::from_secs(u32::MAX as u64);

impl Runtime {
    /// A runtime with the settings that [`Builder`] starts from.
    ///
    /// ```
    /// use wakering_runtime::Runtime;
    ///
    /// let runtime = Runtime::new()?;
    /// assert_eq!(runtime.block_on(async { 42 }), 42);
    /// # Ok::<(), wakering_runtime::SetupError>(())
    /// ```
    ///
    /// # Errors
    /// [`SetupError`] tells why no driver can be had and what mends it; see [`Builder::build`].
    pub fn new() -> Result<Runtime, SetupError> {
        Builder::new().build()
    }

    pub(crate) fn of(executor: Executor) -> Runtime {
        Runtime {
            executor: Rc::new(executor),
            cancel_on: RefCell::default(),
            is_shut_down: false,
            others: Others::default(),
            pinned: None,
            #[cfg(feature = "testing")]
            clock: None,
        }
    }

    pub(crate) fn cancelled_on(self, signals: Option<Signals>) -> Runtime {
        self.cancel_on.replace(signals);
        self
    }

    pub(crate) fn pinned(mut self, pinned: Option<Pinned>) -> Runtime {
        self.pinned = pinned;
        self
    }

    /// What other cores of the same runtime know of this one.
    pub(crate) fn seat(&self) -> Seat {
        Seat::here(self.executor.home())
    }

    /// Makes this core `core` of `team`.
    pub(crate) fn join(&self, team: Arc<Team>, core: usize) {
        self.executor.join(Member { team, core });
    }

    /// Makes this the first core of a runtime, in which the `others` begin.
    pub(crate) fn lead(mut self, (others, seats): (Others, Vec<Seat>)) -> Runtime {
        let seats = std::iter::once(self.seat()).chain(seats).collect();
        let team = Arc::new(Team { seats });
        others.begin(&team);
        self.join(team, 0);
        self.others = others;
        self
    }

    #[cfg(feature = "testing")]
    pub(crate) fn with_clock(
        mut self,
        clock: Option<wakering_ring_driver::testing::StoppedClock>,
    ) -> Runtime {
        self.clock = clock;
        self
    }

    /// Runs `future` to its end on this thread, and tasks beside it.
    ///
    /// Returns when `future` is ready and what it has left behind in the kernel has ended. Tasks
    /// that are not over stay with the runtime.
    ///
    /// ```
    /// use wakering_runtime::Runtime;
    ///
    /// let runtime = Runtime::new()?;
    /// let borrowed = String::from("no `'static` needed");
    /// assert_eq!(runtime.block_on(async { borrowed.len() }), 19);
    /// assert_eq!(runtime.block_on(async { "again" }), "again");
    /// # Ok::<(), wakering_runtime::SetupError>(())
    /// ```
    ///
    /// # Panics
    /// If `future` does. And on a thread that is running tasks, at once; whatever runs there goes
    /// on. And if a signal of [`Builder::cancel_on`](crate::Builder::cancel_on) comes: then it
    /// unwinds with [`Cancelled`], without the panic hook. [`try_block_on`](Runtime::try_block_on)
    /// returns it instead.
    #[track_caller]
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        context::assert_may_block("Runtime::block_on");
        self.drive(future).unwrap_or_else(|cancelled| resume_unwind(Box::new(cancelled)))
    }

    /// Runs `future` to its end as [`block_on`](Runtime::block_on) does, or until one of the
    /// signals of [`Builder::cancel_on`](crate::Builder::cancel_on) comes.
    ///
    /// ```
    /// use std::future::pending;
    /// use wakering_runtime::{Builder, signal};
    /// # use wakering_ring_driver::testing::send;
    ///
    /// let runtime = Builder::new().cancel_on(signal::shutdown()).build()?;
    /// assert_eq!(runtime.try_block_on(async { 42 }), Ok(42));
    /// # send(signal::SignalKind::interrupt(), std::process::id());
    /// let cancelled = runtime.try_block_on(pending::<()>()).unwrap_err();
    /// assert_eq!(cancelled.signal(), signal::SignalKind::interrupt());
    /// # Ok::<(), wakering_runtime::SetupError>(())
    /// ```
    ///
    /// # Errors
    /// [`Cancelled`] tells which signal came. By then `future` has been dropped, and the kernel is
    /// done with what it left behind. An output that is ready has won.
    ///
    /// # Panics
    /// If `future` does. And on a thread that is running tasks, at once.
    #[track_caller]
    pub fn try_block_on<F: Future>(&self, future: F) -> Result<F::Output, Cancelled> {
        context::assert_may_block("Runtime::try_block_on");
        self.drive(future)
    }

    fn drive<F: Future>(&self, future: F) -> Result<F::Output, Cancelled> {
        let mut cancelled = None;
        let stop = |cx: &mut Context<'_>| {
            poll_cancelled(&self.cancel_on, cx).map(|by| cancelled = Some(by))
        };
        let ended = {
            let _context = context::enter(&self.executor);
            event_loop::run(&self.executor, accompany(&self.executor, future, stop))
        };
        match (ended, cancelled) {
            (Ended::Returned(output), _) => Ok(output),
            (Ended::Panicked(panic), _) => resume_unwind(panic),
            (Ended::Stopped, Some(cancelled)) => Err(cancelled),
            (Ended::Stopped, None) => unreachable!("a signal stops it, and nothing else"),
        }
    }

    /// Makes `future` a task, to be run by the next [`block_on`](Runtime::block_on).
    ///
    /// ```
    /// use wakering_runtime::Runtime;
    ///
    /// let runtime = Runtime::new()?;
    /// let handle = runtime.spawn(async { 42 });
    /// assert_eq!(runtime.block_on(handle).unwrap(), 42);
    /// # Ok::<(), wakering_runtime::SetupError>(())
    /// ```
    #[track_caller]
    pub fn spawn<F: Future + 'static>(&self, future: F) -> JoinHandle<F::Output> {
        let here = Location::caller();
        self.executor.spawn(|| TaskInfo::new(None, here), future)
    }

    /// What other threads use to reach this runtime.
    ///
    /// ```
    /// use std::thread;
    /// use wakering_runtime::Runtime;
    ///
    /// let runtime = Runtime::new()?;
    /// let handle = runtime.handle();
    /// let elsewhere = thread::spawn(move || handle.spawn(async { 42 }));
    /// let task = elsewhere.join().unwrap();
    /// assert_eq!(runtime.block_on(task).unwrap(), 42);
    /// # Ok::<(), wakering_runtime::SetupError>(())
    /// ```
    pub fn handle(&self) -> Handle {
        Handle::new(self.executor.member().clone())
    }

    /// What there is and what has been done so far.
    ///
    /// ```
    /// use wakering_runtime::{Runtime, spawn};
    ///
    /// let runtime = Runtime::new()?;
    /// runtime.block_on(async { spawn(async {}).await }).unwrap();
    /// let metrics = runtime.metrics();
    /// assert_eq!((metrics.spawned, metrics.tasks), (1, 0));
    /// # Ok::<(), wakering_runtime::SetupError>(())
    /// ```
    pub fn metrics(&self) -> Metrics {
        Metrics::of(&self.executor)
    }

    /// The tasks that are not over.
    ///
    /// ```
    /// use wakering_runtime::{Runtime, task::yield_now};
    ///
    /// let runtime = Runtime::new()?;
    /// let task = runtime.spawn(yield_now());
    /// let tasks = runtime.tasks();
    /// assert_eq!((tasks.len(), tasks[0].id()), (1, task.id()));
    /// # Ok::<(), wakering_runtime::SetupError>(())
    /// ```
    pub fn tasks(&self) -> Vec<TaskInfo> {
        self.executor.infos()
    }

    /// All that runs, with what it waits for: [`Handle::dump`], for between two `block_on`.
    ///
    /// ```
    /// use std::future::pending;
    /// use wakering_runtime::{Runtime, task::yield_now};
    ///
    /// let runtime = Runtime::new()?;
    /// runtime.spawn(pending::<()>());
    /// assert!(runtime.dump().to_string().ends_with(": its turn"));
    /// runtime.block_on(yield_now());
    /// assert!(runtime.dump().to_string().ends_with(": a wake"));
    /// # Ok::<(), wakering_runtime::SetupError>(())
    /// ```
    pub fn dump(&self) -> TaskTree {
        debug::tree(&self.executor)
    }

    /// Ends the runtime: cancels all tasks, awaits them, drains what the kernel still has, and
    /// tells what came of it.
    ///
    /// It takes as long as [`Builder::grace`] allows, 10 seconds if nothing else was said.
    /// Afterwards handles and wakers of this runtime do nothing.
    ///
    /// ```
    /// use std::future::pending;
    /// use wakering_runtime::Runtime;
    ///
    /// let runtime = Runtime::new()?;
    /// let task = runtime.spawn(pending::<()>());
    /// let report = runtime.close();
    /// assert!(report.is_clean());
    /// assert!(task.is_finished());
    /// # Ok::<(), wakering_runtime::SetupError>(())
    /// ```
    pub fn close(mut self) -> ShutdownReport {
        self.end()
    }

    fn end(&mut self) -> ShutdownReport {
        self.is_shut_down = true;
        // From here on signals do what they did before: who wants to end a runtime that is ending
        // means the process.
        self.cancel_on.take();
        // All cores end at the same time: what one of them does may be what another one waits for.
        match self.executor.driver().is_forked() {
            true => self.others.forget(),
            false => self.others.ask_to_end(),
        }
        let executor = &self.executor;
        // Not refused on a thread that runs tasks of another runtime: those wait, but nothing is
        // leaked.
        let _context = context::enter(executor);
        let begun = Instant::now();
        executor.cancel_all();
        event_loop::run(executor, at_most(executor.grace(), |cx| executor.poll_empty(cx)));
        // The last tasks may have callbacks.
        if executor.driver().needs_turn() {
            executor.driver().turn(Wait::Now);
        }
        let abandoned = executor.abandon_all();
        let left = executor.grace().saturating_sub(begun.elapsed());
        let drained = executor.driver().shutdown(left.clamp(LAST_WAIT, FOR_EVER));
        if executor.watch().is_some() {
            debug::report_still_open(executor);
        }
        let leaked_operations = drained.leaked;
        let mut report = ShutdownReport { abandoned, leaked_operations, stuck: Vec::new() };
        self.others.join(executor.grace(), &mut report);
        self.pinned = None;
        report
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        if !self.is_shut_down {
            let report = self.end();
            if !report.is_clean() {
                debug::tell(self.executor.on_report(), &Report::Unclean(report));
            }
        }
    }
}

impl std::fmt::Debug for Runtime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Runtime").field("tasks", &self.executor.len()).finish_non_exhaustive()
    }
}

/// Polls `future` to its end or until `stop` is ready, drops it, and waits for what it has left
/// behind, as long as the grace lasts.
async fn accompany<F: Future>(
    executor: &Executor,
    future: F,
    stop: impl FnMut(&mut Context<'_>) -> Poll<()>,
) -> Ended<F::Output> {
    let account = Account::open(executor, Kind::Main);
    let body = pin!(Conduct::new(future));
    let ended = conduct::until(&account, body, stop).await;
    if executor.remind_below(account.id()) {
        // Those who were reminded have their turn first.
        yield_now().await;
        executor.recall_below(account.id());
    }
    at_most(executor.grace(), |cx| account.poll_drained(Orphans::All, cx)).await;
    ended
}

/// Waits until something is ready, but not longer than `grace`.
async fn at_most(grace: Duration, mut ready: impl FnMut(&mut Context<'_>) -> Poll<()>) {
    let mut over = sleep(grace);
    poll_fn(|cx| if ready(cx).is_ready() { Poll::Ready(()) } else { Pin::new(&mut over).poll(cx) })
        .await;
}
