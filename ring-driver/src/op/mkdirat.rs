//! Making a directory.

#![allow(unsafe_code)]

use std::io;
use std::path::Path;

use super::at::{self, at, directory};
use super::{Op, Operation};
use crate::address::KernelPath;
use crate::completion::Outcome;
use crate::driver::Driver;
use crate::fd::Fd;
use crate::request::{Number, Request};

/// The operation of [`mkdir`].
#[derive(Debug)]
pub struct MkdirAt {
    path: KernelPath,
    mode: u32,
}

/// Makes the directory `path`, seen from `dir` or from the working directory, with the permission
/// bits `mode` (0o777 is usual) before the umask.
///
/// ```
/// use wakering_ring_driver::op;
///
/// # let dir = tempfile::tempdir().unwrap();
/// # let path = dir.path().join("file");
/// # wakering_ring_driver::testing::block_on(async {
/// op::mkdir(None, &path, 0o700).await?;
/// assert!(path.is_dir());
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
///
/// # Errors
/// `InvalidInput` if the path has a zero byte in it; what mkdirat(2) says.
///
/// # Cancellation
/// **Weak**: the directory may be made all the same.
///
/// # Kernel
/// `IORING_OP_MKDIRAT`, 5.15; elsewhere mkdirat(2) on the pool.
pub fn mkdir(dir: Option<&Fd>, path: impl AsRef<Path>, mode: u32) -> Op<MkdirAt> {
    at(dir, MkdirAt { path: at::path(path), mode })
}

// SAFETY: the path lies on the heap, owned, and stays at its address.
unsafe impl Operation for MkdirAt {
    type Output = io::Result<()>;

    const NAME: &'static str = "mkdirat";

    fn request(&mut self, fd: Number) -> Request {
        Request::MkdirAt { dir: directory(fd), path: self.path.as_ptr(), mode: self.mode }
    }

    fn complete(self, _outcome: Outcome, _driver: &Driver) -> io::Result<()> {
        Ok(())
    }

    fn fail(self, error: io::Error) -> io::Result<()> {
        Err(error)
    }

    fn refuse(&self) -> Option<io::Error> {
        self.path.refuse()
    }
}
