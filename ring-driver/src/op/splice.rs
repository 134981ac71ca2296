//! Moving bytes between two descriptors without bringing them into our memory.
//!
//! It names two descriptors and occupies a side of neither: what waits on both would have to stand
//! in two queues. Both are kept from being closed under it, and it does not start where it would
//! overtake bytes that this driver has read, or has yet to write.

#![allow(unsafe_code)]

use std::io;

use super::transfer::length;
use super::{Op, Operation};
use crate::completion::Outcome;
use crate::driver::Driver;
use crate::error::RuntimeError;
use crate::fd::Fd;
use crate::request::{Number, Request};

/// The kernel's own mark of a system call that a signal interrupted.
pub(super) const ERESTARTSYS: i32 = 512;

/// The operation of [`splice`].
#[derive(Debug)]
pub struct Splice {
    from: Fd,
    from_offset: Option<u64>,
    to: Fd,
    /// A descriptor has one number all its life.
    to_number: Number,
    to_offset: Option<u64>,
    len: u32,
}

/// Moves up to `len` bytes from `from` to `to`, one of which is a pipe, and tells how many: as a
/// rule what is there, or what the pipe has room for. 0 is the end of `from`.
///
/// An offset (bytes from the start of the file) is for a file; without one its position is used,
/// and moved. Pipes and sockets have none. It waits for the first byte of a pipe or socket, and for
/// room in one.
///
/// ```
/// use wakering_ring_driver::{Driver, Fd, Sharing, op};
///
/// # let dir = tempfile::tempdir().unwrap();
/// # let path = dir.path().join("file");
/// # wakering_ring_driver::testing::block_on(async {
/// std::fs::write(&path, "0123456789")?;
/// let (reader, writer) = std::io::pipe()?;
/// let driver = Driver::current()?;
/// let file = Fd::adopt(&driver, std::fs::File::open(&path)?.into(), Sharing::Private)?;
/// let reader = Fd::adopt(&driver, reader.into(), Sharing::Private)?;
/// let writer = Fd::adopt(&driver, writer.into(), Sharing::Private)?;
/// assert_eq!(op::splice(&file, Some(7), &writer, None, 64).await?, 3);
/// assert_eq!(op::read(&reader, vec![0; 64]).await?.1, b"789");
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
///
/// # Errors
/// `InvalidInput` (EINVAL) if neither is a pipe, or one cannot do it (a file opened for appending,
/// say); `NotSeekable` (ESPIPE) for an offset of a pipe or socket; `ResourceBusy` if a read of
/// `from` is in flight (after [`Fd::poll_fill`] one always is) or has left bytes, or bytes for `to`
/// are in flight or queued: it would overtake them. `BrokenPipe`; what splice(2) says.
///
/// # Cancellation
/// **Weak**: what was moved stays moved, and its count is lost. Reads of `from` and writes to `to`
/// that start before it has ended share the bytes with it in no order.
///
/// # Kernel
/// `IORING_OP_SPLICE`, 5.7. Without io_uring splice(2), tried again after pauses of up to 32 ms
/// until both ends are ready; with a file at one end, and on a ring that lacks the operation, on
/// the pool, where nothing can take it back: there dropping it, or closing an end, waits until a
/// byte or the end of the stream comes.
pub fn splice(
    from: &Fd,
    from_offset: Option<u64>,
    to: &Fd,
    to_offset: Option<u64>,
    len: usize,
) -> Op<Splice> {
    let to_number = to.number().unwrap_or(Number::NONE);
    let (far, len) = (to.clone(), length(len));
    Op::on(from, Splice { from: from.clone(), from_offset, to: far, to_number, to_offset, len })
}

/// Why bytes were not moved. What waits is taken back by a signal to the kernel's worker, and ends
/// with the mark of an interrupted wait, which no program should see.
pub(super) fn failed(error: io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(libc::EINTR | ERESTARTSYS) => io::Error::from_raw_os_error(libc::ECANCELED),
        _ => error,
    }
}

// SAFETY: no memory is lent, and the driver keeps both numbers until the final completion.
unsafe impl Operation for Splice {
    type Output = io::Result<usize>;

    const NAME: &'static str = "splice";

    fn request(&mut self, from: Number) -> Request {
        let Splice { from_offset, to_number: to, to_offset, len, .. } = *self;
        Request::Splice { from, from_offset, to, to_offset, len }
    }

    fn complete(self, outcome: Outcome, _driver: &Driver) -> io::Result<usize> {
        Ok(outcome.result() as usize)
    }

    fn fail(self, error: io::Error) -> io::Result<usize> {
        Err(failed(error))
    }

    fn far_end(&self) -> Option<&Fd> {
        Some(&self.to)
    }

    fn refuse(&self) -> Option<io::Error> {
        let driver = self.from.driver();
        if !driver.is_same(self.to.driver()) {
            return Some(RuntimeError::WrongRuntime.into());
        }
        let busy = |message| Some(io::Error::new(io::ErrorKind::ResourceBusy, message));
        driver.with(|core| {
            let read = &core.descriptors[self.from.index()].read;
            let left = read.shelf.as_ref().is_some_and(|shelf| shelf.has_bytes());
            let to = &core.descriptors[self.to.index()];
            if self.from_offset.is_none() && (left || read.in_flight.is_some()) {
                busy("splice would overtake a read of its source: finish that, and use its bytes")
            } else if self.to_offset.is_none() && (to.sending().is_some() || to.has_output()) {
                busy("splice would overtake a write to its target: wait for that, or flush it")
            } else {
                None
            }
        })
    }
}
