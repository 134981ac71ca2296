//! Signals of the system: Ctrl-C, the request to end, children that have ended.
//!
//! While somebody listens to a signal, it does not do what it did before: a process that listens to
//! SIGTERM is not ended by it. Whoever listens is told, each for itself, on any thread that runs a
//! runtime, and when the last one stops listening, everything is as it was before the first. A
//! signal that came and that nobody was told of is then sent there: none gets lost.
//!
//! A program that listens to nothing has no handlers: [`run`](crate::run) installs none.
//!
//! ```
//! use wakering_runtime::signal::{SignalKind, signal};
//! # use wakering_ring_driver::testing::send;
//!
//! wakering_runtime::run(async {
//!     let mut hangup = signal(SignalKind::hangup())?;
//!     // kill -HUP
//!     # send(SignalKind::hangup(), std::process::id());
//!     hangup.recv().await?;
//!     println!("reading the configuration again");
//!     Ok::<_, std::io::Error>(())
//! })
//! # .unwrap();
//! ```
//!
//! Like everywhere in Unix, a signal that comes again before the first was taken comes once.

use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use wakering_ring_driver::signal::Listener;

mod cancel;

pub use cancel::Cancelled;
pub(crate) use cancel::poll_cancelled;
pub use wakering_ring_driver::signal::SignalKind;

/// Listens to one kind of signal, from now on.
///
/// ```
/// use wakering_runtime::signal::{SignalKind, signal};
///
/// assert!(signal(SignalKind::terminate()).is_ok());
/// let error = signal(SignalKind::from_raw(9)).unwrap_err();
/// assert!(error.to_string().starts_with("cannot listen to SIGKILL: the kernel lets no process"));
/// ```
///
/// # Errors
/// `InvalidInput` for signals that cannot be caught (SIGKILL, SIGSTOP), that are faults of the
/// thread that they stop (SIGSEGV, SIGBUS, SIGILL, SIGFPE) or that do not exist; what eventfd(2)
/// says, since each listener takes a descriptor.
pub fn signal(kind: SignalKind) -> io::Result<Signal> {
    Ok(Signal(Listener::new(kind)?))
}

/// One kind of signal, as a stream; made by [`signal`].
///
/// ```
/// use futures_util::StreamExt;
/// use wakering_runtime::signal::{Signal, SignalKind, signal};
/// # use wakering_ring_driver::testing::send;
///
/// wakering_runtime::run(async {
///     let mut one = signal(SignalKind::user_defined1())?;
///     let mut other = signal(SignalKind::user_defined1())?;
///     // kill -USR1
///     # send(SignalKind::user_defined1(), std::process::id());
///     one.recv().await?;
///     assert!(other.next().await.is_some(), "each of them is told");
///     Ok::<_, std::io::Error>(())
/// })
/// # .unwrap();
/// ```
#[derive(Debug)]
pub struct Signal(Listener);

impl Signal {
    /// Waits for the next one.
    ///
    /// ```
    /// use wakering_runtime::signal::{SignalKind, signal};
    /// # use wakering_ring_driver::testing::send;
    ///
    /// wakering_runtime::run(async {
    ///     let mut alarm = signal(SignalKind::alarm())?;
    ///     # send(SignalKind::alarm(), std::process::id());
    ///     alarm.recv().await
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    /// Outside of a runtime, or under another one than where it waited last.
    ///
    /// # Cancellation
    /// **Strict.**
    pub async fn recv(&mut self) -> io::Result<()> {
        poll_fn(|cx| self.0.poll_take(cx)).await
    }

    /// What it listens to.
    ///
    /// ```
    /// use wakering_runtime::signal::{SignalKind, signal};
    ///
    /// let child = signal(SignalKind::child())?;
    /// assert_eq!(child.kind(), SignalKind::child());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn kind(&self) -> SignalKind {
        self.0.kind()
    }
}

/// Never ends.
impl Stream for Signal {
    type Item = io::Result<()>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_take(cx).map(Some)
    }
}

/// Waits for Ctrl-C, that is SIGINT.
///
/// Once it is there, or the future is dropped, the next one does what it did before: usually it
/// ends the process, which is what somebody who presses it twice wants. To go on listening, take
/// [`signal`].
///
/// ```
/// use wakering_runtime::signal;
/// # use wakering_ring_driver::testing::send;
/// # use wakering_runtime::{spawn, task::yield_now};
/// # let ctrl_c = || send(signal::SignalKind::interrupt(), std::process::id());
///
/// wakering_runtime::run(async {
///     # spawn(async move { yield_now().await; ctrl_c() });
///     signal::ctrl_c().await?;
///     println!("bye");
///     Ok::<_, std::io::Error>(())
/// })
/// # .unwrap();
/// ```
///
/// # Errors
/// What eventfd(2) says.
///
/// # Cancellation
/// **Strict**: a signal that came and was not told of is sent to what was there before.
pub async fn ctrl_c() -> io::Result<()> {
    signal(SignalKind::interrupt())?.recv().await
}

/// Listens, from now on, to what asks a process to end: SIGINT from a terminal, SIGTERM from
/// whoever started it.
///
/// Awaiting it tells which one came. See [`Builder::cancel_on`](crate::Builder::cancel_on) for a
/// program whose main future shall just be cancelled.
///
/// ```
/// use wakering_runtime::signal;
/// # use wakering_ring_driver::testing::send;
///
/// wakering_runtime::run(async {
///     let shutdown = signal::shutdown();
///     # send(signal::SignalKind::terminate(), std::process::id());
///     let kind = shutdown.await?;
///     assert_eq!(format!("received exit signal {kind}"), "received exit signal SIGTERM");
///     Ok::<_, std::io::Error>(())
/// })
/// # .unwrap();
/// ```
pub fn shutdown() -> Signals {
    signals([SignalKind::interrupt(), SignalKind::terminate()])
}

/// Listens, from now on, to several kinds of signals. If that cannot be, awaiting it tells why.
///
/// ```
/// use wakering_runtime::signal::{SignalKind, signals};
/// # use wakering_ring_driver::testing::send;
///
/// wakering_runtime::run(async {
///     let mut users = signals([SignalKind::user_defined1(), SignalKind::user_defined2()]);
///     # send(SignalKind::user_defined2(), std::process::id());
///     assert_eq!((&mut users).await?, SignalKind::user_defined2());
///     let refused = signals([SignalKind::hangup(), SignalKind::from_raw(19)]).await;
///     assert!(refused.unwrap_err().to_string().contains("SIGSTOP"));
///     Ok::<_, std::io::Error>(())
/// })
/// # .unwrap();
/// ```
pub fn signals(kinds: impl IntoIterator<Item = SignalKind>) -> Signals {
    let kinds: Vec<SignalKind> = kinds.into_iter().collect();
    Signals { listeners: kinds.iter().copied().map(signal).collect(), kinds, next: 0 }
}

/// Several kinds of signals, as a future and as a stream; made by [`shutdown`] and [`signals`].
///
/// As a future it is ready with the next signal, and may be awaited again through `&mut`. Each kind
/// gets its turn, however often another one comes.
///
/// ```
/// use futures_util::StreamExt;
/// use wakering_runtime::signal::{SignalKind, Signals, signals};
/// # use wakering_ring_driver::testing::send;
///
/// wakering_runtime::run(async {
///     let mut hangups: Signals = signals([SignalKind::hangup()]);
///     # send(SignalKind::hangup(), std::process::id());
///     assert_eq!(hangups.next().await.unwrap()?, SignalKind::hangup());
///     Ok::<_, std::io::Error>(())
/// })
/// # .unwrap();
/// ```
#[must_use = "nobody is told unless it is awaited; dropping it stops listening"]
pub struct Signals {
    kinds: Vec<SignalKind>,
    listeners: io::Result<Vec<Signal>>,
    /// Which one is asked first.
    next: usize,
}

impl Signals {
    pub(crate) fn kinds(&self) -> &[SignalKind] {
        &self.kinds
    }

    /// Makes a signal that nobody takes in time for the next one end the process; or tells why
    /// these signals cannot be listened to.
    pub(crate) fn insisting(self) -> io::Result<Signals> {
        let listeners = self.listeners?;
        listeners.iter().for_each(|Signal(listener)| listener.insist());
        Ok(Signals { listeners: Ok(listeners), ..self })
    }
}

/// # Cancellation
/// **Strict.**
impl Future for Signals {
    type Output = io::Result<SignalKind>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Signals { listeners, next, .. } = &mut *self;
        let listeners = match listeners {
            Ok(listeners) => listeners,
            // The error stays for whoever asks again.
            Err(error) => return Poll::Ready(Err(io::Error::new(error.kind(), error.to_string()))),
        };
        for turn in 0..listeners.len() {
            let at = (*next + turn) % listeners.len();
            let Signal(listener) = &mut listeners[at];
            if let Poll::Ready(taken) = listener.poll_take(cx) {
                *next = at + 1;
                return Poll::Ready(taken.map(|()| listener.kind()));
            }
        }
        Poll::Pending
    }
}

/// Never ends.
impl Stream for Signals {
    type Item = io::Result<SignalKind>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll(cx).map(Some)
    }
}

impl fmt::Debug for Signals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Signals").field(&self.kinds).finish()
    }
}
