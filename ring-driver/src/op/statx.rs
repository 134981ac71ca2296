//! What the file system knows about a file, without opening its content.

#![allow(unsafe_code)]

use std::io;
use std::mem::MaybeUninit;
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::at::{self, at, directory};
use super::{Op, Operation};
use crate::address::KernelPath;
use crate::completion::Outcome;
use crate::driver::Driver;
use crate::fd::Fd;
use crate::request::{Number, Request};

/// What kind of thing a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FileKind {
    /// Bytes.
    Regular,
    /// Names.
    Directory,
    /// Another path.
    Symlink,
    /// A named pipe.
    Fifo,
    /// A Unix socket.
    Socket,
    /// A device of characters, such as a terminal.
    CharDevice,
    /// A device of blocks, such as a disk.
    BlockDevice,
    /// None that this version knows.
    Unknown,
}

/// What the file system told about a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stat {
    /// What it is.
    pub kind: FileKind,
    /// The length in bytes.
    pub len: u64,
    /// Kind and permission bits, as `st_mode` has them.
    pub mode: u32,
    /// The user it belongs to.
    pub uid: u32,
    /// The group it belongs to.
    pub gid: u32,
    /// The number of the file in its file system.
    pub ino: u64,
    /// The number of the file system.
    pub dev: u64,
    /// For a device: its own number.
    pub rdev: u64,
    /// How many names it has.
    pub nlink: u64,
    /// The space it takes, in units of 512 bytes.
    pub blocks: u64,
    /// The size in bytes in which reading and writing works best.
    pub blksize: u64,
    /// When the content was last read, as far as that is recorded.
    pub accessed: SystemTime,
    /// When the content was last written.
    pub modified: SystemTime,
    /// When anything about it last changed.
    pub changed: SystemTime,
    /// When it was created, if the file system records it.
    pub created: Option<SystemTime>,
}

/// The operation of [`statx`] and [`stat`].
#[derive(Debug)]
pub struct Statx {
    path: KernelPath,
    flags: i32,
    out: MaybeUninit<libc::statx>,
}

/// Asks about the open file itself.
///
/// ```
/// use wakering_ring_driver::op::{self, FileKind, OpenHow};
///
/// # let dir = tempfile::tempdir().unwrap();
/// # let path = dir.path().join("file");
/// # wakering_ring_driver::testing::block_on(async {
/// let how = OpenHow { read: true, write: true, create: true, ..OpenHow::default() };
/// let file = op::open(None, &path, how).await?;
/// assert_eq!(op::stat(&file).await?.kind, FileKind::Regular);
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
///
/// # Cancellation
/// **Strict**: nothing changes.
///
/// # Kernel
/// `IORING_OP_STATX`, 5.6; elsewhere statx(2) on the pool.
pub fn stat(fd: &Fd) -> Op<Statx> {
    let path = at::path("");
    Op::on(fd, Statx { path, flags: libc::AT_EMPTY_PATH, out: MaybeUninit::uninit() })
}

/// Asks about the file at `path`, seen from `dir` or from the working directory; about a symbolic
/// link itself unless `follow`.
///
/// ```
/// use wakering_ring_driver::op::{self, FileKind};
///
/// # wakering_ring_driver::testing::block_on(async {
/// let null = op::statx(None, "/dev/null", true).await?;
/// assert_eq!(null.kind, FileKind::CharDevice);
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
///
/// # Errors
/// `InvalidInput` if the path has a zero byte in it; what statx(2) says.
///
/// # Cancellation
/// **Strict**: nothing changes.
///
/// # Kernel
/// `IORING_OP_STATX`, 5.6; elsewhere statx(2) on the pool.
pub fn statx(dir: Option<&Fd>, path: impl AsRef<Path>, follow: bool) -> Op<Statx> {
    let flags = if follow { 0 } else { libc::AT_SYMLINK_NOFOLLOW };
    at(dir, Statx { path: at::path(path), flags, out: MaybeUninit::uninit() })
}

/// Kind and length of the open file as far as they are known here: nobody is asked, so a length that
/// another machine may change can be old.
///
/// The operation, which asks, costs a ring a thread of its own.
///
/// ```
/// use wakering_ring_driver::{Driver, Fd, Sharing, op, op::FileKind};
///
/// # wakering_ring_driver::testing::block_on(async {
/// let null = std::fs::File::open("/dev/null")?;
/// let null = Fd::adopt(&Driver::current()?, null.into(), Sharing::Private)?;
/// assert_eq!(op::kind_and_len(&null)?, (FileKind::CharDevice, 0));
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
///
/// # Errors
/// Where the descriptor is closed; what statx(2) says.
///
/// # Kernel
/// statx(2), at once.
pub fn kind_and_len(fd: &Fd) -> io::Result<(FileKind, u64)> {
    // SAFETY: plain integers.
    let mut found: libc::statx = unsafe { std::mem::zeroed() };
    fd.call_now(|number| Request::Statx {
        dir: number,
        path: c"".as_ptr(),
        flags: libc::AT_EMPTY_PATH | libc::AT_STATX_DONT_SYNC,
        mask: libc::STATX_TYPE | libc::STATX_SIZE,
        out: &raw mut found,
    })?;
    Ok((kind(u32::from(found.stx_mode)), found.stx_size))
}

// SAFETY: the path lies on the heap, and the answer in `self`, which does not move while in flight.
unsafe impl Operation for Statx {
    type Output = io::Result<Stat>;

    const NAME: &'static str = "statx";

    fn request(&mut self, fd: Number) -> Request {
        Request::Statx {
            dir: directory(fd),
            path: self.path.as_ptr(),
            flags: self.flags,
            mask: libc::STATX_BASIC_STATS | libc::STATX_BTIME,
            out: self.out.as_mut_ptr(),
        }
    }

    fn complete(self, _outcome: Outcome, _driver: &Driver) -> io::Result<Stat> {
        // SAFETY: success means that the kernel has written all of it.
        Ok(Stat::from_kernel(&unsafe { self.out.assume_init() }))
    }

    fn fail(self, error: io::Error) -> io::Result<Stat> {
        Err(error)
    }

    fn refuse(&self) -> Option<io::Error> {
        self.path.refuse()
    }
}

impl Stat {
    fn from_kernel(statx: &libc::statx) -> Stat {
        let created = statx.stx_mask & libc::STATX_BTIME != 0;
        Stat {
            kind: kind(u32::from(statx.stx_mode)),
            len: statx.stx_size,
            mode: u32::from(statx.stx_mode),
            uid: statx.stx_uid,
            gid: statx.stx_gid,
            ino: statx.stx_ino,
            dev: libc::makedev(statx.stx_dev_major, statx.stx_dev_minor),
            rdev: libc::makedev(statx.stx_rdev_major, statx.stx_rdev_minor),
            nlink: u64::from(statx.stx_nlink),
            blocks: statx.stx_blocks,
            blksize: u64::from(statx.stx_blksize),
            accessed: time(statx.stx_atime),
            modified: time(statx.stx_mtime),
            changed: time(statx.stx_ctime),
            created: created.then(|| time(statx.stx_btime)),
        }
    }
}

fn kind(mode: u32) -> FileKind {
    match mode & libc::S_IFMT {
        libc::S_IFREG => FileKind::Regular,
        libc::S_IFDIR => FileKind::Directory,
        libc::S_IFLNK => FileKind::Symlink,
        libc::S_IFIFO => FileKind::Fifo,
        libc::S_IFSOCK => FileKind::Socket,
        libc::S_IFCHR => FileKind::CharDevice,
        libc::S_IFBLK => FileKind::BlockDevice,
        _ => FileKind::Unknown,
    }
}

/// Seconds may be negative, nanoseconds always count upwards. What std cannot represent becomes its
/// epoch.
fn time(stamp: libc::statx_timestamp) -> SystemTime {
    let seconds = Duration::from_secs(stamp.tv_sec.unsigned_abs());
    let whole = match stamp.tv_sec >= 0 {
        true => SystemTime::UNIX_EPOCH.checked_add(seconds),
        false => SystemTime::UNIX_EPOCH.checked_sub(seconds),
    };
    let nanos = Duration::from_nanos(u64::from(stamp.tv_nsec));
    whole.and_then(|time| time.checked_add(nanos)).unwrap_or(SystemTime::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_before_the_epoch_count_backwards_in_seconds_only() {
        // SAFETY: plain integers.
        let mut stamp: libc::statx_timestamp = unsafe { std::mem::zeroed() };
        (stamp.tv_sec, stamp.tv_nsec) = (-2, 250_000_000);
        let expected = SystemTime::UNIX_EPOCH - Duration::from_millis(1750);
        assert_eq!(time(stamp), expected);
        (stamp.tv_sec, stamp.tv_nsec) = (i64::MIN, 0);
        assert!(time(stamp) <= SystemTime::UNIX_EPOCH);
    }
}
