//! What this backend does to descriptors: it watches them, brings them into the mode that it needs,
//! and leaves alone what is somebody else's.

use std::os::fd::RawFd;

use super::Poll;
use super::flights::NO_FLIGHT;
use super::watch::{Direction, NO_READER, Owner, Source};
use crate::call::{self, Mode};
use crate::fd::Sharing;
use crate::request::{Number, Request};

impl Poll {
    /// The descriptor is the driver's from now on. Its mode is changed when that matters first.
    pub(crate) fn adopt(&mut self, fd: Number, sharing: Sharing) {
        self.watches.reset(fd.0, Owner::Driver(sharing));
        self.cached.forget(fd);
    }

    /// The descriptor is somebody else's from now on.
    pub(crate) fn release(&mut self, fd: Number) {
        let is_shared = self.watches.of(fd.0).is_shared();
        self.forget(fd);
        if !is_shared {
            // It is open, so this cannot fail.
            let _ = call::set_nonblocking(fd.0, false);
        }
    }

    /// The descriptor is about to be closed, or has been lent and is given back.
    pub(super) fn forget(&mut self, fd: Number) {
        let watch = self.watches.of(fd.0);
        debug_assert_eq!(watch.first, NO_FLIGHT, "nothing waits on what is closed");
        if watch.reader != NO_READER {
            self.readers -= 1;
        }
        if watch.source == Source::Epoll {
            self.epoll.forget(fd.0);
        }
        self.watches.reset(fd.0, Owner::Lender);
    }

    /// Brings the descriptor into the mode that the request needs, and tells it. `None` if it has
    /// to go to the pool: it would wait on the loop.
    #[inline(always)]
    pub(super) fn prepare(&mut self, request: &Request, fd: Number) -> Option<Mode> {
        match *request {
            Request::Read { .. }
            | Request::ReadVectored { .. }
            | Request::Write { .. }
            | Request::WriteVectored { .. } => {
                if self.is_on_disk(fd) {
                    return None;
                }
            }
            Request::Splice { from, to, .. } => {
                // A shared socket would wait: the flag of the call is for the pipe alone.
                let is_shared = self.watches.is_shared(from.0) || self.watches.is_shared(to.0);
                if is_shared || self.is_on_disk(from) || self.is_on_disk(to) {
                    return None;
                }
                self.make_nonblocking(to);
                return Some(self.make_nonblocking(from));
            }
            Request::Connect { .. } if self.watches.is_shared(fd.0) => return None,
            Request::Connect { .. } => {}
            Request::Accept { .. } | Request::AcceptMulti { .. } => {}
            // The others are told with each call that it must not wait.
            _ => return Some(self.watches.of(fd.0).mode()),
        }
        Some(self.make_nonblocking(fd))
    }

    /// Whether it makes whoever reads it wait. Of most files the attempt to watch them tells, but
    /// some file systems (FUSE) have readiness of their own.
    fn is_on_disk(&mut self, fd: Number) -> bool {
        if self.watches.of(fd.0).source == Source::Unwatched {
            if call::is_regular_file(fd.0) {
                self.watches.of(fd.0).source = Source::Disk;
            }
            // Another error comes again when the request waits, and is told then.
            let _ = self.watch(fd.0);
        }
        self.watches.of(fd.0).source == Source::Disk
    }

    /// The mode of the descriptor, which does not wait from now on, unless others share it.
    fn make_nonblocking(&mut self, fd: Number) -> Mode {
        let watch = self.watches.of(fd.0);
        if !watch.is_shared() && !watch.is_nonblocking {
            // What has no such mode is no descriptor, and the call itself says so.
            watch.is_nonblocking = call::set_nonblocking(fd.0, true).is_ok();
        }
        watch.mode()
    }

    /// Whether a connection is there that another process may take first, so that the call, which
    /// nothing can be told for, would wait.
    #[inline]
    pub(super) fn is_contested(&mut self, request: &Request) -> bool {
        let (Request::Accept { fd, .. } | Request::AcceptMulti { fd }) = *request else {
            return false;
        };
        self.watches.is_shared(fd.0) && call::is_ready(fd.0, libc::POLLIN)
    }

    /// Whether `request` waits where it ends because it is asked to, and not on the pool.
    pub(crate) fn can_cancel(&self, request: &Request) -> bool {
        match *request {
            // With a file at one end it goes to the pool.
            Request::Splice { .. } => false,
            Request::Connect { fd, .. } => !self.watches.is_shared(fd.0),
            _ => true,
        }
    }

    /// Whether a receive that has left room has taken all that was there, so that an edge will tell
    /// of more. It may have stopped where control data (on a Unix socket) or urgent data begin; and
    /// the end of a stream has no second edge.
    #[inline]
    pub(super) fn is_drained_by(&mut self, fd: Number) -> bool {
        let watch = self.watches.of(fd.0);
        watch.is_plain && *watch.is_tcp.get_or_insert_with(|| call::is_tcp(fd))
    }

    /// Has edges of `fd` told from now on.
    #[inline]
    pub(super) fn watch(&mut self, fd: RawFd) -> Result<(), i32> {
        match fd {
            ..0 => Err(libc::EBADF),
            _ if self.watches.of(fd).source != Source::Unwatched => Ok(()),
            _ => self.begin_watch(fd),
        }
    }

    fn begin_watch(&mut self, fd: RawFd) -> Result<(), i32> {
        self.watches.of(fd).source = match self.epoll.watch(fd) {
            Ok(()) => Source::Epoll,
            Err(libc::EPERM) => Source::Disk,
            Err(errno) => {
                // No edge will tell that there is something again.
                self.watches.of(fd).set_idle(Direction::In, false);
                self.watches.of(fd).set_idle(Direction::Out, false);
                return Err(errno);
            }
        };
        Ok(())
    }
}

impl Drop for Poll {
    /// Who is still open may go to somebody who expects that it waits.
    fn drop(&mut self) {
        for fd in self.watches.nonblocking() {
            // It is open, so this cannot fail.
            let _ = call::set_nonblocking(fd, false);
        }
    }
}
