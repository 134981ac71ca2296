//! What is known of one descriptor: whose it is, and what it was ready for when it was last asked.
//!
//! An edge says that something has changed, once. So what the last call found is remembered: as
//! long as a direction is *idle* (the call said `EAGAIN`, and no edge has come since) the next call
//! would be in vain, and is not made.

use std::os::fd::RawFd;

use super::flights::NO_FLIGHT;
use crate::call::{Class, Mode};
use crate::fd::Sharing;

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    In,
    Out,
}

impl Direction {
    /// The one in which a request of that class waits for its descriptor, if it does.
    pub(super) fn of(class: Class) -> Option<Direction> {
        match class {
            Class::Readiness(events) if events & libc::POLLIN as u32 != 0 => Some(Direction::In),
            Class::Readiness(_) => Some(Direction::Out),
            Class::Untold | Class::Blocking | Class::None => None,
        }
    }
}

/// Whose a descriptor is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// Somebody else's, who has lent it for one flight and closes it without telling us.
    Lender,
    /// The driver's, perhaps with others beside it who use the same open file.
    Driver(Sharing),
}

/// Where its edges come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// Nobody has asked for them.
    Unwatched,
    Epoll,
    /// There are none: it is a file on a disk, which makes whoever reads it wait.
    Disk,
}

/// Nobody waits to read.
pub(super) const NO_READER: u32 = u32::MAX;

pub(super) struct Watch {
    pub(super) owner: Owner,
    pub(super) source: Source,
    /// Whether it has been switched to `O_NONBLOCK` for us.
    pub(super) is_nonblocking: bool,
    idle: [bool; 2],

    /// Whether edges have told of nothing but bytes so far: of no end, no error, no urgent data.
    pub(super) is_plain: bool,
    /// Whether a receive that leaves room has taken all there was: `None` until it matters.
    pub(super) is_tcp: Option<bool>,
    /// The first of the flights that wait for its edges.
    pub(super) first: u32,
    /// The descriptor, by the driver's number, whose readers wait for its edges; see
    /// [`NO_READER`].
    pub(super) reader: u32,
}

impl Watch {
    const fn new(owner: Owner) -> Watch {
        Watch {
            owner,
            source: Source::Unwatched,
            is_nonblocking: false,
            idle: [false; 2],
            is_plain: true,
            is_tcp: None,
            first: NO_FLIGHT,
            reader: NO_READER,
        }
    }

    pub(super) fn is_shared(&self) -> bool {
        self.owner != Owner::Driver(Sharing::Private)
    }

    /// The mode in which calls find it.
    pub(super) fn mode(&self) -> Mode {
        if self.is_shared() { Mode::Shared } else { Mode::Nonblocking }
    }

    pub(super) fn is_idle(&self, direction: Direction) -> bool {
        self.idle[direction as usize]
    }

    pub(super) fn set_idle(&mut self, direction: Direction, idle: bool) {
        self.idle[direction as usize] = idle;
    }

    /// An edge with these `EPOLL*` bits has come.
    pub(super) fn on_edge(&mut self, events: u32) {
        const OVER: i32 = libc::EPOLLHUP | libc::EPOLLERR;
        let any = |bits: i32| events & bits as u32 != 0;
        if any(libc::EPOLLIN | libc::EPOLLPRI | libc::EPOLLRDHUP | OVER) {
            self.set_idle(Direction::In, false);
        }
        if any(libc::EPOLLOUT | OVER) {
            self.set_idle(Direction::Out, false);
        }
        self.is_plain &= !any(libc::EPOLLPRI | libc::EPOLLRDHUP | OVER);
    }
}

/// The watches by the numbers of their descriptors, which the system keeps small.
#[derive(Default)]
pub(super) struct Watches(Vec<Watch>);

impl Watches {
    #[inline]
    pub(super) fn of(&mut self, fd: RawFd) -> &mut Watch {
        let index = fd as usize;
        if index >= self.0.len() {
            self.grow(index);
        }
        &mut self.0[index]
    }

    #[cold]
    fn grow(&mut self, index: usize) {
        self.0.resize_with(index + 1, || Watch::new(Owner::Lender));
    }

    /// Whether others use the open file too, or may do so: of most nothing is known.
    pub(super) fn is_shared(&self, fd: RawFd) -> bool {
        self.0.get(fd as usize).is_none_or(Watch::is_shared)
    }

    /// The descriptors that have been switched to `O_NONBLOCK` for us.
    pub(super) fn nonblocking(&self) -> impl Iterator<Item = RawFd> {
        let switched = self.0.iter().enumerate().filter(|(_, watch)| watch.is_nonblocking);
        switched.map(|(fd, _)| fd as RawFd)
    }

    /// The descriptor begins anew as `owner`'s.
    pub(super) fn reset(&mut self, fd: RawFd, owner: Owner) {
        *self.of(fd) = Watch::new(owner);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edge_ends_the_idleness_of_its_direction_and_an_error_of_both() {
        let idle_after = |events: i32| {
            let mut watch = Watch::new(Owner::Driver(Sharing::Private));
            watch.set_idle(Direction::In, true);
            watch.set_idle(Direction::Out, true);
            watch.on_edge(events as u32);
            (watch.is_idle(Direction::In), watch.is_idle(Direction::Out), watch.is_plain)
        };
        assert_eq!(idle_after(libc::EPOLLIN), (false, true, true));
        assert_eq!(idle_after(libc::EPOLLOUT), (true, false, true));
        assert_eq!(idle_after(libc::EPOLLRDHUP), (false, true, false));
        assert_eq!(idle_after(libc::EPOLLPRI), (false, true, false));
        assert_eq!(idle_after(libc::EPOLLERR), (false, false, false));
        assert_eq!(idle_after(libc::EPOLLHUP), (false, false, false));
    }

    #[test]
    fn what_nobody_has_adopted_is_lent() {
        let mut watches = Watches::default();
        assert_eq!(watches.of(7).owner, Owner::Lender);
        assert_eq!(watches.of(7).mode(), Mode::Shared);
        watches.reset(7, Owner::Driver(Sharing::Private));
        assert_eq!(watches.of(7).mode(), Mode::Nonblocking);
        assert_eq!(watches.of(3).owner, Owner::Lender);
    }
}
