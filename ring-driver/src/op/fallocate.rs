//! Reserving, punching and zeroing ranges of a file.

#![allow(unsafe_code)]

use std::io;

use super::{Op, Operation};
use crate::completion::Outcome;
use crate::driver::Driver;
use crate::fd::Fd;
use crate::request::{Number, Request};

/// What [`fallocate`] does with the range.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Allocation {
    /// Reserves space; the file grows to hold the range, which reads as zeros where nothing was.
    #[default]
    Extend,
    /// Reserves space behind the end without changing the length.
    KeepLength,
    /// Gives the space back: the range reads as zeros, the length stays.
    PunchHole,
    /// Makes the range zeros, and keeps it reserved; the file grows to hold it.
    Zero,
}

impl Allocation {
    fn mode(self) -> i32 {
        match self {
            Allocation::Extend => 0,
            Allocation::KeepLength => libc::FALLOC_FL_KEEP_SIZE,
            Allocation::PunchHole => libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_KEEP_SIZE,
            Allocation::Zero => libc::FALLOC_FL_ZERO_RANGE,
        }
    }
}

/// The operation of [`fallocate`].
#[derive(Debug)]
pub struct Fallocate {
    allocation: Allocation,
    offset: u64,
    len: u64,
}

/// Reserves, punches or zeroes the `len` bytes from `offset` on.
///
/// ```
/// use wakering_ring_driver::op::{self, Allocation, OpenHow};
///
/// # let dir = tempfile::tempdir().unwrap();
/// # let path = dir.path().join("file");
/// # wakering_ring_driver::testing::block_on(async {
/// let how = OpenHow { read: true, write: true, create: true, ..OpenHow::default() };
/// let file = op::open(None, &path, how).await?;
/// op::fallocate(&file, 0, 8192, Allocation::Extend).await?;
/// assert_eq!(op::stat(&file).await?.len, 8192);
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
///
/// # Errors
/// `InvalidInput` if `len` is 0; `Unsupported` where the file system cannot do it; what
/// fallocate(2) says.
///
/// # Cancellation
/// **Weak**: a submitted change is made all the same.
///
/// # Kernel
/// `IORING_OP_FALLOCATE`, 5.6; elsewhere fallocate(2) on the pool.
pub fn fallocate(fd: &Fd, offset: u64, len: u64, allocation: Allocation) -> Op<Fallocate> {
    Op::on(fd, Fallocate { allocation, offset, len })
}

// SAFETY: nothing is lent.
unsafe impl Operation for Fallocate {
    type Output = io::Result<()>;

    const NAME: &'static str = "fallocate";

    fn request(&mut self, fd: Number) -> Request {
        let mode = self.allocation.mode();
        Request::Fallocate { fd, mode, offset: self.offset, len: self.len }
    }

    fn complete(self, _outcome: Outcome, _driver: &Driver) -> io::Result<()> {
        Ok(())
    }

    fn fail(self, error: io::Error) -> io::Result<()> {
        Err(error)
    }
}
