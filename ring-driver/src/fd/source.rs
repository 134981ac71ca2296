//! The receiving side of a stream for those who borrow what they read: buffers come from the
//! driver's pool.
//!
//! A prefetch belongs to the side, not to a future. It picks its buffer only when data is there, so
//! an idle connection holds none. Where the pool is empty, or the kernel knows no provided buffers,
//! the side waits for readiness and then receives once into a buffer of its own: a starving pool
//! slows down, it does not deadlock.

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
    /// What an abandoned receive left comes first. Not fetching the bytes loses nothing.
    pub fn poll_fill(&self, cx: &mut Context<'_>) -> Poll<io::Result<PooledBuf>> {
        self.driver().check_current()?;
        let pool = self.driver().buf_pool()?;
        loop {
            let filled = self.driver().with_caller(cx.waker(), |core, caller| {
                core.poll_fill(self.0.index, &pool, caller)
            });
            match filled {
                Fill::Bytes(bytes) => return Poll::Ready(Ok(bytes)),
                Fill::Pending => return Poll::Pending,
                Fill::Failed(error) => return Poll::Ready(Err(error)),
                Fill::Readable => match self.receive_now(&pool) {
                    Ok(bytes) => return Poll::Ready(Ok(bytes)),
                    // Somebody else was faster, or the readiness was spurious: wait again.
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        self.driver().with(|core| {
                            core.descriptors[self.index()].read.shelf().starved = true;
                        });
                    }
                    Err(error) => return Poll::Ready(Err(error)),
                },
            }
        }
    }

    /// Receives once without waiting, into a buffer outside of the provided ring.
    fn receive_now(&self, pool: &BufPool) -> io::Result<PooledBuf> {
        let mut buf = pool.lend();
        let len = buf.capacity() as u32;
        let target = buf.as_mut_ptr();
        let n =
            self.call_now(|fd| Request::Recv { fd, buf: target, len, flags: libc::MSG_DONTWAIT })?;
        // SAFETY: the kernel has written `n` bytes, at most the capacity that it was told.
        unsafe { buf.set_len(n as usize) };
        Ok(pool.wrap(buf))
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
    fn poll_fill(&mut self, descriptor: u32, pool: &BufPool, caller: &mut Caller<'_>) -> Fill {
        let Some(_) = self.usable(descriptor as usize) else {
            return Fill::Failed(RuntimeError::Closed.into());
        };
        if self.is_closed() {
            return Fill::Failed(RuntimeError::RuntimeGone.into());
        }
        let side = &mut self.descriptors[descriptor as usize].read;
        let mut starved = false;
        if let Some(shelf) = &mut side.shelf {
            if let Some(chunk) = shelf.next_chunk() {
                return Fill::Bytes(chunk);
            }
            if let Some(errno) = shelf.error.take() {
                return Fill::Failed(io::Error::from_raw_os_error(errno));
            }
            if std::mem::take(&mut shelf.end) {
                return Fill::Bytes(PooledBuf::from(Vec::new()));
            }
            // What a receive in flight has taken by now comes first.
            if side.in_flight.is_none() && std::mem::take(&mut shelf.readable) {
                return Fill::Readable;
            }
            starved = std::mem::take(&mut shelf.starved);
        }
        let in_flight = side.in_flight;
        if in_flight.is_some_and(|key| self.rob_if_done(key, descriptor)) {
            return self.poll_fill(descriptor, pool, caller);
        }
        match in_flight {
            Some(_) => self.adopt(descriptor as usize),
            None if self.is_holding() => return Fill::Pending,
            None if starved || !pool.has_ring() || pool.available() == 0 => {
                self.begin_detached(AwaitReadable(()), descriptor);
            }
            None => self.begin_detached(Prefetch { pool: pool.clone() }, descriptor),
        }
        let side = &mut self.descriptors[descriptor as usize].read;
        if in_flight.is_none() && side.in_flight.is_none() {
            // It is over already.
            return self.poll_fill(descriptor, pool, caller);
        }
        caller.stay_among(&mut side.waiters);
        Fill::Pending
    }
}

/// Receives once into whichever pooled buffer is next when data is there.
struct Prefetch {
    pool: BufPool,
}

// SAFETY: nothing of `self` is lent; the pool's memory belongs to the pool, which `self` keeps
// alive.
unsafe impl Operation for Prefetch {
    type Output = ();

    const NAME: &'static str = "recv";
    const LANE: Lane = Lane::Read;

    fn request(&mut self, fd: Number) -> Request {
        Request::RecvPooled { fd, group: self.pool.group() }
    }

    fn complete(self, outcome: Outcome, _driver: &Driver) {
        if let Some(id) = outcome.buffer_id() {
            drop(self.pool.take(id, 0));
        }
    }

    fn fail(self, _error: io::Error) {}

    fn put_back(&mut self, outcome: Outcome, shelf: &mut Shelf) {
        let len = outcome.result().max(0) as usize;
        let bytes = outcome.buffer_id().map(|id| self.pool.take(id, len));
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
