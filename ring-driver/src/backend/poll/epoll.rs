//! The system calls of a running epoll instance, and the only place where this backend sleeps.
//!
//! Descriptors are watched edge-triggered and for everything: one `epoll_ctl` in the life of a
//! connection instead of one a wait. What an edge meant is remembered by whoever watches.

#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;
use std::time::Duration;

pub(super) struct Epoll {
    fd: OwnedFd,
    events: Vec<libc::epoll_event>,
    /// Whether the kernel takes sleeps of less than a millisecond (`epoll_pwait2`, 5.11, which a
    /// sandbox may not know).
    has_fine_sleep: bool,
}

/// Something has happened to a descriptor since the last look.
#[derive(Clone, Copy)]
pub(super) struct Event {
    pub(super) fd: RawFd,
    /// `EPOLL*` as the kernel numbers them.
    pub(super) events: u32,
}

/// Longer sleeps are cut to this: whoever sleeps looks at the clock afterwards anyway.
const LONGEST: Duration = Duration::from_secs(1 << 31);

impl Epoll {
    /// How many events one look takes in.
    const BATCH: usize = 256;

    pub(super) fn new() -> io::Result<Epoll> {
        // SAFETY: takes a number and no memory.
        let number = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
        if number < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor was made just now and nobody else knows its number.
        let fd = unsafe { OwnedFd::from_raw_fd(number) };
        Ok(Epoll { fd, events: Vec::with_capacity(Epoll::BATCH), has_fine_sleep: true })
    }

    /// Watches `fd` from now on. What it is ready for already is the first edge.
    ///
    /// `EPERM` says that it is a file on a disk, which is always ready.
    pub(super) fn watch(&self, fd: RawFd) -> Result<(), i32> {
        const ALL: i32 = libc::EPOLLIN | libc::EPOLLOUT | libc::EPOLLPRI | libc::EPOLLRDHUP;
        self.control(libc::EPOLL_CTL_ADD, fd, (ALL | libc::EPOLLET) as u32)
    }

    /// Watches `fd` for input alone.
    pub(super) fn watch_input(&self, fd: RawFd) -> Result<(), i32> {
        self.control(libc::EPOLL_CTL_ADD, fd, (libc::EPOLLIN | libc::EPOLLET) as u32)
    }

    /// Watches `fd` no longer. To be called before it is closed: the kernel forgets it by itself
    /// only if no copy of it is left anywhere, not even in a child that has not yet called exec.
    pub(super) fn forget(&self, fd: RawFd) {
        // It fails only for what is not watched.
        let _ = self.control(libc::EPOLL_CTL_DEL, fd, 0);
    }

    fn control(&self, operation: i32, fd: RawFd, events: u32) -> Result<(), i32> {
        let mut event = libc::epoll_event { events, u64: fd as u64 };
        // SAFETY: the kernel reads one event, which lives across the call.
        match unsafe { libc::epoll_ctl(self.fd.as_raw_fd(), operation, fd, &raw mut event) } {
            0 => Ok(()),
            _ => Err(errno()),
        }
    }

    /// Sleeps until something happens or the time is over (`None`: for ever; zero: not at all), and
    /// tells how many events there are now; see [`event`](Epoll::event).
    pub(super) fn look(&mut self, timeout: Option<Duration>) -> usize {
        self.events.clear();
        let timeout = timeout.map(|timeout| timeout.min(LONGEST));
        let count = match timeout {
            None => self.wait(-1),
            Some(Duration::ZERO) => self.wait(0),
            Some(timeout) => self.sleep(timeout),
        };
        match count {
            // SAFETY: the kernel has written as many events, at most the capacity it was told.
            Ok(count) => unsafe { self.events.set_len(count) },
            // A signal: whoever sleeps looks at its clock and sleeps again.
            Err(libc::EINTR) => {}
            Err(errno) => panic!(
                "epoll_wait: {}: this is a bug in wakering or in the kernel",
                io::Error::from_raw_os_error(errno)
            ),
        }
        self.events.len()
    }

    /// Whether there were at least as many events as one look takes in.
    pub(super) fn was_full(&self) -> bool {
        self.events.len() == Epoll::BATCH
    }

    /// One event of the last look.
    pub(super) fn event(&self, index: usize) -> Event {
        let libc::epoll_event { events, u64 } = self.events[index];
        Event { fd: u64 as RawFd, events }
    }

    fn sleep(&mut self, timeout: Duration) -> Result<usize, i32> {
        let spec = libc::timespec {
            tv_sec: timeout.as_secs() as libc::time_t,
            tv_nsec: timeout.subsec_nanos().into(),
        };
        let (fd, null) = (self.fd.as_raw_fd(), ptr::null::<libc::sigset_t>());
        if self.has_fine_sleep {
            let (events, room) = (self.events.as_mut_ptr(), Epoll::BATCH as libc::c_int);
            // SAFETY: the vector has that much room; the time lives across the call.
            let count = unsafe {
                libc::syscall(
                    libc::SYS_epoll_pwait2,
                    fd,
                    events,
                    room,
                    &raw const spec,
                    null,
                    0usize,
                )
            };
            match count {
                0.. => return Ok(count as usize),
                _ if matches!(errno(), libc::ENOSYS | libc::EPERM) => self.has_fine_sleep = false,
                _ => return Err(errno()),
            }
        }
        let mut readable = libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
        // SAFETY: one entry and the time, both of which live across the call.
        match unsafe { libc::ppoll(&raw mut readable, 1, &raw const spec, null) } {
            0 => Ok(0),
            1.. => self.wait(0),
            _ => Err(errno()),
        }
    }

    fn wait(&mut self, timeout: libc::c_int) -> Result<usize, i32> {
        let (events, room) = (self.events.as_mut_ptr(), Epoll::BATCH as libc::c_int);
        // SAFETY: the vector has that much room.
        let count = unsafe { libc::epoll_wait(self.fd.as_raw_fd(), events, room, timeout) };
        usize::try_from(count).map_err(|_| errno())
    }
}

fn errno() -> i32 {
    io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;
    use std::time::Instant;

    use super::*;
    use crate::testing::patience;

    const SHORT: Duration = Duration::from_micros(300);

    fn input_of(epoll: &mut Epoll, timeout: Duration) -> Vec<RawFd> {
        let count = epoll.look(Some(timeout));
        let events = (0..count).map(|index| epoll.event(index));
        let input = events.filter(|event| event.events & libc::EPOLLIN as u32 != 0);
        input.map(|event| event.fd).collect()
    }

    #[test]
    fn what_is_ready_already_is_the_first_edge_and_each_arrival_another() {
        let mut epoll = Epoll::new().unwrap();
        let (mut ours, mut theirs) = UnixStream::pair().unwrap();
        theirs.write_all(b"a").unwrap();
        epoll.watch(ours.as_raw_fd()).unwrap();
        assert_eq!(input_of(&mut epoll, Duration::ZERO), [ours.as_raw_fd()]);
        assert_eq!(input_of(&mut epoll, Duration::ZERO), [], "nothing has happened since");
        theirs.write_all(b"b").unwrap();
        assert_eq!(input_of(&mut epoll, Duration::ZERO), [ours.as_raw_fd()]);
        ours.read_exact(&mut [0; 2]).unwrap();
        epoll.forget(ours.as_raw_fd());
        theirs.write_all(b"c").unwrap();
        assert_eq!(input_of(&mut epoll, Duration::ZERO), []);
    }

    #[test]
    fn a_sleep_is_never_early_nor_late_by_a_millisecond() {
        for has_fine_sleep in [true, false] {
            let mut epoll = Epoll { has_fine_sleep, ..Epoll::new().unwrap() };
            let shortest = (0..20).map(|_| {
                let start = Instant::now();
                assert_eq!(epoll.look(Some(SHORT)), 0);
                start.elapsed()
            });
            let shortest = shortest.min().unwrap();
            assert!(shortest >= SHORT, "{shortest:?}");
            assert!(shortest < patience(Duration::from_millis(1)), "{shortest:?}");
        }
    }

    #[test]
    fn both_kinds_of_sleep_end_with_an_event() {
        for has_fine_sleep in [true, false] {
            let mut epoll = Epoll { has_fine_sleep, ..Epoll::new().unwrap() };
            let (ours, mut theirs) = UnixStream::pair().unwrap();
            epoll.watch_input(ours.as_raw_fd()).unwrap();
            theirs.write_all(b"a").unwrap();
            assert_eq!(input_of(&mut epoll, Duration::from_secs(60)), [ours.as_raw_fd()]);
        }
    }

    #[test]
    fn a_file_on_a_disk_cannot_be_watched() {
        let file = tempfile::tempfile().unwrap();
        assert_eq!(Epoll::new().unwrap().watch(file.as_raw_fd()), Err(libc::EPERM));
    }
}
