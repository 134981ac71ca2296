//! Who carries requests out.
//!
//! A backend takes `(Request, UserData)` and later yields completions with the kernel's meaning. It
//! is chosen at run time and knows nothing of operations, slots or wakers; the driver knows nothing
//! of rings. The match below is the only price of having more than one.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use crate::buffer::{Block, BufPool, PooledBuf, Traffic};
use crate::call::{self, Class};
use crate::capabilities::Capabilities;
use crate::completion::{Completion, Outcome};
use crate::counters::Counters;
use crate::fd::Sharing;
use crate::remote::Notifier;
use crate::request::{Number, Request, UserData};

/// Reads that the page cache answers.
mod cached;
/// Which one, if nobody says.
mod choice;
/// A backend whose other end a test holds. Always built, so that the matches below are the same
/// everywhere; only the feature `testing` leads to it.
#[cfg_attr(not(feature = "testing"), allow(dead_code, unreachable_pub))]
pub(crate) mod memory;
/// The way to the thread pool.
mod offload;
/// Epoll, plain system calls and the pool.
pub(crate) mod poll;
/// The kernel's ring.
pub(crate) mod uring;

pub(crate) use choice::{VARIABLE, asked, choose, decide, tell};

/// So many requests in a turn are answered on the spot, which spares the task a way through the
/// queue. The next one is answered by the turn, so that whoever always finds something to do lets
/// the others run.
const ANSWERS_A_TURN: u32 = 128;

/// One of the backends, or none any more.
pub(crate) enum Backend {
    Uring(Box<uring::Uring>),
    Poll(Box<poll::Poll>),
    #[cfg_attr(not(feature = "testing"), allow(dead_code))]
    Memory(memory::Backend),
    /// After the end: nothing is submitted, plain calls still work so that descriptors can be
    /// closed.
    Gone,
}

impl Backend {
    /// The name by which `WAKERING_BACKEND` asks for it.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Backend::Uring(_) => choice::URING,
            Backend::Poll(_) => choice::POLL,
            Backend::Memory(_) => "memory",
            Backend::Gone => "none",
        }
    }

    /// A descriptor from elsewhere is the driver's from now on. Brings it into the mode that the
    /// backend needs, unless others share it.
    pub(crate) fn adopt(&mut self, fd: Number, sharing: Sharing) -> io::Result<()> {
        match self {
            Backend::Uring(uring) => uring.adopt(fd, sharing),
            Backend::Poll(poll) => {
                poll.adopt(fd, sharing);
                Ok(())
            }
            Backend::Memory(_) | Backend::Gone => Ok(()),
        }
    }

    /// A descriptor that a request has made is the driver's from now on.
    pub(crate) fn made(&mut self, fd: Number) {
        match self {
            Backend::Uring(uring) => uring.made(fd),
            Backend::Poll(poll) => poll.adopt(fd, Sharing::Private),
            Backend::Memory(_) | Backend::Gone => {}
        }
    }

    /// A descriptor is given to somebody else, who expects that it waits.
    pub(crate) fn release(&mut self, fd: Number) {
        match self {
            Backend::Uring(uring) => uring.forget(fd),
            Backend::Poll(poll) => poll.release(fd),
            Backend::Memory(_) | Backend::Gone => {}
        }
    }

    /// Closes a descriptor that nothing in flight names; the errno, if there is one.
    pub(crate) fn close(&mut self, fd: Number) -> Option<i32> {
        if let Backend::Uring(uring) = self {
            uring.forget(fd);
        }
        self.call_now(&Request::Close { fd }).errno()
    }

    /// Whether a request ends because it is asked to, whatever it waits for.
    #[inline(always)]
    pub(crate) fn can_cancel(&self, request: &Request) -> bool {
        match request {
            // What files do all the time: here the compiler sees that it does not.
            Request::Read { offset: Some(_), .. } | Request::Write { offset: Some(_), .. } => false,
            _ => self.can_cancel_any(request),
        }
    }

    fn can_cancel_any(&self, request: &Request) -> bool {
        match (request.class(), self) {
            (Class::Blocking, _) => false,
            (Class::Untold, Backend::Uring(uring)) => uring.can(request),
            (_, Backend::Poll(poll)) => poll.can_cancel(request),
            _ => true,
        }
    }

    /// Takes a request. Never refuses: what cannot go out now waits. An outcome says that it is
    /// over, and that no completion follows.
    pub(crate) fn push(&mut self, request: &Request, user_data: UserData) -> Option<Outcome> {
        match self {
            Backend::Uring(uring) => uring.push(request, user_data),
            Backend::Poll(poll) => poll.push(request, user_data),
            Backend::Memory(memory) => {
                memory.push(request, user_data);
                None
            }
            Backend::Gone => unreachable!("nothing starts once the driver has been shut down"),
        }
    }

    /// Receives at once from a stream, where plain calls are made. Where there is nothing yet, an
    /// edge of `fd` will say so to the readers of `descriptor`. `None` says that a request has to do
    /// it.
    #[inline]
    pub(crate) fn receive(
        &mut self,
        fd: Number,
        descriptor: u32,
    ) -> Option<Poll<Result<PooledBuf, i32>>> {
        match self {
            Backend::Poll(poll) => poll.receive(fd, descriptor),
            Backend::Uring(_) | Backend::Memory(_) | Backend::Gone => None,
        }
    }

    /// Carries out a request that hardly ever waits by a plain call; `None` if it has to wait, and
    /// where [`push`](Backend::push) does that anyway.
    pub(crate) fn try_now(&mut self, request: &Request) -> Option<Outcome> {
        match self {
            Backend::Uring(uring) => uring.try_now(request),
            Backend::Poll(_) | Backend::Memory(_) | Backend::Gone => None,
        }
    }

    /// Asks for the end of `target`. The answer shows in the target's own completion.
    pub(crate) fn cancel(&mut self, target: UserData) {
        match self {
            Backend::Uring(uring) => uring.cancel(target),
            Backend::Poll(poll) => poll.cancel(target),
            Backend::Memory(memory) => memory.cancel(target),
            Backend::Gone => {}
        }
    }

    /// Posts a completion to another ring, at once; `notifier` is told if that fails later. False if
    /// there is no ring to post from.
    pub(crate) fn nudge(&mut self, ring: &OwnedFd, notifier: &Arc<Notifier>) -> bool {
        match self {
            Backend::Uring(uring) => uring.nudge(ring, notifier),
            Backend::Poll(_) | Backend::Memory(_) | Backend::Gone => false,
        }
    }

    /// Hands over what was pushed. `Some` allows to sleep until a completion comes or the time (if
    /// any) is over.
    pub(crate) fn enter(&mut self, sleep: Option<Option<Duration>>) {
        match self {
            Backend::Uring(uring) => uring.enter(sleep),
            Backend::Poll(poll) => poll.enter(sleep),
            Backend::Memory(memory) => memory.enter(sleep),
            Backend::Gone => {}
        }
    }

    /// Appends all completions that are there.
    pub(crate) fn reap(&mut self, batch: &mut Vec<Completion>) {
        match self {
            Backend::Uring(uring) => uring.reap(batch),
            Backend::Poll(poll) => poll.reap(batch),
            Backend::Memory(memory) => memory.reap(batch),
            Backend::Gone => {}
        }
    }

    /// Goes for more if the backend holds completions back. Whether it did.
    pub(crate) fn enter_again(&mut self) -> bool {
        match self {
            Backend::Uring(uring) => uring.enter_again(),
            Backend::Poll(_) | Backend::Memory(_) | Backend::Gone => false,
        }
    }

    /// Whether completions wait, as far as can be told without a system call.
    pub(crate) fn has_news(&self) -> bool {
        match self {
            Backend::Uring(uring) => uring.has_news(),
            Backend::Poll(poll) => poll.has_news(),
            Backend::Memory(memory) => memory.has_news(),
            Backend::Gone => false,
        }
    }

    /// Whether the next enter has something to do even if it may not sleep: requests to hand over,
    /// or to ask for.
    pub(crate) fn needs_enter(&self) -> bool {
        match self {
            Backend::Uring(uring) => uring.has_output(),
            Backend::Poll(poll) => poll.has_waiting(),
            Backend::Memory(_) | Backend::Gone => false,
        }
    }

    /// Carries out a request that does not wait.
    pub(crate) fn call_now(&mut self, request: &Request) -> Outcome {
        Outcome::plain(match self {
            Backend::Uring(_) | Backend::Gone => call::call(request),
            Backend::Poll(poll) => poll.call_now(request),
            Backend::Memory(memory) => memory.call_now(request),
        })
    }

    pub(crate) fn make_buf_pool(&mut self, traffic: Traffic) -> io::Result<BufPool> {
        match self {
            Backend::Uring(uring) => uring.make_buf_pool(traffic),
            Backend::Poll(poll) => poll.make_buf_pool(traffic),
            Backend::Memory(memory) => memory.make_buf_pool(traffic),
            Backend::Gone => Ok(BufPool::without_ring(traffic)),
        }
    }

    /// Tells the kernel of memory that will be read into and written from. Whether it can be told.
    pub(crate) fn register(&mut self, block: &Arc<Block>) -> io::Result<bool> {
        match self {
            Backend::Uring(uring) => uring.register(block),
            Backend::Poll(_) | Backend::Memory(_) | Backend::Gone => Ok(false),
        }
    }

    pub(crate) fn capabilities(&self) -> Capabilities {
        match self {
            Backend::Uring(uring) => uring.capabilities(),
            Backend::Memory(_) => Capabilities::ALL,
            Backend::Poll(_) | Backend::Gone => Capabilities::NONE,
        }
    }

    pub(crate) fn counters(&self) -> Counters {
        match self {
            Backend::Uring(uring) => uring.counters(),
            Backend::Poll(poll) => poll.counters(),
            Backend::Memory(_) | Backend::Gone => Counters::NONE,
        }
    }
}
