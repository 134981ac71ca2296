//! Opening a file: which flags go together is std's business, what comes out is a descriptor of
//! this driver.

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

/// How a file is opened, with the names and the meaning of std's `OpenOptions`.
///
/// ```
/// use wakering_ring_driver::op::OpenHow;
///
/// let log = OpenHow { append: true, create: true, ..OpenHow::default() };
/// assert_eq!(log.mode, 0o666);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenHow {
    /// The content may be read.
    pub read: bool,
    /// The content may be changed.
    pub write: bool,
    /// Every write goes to the end.
    pub append: bool,
    /// A file that is there is emptied.
    pub truncate: bool,
    /// A file that is not there is created.
    pub create: bool,
    /// A file is created, and one that is there is an error; wins over `create` and `truncate`.
    pub create_new: bool,
    /// The page cache is bypassed; buffers, offsets and lengths are multiples of the device's
    /// block.
    pub direct: bool,
    /// Further `O_*` flags, as the kernel numbers them; bits of the access mode are ignored.
    pub custom_flags: i32,
    /// The permission bits of a file that is created, before the umask.
    pub mode: u32,
}

impl Default for OpenHow {
    /// Nothing is set; files are created for everybody to read and write, as far as the umask
    /// allows.
    fn default() -> OpenHow {
        OpenHow {
            read: false,
            write: false,
            append: false,
            truncate: false,
            create: false,
            create_new: false,
            direct: false,
            custom_flags: 0,
            mode: 0o666,
        }
    }
}

impl OpenHow {
    /// The flags for open(2), or why these options contradict each other.
    fn flags(&self) -> Result<i32, &'static str> {
        let creates = self.create || self.create_new || self.truncate;
        let access = match (self.read, self.write, self.append) {
            (true, false, false) => libc::O_RDONLY,
            (false, true, false) => libc::O_WRONLY,
            (true, true, false) => libc::O_RDWR,
            (false, _, true) => libc::O_WRONLY | libc::O_APPEND,
            (true, _, true) => libc::O_RDWR | libc::O_APPEND,
            (false, false, false) if creates => return Err(CREATES_UNWRITTEN),
            (false, false, false) => return Err("no access asked for: set read, write or append"),
        };
        if creates && !self.write && !self.append {
            return Err(CREATES_UNWRITTEN);
        }
        if self.append && self.truncate && !self.create_new {
            return Err("append and truncate contradict each other");
        }
        let creation = match (self.create, self.truncate, self.create_new) {
            (_, _, true) => libc::O_CREAT | libc::O_EXCL,
            (false, false, false) => 0,
            (true, false, false) => libc::O_CREAT,
            (false, true, false) => libc::O_TRUNC,
            (true, true, false) => libc::O_CREAT | libc::O_TRUNC,
        };
        let direct = if self.direct { libc::O_DIRECT } else { 0 };
        let custom = self.custom_flags & !libc::O_ACCMODE;
        Ok(libc::O_CLOEXEC | access | creation | direct | custom)
    }
}

const CREATES_UNWRITTEN: &str = "creating or truncating a file requires write or append access";

/// The operation of [`open`].
#[derive(Debug)]
pub struct OpenAt {
    path: KernelPath,
    flags: Result<i32, &'static str>,
    mode: u32,
}

/// Opens the file at `path`, seen from `dir` or from the working directory. Programs that are
/// started do not inherit it.
///
/// ```
/// use wakering_ring_driver::op::{self, OpenHow};
///
/// # let dir = tempfile::tempdir().unwrap();
/// # let path = dir.path().join("file");
/// # wakering_ring_driver::testing::block_on(async {
/// let how = OpenHow { write: true, create_new: true, ..OpenHow::default() };
/// let file = op::open(None, &path, how).await?;
/// assert_eq!(op::stat(&file).await?.len, 0);
/// let again = op::open(None, &path, how).await.unwrap_err();
/// assert_eq!(again.kind(), std::io::ErrorKind::AlreadyExists);
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
///
/// # Errors
/// `InvalidInput` if the options contradict each other or the path has a zero byte in it; what
/// openat(2) says.
///
/// # Cancellation
/// **Weak**: a file may be created or emptied all the same. A descriptor that nobody takes is
/// closed.
///
/// # Kernel
/// `IORING_OP_OPENAT`, 5.6; elsewhere openat(2) on the pool.
pub fn open(dir: Option<&Fd>, path: impl AsRef<Path>, how: OpenHow) -> Op<OpenAt> {
    at(dir, OpenAt { path: at::path(path), flags: how.flags(), mode: how.mode })
}

// SAFETY: the path lies on the heap, owned, and stays at its address.
unsafe impl Operation for OpenAt {
    type Output = io::Result<Fd>;

    const NAME: &'static str = "openat";

    fn request(&mut self, fd: Number) -> Request {
        let flags = self.flags.unwrap_or(0);
        Request::OpenAt { dir: directory(fd), path: self.path.as_ptr(), flags, mode: self.mode }
    }

    fn complete(self, outcome: Outcome, driver: &Driver) -> io::Result<Fd> {
        Ok(Fd::from_number(driver, Number(outcome.result())))
    }

    fn fail(self, error: io::Error) -> io::Result<Fd> {
        Err(error)
    }

    fn refuse(&self) -> Option<io::Error> {
        let contradiction = self.flags.err();
        let error = contradiction.map(|why| io::Error::new(io::ErrorKind::InvalidInput, why));
        error.or_else(|| self.path.refuse())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All 64 combinations, against what std makes of the same options on a file that is there.
    #[test]
    fn options_are_accepted_exactly_where_std_accepts_them() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        for bits in 0..64u32 {
            let on = |n: u32| bits & (1 << n) != 0;
            let how = OpenHow {
                read: on(0),
                write: on(1),
                append: on(2),
                truncate: on(3),
                create: on(4),
                create_new: on(5),
                ..OpenHow::default()
            };
            std::fs::write(&path, "x").unwrap();
            let std = std::fs::OpenOptions::new()
                .read(how.read)
                .write(how.write)
                .append(how.append)
                .truncate(how.truncate)
                .create(how.create)
                .create_new(how.create_new)
                .open(&path);
            let refused = matches!(&std, Err(e) if e.kind() == io::ErrorKind::InvalidInput);
            assert_eq!(how.flags().is_err(), refused, "{how:?}: {std:?}");
        }
    }

    #[test]
    fn descriptors_are_never_inherited_and_the_access_mode_is_not_custom() {
        let custom_flags = libc::O_NOFOLLOW | libc::O_RDWR;
        let how = OpenHow { read: true, custom_flags, ..OpenHow::default() };
        assert_eq!(how.flags(), Ok(libc::O_CLOEXEC | libc::O_NOFOLLOW));
    }
}
