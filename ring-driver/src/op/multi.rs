//! One request, many answers: the stream around a multishot operation.
//!
//! A multishot lives on the read side of its descriptor. Its items wait in a queue of the driver;
//! dropping the stream puts them back on the side's shelf, where the next receive or accept finds
//! them.

use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll};

use super::Operation;
use crate::completion::Outcome;
use crate::driver::{Begun, Driver, PolledItem};
use crate::error::RuntimeError;
use crate::fd::Fd;
use crate::in_flight::Key;

/// An operation that completes more than once.
///
/// # Safety
/// As for [`Operation`]; `item` is called for each completion that is not put back.
pub unsafe trait MultiOperation: Operation {
    /// What one completion gives.
    type Item;

    /// Turns one completion into an item; `None` where it only says that the series has ended.
    fn item(outcome: Outcome, driver: &Driver) -> Option<io::Result<Self::Item>>;

    /// The same for what [`serve`](Operation::serve) has answered, which may lie in `self`.
    fn served(&mut self, outcome: Outcome, driver: &Driver) -> Option<io::Result<Self::Item>> {
        Self::item(outcome, driver)
    }
}

/// The items of a multishot operation, in the order in which the kernel gave them.
///
/// After the kernel has ended the series (an error, the end of the stream, a full completion queue)
/// [`next`](Multi::next) gives `None`; starting it again is the caller's choice.
///
/// # Cancellation
/// **Strict**: items that nobody has fetched are served to the next operation on the same side.
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

    fn driver(&self) -> io::Result<Driver> {
        let current = Driver::current()?;
        match current.is_same(self.fd.driver()) {
            true => Ok(current),
            false => Err(RuntimeError::WrongRuntime.into()),
        }
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
            match std::mem::replace(&mut self.stage, Stage::Ended) {
                stage @ (Stage::Ready(_) | Stage::Queued(_)) => {
                    let (operation, queued) = match stage {
                        Stage::Ready(operation) => (operation, false),
                        Stage::Queued(operation) => (operation, true),
                        _ => unreachable!("matched just above"),
                    };
                    let driver = match self.driver() {
                        Ok(driver) => driver,
                        Err(error) => {
                            if queued {
                                self.fd.driver().leave_queue(&self.fd, O::LANE);
                            }
                            return Poll::Ready(Some(Err(error)));
                        }
                    };
                    match driver.begin(operation, Some(&self.fd), queued, cx.waker()) {
                        // One that is over has its only item in the slot.
                        Begun::Over(key) => self.stage = Stage::InFlight(key),
                        Begun::InFlight(key) => {
                            driver.expect_items(key);
                            self.stage = Stage::InFlight(key);
                            return Poll::Pending;
                        }
                        Begun::Queued(operation) => {
                            self.stage = Stage::Queued(operation);
                            return Poll::Pending;
                        }
                        Begun::Served(mut operation, outcome) => {
                            let item = match outcome.errno() {
                                None => operation.served(outcome, &driver),
                                Some(_) => O::item(outcome, &driver),
                            };
                            self.stage = Stage::Ready(operation);
                            if let Some(item) = item {
                                return Poll::Ready(Some(item));
                            }
                        }
                        Begun::Refused(_, error) => return Poll::Ready(Some(Err(error))),
                    }
                }
                Stage::InFlight(key) => {
                    let driver = self.fd.driver().clone();
                    match driver.poll_item::<O>(key, cx.waker()) {
                        PolledItem::Pending => {
                            self.stage = Stage::InFlight(key);
                            return Poll::Pending;
                        }
                        PolledItem::Item(outcome) => {
                            self.stage = Stage::InFlight(key);
                            if let Some(item) = O::item(outcome, &driver) {
                                return Poll::Ready(Some(item));
                            }
                        }
                        PolledItem::Last(outcome) => return Poll::Ready(O::item(outcome, &driver)),
                        PolledItem::Robbed(operation) => self.stage = Stage::Ready(operation),
                    }
                }
                Stage::Ended => return Poll::Ready(None),
            }
        }
    }
}

impl<O: MultiOperation> Drop for Multi<O> {
    fn drop(&mut self) {
        match &self.stage {
            Stage::InFlight(key) => self.fd.driver().abandon(*key),
            Stage::Queued(_) => self.fd.driver().leave_queue(&self.fd, O::LANE),
            Stage::Ready(_) | Stage::Ended => {}
        }
    }
}
