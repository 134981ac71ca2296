//! One request, many answers: the stream around a multishot operation.
//!
//! A multishot lives on the read side of its descriptor, and its items wait on the side's shelf:
//! for the stream around it, or for the next receive or accept if that is dropped or forgotten.
//! When many wait there, the driver stops the series, and the stream starts it again once it has
//! taken them: a peer that sends faster than somebody reads is held up by the kernel.

use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll};

use super::Operation;
use crate::driver::{Begun, Driver, Polled};
use crate::fd::{Fd, Shelf};
use crate::in_flight::{Key, finish};

/// An operation that completes more than once.
///
/// # Safety
/// As for [`Operation`], but that every completion with more to come is put back, and none ends
/// the operation.
pub unsafe trait MultiOperation: Operation<Output = io::Result<Self::Item>> {
    /// What one completion gives.
    type Item;

    /// The same as it lies on the shelf.
    type Taken;

    /// The next of what has been put back.
    fn take(shelf: &mut Shelf) -> Option<Self::Taken>;

    /// What is made of it, outside of the driver.
    fn item(taken: Self::Taken, driver: &Driver) -> Self::Item;
}

/// The items of a multishot operation, in the order in which the kernel gave them.
///
/// After the kernel has ended the series (an error, the end of the stream, a full completion queue)
/// [`next`](Multi::next) gives `None`; starting it again is the caller's choice.
///
/// # Cancellation
/// **Strict**: items that nobody has fetched are served to the next operation on the same side. A
/// few wait at most: then the kernel is asked to stop until somebody fetches them.
#[must_use = "a multishot does nothing until it is polled"]
pub struct Multi<O: MultiOperation> {
    fd: Fd,
    stage: Stage<O>,
}

enum Stage<O> {
    Ready(O),
    Queued(O),
    InFlight(Key),
    Ended,
}

impl<O: MultiOperation> Unpin for Multi<O> {}

impl<O: MultiOperation> Multi<O> {
    /// `operation` on `fd`.
    pub fn on(fd: &Fd, operation: O) -> Multi<O> {
        Multi { fd: fd.clone(), stage: Stage::Ready(operation) }
    }

    /// The next item, or `None` when the series has ended.
    ///
    /// # Cancellation
    /// **Strict**.
    pub async fn next(&mut self) -> Option<io::Result<O::Item>> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// The next item as soon as it is there.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<O::Item>>> {
        loop {
            if matches!(self.stage, Stage::Ended) {
                return Poll::Ready(None);
            }
            let driver = self.fd.driver();
            if let Err(error) = driver.check_current() {
                self.leave();
                return Poll::Ready(Some(Err(error)));
            }
            if let Some(taken) = driver.take_item::<O>(&self.fd) {
                return Poll::Ready(Some(Ok(O::item(taken, driver))));
            }
            let (operation, queued) = match std::mem::replace(&mut self.stage, Stage::Ended) {
                Stage::Ready(operation) => (operation, false),
                Stage::Queued(operation) => (operation, true),
                Stage::InFlight(key) => match driver.poll_slot::<O>(key, cx.waker()) {
                    Polled::Pending => {
                        self.stage = Stage::InFlight(key);
                        return Poll::Pending;
                    }
                    // Nobody but the driver cancels a series: it was stopped until its holder
                    // comes.
                    Polled::Done(operation, outcome)
                        if outcome.errno() == Some(libc::ECANCELED) =>
                    {
                        (operation, false)
                    }
                    Polled::Done(operation, outcome) => {
                        return Poll::Ready(Some(finish(operation, outcome, driver)));
                    }
                    Polled::Robbed(operation) => (operation, false),
                },
                Stage::Ended => unreachable!("looked at just above"),
            };
            match driver.begin(operation, Some(&self.fd), queued, cx.waker()) {
                Begun::InFlight(key) => self.stage = Stage::InFlight(key),
                Begun::Queued(operation) => {
                    self.stage = Stage::Queued(operation);
                    return Poll::Pending;
                }
                Begun::Held(operation) => {
                    self.stage = Stage::Ready(operation);
                    return Poll::Pending;
                }
                Begun::Served(operation, outcome) => {
                    return Poll::Ready(Some(finish(operation, outcome, driver)));
                }
                Begun::Refused(operation, error) => {
                    return Poll::Ready(Some(operation.fail(error)));
                }
            }
        }
    }

    /// Nobody waits here any more.
    fn leave(&mut self) {
        match std::mem::replace(&mut self.stage, Stage::Ended) {
            Stage::InFlight(key) => self.fd.driver().abandon(key),
            Stage::Queued(_) => self.fd.driver().leave_queue(&self.fd, O::LANE),
            Stage::Ready(_) | Stage::Ended => {}
        }
    }
}

impl<O: MultiOperation> Drop for Multi<O> {
    fn drop(&mut self) {
        self.leave();
    }
}
