//! File operations on the real kernel, each in the ring and, where the ring is told to do without
//! it, as a plain call.

use std::fs;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt, symlink};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use wakering_ring_driver::op::{self, Allocation, FileKind, OpenHow};
use wakering_ring_driver::testing::patience;
use wakering_ring_driver::{AlignedBuf, Driver, IoBuf};

use crate::each_way;

const OPERATIONS: &[&str] = &[
    "read",
    "write",
    "readv",
    "writev",
    "fsync",
    "ftruncate",
    "fallocate",
    "openat",
    "close",
    "statx",
    "unlinkat",
    "renameat",
    "mkdirat",
    "linkat",
    "symlinkat",
];

fn read_write() -> OpenHow {
    OpenHow { read: true, write: true, create_new: true, mode: 0o640, ..OpenHow::default() }
}

fn reading() -> OpenHow {
    OpenHow { read: true, ..OpenHow::default() }
}

#[track_caller]
fn errno<T>(result: io::Result<T>) -> i32 {
    result.map(drop).expect_err("it must fail").raw_os_error().expect("by the system")
}

/// Given an empty directory; when a file lives its life there; then every operation does what its
/// system call does.
#[test]
fn a_file_from_creation_to_removal() {
    each_way(OPERATIONS, async |_: &Driver| {
        let temporary = tempfile::tempdir()?;
        let dir = temporary.path().join("dir");
        let (a, b) = (dir.join("a"), dir.join("b"));
        op::mkdir(None, &dir, 0o700).await?;
        assert!(fs::metadata(&dir)?.is_dir());

        let file = op::open(None, &a, read_write()).await?;
        assert_eq!(op::write_at(&file, "0123456789", 2).await?.0, 10);
        let parts = vec!["ab".slice(..), "".slice(..), "cd".slice(1..)];
        assert_eq!(op::write_vectored_at(&file, parts, 0).await?.0, 3);
        op::fdatasync(&file).await?;
        op::fsync(&file).await?;
        assert_eq!(fs::read(&a)?, b"abd123456789");

        let (n, buf) = op::read_at(&file, Vec::with_capacity(64), 3).await?;
        assert_eq!((n, buf.as_slice()), (9, b"123456789".as_slice()));
        let (n, buf) = op::read_at(&file, buf, 12).await?;
        assert_eq!((n, buf.len()), (0, 0), "the end of the file");
        let bufs = vec![Vec::with_capacity(2), Vec::new(), Vec::with_capacity(20)];
        let (n, bufs) = op::read_vectored_at(&file, bufs, 1).await?;
        assert_eq!((n, bufs), (11, vec![b"bd".to_vec(), vec![], b"123456789".to_vec()]));

        op::ftruncate(&file, 4).await?;
        assert_eq!(op::stat(&file).await?.len, 4);
        op::fallocate(&file, 0, 8192, Allocation::Extend).await?;
        assert_eq!(op::stat(&file).await?.len, 8192);
        op::fallocate(&file, 8192, 8192, Allocation::KeepLength).await?;
        assert_eq!(op::stat(&file).await?.len, 8192);
        op::fallocate(&file, 0, 4096, Allocation::PunchHole).await?;
        let (_, buf) = op::read_at(&file, vec![7; 6], 0).await?;
        assert_eq!(buf, [0; 6], "what was in the hole is zeros");

        op::rename(None, &a, &b).await?;
        assert_eq!(errno(op::statx(None, &a, true).await), libc::ENOENT);
        assert_eq!(op::statx(None, &b, true).await?.len, 8192);
        op::unlink(None, &b).await?;
        op::rmdir(None, &dir).await?;
        assert!(!dir.exists());
        assert_eq!(op::stat(&file).await?.nlink, 0, "nameless but open");
        Ok(())
    });
}

/// Given files of several kinds; when they are asked about; then every field is what std reads.
#[test]
fn what_a_file_is_agrees_with_std() {
    each_way(&["statx"], async |_: &Driver| {
        let dir = tempfile::tempdir()?;
        let (file, link) = (dir.path().join("file"), dir.path().join("link"));
        fs::write(&file, vec![1; 5000])?;
        symlink("file", &link)?;

        let (ours, std) = (op::statx(None, &link, true).await?, fs::metadata(&file)?);
        assert_eq!(ours.kind, FileKind::Regular);
        assert_eq!((ours.len, ours.mode, ours.nlink), (5000, std.mode(), std.nlink()));
        assert_eq!((ours.uid, ours.gid), (std.uid(), std.gid()));
        assert_eq!((ours.dev, ours.ino, ours.rdev), (std.dev(), std.ino(), std.rdev()));
        assert_eq!((ours.blocks, ours.blksize), (std.blocks(), std.blksize()));
        assert_eq!((ours.accessed, ours.modified), (std.accessed()?, std.modified()?));
        assert_eq!(ours.created, std.created().ok());
        let since_epoch = ours.changed.duration_since(std::time::UNIX_EPOCH).unwrap();
        assert_eq!(since_epoch.as_secs(), std.ctime() as u64);

        assert_eq!(op::statx(None, &link, false).await?.kind, FileKind::Symlink);
        assert_eq!(op::statx(None, dir.path(), true).await?.kind, FileKind::Directory);
        assert_eq!(op::statx(None, "/dev/null", true).await?.kind, FileKind::CharDevice);
        Ok(())
    });
}

/// Given an open directory; when paths are relative to it; then the working directory does not
/// matter.
#[test]
fn paths_are_seen_from_an_open_directory() {
    each_way(OPERATIONS, async |_: &Driver| {
        let temporary = tempfile::tempdir()?;
        let dir = op::open(None, temporary.path(), reading()).await?;
        op::mkdir(Some(&dir), "sub", 0o700).await?;
        let file = op::open(Some(&dir), "sub/file", read_write()).await?;
        assert_eq!(op::write_at(&file, vec![1, 2, 3], 0).await?.0, 3);
        assert_eq!(op::statx(Some(&dir), "sub/file", true).await?.len, 3);
        op::rename(Some(&dir), "sub/file", "moved").await?;
        assert_eq!(fs::read(temporary.path().join("moved"))?, [1, 2, 3]);
        op::link(Some(&dir), "moved", "sub/too").await?;
        op::symlink(Some(&dir), "too", "sub/link").await?;
        assert_eq!(fs::read(temporary.path().join("sub/link"))?, [1, 2, 3]);
        assert_eq!(op::read_link(Some(&dir), "sub/link").await?, Path::new("too"));
        op::unlink(Some(&dir), "sub/link").await?;
        op::unlink(Some(&dir), "sub/too").await?;
        assert_eq!(errno(op::unlink(Some(&dir), "sub").await), libc::EISDIR);
        op::unlink(Some(&dir), "moved").await?;
        op::rmdir(Some(&dir), "sub").await?;
        assert_eq!(fs::read_dir(temporary.path())?.count(), 0);
        Ok(())
    });
}

/// Given a file; when it gets further names and links lead to it; then each is what std makes, and
/// holds what it was given.
#[test]
fn names_and_links_are_those_of_the_system() {
    each_way(&["linkat", "symlinkat"], async |_: &Driver| {
        let dir = tempfile::tempdir()?;
        let path = |name: &str| dir.path().join(name);
        fs::write(path("file"), "content")?;
        op::link(None, path("file"), path("too")).await?;
        assert_eq!(fs::metadata(path("file"))?.ino(), fs::metadata(path("too"))?.ino());
        assert_eq!(errno(op::link(None, path("file"), path("too")).await), libc::EEXIST);
        assert_eq!(errno(op::link(None, path("missing"), path("x")).await), libc::ENOENT);

        op::symlink(None, "file", path("soft")).await?;
        assert_eq!(fs::read(path("soft"))?, b"content");
        assert_eq!(errno(op::symlink(None, "x", path("soft")).await), libc::EEXIST);
        op::link(None, path("soft"), path("softer")).await?;
        assert!(fs::symlink_metadata(path("softer"))?.is_symlink(), "the link, not the file");
        assert_eq!(op::read_link(None, path("softer")).await?, Path::new("file"));
        assert_eq!(errno(op::read_link(None, path("file")).await), libc::EINVAL);

        // The longest that there may be, where the file system keeps such.
        let longest = "x/".repeat(2047) + "x";
        match op::symlink(None, &longest, path("long")).await {
            Err(error) if error.raw_os_error() == Some(libc::ENAMETOOLONG) => {}
            made => {
                made?;
                assert_eq!(op::read_link(None, path("long")).await?, Path::new(&longest));
            }
        }
        Ok(())
    });
}

/// Given requests that cannot succeed; when they are awaited; then the error is the system's, and
/// buffers come back.
#[test]
fn failures_are_the_systems_own() {
    each_way(OPERATIONS, async |_: &Driver| {
        let dir = tempfile::tempdir()?;
        let missing = dir.path().join("missing");
        assert_eq!(errno(op::open(None, &missing, reading()).await), libc::ENOENT);
        assert_eq!(errno(op::open(None, dir.path(), read_write()).await), libc::EEXIST);
        let writing = OpenHow { write: true, ..OpenHow::default() };
        assert_eq!(errno(op::open(None, dir.path(), writing).await), libc::EISDIR);
        assert_eq!(errno(op::unlink(None, &missing).await), libc::ENOENT);
        assert_eq!(errno(op::mkdir(None, dir.path(), 0o700).await), libc::EEXIST);
        fs::write(&missing, "there now")?;
        assert_eq!(errno(op::rmdir(None, dir.path()).await), libc::ENOTEMPTY);

        let full = op::open(None, "/dev/full", writing).await?;
        let failed = op::write_at(&full, vec![1, 2, 3], 0).await.expect_err("the device is full");
        assert_eq!((failed.error.raw_os_error(), failed.buf), (Some(libc::ENOSPC), vec![1, 2, 3]));
        let directory = op::open(None, dir.path(), reading()).await?;
        let failed = op::read_at(&directory, vec![9; 4], 0).await.expect_err("no bytes in there");
        assert_eq!((failed.error.raw_os_error(), failed.buf), (Some(libc::EISDIR), vec![9; 4]));
        let failed = op::write_at(&directory, vec![9; 4], 0).await.expect_err("only for reading");
        assert_eq!((failed.error.raw_os_error(), failed.buf), (Some(libc::EBADF), vec![9; 4]));
        Ok(())
    });
}

/// Given arguments that make no sense; when they are awaited; then nothing is submitted and the
/// kind says so.
#[test]
fn nonsense_is_refused_before_the_kernel_sees_it() {
    let driver = crate::driver();
    crate::block_on(&driver, async {
        let kind = |error: io::Error| error.kind();
        let invalid = io::ErrorKind::InvalidInput;
        let nul = "a\0b";
        assert_eq!(kind(op::open(None, nul, reading()).await.unwrap_err()), invalid);
        assert_eq!(kind(op::statx(None, nul, true).await.unwrap_err()), invalid);
        assert_eq!(kind(op::unlink(None, nul).await.unwrap_err()), invalid);
        assert_eq!(kind(op::mkdir(None, nul, 0o700).await.unwrap_err()), invalid);
        assert_eq!(kind(op::rename(None, "fine", nul).await.unwrap_err()), invalid);
        assert_eq!(kind(op::link(None, "fine", nul).await.unwrap_err()), invalid);
        assert_eq!(kind(op::link(None, nul, "fine").await.unwrap_err()), invalid);
        assert_eq!(kind(op::symlink(None, nul, "fine").await.unwrap_err()), invalid);
        assert_eq!(kind(op::symlink(None, "fine", nul).await.unwrap_err()), invalid);
        assert_eq!(kind(op::read_link(None, nul).await.unwrap_err()), invalid);
        assert_eq!(kind(op::open(None, "x", OpenHow::default()).await.unwrap_err()), invalid);
    });
    for name in OPERATIONS.iter().filter(|&&name| name != "read") {
        assert_eq!(driver.counters().used(name), 0, "{name}");
    }

    crate::block_on(&driver, async {
        let invalid = io::ErrorKind::InvalidInput;
        let file = op::open(None, "/proc/self/status", reading()).await.unwrap();
        assert_eq!(op::read_at(&file, Vec::new(), 0).await.unwrap_err().error.kind(), invalid);
        let none = vec![Vec::new(), Vec::new()];
        let failed = op::read_vectored_at(&file, none, 0).await.unwrap_err();
        assert_eq!((failed.error.kind(), failed.buf.len()), (invalid, 2));
    });
    assert_eq!(driver.counters().used("readv"), 0);
}

/// Given a file opened with each option; when it is written to; then the option has its meaning of
/// std.
#[test]
fn options_mean_what_they_mean_in_std() {
    each_way(&["openat"], async |_: &Driver| {
        let dir = tempfile::tempdir()?;
        let path = dir.path().join("file");
        fs::write(&path, "before")?;

        let how = OpenHow { append: true, ..OpenHow::default() };
        let file = op::open(None, &path, how).await?;
        assert_eq!(op::write_at(&file, "+", 0).await?.0, 1);
        assert_eq!(fs::read(&path)?, b"before+");

        let how = OpenHow { write: true, truncate: true, create: true, ..OpenHow::default() };
        op::open(None, &path, how).await?;
        assert_eq!(fs::read(&path)?, b"");

        let how = OpenHow { write: true, create: true, mode: 0o600, ..OpenHow::default() };
        let created = dir.path().join("created");
        op::open(None, &created, how).await?;
        assert_eq!(fs::metadata(&created)?.mode() & 0o777, 0o600);

        let how = OpenHow { read: true, custom_flags: libc::O_NOFOLLOW, ..OpenHow::default() };
        let link = dir.path().join("link");
        symlink("file", &link)?;
        assert_eq!(errno(op::open(None, &link, how).await), libc::ELOOP);
        Ok(())
    });
}

/// Given more buffers than the kernel takes at once; when they are written and read; then the first
/// 1,024 count.
#[test]
fn many_buffers_are_a_short_transfer() {
    each_way(&["readv", "writev"], async |_: &Driver| {
        let dir = tempfile::tempdir()?;
        let file = op::open(None, dir.path().join("file"), read_write()).await?;
        let (n, _) = op::write_vectored_at(&file, vec!["x"; 1025], 0).await?;
        assert_eq!(n, 1024);
        let bufs = (0..1025).map(|_| Vec::with_capacity(1)).collect();
        let (n, bufs) = op::read_vectored_at(&file, bufs, 0).await?;
        assert_eq!(n, 1024);
        assert_eq!(bufs.iter().filter(|buf| *buf == b"x").count(), 1024);
        Ok(())
    });
}

/// Given a descriptor that never was the driver's; when it is closed; then it is gone, awaited or
/// not.
#[test]
fn closing_closes_whoever_waits() {
    /// Two ends, and the first tells whether the second is closed.
    fn pair() -> io::Result<(UnixStream, OwnedFd)> {
        let (one, two) = UnixStream::pair()?;
        one.set_read_timeout(Some(patience(Duration::from_secs(10))))?;
        Ok((one, two.into()))
    }
    each_way(&["close"], async |driver: &Driver| {
        let (mut witness, fd) = pair()?;
        op::close(fd).await?;
        assert_eq!(witness.read(&mut [0])?, 0);

        let (mut witness, fd) = pair()?;
        drop(op::close(fd));
        assert_eq!(witness.read(&mut [0])?, 0, "never polled");

        let (mut witness, fd) = pair()?;
        assert_eq!(errno(op::close(fd).cancel().await), libc::ECANCELED);
        assert_eq!(witness.read(&mut [0])?, 0, "taken back before it was submitted");

        let (mut witness, fd) = pair()?;
        let wakes = Default::default();
        let mut close = op::close(fd);
        let done = crate::poll_once(driver, &mut close, &wakes).is_ready();
        drop(close);
        if !done {
            driver.turn(wakering_ring_driver::Wait::Now);
            op::nop().await?;
        }
        assert_eq!(witness.read(&mut [0])?, 0, "dropped in flight");
        Ok(())
    });
}

/// Given a file opened past the page cache; when it is read into aligned memory; then the bytes are
/// those on the disk.
#[test]
fn direct_reads_fill_aligned_memory() {
    let driver = crate::driver();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    fs::write(&path, vec![0x5a; 8192]).unwrap();
    crate::block_on(&driver, async {
        let how = OpenHow { read: true, custom_flags: libc::O_DIRECT, ..OpenHow::default() };
        let file = match op::open(None, &path, how).await {
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                let reason = "the file system has no O_DIRECT";
                return wakering_ring_driver::testing::skip(
                    "direct_reads_fill_aligned_memory",
                    reason,
                );
            }
            file => file.unwrap(),
        };
        let (n, buf) = op::read_at(&file, AlignedBuf::new(8192), 0).await.unwrap();
        assert_eq!(n, 8192);
        assert!(buf.as_slice().iter().all(|&byte| byte == 0x5a));
    });
}
