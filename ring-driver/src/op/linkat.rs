//! Giving a file a further name.

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

/// The operation of [`link`].
#[derive(Debug)]
pub struct LinkAt {
    original: KernelPath,
    link: KernelPath,
}

/// Gives the file `original` the further name `link` on the same file system, both seen from `dir`
/// or from the working directory. A symbolic link gets the name itself, not what it leads to.
///
/// ```
/// use std::os::unix::fs::MetadataExt;
/// use wakering_ring_driver::op;
///
/// # let dir = tempfile::tempdir().unwrap();
/// # let path = dir.path().join("file");
/// # wakering_ring_driver::testing::block_on(async {
/// std::fs::write(&path, "")?;
/// op::link(None, &path, path.with_extension("too")).await?;
/// assert_eq!(std::fs::metadata(&path)?.nlink(), 2);
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
///
/// # Errors
/// `InvalidInput` if a path has a zero byte in it; `AlreadyExists`; `CrossesDevices` between file
/// systems; what linkat(2) says.
///
/// # Cancellation
/// **Weak**: the name may be made all the same.
///
/// # Kernel
/// `IORING_OP_LINKAT`, 5.15; elsewhere linkat(2) on the pool.
pub fn link(dir: Option<&Fd>, original: impl AsRef<Path>, link: impl AsRef<Path>) -> Op<LinkAt> {
    at(dir, LinkAt { original: at::path(original), link: at::path(link) })
}

// SAFETY: the paths lie on the heap, owned, and stay at their addresses.
unsafe impl Operation for LinkAt {
    type Output = io::Result<()>;

    const NAME: &'static str = "linkat";

    fn request(&mut self, fd: Number) -> Request {
        let dir = directory(fd);
        let (old, new) = (self.original.as_ptr(), self.link.as_ptr());
        Request::LinkAt { old_dir: dir, old, new_dir: dir, new }
    }

    fn complete(self, _outcome: Outcome, _driver: &Driver) -> io::Result<()> {
        Ok(())
    }

    fn fail(self, error: io::Error) -> io::Result<()> {
        Err(error)
    }

    fn refuse(&self) -> Option<io::Error> {
        self.original.refuse().or_else(|| self.link.refuse())
    }
}
