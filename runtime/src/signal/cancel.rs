//! What a runtime blocks on is given up when a signal comes.

use std::cell::RefCell;
use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::{SignalKind, Signals};

/// Ready when one of `signals` has come. Then nobody listens any more, still before anything is
/// dropped: the next signal does what it did before, which usually ends the process.
pub(crate) fn poll_cancelled(
    signals: &RefCell<Option<Signals>>,
    cx: &mut Context<'_>,
) -> Poll<Cancelled> {
    let mut listening = signals.borrow_mut();
    let Some(listeners) = &mut *listening else { return Poll::Pending };
    let came = ready!(Pin::new(listeners).poll(cx));
    *listening = None;
    match came {
        Ok(signal) => Poll::Ready(Cancelled { signal }),
        Err(error) => {
            eprintln!("wakering: signals cancel nothing any more: {error}");
            Poll::Pending
        }
    }
}

/// A signal came, and the future has been dropped: what
/// [`Runtime::try_block_on`](crate::Runtime::try_block_on) gives in place of its output.
///
/// ```
/// use std::future::pending;
/// use wakering_runtime::{Builder, signal};
/// # use wakering_ring_driver::testing::send;
///
/// let runtime = Builder::new().cancel_on(signal::shutdown()).build()?;
/// # send(signal::SignalKind::terminate(), std::process::id());
/// let cancelled = runtime.try_block_on(pending::<()>()).unwrap_err();
/// assert_eq!(cancelled.signal(), signal::SignalKind::terminate());
/// assert_eq!(cancelled.to_string(), "cancelled by SIGTERM");
/// # Ok::<(), wakering_runtime::SetupError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cancelled {
    signal: SignalKind,
}

impl Cancelled {
    /// The signal that came.
    pub fn signal(&self) -> SignalKind {
        self.signal
    }
}

impl fmt::Display for Cancelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cancelled by {}", self.signal)
    }
}

impl Error for Cancelled {}
