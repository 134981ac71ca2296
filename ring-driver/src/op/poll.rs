//! Readiness of a descriptor that somebody else reads and writes.
//!
//! The descriptor is given as an owned value: as long as the kernel watches the number, the value
//! that owns it lives.

#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsFd, AsRawFd};

use super::{Op, Operation};
use crate::completion::Outcome;
use crate::driver::Driver;
use crate::request::{Number, Request};

/// What a descriptor may be waited for to be ready for, and what it was found to be ready for.
///
/// ```
/// use wakering_ring_driver::op::Interest;
///
/// let both = Interest { readable: true, writable: true };
/// assert_ne!(both, Interest::READABLE);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Interest {
    /// A read would not wait: there is data, the end of the stream, a connection or an error.
    pub readable: bool,
    /// A write would not wait: there is room, or an error.
    pub writable: bool,
}

impl Interest {
    /// Reading.
    pub const READABLE: Interest = Interest { readable: true, writable: false };
    /// Writing.
    pub const WRITABLE: Interest = Interest { readable: false, writable: true };

    fn events(self) -> u32 {
        let readable = if self.readable { libc::POLLIN | libc::POLLRDHUP } else { 0 };
        let writable = if self.writable { libc::POLLOUT } else { 0 };
        (readable | writable) as u32
    }

    fn from_events(events: u32) -> Interest {
        let over = libc::POLLHUP | libc::POLLERR | libc::POLLNVAL;
        let any = |events_of: i16| events & events_of as u32 != 0;
        Interest {
            readable: any(libc::POLLIN | libc::POLLPRI | libc::POLLRDHUP | over),
            writable: any(libc::POLLOUT | over),
        }
    }
}

/// The operation of [`poll`].
#[derive(Debug)]
pub struct Poll<T> {
    /// Keeps the descriptor open, and is not asked again: that would run foreign code inside of the
    /// driver.
    _value: T,
    fd: Number,
    interest: Interest,
}

/// Waits until the descriptor of `value` is ready for any of what `interest` names, and says for
/// what.
///
/// The value is kept until the kernel has let go of its descriptor: pass an `Rc` of it to go on
/// using it.
///
/// ```
/// use std::{io::Write, os::unix::net::UnixStream, rc::Rc};
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
/// let (ours, mut theirs) = UnixStream::pair()?;
/// let ours = Rc::new(ours);
/// theirs.write_all(b"!")?;
/// let ready = block_on(&driver, op::poll(Rc::clone(&ours), op::Interest::READABLE))?;
/// assert!(ready.readable);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Cancellation
/// **Strict**: nothing is taken.
///
/// # Kernel
/// `IORING_OP_POLL_ADD`, 5.1.
pub fn poll<T: AsFd + 'static>(value: T, interest: Interest) -> Op<Poll<T>> {
    let fd = Number(value.as_fd().as_raw_fd());
    Op::here(Poll { _value: value, fd, interest })
}

// SAFETY: no memory is lent, and the descriptor lives as long as the value.
unsafe impl<T: AsFd + 'static> Operation for Poll<T> {
    type Output = io::Result<Interest>;

    const NAME: &'static str = "poll";

    fn request(&mut self, _fd: Number) -> Request {
        Request::Poll { fd: self.fd, events: self.interest.events() }
    }

    fn complete(self, outcome: Outcome, _driver: &Driver) -> io::Result<Interest> {
        Ok(Interest::from_events(outcome.result() as u32))
    }

    fn fail(self, error: io::Error) -> io::Result<Interest> {
        Err(error)
    }
}
