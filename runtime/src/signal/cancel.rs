//! A future that is given up when a signal comes.

use std::cell::RefCell;
use std::error::Error;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Poll, ready};

use super::{SignalKind, Signals};

/// Polls `future` to its end, or until one of `signals` comes. Then nobody listens any more, still
/// before `future` is dropped: the next signal does what it did before, which usually ends the
/// process.
pub(crate) async fn cancelled_by<F: Future>(
    signals: &RefCell<Option<Signals>>,
    future: F,
) -> Result<F::Output, Cancelled> {
    let mut future = pin!(future);
    poll_fn(|cx| {
        if let Poll::Ready(output) = future.as_mut().poll(cx) {
            return Poll::Ready(Ok(output));
        }
        let mut listening = signals.borrow_mut();
        let Some(listeners) = &mut *listening else { return Poll::Pending };
        let came = ready!(Pin::new(listeners).poll(cx));
        *listening = None;
        match came {
            Ok(signal) => Poll::Ready(Err(Cancelled { signal })),
            Err(error) => {
                eprintln!("wakering: signals cancel nothing any more: {error}");
                Poll::Pending
            }
        }
    })
    .await
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
