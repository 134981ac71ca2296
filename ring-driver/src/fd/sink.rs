//! The sending side of a stream for those who hand over bytes and go on: write-behind.
//!
//! What is queued during one turn leaves in one send at its end. The send belongs to the side and
//! finishes even if nobody asks again; its error is told to the next who queues or flushes.
//!
//! Sockets are sent to, which raises no signal; pipes and terminals can only be written to. Which
//! of them a descriptor is, the kernel says by its answer to the first send.

#![allow(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::io::{self, IoSlice};
use std::rc::Rc;
use std::task::{Context, Poll};

use super::{Fd, Shelf};
use crate::completion::Outcome;
use crate::driver::{Core, Driver};
use crate::error::RuntimeError;
use crate::op::{Lane, Operation};
use crate::request::{Number, Request};

/// How many bytes may wait in a sink before its owner has to.
const HIGH_WATER: usize = 64 * 1024;

/// How many bytes are worth a call of their own that sends them from where they lie.
const LARGE: usize = 32 * 1024;

/// How many such a call sends at most, and in how many pieces: a peer that is fast would else hold
/// up the loop for as long as it takes all that there is.
const AT_ONCE_MAX: usize = 256 * 1024;
const PIECES_MAX: usize = 64;

/// How many bytes the empty buffers may hold that a driver keeps for its sinks: about what a
/// processor has near at hand, and a thousand short messages.
const SPARE_MAX: usize = 1024 * 1024;

impl Fd {
    /// Ready when the queue is below its high-water mark of 64 KiB.
    ///
    /// # Errors
    /// What an earlier send came to.
    pub fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.sink_driver()?.with_caller(cx.waker(), |core, caller| {
            core.sink_error(self.index())?;
            let state = &mut core.descriptors[self.index()];
            let queued = state.write_shelf().map_or(0, |shelf| shelf.queue.len());
            if queued < HIGH_WATER {
                return Poll::Ready(Ok(()));
            }
            caller.stay_among(&mut state.write(&mut core.empties).waiters);
            Poll::Pending
        })
    }

    /// Queues all of `bytes`; they leave at the end of the turn.
    ///
    /// # Errors
    /// What an earlier send came to. `bytes` are then not queued.
    pub fn queue(&self, bytes: &[u8]) -> io::Result<()> {
        self.sink_driver()?.with(|core| {
            core.sink_error(self.index())?;
            if bytes.is_empty() {
                return Ok(());
            }
            let side = core.descriptors[self.index()].write(&mut core.empties);
            let queue = &mut side.shelf(&mut core.empties).queue;
            if queue.capacity() == 0 {
                *queue = core.spares.take();
            }
            queue.extend_from_slice(bytes);
            core.mark_dirty(self.0.index);
            Ok(())
        })
    }

    /// Sends from where the bytes lie what the kernel takes without waiting, up to 256 KiB, and says
    /// how much that is. `None` where queueing is better: for a few bytes, behind others, or if it
    /// would wait.
    ///
    /// # Errors
    /// What an earlier send or this one came to. Nothing is sent then.
    pub fn send_at_once(&self, bufs: &[IoSlice<'_>]) -> io::Result<Option<usize>> {
        let bufs = &bufs[..bufs.len().min(PIECES_MAX)];
        if bufs.iter().map(|buf| buf.len()).sum::<usize>() < LARGE {
            return Ok(None);
        }
        self.sink_driver()?.with(|core| {
            core.sink_error(self.index())?;
            core.send_at_once(self.index(), bufs).transpose()
        })
    }

    /// Ready when the kernel has taken everything that was queued.
    ///
    /// # Errors
    /// What an earlier send came to.
    pub fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.sink_driver()?.with_caller(cx.waker(), |core, caller| {
            core.sink_error(self.index())?;
            let state = &mut core.descriptors[self.index()];
            if !state.has_output() && state.sending().is_none() {
                return Poll::Ready(Ok(()));
            }
            caller.stay_among(&mut state.write(&mut core.empties).waiters);
            Poll::Pending
        })
    }

    /// Tells the peer the end of the stream once everything that was queued or submitted has left.
    /// Does not wait.
    pub fn end_after_output(&self) {
        self.driver().with(|core| {
            core.descriptors[self.index()].end_after_output = true;
            core.end_if_sent(self.0.index);
        });
    }

    fn sink_driver(&self) -> io::Result<&Driver> {
        self.driver().check_current()?;
        Ok(self.driver())
    }
}

impl Core {
    fn sink_error(&mut self, index: usize) -> io::Result<()> {
        let Some(_) = self.usable(index) else { return Err(RuntimeError::Closed.into()) };
        if self.is_closed() {
            return Err(RuntimeError::RuntimeGone.into());
        }
        match self.descriptors[index].take_write_error() {
            Some(errno) => Err(io::Error::from_raw_os_error(errno)),
            None => Ok(()),
        }
    }

    /// Sends from where the bytes lie, if the kernel takes some without waiting. There are no more
    /// than [`PIECES_MAX`] `bufs`.
    fn send_at_once(&mut self, index: usize, bufs: &[IoSlice<'_>]) -> Option<io::Result<usize>> {
        let mut pieces = [IoSlice::new(&[]); PIECES_MAX];
        let mut room = AT_ONCE_MAX;
        for (piece, buf) in pieces.iter_mut().zip(bufs) {
            let n = buf.len().min(room);
            *piece = IoSlice::new(&buf[..n]);
            room -= n;
        }
        // SAFETY: null pointers and zero lengths are valid.
        let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
        // A slice of `IoSlice` is one of `iovec`.
        message.msg_iov = pieces.as_mut_ptr().cast();
        message.msg_iovlen = bufs.len() as _;
        let flags = libc::MSG_NOSIGNAL;
        let sent = self.try_write(index, |fd| Request::SendMsg {
            fd,
            message: &raw const message,
            flags,
        })?;
        (sent.errno() != Some(libc::ENOTSOCK)).then(|| Ok(sent.value()? as usize))
    }

    /// The side has become free: is this the moment to tell the peer the end?
    pub(crate) fn end_if_sent(&mut self, descriptor: u32) {
        let state = &mut self.descriptors[descriptor as usize];
        let sent = state.sending().is_none() && !state.has_output();
        if sent && std::mem::take(&mut state.end_after_output) {
            let (fd, how) = (state.number, libc::SHUT_WR);
            // A peer that is gone already needs no telling.
            self.backend.call_now(&Request::Shutdown { fd, how });
        }
    }

    /// Sends what is queued on `descriptor`, unless a send is in flight: its end comes back here.
    pub(crate) fn flush_sink(&mut self, descriptor: u32) {
        if self.is_gone() {
            return;
        }
        let Some(state) = self.descriptors.get_mut(descriptor as usize) else { return };
        state.dirty = false;
        if state.sending().is_some() || !state.has_output() || state.number == Number::NONE {
            return;
        }
        let shelf = state.write(&mut self.empties).shelf(&mut self.empties);
        let queued = || (std::mem::take(&mut shelf.queue), 0);
        let (bytes, sent) = shelf.unsent.take().unwrap_or_else(queued);
        let (write, spares) = (shelf.no_socket, self.spares.clone());
        self.begin_detached(SendQueued { bytes, sent, write, spares }, descriptor);
    }
}

/// Empty buffers to queue in. They are the driver's, so that a connection that has nothing to send
/// holds none, and many that send in turns share what is still in the cache.
#[derive(Default)]
pub(crate) struct Spares {
    empty: RefCell<Vec<Vec<u8>>>,
    /// How much all of them could hold.
    capacity: Cell<usize>,
}

impl Spares {
    fn take(&self) -> Vec<u8> {
        let buf = self.empty.borrow_mut().pop().unwrap_or_default();
        self.capacity.set(self.capacity.get() - buf.capacity());
        buf
    }

    /// One that a burst has made large is not kept.
    fn keep(&self, mut buf: Vec<u8>) {
        let capacity = self.capacity.get() + buf.capacity();
        if buf.capacity() <= HIGH_WATER && capacity <= SPARE_MAX {
            buf.clear();
            self.capacity.set(capacity);
            self.empty.borrow_mut().push(buf);
        }
    }
}

/// Sends `bytes[sent..]`.
struct SendQueued {
    bytes: Vec<u8>,
    sent: usize,
    /// By write(2), since it is no socket.
    write: bool,
    /// Where the buffer goes.
    spares: Rc<Spares>,
}

// SAFETY: the request points into the vector's heap memory, which is ours and neither grows nor
// moves in flight.
unsafe impl Operation for SendQueued {
    type Output = ();

    const NAME: &'static str = "send";
    const LANE: Lane = Lane::Write;

    fn request(&mut self, fd: Number) -> Request {
        let rest = &self.bytes[self.sent..];
        let (buf, len) = (rest.as_ptr(), rest.len().min(i32::MAX as usize) as u32);
        if self.write {
            return Request::Write { fd, buf, len, offset: None };
        }
        Request::Send { fd, buf, len, flags: libc::MSG_WAITALL | libc::MSG_NOSIGNAL }
    }

    fn complete(self, _outcome: Outcome, _driver: &Driver) {}

    fn fail(self, _error: io::Error) {}

    fn put_back(&mut self, outcome: Outcome, shelf: &mut Shelf) {
        let bytes = std::mem::take(&mut self.bytes);
        match outcome.value() {
            Ok(n) if self.sent + (n as usize) < bytes.len() => {
                shelf.unsent = Some((bytes, self.sent + n as usize));
            }
            Ok(_) => self.spares.keep(bytes),
            Err(_) if outcome.errno() == Some(libc::ENOTSOCK) => {
                shelf.no_socket = true;
                shelf.unsent = Some((bytes, self.sent));
            }
            Err(_) => shelf.error = outcome.errno(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Given empty buffers of many sinks; when they are kept; then no more than a driver needs, none
    /// that a burst has made large, and the last one is used first.
    #[test]
    fn spare_buffers_are_bounded_and_used_again() {
        let spares = Spares::default();
        spares.keep(Vec::with_capacity(HIGH_WATER + 1));
        assert_eq!(spares.take().capacity(), 0, "a large one is not kept");
        for _ in 0..100 {
            spares.keep(vec![7; HIGH_WATER]);
        }
        assert_eq!(spares.empty.borrow().len(), SPARE_MAX / HIGH_WATER);
        spares.take();
        spares.keep(vec![7; 64]);
        let last = spares.take();
        assert_eq!((last.len(), last.capacity()), (0, 64));
        while spares.take().capacity() > 0 {}
        assert_eq!(spares.capacity.get(), 0);
    }
}
