//! Removing a name: of a file, or of an empty directory.

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

/// The operation of [`unlink`] and [`rmdir`].
#[derive(Debug)]
pub struct UnlinkAt {
    path: KernelPath,
    flags: i32,
}

/// Removes the name `path`, seen from `dir` or from the working directory, of anything but a
/// directory.
///
/// ```
/// use wakering_ring_driver::op;
///
/// # let dir = tempfile::tempdir().unwrap();
/// # let path = dir.path().join("file");
/// # wakering_ring_driver::testing::block_on(async {
/// std::fs::write(&path, "")?;
/// op::unlink(None, &path).await?;
/// assert!(!path.exists());
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
///
/// # Errors
/// `InvalidInput` if the path has a zero byte in it; what unlinkat(2) says.
///
/// # Cancellation
/// **Weak**: the name may be removed all the same.
///
/// # Kernel
/// `IORING_OP_UNLINKAT`, 5.11; elsewhere unlinkat(2) on the pool.
pub fn unlink(dir: Option<&Fd>, path: impl AsRef<Path>) -> Op<UnlinkAt> {
    at(dir, UnlinkAt { path: at::path(path), flags: 0 })
}

/// As [`unlink`], of an empty directory.
///
/// ```
/// use wakering_ring_driver::op;
///
/// # let dir = tempfile::tempdir().unwrap();
/// # let path = dir.path().join("file");
/// # wakering_ring_driver::testing::block_on(async {
/// std::fs::create_dir(&path)?;
/// op::rmdir(None, &path).await?;
/// assert!(!path.exists());
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
pub fn rmdir(dir: Option<&Fd>, path: impl AsRef<Path>) -> Op<UnlinkAt> {
    at(dir, UnlinkAt { path: at::path(path), flags: libc::AT_REMOVEDIR })
}

// SAFETY: the path lies on the heap, owned, and stays at its address.
unsafe impl Operation for UnlinkAt {
    type Output = io::Result<()>;

    const NAME: &'static str = "unlinkat";

    fn request(&mut self, fd: Number) -> Request {
        Request::UnlinkAt { dir: directory(fd), path: self.path.as_ptr(), flags: self.flags }
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
