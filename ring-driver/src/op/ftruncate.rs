//! Changing the length of a file.

#![allow(unsafe_code)]

use std::io;

use super::{Op, Operation};
use crate::completion::Outcome;
use crate::driver::Driver;
use crate::fd::Fd;
use crate::request::{Number, Request};

/// The operation of [`ftruncate`].
#[derive(Debug)]
pub struct Ftruncate {
    len: u64,
}

/// Cuts the file off after `len` bytes, or extends it to `len` bytes with a hole that reads as
/// zeros.
///
/// ```
/// use wakering_ring_driver::op::{self, OpenHow};
///
/// # let dir = tempfile::tempdir().unwrap();
/// # let path = dir.path().join("file");
/// # wakering_ring_driver::testing::block_on(async {
/// let how = OpenHow { read: true, write: true, create: true, ..OpenHow::default() };
/// let file = op::open(None, &path, how).await?;
/// op::ftruncate(&file, 4096).await?;
/// assert_eq!(op::stat(&file).await?.len, 4096);
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
///
/// # Cancellation
/// **Weak**: a submitted change is made all the same.
///
/// # Kernel
/// `IORING_OP_FTRUNCATE`, 6.9; elsewhere ftruncate(2) on the pool.
pub fn ftruncate(fd: &Fd, len: u64) -> Op<Ftruncate> {
    Op::on(fd, Ftruncate { len })
}

// SAFETY: nothing is lent.
unsafe impl Operation for Ftruncate {
    type Output = io::Result<()>;

    const NAME: &'static str = "ftruncate";

    fn request(&mut self, fd: Number) -> Request {
        Request::Ftruncate { fd, len: self.len }
    }

    fn complete(self, _outcome: Outcome, _driver: &Driver) -> io::Result<()> {
        Ok(())
    }

    fn fail(self, error: io::Error) -> io::Result<()> {
        Err(error)
    }
}
