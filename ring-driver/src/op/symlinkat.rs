//! Making a name that leads to another.

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

/// The operation of [`symlink`].
#[derive(Debug)]
pub struct SymlinkAt {
    target: KernelPath,
    link: KernelPath,
}

/// Makes `link`, seen from `dir` or from the working directory, a symbolic link that holds the path
/// `target`. Whether there is anything is asked by whoever follows it.
///
/// ```
/// use wakering_ring_driver::op;
///
/// # let dir = tempfile::tempdir().unwrap();
/// # let path = dir.path().join("link");
/// # wakering_ring_driver::testing::block_on(async {
/// op::symlink(None, "../elsewhere", &path).await?;
/// assert_eq!(std::fs::read_link(&path)?.to_str(), Some("../elsewhere"));
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
///
/// # Errors
/// `InvalidInput` if a path has a zero byte in it; `AlreadyExists`; what symlinkat(2) says.
///
/// # Cancellation
/// **Weak**: the link may be made all the same.
///
/// # Kernel
/// `IORING_OP_SYMLINKAT`, 5.15; elsewhere symlinkat(2) on the pool.
pub fn symlink(
    dir: Option<&Fd>,
    target: impl AsRef<Path>,
    link: impl AsRef<Path>,
) -> Op<SymlinkAt> {
    at(dir, SymlinkAt { target: at::path(target), link: at::path(link) })
}

// SAFETY: the paths lie on the heap, owned, and stay at their addresses.
unsafe impl Operation for SymlinkAt {
    type Output = io::Result<()>;

    const NAME: &'static str = "symlinkat";

    fn request(&mut self, fd: Number) -> Request {
        let (target, path) = (self.target.as_ptr(), self.link.as_ptr());
        Request::SymlinkAt { target, dir: directory(fd), path }
    }

    fn complete(self, _outcome: Outcome, _driver: &Driver) -> io::Result<()> {
        Ok(())
    }

    fn fail(self, error: io::Error) -> io::Result<()> {
        Err(error)
    }

    fn refuse(&self) -> Option<io::Error> {
        self.target.refuse().or_else(|| self.link.refuse())
    }
}
