//! Making what was written outlast a power failure.

#![allow(unsafe_code)]

use std::io;

use super::{Op, Operation};
use crate::completion::Outcome;
use crate::driver::Driver;
use crate::fd::Fd;
use crate::request::{Number, Request};

/// The operation of [`fsync`] and [`fdatasync`].
#[derive(Debug)]
pub struct Fsync {
    data_only: bool,
}

/// Waits until the content and all metadata of the file are on the storage.
///
/// Only writes that have *completed* before are covered: operations in flight are not ordered. An
/// error is told once, and what it concerned may be lost.
///
/// ```
/// use wakering_ring_driver::op::{self, OpenHow};
///
/// # let dir = tempfile::tempdir().unwrap();
/// # let path = dir.path().join("file");
/// # wakering_ring_driver::testing::block_on(async {
/// let how = OpenHow { read: true, write: true, create: true, ..OpenHow::default() };
/// let file = op::open(None, &path, how).await?;
/// op::write_at(&file, "precious", 0).await?;
/// op::fsync(&file).await?;
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
///
/// # Cancellation
/// **Weak**: a submitted sync runs to its end, and an error that it meets is told to nobody.
///
/// # Kernel
/// `IORING_OP_FSYNC`, 5.1; elsewhere fsync(2) on the pool.
pub fn fsync(fd: &Fd) -> Op<Fsync> {
    Op::on(fd, Fsync { data_only: false })
}

/// As [`fsync`], but without metadata that reading the content back does not need, such as times.
///
/// ```
/// use wakering_ring_driver::op::{self, OpenHow};
///
/// # let dir = tempfile::tempdir().unwrap();
/// # let path = dir.path().join("file");
/// # wakering_ring_driver::testing::block_on(async {
/// let how = OpenHow { read: true, write: true, create: true, ..OpenHow::default() };
/// let file = op::open(None, &path, how).await?;
/// op::write_at(&file, "precious", 0).await?;
/// op::fdatasync(&file).await?;
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
pub fn fdatasync(fd: &Fd) -> Op<Fsync> {
    Op::on(fd, Fsync { data_only: true })
}

// SAFETY: nothing is lent.
unsafe impl Operation for Fsync {
    type Output = io::Result<()>;

    const NAME: &'static str = "fsync";

    fn request(&mut self, fd: Number) -> Request {
        Request::Fsync { fd, data_only: self.data_only }
    }

    fn complete(self, _outcome: Outcome, _driver: &Driver) -> io::Result<()> {
        Ok(())
    }

    fn fail(self, error: io::Error) -> io::Result<()> {
        Err(error)
    }
}
