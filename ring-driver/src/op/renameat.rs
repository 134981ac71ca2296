//! Giving a file or directory another name.

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

/// The operation of [`rename`].
#[derive(Debug)]
pub struct RenameAt {
    old: KernelPath,
    new: KernelPath,
}

/// Renames `old` to `new`, both seen from `dir` or from the working directory. A file that has the
/// new name is replaced in one step.
///
/// ```
/// use wakering_ring_driver::op;
///
/// # let dir = tempfile::tempdir().unwrap();
/// # let path = dir.path().join("file");
/// # wakering_ring_driver::testing::block_on(async {
/// std::fs::write(&path, "")?;
/// let new = path.with_extension("new");
/// op::rename(None, &path, &new).await?;
/// assert!(new.exists() && !path.exists());
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
///
/// # Errors
/// `InvalidInput` if a path has a zero byte in it; `CrossesDevices` between file systems; what
/// renameat2(2) says.
///
/// # Cancellation
/// **Weak**: the name may be changed all the same.
///
/// # Kernel
/// `IORING_OP_RENAMEAT`, 5.11; elsewhere renameat2(2) on the pool.
pub fn rename(dir: Option<&Fd>, old: impl AsRef<Path>, new: impl AsRef<Path>) -> Op<RenameAt> {
    at(dir, RenameAt { old: at::path(old), new: at::path(new) })
}

// SAFETY: the paths lie on the heap, owned, and stay at their addresses.
unsafe impl Operation for RenameAt {
    type Output = io::Result<()>;

    const NAME: &'static str = "renameat";

    fn request(&mut self, fd: Number) -> Request {
        let dir = directory(fd);
        let (old, new) = (self.old.as_ptr(), self.new.as_ptr());
        Request::RenameAt { old_dir: dir, old, new_dir: dir, new, flags: 0 }
    }

    fn complete(self, _outcome: Outcome, _driver: &Driver) -> io::Result<()> {
        Ok(())
    }

    fn fail(self, error: io::Error) -> io::Result<()> {
        Err(error)
    }

    fn refuse(&self) -> Option<io::Error> {
        self.old.refuse().or_else(|| self.new.refuse())
    }
}
