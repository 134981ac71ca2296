//! Writing several buffers as one.
//!
//! Sockets are written to by [`send_vectored`](super::send_vectored()), which cannot raise SIGPIPE.

#![allow(unsafe_code)]

use std::io;

use super::transfer::keep;
use super::{InTurn, Lane, Op, Operation};
use crate::buffer::vectored::sources;
use crate::buffer::{BufError, BufResult, IoBuf};
use crate::completion::Outcome;
use crate::driver::Driver;
use crate::fd::{Fd, Shelf};
use crate::request::{Number, Request};

/// The operation of [`write_vectored_at`].
#[derive(Debug)]
pub struct WriteVectoredAt<B> {
    bufs: Vec<B>,
    segments: Vec<libc::iovec>,
    offset: u64,
}

/// Writes `bufs` one after the other from `offset` on (bytes from the start of the file). The count
/// may be less than they hold; at most the first 1,024 that are not empty are taken.
///
/// ```
/// use wakering_ring_driver::op::{self, OpenHow};
///
/// # let dir = tempfile::tempdir().unwrap();
/// # let path = dir.path().join("file");
/// # wakering_ring_driver::testing::block_on(async {
/// let how = OpenHow { read: true, write: true, create: true, ..OpenHow::default() };
/// let file = op::open(None, &path, how).await?;
/// assert_eq!(op::write_vectored_at(&file, vec!["he", "llo"], 0).await?.0, 5);
/// assert_eq!(op::read_at(&file, vec![0; 8], 0).await?.1, b"hello");
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
///
/// # Cancellation
/// **Weak**: what was submitted may be written all the same; disk writes cannot be recalled.
///
/// # Kernel
/// `IORING_OP_WRITEV`, 5.1; elsewhere pwritev(2) on the pool.
pub fn write_vectored_at<B: IoBuf>(fd: &Fd, bufs: Vec<B>, offset: u64) -> Op<WriteVectoredAt<B>> {
    Op::on(fd, WriteVectoredAt { bufs, segments: Vec::new(), offset })
}

/// As [`write_vectored_at`], but after all that was written to `fd` in turn before, also if nobody
/// waits for that any more.
///
/// # Cancellation
/// **Weak**: it is written all the same, but not after what is written in turn later.
pub fn write_vectored_at_in_turn<B: IoBuf>(
    fd: &Fd,
    bufs: Vec<B>,
    offset: u64,
) -> Op<InTurn<WriteVectoredAt<B>>> {
    Op::on(fd, InTurn(WriteVectoredAt { bufs, segments: Vec::new(), offset }))
}

// SAFETY: segments and buffers lie on the heap, owned, and stay at their addresses; the buffers are
// only read.
unsafe impl<B: IoBuf> Operation for WriteVectoredAt<B> {
    type Output = BufResult<usize, Vec<B>>;

    const NAME: &'static str = "writev";

    fn request(&mut self, fd: Number) -> Request {
        sources(&self.bufs, &mut self.segments);
        let (segments, count) = (self.segments.as_ptr(), self.segments.len() as u32);
        Request::WriteVectored { fd, segments, count, offset: Some(self.offset) }
    }

    fn complete(self, outcome: Outcome, _driver: &Driver) -> Self::Output {
        Ok((outcome.result() as usize, self.bufs))
    }

    fn fail(self, error: io::Error) -> Self::Output {
        Err(BufError::new(error, self.bufs))
    }
}

/// The operation of [`write_vectored`].
#[derive(Debug)]
pub struct WriteVectored<B> {
    bufs: Vec<B>,
    segments: Vec<libc::iovec>,
}

/// Writes `bufs` one after the other to a pipe, a terminal or any other stream. The count may be
/// less than they hold; at most the first 1,024 that are not empty are taken.
///
/// ```
/// use wakering_ring_driver::{Driver, Fd, Sharing, op};
///
/// # wakering_ring_driver::testing::block_on(async {
/// let (reader, writer) = std::io::pipe()?;
/// let driver = Driver::current()?;
/// let reader = Fd::adopt(&driver, reader.into(), Sharing::Private)?;
/// let writer = Fd::adopt(&driver, writer.into(), Sharing::Private)?;
/// assert_eq!(op::write_vectored(&writer, vec!["he", "llo"]).await?.0, 5);
/// assert_eq!(op::read(&reader, vec![0; 64]).await?.1, b"hello");
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
///
/// # Cancellation
/// **Strict**: a submitted write belongs to the descriptor and finishes; the next one waits for it.
///
/// # Kernel
/// `IORING_OP_WRITEV`, 5.1; elsewhere writev(2) once the descriptor is ready. A pipe without a
/// reader raises SIGPIPE, which programs in Rust ignore unless they were told otherwise.
pub fn write_vectored<B: IoBuf>(fd: &Fd, bufs: Vec<B>) -> Op<WriteVectored<B>> {
    Op::on(fd, WriteVectored { bufs, segments: Vec::new() })
}

// SAFETY: segments and buffers lie on the heap, owned, and stay at their addresses; the buffers are
// only read.
unsafe impl<B: IoBuf> Operation for WriteVectored<B> {
    type Output = BufResult<usize, Vec<B>>;

    const NAME: &'static str = "writev";
    const LANE: Lane = Lane::Write;

    fn request(&mut self, fd: Number) -> Request {
        sources(&self.bufs, &mut self.segments);
        let (segments, count) = (self.segments.as_ptr(), self.segments.len() as u32);
        Request::WriteVectored { fd, segments, count, offset: None }
    }

    fn complete(self, outcome: Outcome, _driver: &Driver) -> Self::Output {
        Ok((outcome.result() as usize, self.bufs))
    }

    fn fail(self, error: io::Error) -> Self::Output {
        Err(BufError::new(error, self.bufs))
    }

    fn put_back(&mut self, outcome: Outcome, shelf: &mut Shelf) {
        keep(outcome, shelf);
    }
}
