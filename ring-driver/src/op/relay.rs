//! The content of files out through sockets without coming into our memory.
//!
//! The kernel moves pages only from or into a pipe, so there is one in between. It waits in a thread
//! of its own where a socket has no room, and that thread is held up for as long as the peer likes:
//! so [`room`] is awaited before, which holds up nobody. As long as it waits it also holds up
//! whoever closes an end of the pipe: so an operation keeps both ends.

#![allow(unsafe_code)]

use std::io;
use std::os::fd::AsRawFd;

use super::splice::{ERESTARTSYS, failed};
use super::transfer::{keep, length};
use super::{Lane, Op, Operation};
use crate::completion::Outcome;
use crate::driver::Driver;
use crate::error::RuntimeError;
use crate::fd::{Fd, Sharing, Shelf};
use crate::request::{Number, Request};

/// A pipe that bytes of a file pass on their way into a socket.
///
/// ```
/// use std::io::Read;
/// use std::os::unix::net::UnixStream;
/// use wakering_ring_driver::{Driver, Fd, Sharing, op};
///
/// # let dir = tempfile::tempdir().unwrap();
/// # let path = dir.path().join("file");
/// # wakering_ring_driver::testing::block_on(async {
/// std::fs::write(&path, "0123456789")?;
/// let driver = Driver::current()?;
/// let file = Fd::adopt(&driver, std::fs::File::open(&path)?.into(), Sharing::Private)?;
/// let (ours, mut theirs) = UnixStream::pair()?;
/// let ours = Fd::adopt(&driver, ours.into(), Sharing::Private)?;
/// let relay = op::Relay::new(&driver, 64 * 1024)?;
/// assert_eq!(relay.fill(&file, 3, 5).await?, 5);
/// op::room(&ours).await?;
/// assert_eq!(relay.drain(&ours, 5).await?, 5);
/// let mut received = [0; 5];
/// theirs.read_exact(&mut received)?;
/// assert_eq!(&received, b"34567");
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
#[derive(Debug)]
pub struct Relay(Ends);

/// Both ends of the pipe. Nobody else has them to close, so their numbers stay as long as this.
#[derive(Clone, Debug)]
struct Ends {
    reader: Fd,
    writer: Fd,
}

impl Relay {
    /// One that holds `size` bytes.
    ///
    /// # Errors
    /// Where there are no descriptors left, or the user's pipes hold all that they may together
    /// (`fs.pipe-user-pages-soft`).
    pub fn new(driver: &Driver, size: usize) -> io::Result<Relay> {
        let (reader, writer) = io::pipe()?;
        let size = i32::try_from(size).unwrap_or(i32::MAX);
        // SAFETY: no memory is involved; the descriptor is open throughout.
        if unsafe { libc::fcntl(writer.as_raw_fd(), libc::F_SETPIPE_SZ, size) } < 0 {
            return Err(io::Error::last_os_error());
        }
        let reader = Fd::adopt(driver, reader.into(), Sharing::Private)?;
        Ok(Relay(Ends { reader, writer: Fd::adopt(driver, writer.into(), Sharing::Private)? }))
    }

    /// Takes up to `len` bytes of `file` at `offset` (bytes from its start), and tells how many: at
    /// most what the pipe has room for, and none at the end of the file. It waits while the pipe is
    /// full.
    ///
    /// # Errors
    /// `InvalidInput` (EINVAL) if the file has no pages to give. What splice(2) says.
    ///
    /// # Cancellation
    /// **Weak**: how much is in the pipe is not known. It is of no use any more.
    ///
    /// # Kernel
    /// As [`splice`](super::splice()).
    pub fn fill(&self, file: &Fd, offset: u64, len: usize) -> Op<Fill> {
        let to = self.0.writer.number().unwrap_or(Number::NONE);
        Op::on(file, Fill { ends: self.0.clone(), offset, to, len: length(len) })
    }

    /// Sends `len` of the bytes that were taken, and tells how many it has sent: fewer only after a
    /// signal or an error. Takes turns with other sends on `socket`.
    ///
    /// What is written to the file before the peer has the bytes may reach it in their place.
    ///
    /// # Errors
    /// As [`send`](super::send()).
    ///
    /// # Cancellation
    /// **Strict**: a submitted send belongs to the socket and finishes; the next one waits for it.
    ///
    /// # Kernel
    /// As [`splice`](super::splice()).
    pub fn drain(&self, socket: &Fd, len: usize) -> Op<Drain> {
        let from = self.0.reader.number().unwrap_or(Number::NONE);
        Op::on(socket, Drain { ends: self.0.clone(), from, len: length(len) })
    }
}

impl Ends {
    /// Why an operation of another driver must not use them.
    fn refuse(&self) -> Option<io::Error> {
        let is_here = self.reader.driver().check_current().is_ok();
        (!is_here).then(|| RuntimeError::WrongRuntime.into())
    }
}

/// The operation of [`Relay::fill`].
#[derive(Debug)]
pub struct Fill {
    ends: Ends,
    offset: u64,
    to: Number,
    len: u32,
}

// SAFETY: no memory is lent, and both descriptors stay open until the final completion.
unsafe impl Operation for Fill {
    type Output = io::Result<usize>;

    const NAME: &'static str = "splice";

    fn request(&mut self, from: Number) -> Request {
        let Fill { offset, to, len, .. } = *self;
        Request::Splice { from, from_offset: Some(offset), to, to_offset: None, len }
    }

    fn complete(self, outcome: Outcome, _driver: &Driver) -> io::Result<usize> {
        Ok(outcome.result() as usize)
    }

    fn fail(self, error: io::Error) -> io::Result<usize> {
        Err(failed(error))
    }

    fn refuse(&self) -> Option<io::Error> {
        self.ends.refuse()
    }
}

/// The operation of [`Relay::drain`].
#[derive(Debug)]
pub struct Drain {
    ends: Ends,
    from: Number,
    len: u32,
}

// SAFETY: as above.
unsafe impl Operation for Drain {
    type Output = io::Result<usize>;

    const NAME: &'static str = "splice";
    const LANE: Lane = Lane::Write;

    fn request(&mut self, to: Number) -> Request {
        let Drain { from, len, .. } = *self;
        Request::Splice { from, from_offset: None, to, to_offset: None, len }
    }

    fn complete(self, outcome: Outcome, _driver: &Driver) -> io::Result<usize> {
        Ok(outcome.result() as usize)
    }

    fn fail(self, error: io::Error) -> io::Result<usize> {
        Err(failed(error))
    }

    fn refuse(&self) -> Option<io::Error> {
        self.ends.refuse()
    }

    fn put_back(&mut self, outcome: Outcome, shelf: &mut Shelf) {
        // That it was interrupted is no news about the socket.
        if outcome.errno() != Some(ERESTARTSYS) {
            keep(outcome, shelf);
        }
    }
}

/// The operation of [`room`].
#[derive(Debug)]
pub struct Room(());

/// Waits until a good part of what `socket` may hold is free: a third, on TCP.
///
/// # Errors
/// What poll(2) says. A peer that has gone is none: the next send tells it.
///
/// # Cancellation
/// **Strict**: nothing is sent.
///
/// # Kernel
/// `IORING_OP_POLL_ADD`, 5.1.
pub fn room(socket: &Fd) -> Op<Room> {
    Op::on(socket, Room(()))
}

// SAFETY: nothing is lent.
unsafe impl Operation for Room {
    type Output = io::Result<()>;

    const NAME: &'static str = "poll";

    fn request(&mut self, fd: Number) -> Request {
        Request::Poll { fd, events: libc::POLLOUT as u32 }
    }

    fn complete(self, _outcome: Outcome, _driver: &Driver) -> io::Result<()> {
        Ok(())
    }

    fn fail(self, error: io::Error) -> io::Result<()> {
        Err(error)
    }
}
