//! The receiving side of a descriptor for those who borrow what they read: buffers come from the
//! driver's pool. Here is how a side receives ahead, and what that is for a stream; for datagrams it
//! is in `datagrams.rs`.
//!
//! A prefetch belongs to the side, not to a future. It is a multishot: once it is armed, each piece
//! of data picks a buffer when it is there, so an idle connection holds none, and a reader who comes
//! again finds the next piece or waits for it, without asking the kernel anew. It ends with the
//! stream, with the descriptor, or when more lies on the shelf than anybody fetches.
//!
//! Where the backend makes plain calls, nothing is received ahead: the reader makes the call when he
//! comes, and waits as one who is told that he may try again. Where the kernel knows no multishots,
//! the prefetch is a series of one. Where the pool has no buffer to give, or the kernel knows no
//! provided buffers, the side waits for readiness and then receives once into a buffer of its own: a
//! starving pool slows down, it does not deadlock.

#![allow(unsafe_code)]

use std::io;
use std::task::{Context, Poll};

use super::Fd;
use crate::buffer::{BufPool, PooledBuf, Traffic};
use crate::completion::Outcome;
use crate::driver::{Caller, Core, Driver};
use crate::error::RuntimeError;
use crate::fd::Shelf;
use crate::op::{Lane, Operation, keep};
use crate::request::{Number, Request};

/// What a side receives ahead of those who want it.
pub(super) trait Ahead {
    type Item;
    /// Brings items into buffers of the pool.
    type Prefetch: Operation;

    /// Which buffers they come in.
    const TRAFFIC: Traffic;

    /// The next one, of what lies there.
    fn next(shelf: &mut Shelf) -> Option<Self::Item>;

    /// The end, if it has come and nobody was told.
    fn end(shelf: &mut Shelf) -> Option<Self::Item>;

    /// The next one, where the backend receives at once, or the promise to tell of it.
    #[inline]
    fn receive(_core: &mut Core, _descriptor: u32) -> Option<Poll<Result<Self::Item, i32>>> {
        None
    }

    fn prefetch(pool: BufPool) -> Self::Prefetch;

    /// Receives once without waiting, into a buffer outside of the provided ring.
    fn receive_now(fd: &Fd) -> io::Result<Self::Item>;
}

impl Fd {
    /// The next bytes of the stream, as many as one buffer holds; an empty buffer is the end.
    ///
    /// What an abandoned receive left comes first. Not fetching the bytes loses nothing. From the
    /// first call on some bytes are received ahead: whoever reads the descriptor by a way of its own
    /// misses them.
    pub fn poll_fill(&self, cx: &mut Context<'_>) -> Poll<io::Result<PooledBuf>> {
        self.poll_ahead::<Bytes>(cx)
    }

    pub(super) fn poll_ahead<A: Ahead>(&self, cx: &mut Context<'_>) -> Poll<io::Result<A::Item>> {
        self.driver().check_current()?;
        loop {
            // Who has got something comes again, and waits: the clone is needed every other time, and
            // without it the core would have to look twice.
            let mut caller = Caller::ready(cx.waker());
            let index = self.0.index;
            match self.driver().with(|core| core.poll_ahead::<A>(index, &mut caller)) {
                Found::Item(item) => return Poll::Ready(Ok(item)),
                Found::Pending => return Poll::Pending,
                Found::Failed(error) => return Poll::Ready(Err(error)),
                Found::Readable => match A::receive_now(self) {
                    Ok(item) => return Poll::Ready(Ok(item)),
                    // Somebody else was faster, or the readiness was spurious: wait again.
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(error) => return Poll::Ready(Err(error)),
                },
            }
        }
    }
}

/// What a side has for somebody who wants to read.
enum Found<T> {
    Item(T),
    /// Data is there and no pooled buffer was.
    Readable,
    Pending,
    Failed(io::Error),
}

impl Core {
    fn poll_ahead<A: Ahead>(&mut self, descriptor: u32, caller: &mut Caller<'_>) -> Found<A::Item> {
        let Some(_) = self.usable(descriptor as usize) else {
            return Found::Failed(RuntimeError::Closed.into());
        };
        if self.is_closed() {
            return Found::Failed(RuntimeError::RuntimeGone.into());
        }
        loop {
            let state = &mut self.descriptors[descriptor as usize];
            let (own, side) = (state.own, &mut state.read);
            let in_flight = side.in_flight;
            let found =
                side.shelf.as_mut().and_then(|shelf| found::<A>(shelf, in_flight.is_some()));
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
                None if self.is_holding() => return Found::Pending,
                None if let Some(received) = A::receive(self, descriptor) => match received {
                    Poll::Ready(Ok(item)) => return Found::Item(item),
                    Poll::Ready(Err(errno)) => {
                        return Found::Failed(io::Error::from_raw_os_error(-errno));
                    }
                    Poll::Pending => break,
                },
                None => {
                    if let Err(error) = self.prefetch::<A>(descriptor) {
                        return Found::Failed(error);
                    }
                    // It may be over already.
                    if self.descriptors[descriptor as usize].read.in_flight.is_some() {
                        break;
                    }
                }
            }
        }
        let side = &mut self.descriptors[descriptor as usize].read;
        side.tidy(&mut self.empties);
        caller.stay_among(&mut side.waiters);
        Found::Pending
    }

    /// Begins what brings the next item.
    fn prefetch<A: Ahead>(&mut self, descriptor: u32) -> io::Result<()> {
        let pool = self.buf_pool(A::TRAFFIC)?;
        let shelf = self.descriptors[descriptor as usize].read.shelf.as_mut();
        let starved = shelf.is_some_and(|shelf| std::mem::take(&mut shelf.starved));
        // A buffer for each that has found none, however many others want the ones that are there.
        let has_buffer = (!starved && pool.available() > 0) || pool.grow();
        match has_buffer {
            true => self.begin_detached(A::prefetch(pool), descriptor),
            false => self.begin_detached(AwaitReadable(()), descriptor),
        }
        Ok(())
    }
}

/// What lies there for a reader, in the order in which it has come.
fn found<A: Ahead>(shelf: &mut Shelf, is_in_flight: bool) -> Option<Found<A::Item>> {
    if let Some(item) = A::next(shelf) {
        return Some(Found::Item(item));
    }
    if let Some(errno) = shelf.error.take() {
        return Some(Found::Failed(io::Error::from_raw_os_error(errno)));
    }
    if let Some(end) = A::end(shelf) {
        return Some(Found::Item(end));
    }
    // What a receive in flight has taken by now comes first.
    (!is_in_flight && std::mem::take(&mut shelf.readable)).then_some(Found::Readable)
}

/// Bytes of a stream.
struct Bytes;

impl Ahead for Bytes {
    type Item = PooledBuf;
    type Prefetch = Prefetch;

    const TRAFFIC: Traffic = Traffic::Streams;

    fn next(shelf: &mut Shelf) -> Option<PooledBuf> {
        shelf.next_chunk()
    }

    fn end(shelf: &mut Shelf) -> Option<PooledBuf> {
        std::mem::take(&mut shelf.end).then(PooledBuf::default)
    }

    #[inline]
    fn receive(core: &mut Core, descriptor: u32) -> Option<Poll<Result<PooledBuf, i32>>> {
        let number = core.descriptors[descriptor as usize].number;
        core.backend.receive(number, descriptor)
    }

    fn prefetch(pool: BufPool) -> Prefetch {
        Prefetch { pool }
    }

    fn receive_now(fd: &Fd) -> io::Result<PooledBuf> {
        let pool = fd.driver().buf_pool(Traffic::Streams)?;
        let mut vector = pool.lend();
        let buf = &mut vector.bytes;
        let (target, len) = (buf.as_mut_ptr(), buf.capacity() as u32);
        let n =
            fd.call_now(|fd| Request::Recv { fd, buf: target, len, flags: libc::MSG_DONTWAIT })?;
        // SAFETY: the kernel has written `n` bytes, at most the capacity that it was told.
        unsafe { buf.set_len(n as usize) };
        Ok(pool.wrap(vector))
    }
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

/// Waits until the descriptor is readable.
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
