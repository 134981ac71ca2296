//! Reading into several buffers at once, one filled after the other.

#![allow(unsafe_code)]

use std::io;

use super::transfer::{self, no_room};
use super::{Lane, Op, Operation};
use crate::buffer::vectored::{set_lens, targets};
use crate::buffer::{BufError, BufResult, IoBufMut};
use crate::completion::Outcome;
use crate::driver::Driver;
use crate::fd::{Fd, Shelf};
use crate::request::{Number, Request};

/// The operation of [`read_vectored_at`].
#[derive(Debug)]
pub struct ReadVectoredAt<B> {
    bufs: Vec<B>,
    segments: Vec<libc::iovec>,
    offset: u64,
}

/// Reads from `offset` (bytes from the start of the file) into `bufs`, each overwritten from 0 up
/// to its capacity before the next. The first 1,024 that have capacity are used.
///
/// ```
/// use wakering_ring_driver::op::{self, OpenHow};
///
/// # let dir = tempfile::tempdir().unwrap();
/// # let path = dir.path().join("file");
/// # wakering_ring_driver::testing::block_on(async {
/// let how = OpenHow { read: true, write: true, create: true, ..OpenHow::default() };
/// let file = op::open(None, &path, how).await?;
/// op::write_at(&file, "hello", 0).await?;
/// let bufs = vec![vec![0; 2], vec![0; 8]];
/// let (n, bufs) = op::read_vectored_at(&file, bufs, 1).await?;
/// assert_eq!((n, bufs), (4, vec![b"el".to_vec(), b"lo".to_vec()]));
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
///
/// # Errors
/// `InvalidInput` if no buffer has capacity; what preadv(2) says.
///
/// # Cancellation
/// **Strict**: the file keeps what was read.
///
/// # Kernel
/// `IORING_OP_READV`, 5.1; elsewhere preadv(2) on the pool.
pub fn read_vectored_at<B: IoBufMut>(fd: &Fd, bufs: Vec<B>, offset: u64) -> Op<ReadVectoredAt<B>> {
    Op::on(fd, ReadVectoredAt { bufs, segments: Vec::new(), offset })
}

// SAFETY: segments and buffers lie on the heap, owned, and stay at their addresses.
unsafe impl<B: IoBufMut> Operation for ReadVectoredAt<B> {
    type Output = BufResult<usize, Vec<B>>;

    const NAME: &'static str = "readv";

    fn request(&mut self, fd: Number) -> Request {
        targets(&mut self.bufs, &mut self.segments);
        let (segments, count) = (self.segments.as_ptr(), self.segments.len() as u32);
        Request::ReadVectored { fd, segments, count, offset: Some(self.offset) }
    }

    fn complete(mut self, outcome: Outcome, _driver: &Driver) -> Self::Output {
        let count = outcome.result() as usize;
        // SAFETY: the kernel has filled the segments in order.
        unsafe { set_lens(&mut self.bufs, count) };
        Ok((count, self.bufs))
    }

    fn fail(self, error: io::Error) -> Self::Output {
        Err(BufError::new(error, self.bufs))
    }

    fn refuse(&self) -> Option<io::Error> {
        no_room(room(&self.bufs))
    }
}

/// The operation of [`read_vectored`].
#[derive(Debug)]
pub struct ReadVectored<B> {
    bufs: Vec<B>,
    segments: Vec<libc::iovec>,
}

/// Reads what comes next in a stream (also a socket) into `bufs`, each overwritten from 0 up to its
/// capacity before the next. The first 1,024 that have capacity are used; 0 bytes are the end of
/// the stream.
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
/// let bufs = vec![vec![0; 2], vec![0; 8]];
/// let (n, bufs) = op::read_vectored(&reader, bufs).await?;
/// assert_eq!((n, bufs), (5, vec![b"he".to_vec(), b"llo".to_vec()]));
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
///
/// # Errors
/// `InvalidInput` if no buffer has capacity; what readv(2) says.
///
/// # Cancellation
/// **Strict**: what a dropped read brings is served to the next one.
///
/// # Kernel
/// `IORING_OP_READV`, 5.1; elsewhere readv(2) once the descriptor is ready.
pub fn read_vectored<B: IoBufMut>(fd: &Fd, bufs: Vec<B>) -> Op<ReadVectored<B>> {
    Op::on(fd, ReadVectored { bufs, segments: Vec::new() })
}

// SAFETY: segments and buffers lie on the heap, owned, and stay at their addresses.
unsafe impl<B: IoBufMut> Operation for ReadVectored<B> {
    type Output = BufResult<usize, Vec<B>>;

    const NAME: &'static str = "readv";
    const LANE: Lane = Lane::Read;

    fn request(&mut self, fd: Number) -> Request {
        targets(&mut self.bufs, &mut self.segments);
        let (segments, count) = (self.segments.as_ptr(), self.segments.len() as u32);
        Request::ReadVectored { fd, segments, count, offset: None }
    }

    fn complete(mut self, outcome: Outcome, _driver: &Driver) -> Self::Output {
        let count = outcome.result() as usize;
        // SAFETY: the kernel, or `serve`, has filled the segments in order.
        unsafe { set_lens(&mut self.bufs, count) };
        Ok((count, self.bufs))
    }

    fn fail(self, error: io::Error) -> Self::Output {
        Err(BufError::new(error, self.bufs))
    }

    fn refuse(&self) -> Option<io::Error> {
        no_room(room(&self.bufs))
    }

    fn serve(&mut self, shelf: &mut Shelf) -> Option<Outcome> {
        let mut total = 0;
        for buf in self.bufs.iter_mut().filter(|buf| buf.capacity() > 0) {
            let (target, len) = (buf.as_mut_ptr(), buf.capacity());
            // SAFETY: the buffer may be written to from its start for its capacity.
            match unsafe { shelf.read_into(target, len, false) } {
                Some(count) => total += count,
                None => break,
            }
        }
        (total > 0).then(|| Outcome::plain(total as i32))
    }

    fn put_back(&mut self, outcome: Outcome, shelf: &mut Shelf) {
        if outcome.errno().is_some() {
            return transfer::keep(outcome, shelf);
        }
        let mut count = outcome.result() as usize;
        // SAFETY: the kernel has filled the segments in order.
        unsafe { set_lens(&mut self.bufs, count) };
        for buf in &self.bufs {
            let part = count.min(buf.capacity());
            shelf.put_bytes(&buf.as_slice()[..part]);
            count -= part;
        }
    }
}

fn room<B: IoBufMut>(bufs: &[B]) -> usize {
    bufs.iter().fold(0, |sum, buf| sum.saturating_add(buf.capacity()))
}
