//! The receiving side of a stream for those who borrow what they read: buffers come from the
//! driver's pool.
//!
//! A prefetch belongs to the side, not to a future. It is a multishot: once it is armed, each piece
//! of data picks a buffer when it is there, so an idle connection holds none, and a reader who comes
//! again finds the next piece or waits for it, without asking the kernel anew. It ends with the
//! stream, with the descriptor, or when more lies on the shelf than anybody fetches.
//!
//! Where the kernel knows no multishots it is a series of one. Where the pool has no buffer to give,
//! or the kernel knows no provided buffers, the side waits for readiness and then receives once into
//! a buffer of its own: a starving pool slows down, it does not deadlock.

#![allow(unsafe_code)]

use std::io;
use std::task::{Context, Poll};

use super::Fd;
use crate::buffer::{BufPool, PooledBuf};
use crate::completion::Outcome;
use crate::driver::{Caller, Driver};
use crate::error::RuntimeError;
use crate::fd::Shelf;
use crate::op::{Lane, Operation, keep};
use crate::request::{Number, Request};

impl Fd {
    /// The next bytes of the stream, as many as one buffer holds; an empty buffer is the end.
    ///
    /// What an abandoned receive left comes first. Not fetching the bytes loses nothing. From the
    /// first call on some bytes are received ahead: whoever reads the descriptor by a way of its own
    /// misses them.
    pub fn poll_fill(&self, cx: &mut Context<'_>) -> Poll<io::Result<PooledBuf>> {
        self.driver().check_current()?;
        loop {
            // A reader who has got something comes again, and waits: he is remembered sooner or later.
            let mut caller = Caller::ready(cx.waker());
            let filled = self.driver().with(|core| core.poll_fill(self.0.index, &mut caller));
            match filled {
                Fill::Bytes(bytes) => return Poll::Ready(Ok(bytes)),
                Fill::Pending => return Poll::Pending,
                Fill::Failed(error) => return Poll::Ready(Err(error)),
                Fill::Readable => match self.receive_now(&self.driver().buf_pool()?) {
                    Ok(bytes) => return Poll::Ready(Ok(bytes)),
                    // Somebody else was faster, or the readiness was spurious: wait again.
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(error) => return Poll::Ready(Err(error)),
                },
            }
        }
    }

    /// Receives once without waiting, into a buffer outside of the provided ring.
    fn receive_now(&self, pool: &BufPool) -> io::Result<PooledBuf> {
        let mut vector = pool.lend();
        let buf = &mut vector.bytes;
        let (target, len) = (buf.as_mut_ptr(), buf.capacity() as u32);
        let n =
            self.call_now(|fd| Request::Recv { fd, buf: target, len, flags: libc::MSG_DONTWAIT })?;
        // SAFETY: the kernel has written `n` bytes, at most the capacity that it was told.
        unsafe { buf.set_len(n as usize) };
        Ok(pool.wrap(vector))
    }
}

/// What a side has for somebody who wants to read.
enum Fill {
    Bytes(PooledBuf),
    /// Data is there and no pooled buffer was.
    Readable,
    Pending,
    Failed(io::Error),
}

impl crate::driver::Core {
    fn poll_fill(&mut self, descriptor: u32, caller: &mut Caller<'_>) -> Fill {
        let Some(_) = self.usable(descriptor as usize) else {
            return Fill::Failed(RuntimeError::Closed.into());
        };
        if self.is_closed() {
            return Fill::Failed(RuntimeError::RuntimeGone.into());
        }
        loop {
            let state = &mut self.descriptors[descriptor as usize];
            let (own, side) = (state.own, &mut state.read);
            let in_flight = side.in_flight;
            let found = side.shelf.as_mut().and_then(|shelf| found(shelf, in_flight.is_some()));
            if let Some(found) = found {
                return found;
            }
            match in_flight {
                Some(_) if own => break,
                Some(key) if self.rob_if_done(key, descriptor) => {}
                Some(_) => {
                    self.adopt(descriptor as usize);
                    break;
                }
                None if self.is_holding() => return Fill::Pending,
                None if let Some(received) = self.receive(descriptor) => match received {
                    Poll::Ready(Ok(bytes)) => return Fill::Bytes(bytes),
                    Poll::Ready(Err(errno)) => {
                        return Fill::Failed(io::Error::from_raw_os_error(-errno));
                    }
                    Poll::Pending => break,
                },
                None => {
                    if let Err(error) = self.prefetch(descriptor) {
                        return Fill::Failed(error);
                    }
                    // It may be over already.
                    if self.descriptors[descriptor as usize].read.in_flight.is_some() {
                        break;
                    }
                }
            }
        }
        let side = &mut self.descriptors[descriptor as usize].read;
        side.tidy(&mut self.spare_shelves);
        caller.stay_among(&mut side.waiters);
        Fill::Pending
    }

    /// The next bytes, where the backend receives at once, or the promise to tell of them.
    #[inline]
    fn receive(&mut self, descriptor: u32) -> Option<Poll<Result<PooledBuf, i32>>> {
        let number = self.descriptors[descriptor as usize].number;
        self.backend.receive(number, descriptor)
    }

    /// Begins what brings the next bytes.
    fn prefetch(&mut self, descriptor: u32) -> io::Result<()> {
        let pool = self.buf_pool()?;
        let shelf = self.descriptors[descriptor as usize].read.shelf.as_mut();
        let starved = shelf.is_some_and(|shelf| std::mem::take(&mut shelf.starved));
        // A buffer for each that has found none, however many others want the ones that are there.
        let has_buffer = (!starved && pool.available() > 0) || pool.grow();
        match has_buffer {
            true => self.begin_detached(Prefetch { pool }, descriptor),
            false => self.begin_detached(AwaitReadable(()), descriptor),
        }
        Ok(())
    }
}

/// What lies there for a reader, in the order in which it has come.
fn found(shelf: &mut Shelf, is_in_flight: bool) -> Option<Fill> {
    if let Some(chunk) = shelf.next_chunk() {
        return Some(Fill::Bytes(chunk));
    }
    if let Some(errno) = shelf.error.take() {
        return Some(Fill::Failed(io::Error::from_raw_os_error(errno)));
    }
    if std::mem::take(&mut shelf.end) {
        return Some(Fill::Bytes(PooledBuf::default()));
    }
    // What a receive in flight has taken by now comes first.
    (!is_in_flight && std::mem::take(&mut shelf.readable)).then_some(Fill::Readable)
}

/// Receives into whichever pooled buffer is next when data is there, again and again.
struct Prefetch {
    pool: BufPool,
}

// SAFETY: nothing of `self` is lent; the pool's memory belongs to the pool, which `self` keeps
// alive.
unsafe impl Operation for Prefetch {
    type Output = ();

    const NAME: &'static str = "recv";
    const LANE: Lane = Lane::Read;
    const MAY_MOVE: bool = true;

    fn request(&mut self, fd: Number) -> Request {
        Request::RecvMulti { fd, group: self.pool.group() }
    }

    fn complete(self, outcome: Outcome, _driver: &Driver) {
        if let Some(id) = outcome.buffer_id() {
            drop(self.pool.take(id, 0));
        }
    }

    fn fail(self, _error: io::Error) {}

    fn put_back(&mut self, outcome: Outcome, shelf: &mut Shelf) {
        let len = outcome.result().max(0) as usize;
        let bytes = outcome.buffer_id().map(|id| self.pool.take_aside(id, len));
        match (outcome.result(), bytes) {
            (1.., Some(bytes)) => shelf.chunks.push_back(bytes),
            (0, _) => shelf.end = true,
            (errno, _) if errno == -libc::ENOBUFS => shelf.starved = true,
            _ => keep(outcome, shelf),
        }
    }
}

/// Waits until the stream is readable.
struct AwaitReadable(());

// SAFETY: nothing is lent.
unsafe impl Operation for AwaitReadable {
    type Output = ();

    const NAME: &'static str = "poll";
    const LANE: Lane = Lane::Read;
    const MAY_MOVE: bool = true;

    fn request(&mut self, fd: Number) -> Request {
        Request::Poll { fd, events: libc::POLLIN as u32 }
    }

    fn complete(self, _outcome: Outcome, _driver: &Driver) {}

    fn fail(self, _error: io::Error) {}

    fn put_back(&mut self, outcome: Outcome, shelf: &mut Shelf) {
        match outcome.errno() {
            None => shelf.readable = true,
            Some(_) => keep(outcome, shelf),
        }
    }
}
