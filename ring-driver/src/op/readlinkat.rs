//! Reading what a symbolic link holds.

#![allow(unsafe_code)]

use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use super::at::{self, at, directory};
use super::{Op, Operation};
use crate::address::KernelPath;
use crate::completion::Outcome;
use crate::driver::Driver;
use crate::fd::Fd;
use crate::request::{Number, Request};

/// No link holds more, as no call takes a longer path.
const LEN_MAX: usize = libc::PATH_MAX as usize;

/// The operation of [`read_link`].
#[derive(Debug)]
pub struct ReadlinkAt {
    path: KernelPath,
    target: Vec<u8>,
}

/// The path that the symbolic link at `path`, seen from `dir` or from the working directory, holds,
/// as it stands there.
///
/// ```
/// use wakering_ring_driver::op;
///
/// # wakering_ring_driver::testing::block_on(async {
/// assert_eq!(op::read_link(None, "/proc/self/exe").await?, std::env::current_exe()?);
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
///
/// # Errors
/// `InvalidInput` if the path has a zero byte in it or is no symbolic link; what readlinkat(2)
/// says.
///
/// # Cancellation
/// **Strict**: nothing changes.
///
/// # Kernel
/// No ring can do this yet: readlinkat(2) on the pool.
pub fn read_link(dir: Option<&Fd>, path: impl AsRef<Path>) -> Op<ReadlinkAt> {
    at(dir, ReadlinkAt { path: at::path(path), target: Vec::new() })
}

// SAFETY: path and target lie on the heap, owned, and stay at their addresses.
unsafe impl Operation for ReadlinkAt {
    type Output = io::Result<PathBuf>;

    const NAME: &'static str = "readlinkat";

    fn request(&mut self, fd: Number) -> Request {
        // One more than there may be, so that a result that fills it shows that something is cut.
        self.target.reserve_exact(LEN_MAX + 1);
        let (buf, len) = (self.target.as_mut_ptr(), LEN_MAX as u32 + 1);
        Request::ReadlinkAt { dir: directory(fd), path: self.path.as_ptr(), buf, len }
    }

    fn complete(mut self, outcome: Outcome, _driver: &Driver) -> io::Result<PathBuf> {
        let count = outcome.result() as usize;
        if count > LEN_MAX {
            return Err(io::Error::from_raw_os_error(libc::ENAMETOOLONG));
        }
        // SAFETY: the call has written `count` bytes, which are no more than it was lent.
        unsafe { self.target.set_len(count) };
        self.target.shrink_to_fit();
        Ok(OsString::from_vec(self.target).into())
    }

    fn fail(self, error: io::Error) -> io::Result<PathBuf> {
        Err(error)
    }

    fn refuse(&self) -> Option<io::Error> {
        self.path.refuse()
    }
}
