//! Reading: at an offset of a file, or whatever comes next in a stream.
//!
//! The two differ in what a dropped future loses. A file still holds what was read at an offset; a
//! stream has handed its bytes over, so they stay on the read side for the next reader.

#![allow(unsafe_code)]

use std::io;

use super::transfer::{self, filled, length, no_room};
use super::{Lane, Op, Operation};
use crate::buffer::{BufError, BufResult, IoBufMut};
use crate::completion::Outcome;
use crate::driver::Driver;
use crate::fd::{Fd, Shelf};
use crate::request::{Number, Request};

/// The operation of [`read_at`].
#[derive(Debug)]
pub struct ReadAt<B> {
    buf: B,
    offset: u64,
}

/// Reads from `offset` (bytes from the start of the file) into `buf`, overwriting it from 0 up to
/// its capacity.
///
/// ```
/// use wakering_ring_driver::op::{self, OpenHow};
///
/// # let dir = tempfile::tempdir().unwrap();
/// # let path = dir.path().join("file");
/// # wakering_ring_driver::testing::block_on(async {
/// let how = OpenHow { read: true, write: true, create: true, ..OpenHow::default() };
/// let file = op::open(None, &path, how).await?;
/// op::write_at(&file, "0123456789", 0).await?;
/// let (n, buf) = op::read_at(&file, Vec::with_capacity(64), 7).await?;
/// assert_eq!((n, buf.as_slice()), (3, b"789".as_slice()));
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
///
/// # Errors
/// `InvalidInput` if `buf` has no capacity; what pread(2) says.
///
/// # Cancellation
/// **Strict**: the file keeps what was read.
///
/// # Kernel
/// preadv2(2) where the page cache has all of it and nothing else is to be handed over; else
/// `IORING_OP_READ`, 5.6, or pread(2) on the pool.
pub fn read_at<B: IoBufMut>(fd: &Fd, buf: B, offset: u64) -> Op<ReadAt<B>> {
    Op::on(fd, ReadAt { buf, offset })
}

// SAFETY: the pointer leads into the buffer, which is owned and stays at its address.
unsafe impl<B: IoBufMut> Operation for ReadAt<B> {
    type Output = BufResult<usize, B>;

    const NAME: &'static str = "read";

    fn request(&mut self, fd: Number) -> Request {
        let (buf, len) = (self.buf.as_mut_ptr(), length(self.buf.capacity()));
        Request::Read { fd, buf, len, offset: Some(self.offset) }
    }

    fn complete(mut self, outcome: Outcome, _driver: &Driver) -> Self::Output {
        // SAFETY: `request` lent the buffer from its start, for at most its capacity.
        let count = unsafe { filled(&mut self.buf, outcome) };
        Ok((count, self.buf))
    }

    fn fail(self, error: io::Error) -> Self::Output {
        Err(BufError::new(error, self.buf))
    }

    fn refuse(&self) -> Option<io::Error> {
        no_room(self.buf.capacity())
    }
}

/// The operation of [`read`].
#[derive(Debug)]
pub struct Read<B>(B);

/// Reads what comes next in a pipe, a terminal or any other stream into `buf`; 0 bytes are the end
/// of it.
///
/// On a regular file it reads at the position that all handles of the open file share.
///
/// ```
/// use wakering_ring_driver::{Driver, Fd, Sharing, op};
///
/// # wakering_ring_driver::testing::block_on(async {
/// let (reader, writer) = std::io::pipe()?;
/// let driver = Driver::current()?;
/// let reader = Fd::adopt(&driver, reader.into(), Sharing::Private)?;
/// let writer = Fd::adopt(&driver, writer.into(), Sharing::Private)?;
/// op::write(&writer, "hello").await?;
/// assert_eq!(op::read(&reader, vec![0; 64]).await?.1, b"hello");
/// drop(writer);
/// assert_eq!(op::read(&reader, vec![0; 64]).await?.0, 0);
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
///
/// # Errors
/// `InvalidInput` if `buf` has no capacity; what read(2) says.
///
/// # Cancellation
/// **Strict**: what a dropped read brings is served to the next one.
///
/// # Kernel
/// `IORING_OP_READ`, 5.6; elsewhere read(2) once the descriptor is ready.
pub fn read<B: IoBufMut>(fd: &Fd, buf: B) -> Op<Read<B>> {
    Op::on(fd, Read(buf))
}

// SAFETY: the pointer leads into the buffer, which is owned and stays at its address.
unsafe impl<B: IoBufMut> Operation for Read<B> {
    type Output = BufResult<usize, B>;

    const NAME: &'static str = "read";
    const LANE: Lane = Lane::Read;

    fn request(&mut self, fd: Number) -> Request {
        let (buf, len) = (self.0.as_mut_ptr(), length(self.0.capacity()));
        Request::Read { fd, buf, len, offset: None }
    }

    fn complete(mut self, outcome: Outcome, _driver: &Driver) -> Self::Output {
        // SAFETY: `request` lent the buffer from its start, for at most its capacity; `serve`
        // filled it so.
        let count = unsafe { filled(&mut self.0, outcome) };
        Ok((count, self.0))
    }

    fn fail(self, error: io::Error) -> Self::Output {
        Err(BufError::new(error, self.0))
    }

    fn refuse(&self) -> Option<io::Error> {
        no_room(self.0.capacity())
    }

    fn serve(&mut self, shelf: &mut Shelf) -> Option<Outcome> {
        transfer::serve(&mut self.0, shelf, false)
    }

    fn put_back(&mut self, outcome: Outcome, shelf: &mut Shelf) {
        transfer::put_back(&mut self.0, outcome, shelf);
    }
}
