//! Receiving from a stream for whoever borrows what he reads.
//!
//! The call answers at once, so nothing has to be in flight for it: the reader makes it when he is
//! polled, and only where it finds nothing he waits, by a number in the watch. All readers find
//! their bytes in the buffer that was used last, which is in the cache, and an idle connection costs
//! the driver nothing.

use std::mem::replace;
use std::os::fd::RawFd;
use std::task;

use super::Poll;
use super::watch::{Direction, NO_READER};
use crate::buffer::PooledBuf;
use crate::call;
use crate::completion::Outcome;
use crate::request::{Number, Request, UserData};

/// The bytes, none at the end of the stream, or an errno as the kernel returns it.
type Received = Result<PooledBuf, i32>;

impl Poll {
    /// Receives at once, unless the last receive has shown that this is in vain; then the next edge
    /// of `fd` is told to the readers of `descriptor`. `None` where no buffer is left, or no edge to
    /// be had.
    #[inline]
    pub(crate) fn receive(&mut self, fd: Number, descriptor: u32) -> Option<task::Poll<Received>> {
        if self.watches.of(fd.0).is_idle(Direction::In) {
            return self.await_input(fd, descriptor);
        }
        // A reader whose peer is quick lets the others run.
        if self.answers_left == 0 {
            self.complete(UserData::readable(descriptor), Outcome::plain(0));
            return Some(task::Poll::Pending);
        }
        if self.buf_pool.is_none() {
            self.make_buf_pool().ok()?;
        }
        let mut room = 0;
        let received = self.buf_pool.as_ref()?.receive(|buf, len| {
            room = len as usize;
            call::call(&Request::Recv { fd, buf, len, flags: libc::MSG_DONTWAIT })
        })?;
        self.answers_left -= 1;
        self.counters.submitted += 1;
        self.counters.readiness_calls += 1;
        let is_drained = match &received {
            Ok(bytes) => (1..room).contains(&bytes.len()) && self.is_drained_by(fd),
            Err(errno) => *errno == -libc::EAGAIN,
        };
        self.watches.of(fd.0).set_idle(Direction::In, is_drained);
        match received {
            Err(_) if is_drained => self.await_input(fd, descriptor),
            received => Some(task::Poll::Ready(received)),
        }
    }

    /// Has the next edge of `fd` told to the readers of `descriptor`. `None` if there are no edges.
    #[inline]
    fn await_input(&mut self, fd: Number, descriptor: u32) -> Option<task::Poll<Received>> {
        self.watch(fd.0).ok()?;
        let watch = self.watches.of(fd.0);
        if replace(&mut watch.reader, descriptor) == NO_READER {
            self.readers += 1;
        }
        Some(task::Poll::Pending)
    }

    /// Whoever waits to read from `fd` may try.
    #[inline]
    pub(super) fn tell_reader(&mut self, fd: RawFd) {
        let watch = self.watches.of(fd);
        if watch.reader != NO_READER && !watch.is_idle(Direction::In) {
            let reader = replace(&mut watch.reader, NO_READER);
            self.readers -= 1;
            self.complete(UserData::readable(reader), Outcome::plain(0));
        }
    }
}
