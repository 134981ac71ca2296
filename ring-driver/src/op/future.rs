//! The future around one operation: [`Op`], and [`Cancel`] that takes it back and still tells what
//! became of it.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::{Lane, Operation, Prompt};
use crate::completion::Outcome;
use crate::driver::{Begun, Driver, Polled};
use crate::fd::Fd;
use crate::in_flight::{Key, finish};
use crate::request::Number;

/// One operation: nothing happens before the first poll, and from then on the kernel owns what was
/// lent.
///
/// It may be stored, moved between polls and dropped at any time, but its driver has to be current
/// whenever it is polled: one that has not begun fails with
/// [`WrongRuntime`](crate::RuntimeError::WrongRuntime) elsewhere.
///
/// ```
/// use wakering_ring_driver::{Config, Driver, Wait, op};
/// # use std::{future::Future, pin::pin, task::{Context, Poll, Waker}};
/// # fn block_on<F: Future>(driver: &Driver, future: F) -> F::Output {
/// #     let _entered = driver.enter();
/// #     let (mut future, mut cx) = (pin!(future), Context::from_waker(Waker::noop()));
/// #     loop {
/// #         if let Poll::Ready(output) = future.as_mut().poll(&mut cx) { return output }
/// #         driver.turn(Wait::Until(None));
/// #     }
/// # }
/// let driver = Driver::new(&Config::default())?;
/// let stored: op::Op<op::Nop> = op::nop();
/// assert!(block_on(&driver, stored).is_ok());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Panics
/// When it is polled where another driver is current, or none, while the kernel has it. It stays as
/// it is, and may be polled at home afterwards.
///
/// # Cancellation
/// Dropping it drops the interest, not the operation: that is asked to end and keeps what it was
/// lent until it has. **Strict** for operations on the read side of a descriptor (what a dropped
/// receive or accept brings is served to the next one) and on its write side (a submitted send is
/// not cut short). Elsewhere what the operation did stays done.
#[must_use = "an operation does nothing until it is awaited"]
pub struct Op<O: Operation> {
    target: Target,
    stage: Stage<O>,
}

/// Whose operation it is.
enum Target {
    /// The driver of whoever polls first.
    Here,
    Driver(Driver),
    Fd(Fd),
}

enum Stage<O> {
    /// Not yet submitted.
    Ready(O),
    /// Not submitted because the side is occupied; counted there as somebody who waits.
    Queued(O),
    InFlight(Key),
    Finished,
}

// Nothing is ever pinned in place: what must not move lies in a cell.
impl<O: Operation> Unpin for Op<O> {}

impl<O: Operation> Op<O> {
    /// `operation` on `fd`.
    pub fn on(fd: &Fd, operation: O) -> Op<O> {
        Op { target: Target::Fd(fd.clone()), stage: Stage::Ready(operation) }
    }

    /// `operation` on no descriptor, for the driver that is current when it is first polled.
    pub fn here(operation: O) -> Op<O> {
        Op { target: Target::Here, stage: Stage::Ready(operation) }
    }

    /// What has been sent, as long as the kernel still reads what it was lent. From then on the
    /// operation holds the driver only: the kernel may have the buffer for longer than anybody the
    /// descriptor, which the peer learns by its end.
    pub(super) fn lent(&mut self) -> Option<Outcome> {
        let Stage::InFlight(key) = self.stage else { return None };
        let sent = self.target.driver().lent(key)?;
        self.target = Target::Driver(self.target.driver().clone());
        Some(sent)
    }

    /// Takes the operation back: asks the kernel to cancel it and waits for its final completion.
    ///
    /// The output is what really happened: success if the cancellation came too late, else an error
    /// whose errno is `ECANCELED`. Either way the buffer comes back.
    pub fn cancel(self) -> Cancel<O> {
        Cancel { op: self, asked: false }
    }
}

impl Target {
    /// Fixes the driver, which must be the current one.
    #[inline(always)]
    fn fix(&mut self) -> io::Result<()> {
        match self {
            Target::Here => *self = Target::Driver(Driver::current()?),
            Target::Driver(_) | Target::Fd(_) => self.driver().check_current()?,
        }
        Ok(())
    }

    /// The driver that holds the slot.
    #[inline]
    fn driver(&self) -> &Driver {
        match self {
            Target::Driver(driver) => driver,
            Target::Fd(fd) => fd.driver(),
            Target::Here => unreachable!("the first poll has fixed the driver"),
        }
    }

    /// Where another driver is current, nobody turns the one that holds the slot, and whoever waits
    /// here would wait for ever. The kernel has the buffer, so there is no error to give it back
    /// with.
    #[inline]
    fn assert_current(&self) {
        if let Err(error) = self.driver().check_current() {
            panic!("an operation is in flight elsewhere: {error}");
        }
    }

    fn fd(&self) -> Option<&Fd> {
        match self {
            Target::Fd(fd) => Some(fd),
            _ => None,
        }
    }

    /// Nobody waits in the queue of `lane` any more.
    fn leave_queue(&self, lane: Lane) {
        if let Some(fd) = self.fd() {
            fd.driver().leave_queue(fd, lane);
        }
    }
}

impl<O: Operation> Future for Op<O> {
    type Output = O::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<O::Output> {
        let Op { target, stage } = self.get_mut();
        // Looked at where it is: the place of an operation is large, and that of a key is not.
        if let Stage::InFlight(key) = *stage {
            match target.driver().poll_slot::<O>(key, cx.waker()) {
                Polled::Pending => {
                    target.assert_current();
                    return Poll::Pending;
                }
                Polled::Done(operation, outcome) => {
                    *stage = Stage::Finished;
                    return Poll::Ready(finish(operation, outcome, target.driver()));
                }
                Polled::Robbed(operation) => *stage = Stage::Ready(operation),
            }
        }
        let (operation, queued) = match std::mem::replace(stage, Stage::Finished) {
            Stage::Ready(operation) => (operation, false),
            Stage::Queued(operation) => (operation, true),
            Stage::InFlight(_) => unreachable!("it has just been looked at"),
            Stage::Finished => panic!("an operation was polled after it had completed"),
        };
        if let Err(error) = target.fix() {
            if queued {
                target.leave_queue(O::LANE);
            }
            return Poll::Ready(operation.fail(error));
        }
        if let Some(error) = operation.refuse() {
            return Poll::Ready(operation.fail(error));
        }
        let driver = target.driver();
        match driver.begin(operation, target.fd(), queued, cx.waker()) {
            Begun::InFlight(key) => *stage = Stage::InFlight(key),
            Begun::Queued(operation) => *stage = Stage::Queued(operation),
            Begun::Held(operation) => *stage = Stage::Ready(operation),
            Begun::Served(operation, outcome) => {
                return Poll::Ready(finish(operation, outcome, driver));
            }
            Begun::Refused(operation, error) => return Poll::Ready(operation.fail(error)),
        }
        Poll::Pending
    }
}

impl<O: Prompt> Op<O> {
    /// Carries the operation out at once, by a plain system call.
    ///
    /// # Panics
    /// If it has been polled before.
    pub fn now(mut self) -> O::Output {
        let Stage::Ready(mut operation) = std::mem::replace(&mut self.stage, Stage::Finished)
        else {
            panic!("an operation is either polled or carried out at once")
        };
        let called = self.target.fix().and_then(|()| {
            let number = self.target.fd().map_or(Ok(Number::NONE), Fd::number)?;
            // The operation stays where it is until the call has returned.
            self.target.driver().call_now(&operation.request(number))
        });
        match called {
            Ok(result) => operation.complete(Outcome::plain(result as i32), self.target.driver()),
            Err(error) => operation.fail(error),
        }
    }
}

impl<O: Operation> Drop for Op<O> {
    fn drop(&mut self) {
        match &self.stage {
            Stage::InFlight(key) => self.target.driver().abandon(*key),
            Stage::Queued(_) => self.target.leave_queue(O::LANE),
            Stage::Ready(_) | Stage::Finished => {}
        }
    }
}

/// The future of [`Op::cancel`].
///
/// # Cancellation
/// That of the operation, which is dropped with it and has been asked to end.
#[must_use = "an operation is taken back only when this is awaited"]
pub struct Cancel<O: Operation> {
    op: Op<O>,
    asked: bool,
}

impl<O: Operation> Unpin for Cancel<O> {}

impl<O: Operation> Future for Cancel<O> {
    type Output = O::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<O::Output> {
        match std::mem::replace(&mut self.op.stage, Stage::Finished) {
            Stage::Ready(operation) => {
                return Poll::Ready(operation.fail(io::Error::from_raw_os_error(libc::ECANCELED)));
            }
            Stage::Queued(operation) => {
                self.op.target.leave_queue(O::LANE);
                return Poll::Ready(operation.fail(io::Error::from_raw_os_error(libc::ECANCELED)));
            }
            Stage::InFlight(key) => {
                self.op.stage = Stage::InFlight(key);
                if !self.asked {
                    self.asked = true;
                    self.op.target.driver().cancel(key);
                }
            }
            Stage::Finished => {}
        }
        let Stage::InFlight(key) = self.op.stage else {
            panic!("an operation was polled after it had completed")
        };
        let driver = self.op.target.driver();
        match driver.poll_slot::<O>(key, cx.waker()) {
            Polled::Pending => {
                self.op.target.assert_current();
                Poll::Pending
            }
            Polled::Done(operation, outcome) => {
                let output = finish(operation, outcome, driver);
                self.op.stage = Stage::Finished;
                Poll::Ready(output)
            }
            Polled::Robbed(operation) => {
                self.op.stage = Stage::Finished;
                Poll::Ready(operation.fail(io::Error::from_raw_os_error(libc::ECANCELED)))
            }
        }
    }
}
