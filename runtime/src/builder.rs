//! Settings of a runtime to be built.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use wakering_ring_driver::{Backend, Config, Driver, Mask, SetupError, is_debugging};

use crate::cores::{self, Cores, Others, Places};
use crate::debug::{self, OnReport, Report, Watch};
use crate::executor::Executor;
use crate::home::OnUnhandled;
use crate::runtime::Runtime;
use crate::signal::{SignalKind, Signals, signals};
use crate::task::JoinError;

/// What a [`Runtime`] is made from. It may be sent to the thread where the runtime shall live.
///
/// ```
/// use std::{thread, time::Duration};
/// use wakering_runtime::Builder;
///
/// let builder = Builder::new().entries(64).grace(Duration::from_secs(1));
/// let answer = thread::spawn(move || {
///     let runtime = builder.build()?;
///     Ok::<_, wakering_runtime::SetupError>(runtime.block_on(async { 42 }))
/// });
/// assert_eq!(answer.join().unwrap()?, 42);
/// # Ok::<(), wakering_runtime::SetupError>(())
/// ```
#[derive(Clone)]
#[must_use = "a builder builds nothing until it is told to"]
pub struct Builder {
    config: Config,
    grace: Duration,
    on_unhandled: OnUnhandled,
    on_report: OnReport,
    /// `None` is for the environment to say.
    debug: Option<bool>,
    slow_poll: Duration,
    cancel_on: Option<Arc<[SignalKind]>>,
    cores: Cores,
    #[cfg(feature = "testing")]
    is_time_paused: bool,
    #[cfg(feature = "testing")]
    crowd: Option<usize>,
}

impl Builder {
    /// The best backend that this machine offers, 256 entries, ten seconds of grace, panics
    /// reported on standard error.
    ///
    /// ```
    /// let runtime = wakering_runtime::Builder::new().build()?;
    /// assert_eq!(runtime.block_on(async { 42 }), 42);
    /// # Ok::<(), wakering_runtime::SetupError>(())
    /// ```
    pub fn new() -> Builder {
        Builder {
            config: Config::default(),
            grace: Duration::from_secs(10),
            on_unhandled: Arc::new(|error| {
                eprintln!("wakering: {error}; nobody awaits its outcome")
            }),
            on_report: debug::default_hook(),
            debug: None,
            slow_poll: Duration::from_millis(100),
            cancel_on: None,
            cores: Cores::Count(1),
            #[cfg(feature = "testing")]
            is_time_paused: false,
            #[cfg(feature = "testing")]
            crowd: None,
        }
    }

    /// Which backend carries operations out. What is asked for here comes before what the
    /// environment asks for.
    ///
    /// ```
    /// use wakering_ring_driver::Driver;
    /// use wakering_runtime::{Backend, Builder};
    ///
    /// let runtime = Builder::new().backend(Backend::Poll).build()?;
    /// assert_eq!(runtime.block_on(async { Driver::current().unwrap().backend() }), "poll");
    /// # Ok::<(), wakering_runtime::SetupError>(())
    /// ```
    pub fn backend(mut self, backend: Backend) -> Builder {
        self.config.backend = backend;
        self
    }

    /// How many operations are handed to the kernel at once, 1 to 32,768; rounded up to a power of
    /// two.
    ///
    /// ```
    /// let runtime = wakering_runtime::Builder::new().entries(8).build()?;
    /// assert_eq!(runtime.block_on(async { 42 }), 42);
    /// # Ok::<(), wakering_runtime::SetupError>(())
    /// ```
    pub fn entries(mut self, entries: u32) -> Builder {
        self.config.entries = entries;
        self
    }

    /// Lets the loop sleep on although something has completed, so that it takes more at once: until
    /// `completions` are there, or `duration` after it fell asleep at least one. Never, if nothing
    /// is said here.
    ///
    /// With many connections this costs fewer system calls and fewer changes between kernel and
    /// tasks. It is paid for in time: whatever completes, and whoever wakes a task from another
    /// thread, may wait for as long as `duration`. 8 to 16 completions within 50 µs are a good
    /// begin; where there is nothing to gather, with a single connection say, all is only slower. A loop
    /// that has to be up for a timer before `duration` is over gathers nothing.
    ///
    /// ```
    /// use std::time::Duration;
    /// use wakering_runtime::Builder;
    ///
    /// let runtime = Builder::new().min_wait(Duration::from_micros(50), 16).build()?;
    /// assert_eq!(runtime.block_on(async { 42 }), 42);
    /// # Ok::<(), wakering_runtime::SetupError>(())
    /// ```
    ///
    /// # Kernel
    /// Linux 6.12 and newer. Elsewhere, and without io_uring, the first completion ends each sleep.
    pub fn min_wait(mut self, duration: Duration, completions: u32) -> Builder {
        self.config.min_wait = duration;
        self.config.min_completions = completions;
        self
    }

    /// Lets the loop look for completions and messages for `duration` before it sleeps. Never, if
    /// nothing is said here.
    ///
    /// What comes in that time is answered without the microseconds in which the kernel would have
    /// woken the thread, and who wakes a task from another thread pays no system call. It costs the
    /// whole of a processor, which nobody else should need then.
    ///
    /// ```
    /// use std::time::Duration;
    /// use wakering_runtime::Builder;
    ///
    /// let runtime = Builder::new().busy_poll(Duration::from_micros(100)).build()?;
    /// assert_eq!(runtime.block_on(async { 42 }), 42);
    /// # Ok::<(), wakering_runtime::SetupError>(())
    /// ```
    ///
    /// # Kernel
    /// What has completed is seen without a system call. Without io_uring nothing is: there the
    /// loop sleeps at once.
    pub fn busy_poll(mut self, duration: Duration) -> Builder {
        self.config.busy_poll = duration;
        self
    }

    /// Does without some of what this kernel's io_uring offers, as if it were an older one.
    ///
    /// ```
    /// let mask = "-defer_taskrun".parse()?;
    /// let runtime = wakering_runtime::Builder::new().capabilities(mask).build()?;
    /// assert_eq!(runtime.block_on(async { 42 }), 42);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn capabilities(mut self, mask: Mask) -> Builder {
        self.config.mask = Some(mask);
        self
    }

    /// How long the end of the runtime may wait for tasks and for the kernel.
    ///
    /// ```
    /// use std::{future::pending, time::Duration};
    ///
    /// let runtime = wakering_runtime::Builder::new().grace(Duration::from_millis(100)).build()?;
    /// runtime.spawn(pending::<()>());
    /// assert!(runtime.close().is_clean());
    /// # Ok::<(), wakering_runtime::SetupError>(())
    /// ```
    pub fn grace(mut self, grace: Duration) -> Builder {
        self.grace = grace;
        self
    }

    /// Who is told, once, about the panic of a task whose handle is gone. A panic of `hook` itself
    /// is ignored.
    ///
    /// ```
    /// use std::sync::mpsc;
    /// use wakering_runtime::{Builder, spawn, task::yield_now};
    ///
    /// let (sender, reports) = mpsc::channel();
    /// let sender = std::sync::Mutex::new(sender);
    /// let runtime = Builder::new()
    ///     .on_unhandled(move |error| sender.lock().unwrap().send(error.to_string()).unwrap())
    ///     .build()?;
    /// runtime.block_on(async {
    ///     drop(spawn(async { panic!("unseen") }));
    ///     yield_now().await;
    /// });
    /// assert!(reports.try_recv().unwrap().ends_with("panicked: unseen"));
    /// # Ok::<(), wakering_runtime::SetupError>(())
    /// ```
    pub fn on_unhandled(mut self, hook: impl Fn(&JoinError) + Send + Sync + 'static) -> Builder {
        self.on_unhandled = Arc::new(hook);
        self
    }

    /// Whether the runtime looks for what is odd while it runs, and makes [`Report`]s of it. If
    /// nothing is said, `WAKERING_DEBUG=1` in the environment says so.
    ///
    /// It costs about 50 ns a poll.
    ///
    /// ```
    /// use wakering_runtime::Builder;
    ///
    /// let runtime = Builder::new().debug(true).build()?;
    /// runtime.block_on(async {});
    /// assert!(runtime.metrics().longest_poll.is_some());
    /// # Ok::<(), wakering_runtime::SetupError>(())
    /// ```
    pub fn debug(mut self, debug: bool) -> Builder {
        self.debug = Some(debug);
        self
    }

    /// How long a poll may take before debug mode tells of it.
    ///
    /// ```
    /// use std::time::Duration;
    /// use wakering_runtime::Builder;
    ///
    /// let runtime = Builder::new().debug(true).slow_poll(Duration::from_millis(10)).build()?;
    /// assert_eq!(runtime.block_on(async { 42 }), 42);
    /// # Ok::<(), wakering_runtime::SetupError>(())
    /// ```
    pub fn slow_poll(mut self, duration: Duration) -> Builder {
        self.slow_poll = duration;
        self
    }

    /// Who gets [`Report`]s, instead of standard error. A panic of `hook` itself is ignored.
    ///
    /// ```
    /// use std::sync::{Arc, atomic::{AtomicUsize, Ordering}};
    /// use wakering_runtime::{Builder, spawn};
    ///
    /// let reports = Arc::new(AtomicUsize::new(0));
    /// let count = reports.clone();
    /// let hook = move |_: &_| drop(count.fetch_add(1, Ordering::Relaxed));
    /// let runtime = Builder::new().debug(true).on_report(hook).build()?;
    /// runtime.block_on(async { drop(spawn(async {})) });
    /// drop(runtime);
    /// assert_eq!(reports.load(Ordering::Relaxed), 1, "the task has never been polled");
    /// # Ok::<(), wakering_runtime::SetupError>(())
    /// ```
    pub fn on_report(mut self, hook: impl Fn(&Report) + Send + Sync + 'static) -> Builder {
        self.on_report = Arc::new(hook);
        self
    }

    /// Lets the first of these signals cancel what the runtime blocks on, and the next one end the
    /// process at once, also where the first has found nobody who looks.
    ///
    /// The runtime listens from when it is built. When a signal comes, the future that it blocks on
    /// is dropped and what that leaves in the kernel is waited for;
    /// [`try_block_on`](Runtime::try_block_on) then tells of it. From before the drop on, signals
    /// do again what they did before: usually that ends the process. Tasks go on until the runtime
    /// ends, which cancels and awaits them as always.
    ///
    /// ```
    /// use std::future::pending;
    /// use wakering_runtime::{Builder, signal};
    /// # use wakering_ring_driver::testing::send;
    ///
    /// let runtime = Builder::new().cancel_on(signal::shutdown()).build()?;
    /// let _server = runtime.spawn(pending::<()>());
    /// # send(signal::SignalKind::terminate(), std::process::id());
    /// if let Err(cancelled) = runtime.try_block_on(pending::<()>()) {
    ///     println!("Received exit signal {}", cancelled.signal());
    ///     println!("Cancelling {} outstanding tasks", runtime.metrics().tasks);
    /// }
    /// assert!(runtime.close().is_clean());
    /// # Ok::<(), wakering_runtime::SetupError>(())
    /// ```
    pub fn cancel_on(mut self, signals: Signals) -> Builder {
        self.cancel_on = Some(signals.kinds().into());
        self
    }

    /// On how many cores the runtime runs: a number, or [`Cores::All`] for as many as this process
    /// may use. One, if nothing is said.
    ///
    /// Core 0 is the thread that builds the runtime and blocks on futures; each other core is a
    /// thread of its own, named `wakering-1` and so on, with a ring and a loop of its own, and runs
    /// from when the runtime is built until it ends. Tasks stay on the core where they are made:
    /// [`spawn`](crate::spawn) is always local, [`spawn_on`](crate::spawn_on) reaches another core.
    ///
    /// If there are several, each thread is kept on a processor of its own, also the calling one
    /// until the runtime ends. Threads that it starts by itself meanwhile inherit that; child
    /// processes and the threads of [`blocking`](crate::blocking) do not. Where it is refused, debug
    /// mode [tells of it](Report::NotPinned), and cores run where the system lets them.
    ///
    /// ```
    /// use wakering_runtime::{Builder, Cores, Handle, spawn_on};
    ///
    /// let runtime = Builder::new().cores(Cores::All).build()?;
    /// let sum = runtime.block_on(async {
    ///     let cores = Handle::current().cores();
    ///     let tasks = (0..cores).map(|core| spawn_on(core, move || async move { core }));
    ///     let mut sum = 0;
    ///     for task in tasks.collect::<Vec<_>>() {
    ///         sum += task.await.unwrap();
    ///     }
    ///     sum
    /// });
    /// let cores = runtime.handle().cores();
    /// assert_eq!(sum, cores * (cores - 1) / 2);
    /// # Ok::<(), wakering_runtime::SetupError>(())
    /// ```
    pub fn cores(mut self, cores: impl Into<Cores>) -> Builder {
        self.cores = cores.into();
        self
    }

    /// As many cores as that, whether the machine has them or not, each where the system lets it
    /// run. For tests of what crosses between cores.
    ///
    /// ```
    /// use wakering_runtime::{Builder, Handle};
    ///
    /// assert_eq!(Builder::new().crowded(3).run(async { Handle::current().cores() }), Ok(3));
    /// ```
    #[cfg(feature = "testing")]
    #[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
    pub fn crowded(mut self, cores: usize) -> Builder {
        self.crowd = Some(cores);
        self
    }

    /// Lets the time of the runtime's thread stand still, from when the runtime is built until it
    /// has ended. For tests of what takes long.
    ///
    /// Time jumps to the next timer whenever nothing else is left to wait for: no task is ready, no
    /// operation is in flight, no closure runs on the pool. While there is one, time passes as it
    /// really does. So a test that only sleeps takes no time, and one that waits for the kernel
    /// does not see time run away. What other threads do by themselves is not waited for.
    ///
    /// ```
    /// use std::time::Duration;
    /// use wakering_runtime::{Builder, time::{Instant, sleep}};
    ///
    /// let began = std::time::Instant::now();
    /// let runtime = Builder::new().paused_time().build()?;
    /// runtime.block_on(async {
    ///     let start = Instant::now();
    ///     sleep(Duration::from_secs(3600)).await;
    ///     assert_eq!(start.elapsed(), Duration::from_secs(3600));
    /// });
    /// assert!(began.elapsed() < Duration::from_secs(60));
    /// # Ok::<(), wakering_runtime::SetupError>(())
    /// ```
    #[cfg(feature = "testing")]
    #[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
    pub fn paused_time(mut self) -> Builder {
        self.is_time_paused = true;
        self
    }

    /// Builds the runtime on this thread, where it stays.
    ///
    /// ```
    /// let runtime = wakering_runtime::Builder::new().build()?;
    /// assert_eq!(runtime.block_on(async { 42 }), 42);
    /// # Ok::<(), wakering_runtime::SetupError>(())
    /// ```
    ///
    /// # Errors
    /// [`SetupError`] tells why no driver can be had and what mends it: a setting means nothing,
    /// descriptors have run out, or a ring was asked for by name and this machine gives none. Where
    /// nobody asks for one by name, a machine without a ring is no error. And if the signals of
    /// [`cancel_on`](Builder::cancel_on) cannot be listened to, if there are not so many
    /// [cores](Builder::cores), or if one of them cannot be had, which the error names.
    pub fn build(self) -> Result<Runtime, SetupError> {
        let places = self.places()?;
        #[cfg(feature = "testing")]
        if self.is_time_paused && places.len() > 1 {
            return Err(SetupError::paused_cores());
        }
        let kinds = self.cancel_on.as_deref();
        let listen = |kinds: &[SignalKind]| signals(kinds.iter().copied()).insisting();
        let cancel_on = kinds.map(listen).transpose().map_err(SetupError::signals)?;
        let runtime = self.clone().build_core(0, places[0])?.cancelled_on(cancel_on);
        Ok(match places.len() {
            1 => runtime,
            _ => runtime.lead(Others::start(&self, &places)?),
        })
    }

    fn places(&self) -> Result<Places, SetupError> {
        #[cfg(feature = "testing")]
        if let Some(crowd) = self.crowd {
            return Ok(vec![None; crowd]);
        }
        self.cores.places()
    }

    /// Builds core `core` of a runtime on this thread.
    pub(crate) fn build_core(
        self,
        core: usize,
        place: Option<usize>,
    ) -> Result<Runtime, SetupError> {
        // Before the ring is made, so that its memory is near.
        let on_report = self.is_debugging().then_some(&self.on_report);
        let pinned = cores::pin(core, place, on_report);
        let driver = Driver::new(&self.config)?;
        Ok(self.assemble(driver).pinned(pinned))
    }

    fn is_debugging(&self) -> bool {
        self.debug.unwrap_or_else(is_debugging)
    }

    /// Builds the runtime on a driver whose kernel is a test.
    ///
    /// ```
    /// use wakering_ring_driver::Driver;
    /// use wakering_runtime::Builder;
    ///
    /// let (driver, _memory) = Driver::memory()?;
    /// let runtime = Builder::new().build_on(driver);
    /// assert_eq!(runtime.block_on(async { 42 }), 42);
    /// # Ok::<(), wakering_runtime::SetupError>(())
    /// ```
    #[cfg(feature = "testing")]
    pub fn build_on(self, driver: Driver) -> Runtime {
        self.assemble(driver)
    }

    fn assemble(self, driver: Driver) -> Runtime {
        // Stopped before the timers begin to count, so that they count whole microseconds.
        #[cfg(feature = "testing")]
        let clock = self.is_time_paused.then(wakering_ring_driver::testing::StoppedClock::new);
        let watch = self.is_debugging().then(|| Watch::new(self.slow_poll));
        let executor = Executor::new(driver, self.grace, self.on_unhandled, self.on_report, watch);
        let runtime = Runtime::of(executor);
        #[cfg(feature = "testing")]
        let runtime = runtime.with_clock(clock);
        runtime
    }
}

impl Default for Builder {
    fn default() -> Builder {
        Builder::new()
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("config", &self.config)
            .field("grace", &self.grace)
            .field("debug", &self.debug)
            .field("cores", &self.cores)
            .finish_non_exhaustive()
    }
}
