//! Writing: at an offset of a file, or at the end of a stream.
//!
//! Sockets are written to by [`send`](super::send()), which cannot raise SIGPIPE.

#![allow(unsafe_code)]

use std::io;

use super::transfer::{keep, length};
use super::{InTurn, Lane, Op, Operation};
use crate::buffer::{BufError, BufResult, IoBuf};
use crate::completion::Outcome;
use crate::driver::Driver;
use crate::fd::{Fd, Shelf};
use crate::request::{Number, Request};

/// The operation of [`write_at`].
#[derive(Debug)]
pub struct WriteAt<B> {
    buf: B,
    offset: u64,
}

/// Writes `buf` at `offset` (bytes from the start of the file). The count may be less than its
/// length.
///
/// A file opened for appending takes the bytes at its end, whatever the offset.
///
/// ```
/// use wakering_ring_driver::op::{self, OpenHow};
///
/// # let dir = tempfile::tempdir().unwrap();
/// # let path = dir.path().join("file");
/// # wakering_ring_driver::testing::block_on(async {
/// let how = OpenHow { read: true, write: true, create: true, ..OpenHow::default() };
/// let file = op::open(None, &path, how).await?;
/// assert_eq!(op::write_at(&file, "hello", 100).await?.0, 5);
/// assert_eq!(op::stat(&file).await?.len, 105);
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
///
/// # Cancellation
/// **Weak**: what was submitted may be written all the same; disk writes cannot be recalled.
///
/// # Kernel
/// `IORING_OP_WRITE`, 5.6; elsewhere pwrite(2) on the pool.
pub fn write_at<B: IoBuf>(fd: &Fd, buf: B, offset: u64) -> Op<WriteAt<B>> {
    Op::on(fd, WriteAt { buf, offset })
}

/// As [`write_at`], but after all that was written to `fd` in turn before, also if nobody waits for
/// that any more.
///
/// # Cancellation
/// **Weak**: it is written all the same, but not after what is written in turn later.
pub fn write_at_in_turn<B: IoBuf>(fd: &Fd, buf: B, offset: u64) -> Op<InTurn<WriteAt<B>>> {
    Op::on(fd, InTurn(WriteAt { buf, offset }))
}

// SAFETY: the pointer leads into the buffer, which is owned, stays at its address and is only read.
unsafe impl<B: IoBuf> Operation for WriteAt<B> {
    type Output = BufResult<usize, B>;

    const NAME: &'static str = "write";

    fn request(&mut self, fd: Number) -> Request {
        let (buf, len) = (self.buf.as_ptr(), length(self.buf.len()));
        Request::Write { fd, buf, len, offset: Some(self.offset) }
    }

    fn complete(self, outcome: Outcome, _driver: &Driver) -> Self::Output {
        Ok((outcome.result() as usize, self.buf))
    }

    fn fail(self, error: io::Error) -> Self::Output {
        Err(BufError::new(error, self.buf))
    }
}

/// The operation of [`write()`].
#[derive(Debug)]
pub struct Write<B>(B);

/// Writes `buf` to a pipe, a terminal or any other stream. The count may be less than its length.
///
/// On a regular file it writes at the position that all handles of the open file share.
///
/// ```
/// use wakering_ring_driver::{Driver, Fd, Sharing, op};
///
/// # wakering_ring_driver::testing::block_on(async {
/// let (reader, writer) = std::io::pipe()?;
/// let driver = Driver::current()?;
/// let reader = Fd::adopt(&driver, reader.into(), Sharing::Private)?;
/// let writer = Fd::adopt(&driver, writer.into(), Sharing::Private)?;
/// assert_eq!(op::write(&writer, "hello").await?.0, 5);
/// assert_eq!(op::read(&reader, vec![0; 64]).await?.1, b"hello");
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
///
/// # Cancellation
/// **Strict**: a submitted write belongs to the descriptor and finishes; the next one waits for it.
///
/// # Kernel
/// `IORING_OP_WRITE`, 5.6; elsewhere write(2) once the descriptor is ready. A pipe without a reader
/// raises SIGPIPE, which programs in Rust ignore unless they were told otherwise.
pub fn write<B: IoBuf>(fd: &Fd, buf: B) -> Op<Write<B>> {
    Op::on(fd, Write(buf))
}

// SAFETY: the pointer leads into the buffer, which is owned, stays at its address and is only read.
unsafe impl<B: IoBuf> Operation for Write<B> {
    type Output = BufResult<usize, B>;

    const NAME: &'static str = "write";
    const LANE: Lane = Lane::Write;

    fn request(&mut self, fd: Number) -> Request {
        let (buf, len) = (self.0.as_ptr(), length(self.0.len()));
        Request::Write { fd, buf, len, offset: None }
    }

    fn complete(self, outcome: Outcome, _driver: &Driver) -> Self::Output {
        Ok((outcome.result() as usize, self.0))
    }

    fn fail(self, error: io::Error) -> Self::Output {
        Err(BufError::new(error, self.0))
    }

    fn put_back(&mut self, outcome: Outcome, shelf: &mut Shelf) {
        keep(outcome, shelf);
    }
}
