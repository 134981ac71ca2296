//! Finds out whether a multishot receive tells the end of a stream that comes with its last bytes.
//!
//! Some kernels take both wake-ups for one: they deliver the bytes, go back to waiting, and
//! nothing will ever wake them again. No flag and no number tells which kernels those are, so it is
//! tried, once a process: on a connection over the loopback device, because Unix sockets were not
//! concerned everywhere, or on a pair of those where there is no such device.

#![allow(unsafe_code)]

use std::alloc::{self, Layout};
use std::io::{self, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::OnceLock;
use std::time::Duration;

use io_uring::types::Fd;
use io_uring::{opcode, squeue};

use super::super::enter::Wait;
use super::super::{TRIAL, TRIAL_CANCEL};
use super::Ring;
use crate::call;
use crate::completion::Outcome;

/// Anything that has happened on this machine is told faster.
const PATIENCE: Duration = Duration::from_millis(20);
/// The end itself may take longer, where others have the processor; in milliseconds.
const ARRIVAL: i32 = 500;

static TELLS_END: OnceLock<bool> = OnceLock::new();

/// As large as the largest page that Linux has, of which the kernel pins one for the ring of
/// buffers; the buffers lie behind that ring.
const MEMORY: Layout = match Layout::from_size_align(64 * 1024, 64 * 1024) {
    Ok(layout) => layout,
    Err(_) => panic!("a power of two"),
};
const BUFFERS: u16 = 4;
/// Not that of the pool, which is registered although this one may have to stay.
const GROUP: u16 = 1;
const FIRST_BUFFER: usize = 4096;

impl Ring {
    /// Whether it does. Only on a ring that has the operation and takes rings of buffers.
    pub(super) fn tells_end(&mut self) -> bool {
        if let Some(&told) = TELLS_END.get() {
            return told;
        }
        match connection().and_then(|(ours, theirs)| self.try_end(&ours, theirs)) {
            Ok(told) => *TELLS_END.get_or_init(|| told),
            // Descriptors have run out, say: the next ring may find out.
            Err(_) => false,
        }
    }

    fn try_end(&mut self, ours: &OwnedFd, theirs: Peer) -> io::Result<bool> {
        // SAFETY: the layout's size is not zero.
        let memory = unsafe { alloc::alloc_zeroed(MEMORY) };
        if memory.is_null() {
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        // SAFETY: the memory is that large, aligned, and nobody else's.
        unsafe { provide(memory) };
        let submitter = self.uring.submitter();
        // SAFETY: the memory has room for the ring and stays until the group is unregistered.
        let registered =
            unsafe { submitter.register_buf_ring_with_flags(memory as u64, BUFFERS, GROUP, 0) };
        let told = registered.and_then(|()| self.receive_all(ours, theirs));
        // Memory that the kernel may still write to is better lost than used by somebody else.
        if told.is_ok() && self.uring.submitter().unregister_buf_ring(GROUP).is_ok() {
            // SAFETY: allocated above with this layout, and the kernel has let go of it.
            unsafe { alloc::dealloc(memory, MEMORY) };
        }
        // What comes later has a name that nobody looks for.
        self.uring.completion().for_each(drop);
        match told? {
            Told::End => Ok(true),
            Told::Nothing => Ok(false),
            Told::Late => Err(io::ErrorKind::TimedOut.into()),
        }
    }

    /// Receives from a peer that says one word and ends at once. An error leaves the receive in
    /// flight.
    fn receive_all(&mut self, ours: &OwnedFd, mut theirs: Peer) -> io::Result<Told> {
        let receive = opcode::RecvMulti::new(Fd(ours.as_raw_fd()), GROUP).build();
        self.submit(&receive.user_data(TRIAL.0))?;
        theirs.say_and_end()?;
        // A kernel is not blamed for what it could not tell yet.
        let has_ended = call::poll(ours.as_raw_fd(), libc::POLLRDHUP as u32, ARRIVAL) > 0;
        for _ in 0..BUFFERS {
            match self.next_outcome()? {
                Some(outcome) if outcome.more_to_come() => {}
                Some(outcome) if outcome.result() == 0 => return Ok(Told::End),
                Some(_) => return Ok(Told::Nothing),
                None => break,
            }
        }
        self.submit(&opcode::AsyncCancel::new(TRIAL.0).build().user_data(TRIAL_CANCEL.0))?;
        for _ in 0..BUFFERS {
            if let Some(outcome) = self.next_outcome()?
                && !outcome.more_to_come()
            {
                return Ok(if has_ended { Told::Nothing } else { Told::Late });
            }
        }
        Err(io::ErrorKind::TimedOut.into())
    }

    fn submit(&mut self, entry: &squeue::Entry) -> io::Result<()> {
        // SAFETY: it points to no memory but by the group of buffers, which is leaked unless the
        // operation has ended.
        unsafe { self.uring.submission().push(entry) }.map_err(|_| io::ErrorKind::WouldBlock)?;
        self.enter(1, Wait::default()).map(drop).map_err(io::Error::from_raw_os_error)
    }

    /// What the receive has come to next; `None` if that is nothing in time.
    fn next_outcome(&mut self) -> io::Result<Option<Outcome>> {
        if self.uring.completion().is_empty() {
            let wait = Wait { completions: 1, timeout: Some(PATIENCE), ..Wait::default() };
            match self.enter(0, wait) {
                Ok(_) | Err(libc::ETIME | libc::EINTR) => {}
                Err(errno) => return Err(io::Error::from_raw_os_error(errno)),
            }
        }
        let next = self.uring.completion().find(|completion| completion.user_data() == TRIAL.0);
        Ok(next.map(|completion| Outcome::new(completion.result(), completion.flags())))
    }
}

/// What the receive told before it was over.
enum Told {
    End,
    /// Not the end, which had come.
    Nothing,
    /// Not the end, which may not have come.
    Late,
}

/// Writes a ring of [`BUFFERS`] entries.
///
/// # Safety
/// `memory` has the layout [`MEMORY`].
unsafe fn provide(memory: *mut u8) {
    for id in 0..BUFFERS {
        let address = memory as u64 + FIRST_BUFFER as u64 + u64::from(id) * 64;
        let entry = memory.wrapping_add(usize::from(id) * 16);
        // SAFETY: `struct io_uring_buf` is address, length and id in 16 bytes; these four lie in
        // the first page, and their buffers behind it.
        unsafe {
            entry.cast::<u64>().write(address);
            entry.add(8).cast::<u32>().write(64);
            entry.add(12).cast::<u16>().write(id);
        }
    }
    // SAFETY: the tail lies over the last field of the first entry.
    unsafe { memory.add(14).cast::<u16>().write(BUFFERS) };
}

enum Peer {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Peer {
    fn say_and_end(&mut self) -> io::Result<()> {
        match self {
            Peer::Tcp(stream) => {
                stream.write_all(b"x")?;
                stream.shutdown(Shutdown::Write)
            }
            Peer::Unix(stream) => {
                stream.write_all(b"x")?;
                stream.shutdown(Shutdown::Write)
            }
        }
    }
}

fn connection() -> io::Result<(OwnedFd, Peer)> {
    let tcp = || {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let theirs = TcpStream::connect_timeout(&listener.local_addr()?, PATIENCE)?;
        theirs.set_nodelay(true)?;
        Ok((listener.accept()?.0.into(), Peer::Tcp(theirs)))
    };
    tcp().or_else(|_: io::Error| {
        let (ours, theirs) = UnixStream::pair()?;
        Ok((ours.into(), Peer::Unix(theirs)))
    })
}

#[cfg(test)]
mod tests {
    use super::super::Size;
    use super::*;
    use crate::capabilities::Mask;
    use crate::testing::{ring_or_skip, skip};

    /// Given a stream that has not ended; when it is tried whether the kernel tells its end; then
    /// the kernel is not blamed, and the ring is as if nothing had been tried.
    #[test]
    fn an_end_that_has_not_come_says_nothing_of_the_kernel() {
        const NAME: &str = "an_end_that_has_not_come_says_nothing_of_the_kernel";
        if !ring_or_skip(NAME) {
            return;
        }
        let mut ring = Ring::open(Size::new(8, 16), Mask::default()).unwrap();
        if !ring.capabilities.buf_ring || !ring.capabilities.supports(opcode::SendZc::CODE) {
            return skip(NAME, "no multishot receive");
        }
        let (ours, _quiet) = connection().unwrap();
        let (_others, theirs) = connection().unwrap();
        assert_eq!(ring.try_end(&ours, theirs).unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert!(ring.uring.completion().is_empty());
        assert!(ring.uring.submitter().unregister_buf_ring(GROUP).is_err(), "still registered");
    }
}
