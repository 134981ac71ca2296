//! Reads of files that the page cache answers, on a ring and without one: what comes is the same,
//! wherever it is looked for.

#![allow(unsafe_code)]

use std::fs;
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::path::Path;

use wakering_ring_driver::op::{self, OpenHow};
use wakering_ring_driver::testing::{in_child, skip};
use wakering_ring_driver::{AlignedBuf, Backend, Config, Driver, Fd, IoBuf};

use crate::{adopt, block_on};

const PAGE: usize = 4096;

/// One driver of each backend that this machine gives.
fn drivers() -> impl Iterator<Item = Driver> {
    [Backend::Auto, Backend::Poll].into_iter().map(|backend| {
        let mut config = Config::default();
        config.backend = backend;
        Driver::new(&config).expect("there is always epoll")
    })
}

/// Bytes that tell where they are from.
fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at % 251) as u8).collect()
}

/// A file with a pattern in it, which has reached the disk.
fn file(path: &Path, len: usize) -> fs::File {
    let mut file = fs::File::create(path).unwrap();
    file.write_all(&pattern(len)).unwrap();
    file.sync_all().unwrap();
    fs::File::open(path).unwrap()
}

fn advise(file: &fs::File, from: usize, len: usize, advice: i32) {
    // SAFETY: takes numbers and no memory.
    let result = unsafe { libc::posix_fadvise(file.as_raw_fd(), from as i64, len as i64, advice) };
    assert_eq!(result, 0);
}

/// Whether the file system can be asked not to wait, which tmpfs cannot.
fn can_look(file: &fs::File) -> bool {
    let mut byte = 0u8;
    let segment = libc::iovec { iov_base: (&raw mut byte).cast(), iov_len: 1 };
    // SAFETY: one segment of one byte; both live across the call.
    unsafe { libc::preadv2(file.as_raw_fd(), &raw const segment, 1, 0, libc::RWF_NOWAIT) == 1 }
}

async fn read(file: &Fd, len: usize, offset: usize) -> io::Result<Vec<u8>> {
    Ok(op::read_at(file, Vec::with_capacity(len), offset as u64).await?.1)
}

/// Given a file in the page cache; when it is read, also over its end and behind it; then all of it
/// is there, nothing waits, and what the file system can do is used.
#[test]
fn what_is_in_the_page_cache_is_read_at_once() {
    for driver in drivers() {
        let dir = tempfile::tempdir().unwrap();
        let file = file(&dir.path().join("file"), 3 * PAGE + 100);
        let expected = pattern(3 * PAGE + 100);
        let looks = can_look(&file);
        let file = adopt(&driver, file);
        block_on(&driver, async {
            for (len, offset) in
                [(PAGE, 0), (1, 5000), (2 * PAGE, 4000), (PAGE, 3 * PAGE), (9, 12388)]
            {
                let end = (offset + len).min(expected.len());
                let offset = offset.min(end);
                assert_eq!(
                    read(&file, len, offset).await?,
                    expected[offset..end],
                    "{len} {offset}"
                );
            }
            for behind in [3 * PAGE + 100, 10 * PAGE] {
                assert_eq!(read(&file, PAGE, behind).await?, b"");
            }
            Ok::<_, io::Error>(())
        })
        .unwrap();
        let counters = driver.counters();
        let (found, name) = (counters.cached_reads, driver.backend());
        assert_eq!(found, if looks { 7 } else { 0 }, "{name}: {counters:?}");
        if looks {
            assert_eq!(
                (counters.used("read"), counters.pool_calls),
                (0, 0),
                "{name}: {counters:?}"
            );
        }
    }
}

/// Given a file of which a part is in the page cache; when it is read; then all that was asked for
/// comes, not only what was there.
#[test]
fn a_read_of_what_is_partly_in_the_page_cache_is_not_short() {
    for driver in drivers() {
        let dir = tempfile::tempdir().unwrap();
        let file = file(&dir.path().join("file"), 64 * PAGE);
        // Neither is there what is not asked for.
        advise(&file, 0, 0, libc::POSIX_FADV_RANDOM);
        advise(&file, 0, 0, libc::POSIX_FADV_DONTNEED);
        let ours = adopt(&driver, file.try_clone().unwrap());
        block_on(&driver, async {
            for page in (0..64).step_by(8) {
                let _cached =
                    std::os::unix::fs::FileExt::read_at(&file, &mut [0; 1], (page * PAGE) as u64);
                let there = read(&ours, 8 * PAGE, page * PAGE).await?;
                assert_eq!(there, pattern(64 * PAGE)[page * PAGE..][..8 * PAGE]);
            }
            Ok::<_, io::Error>(())
        })
        .unwrap();
    }
}

/// Given a file that is not in the page cache; when it is read again and again; then it is not
/// looked for there each time, and is again once it is there.
#[test]
fn a_file_that_is_not_in_the_page_cache_is_asked_less_often() {
    let dir = tempfile::tempdir().unwrap();
    if !can_look(&file(&dir.path().join("probe"), 1)) {
        return skip(
            "a_file_that_is_not_in_the_page_cache_is_asked_less_often",
            "the file system cannot be asked not to wait",
        );
    }
    for driver in drivers() {
        let file = file(&dir.path().join("file"), 300 * PAGE);
        advise(&file, 0, 0, libc::POSIX_FADV_RANDOM);
        let ours = adopt(&driver, file.try_clone().unwrap());
        let expected = pattern(300 * PAGE);
        let found = || driver.counters().cached_reads;
        block_on(&driver, async {
            advise(&file, 0, 0, libc::POSIX_FADV_DONTNEED);
            for page in 0..200 {
                let there = read(&ours, PAGE, page * PAGE).await?;
                assert_eq!(there, expected[page * PAGE..][..PAGE]);
            }
            assert_eq!(found(), 0, "none of these pages was there before");
            // After 1, 2, 4 … and then each 64th in vain, and at most as many more until the next.
            for page in 0..200 {
                assert_eq!(read(&ours, PAGE, page * PAGE).await?, expected[page * PAGE..][..PAGE]);
            }
            assert!((100..200).contains(&found()), "{}", found());
            Ok::<_, io::Error>(())
        })
        .unwrap();
    }
}

/// Given a file that bypasses the page cache, although its pages are there; when it is read; then
/// it is not looked for, and is under the same number once that is another file's.
#[test]
fn a_direct_read_does_not_look_and_its_number_is_free_for_who_does() {
    // Nobody else shall take the number.
    in_child("cached::a_direct_read_does_not_look_and_its_number_is_free_for_who_does", || {
        for driver in drivers() {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("file");
            let looks = can_look(&file(&path, 4 * PAGE));
            block_on(&driver, async {
                let how = OpenHow { read: true, direct: true, ..OpenHow::default() };
                let Ok(direct) = op::open(None, &path, how).await else { return Ok(()) };
                let number = direct.os_number();
                let (n, page) = op::read_at(&direct, AlignedBuf::new(PAGE), PAGE as u64).await?;
                assert_eq!((n, page.as_slice()), (PAGE, &pattern(4 * PAGE)[PAGE..2 * PAGE]));
                assert_eq!(driver.counters().cached_reads, 0);
                direct.close().await?;

                let plain = op::open(None, &path, OpenHow { direct: false, ..how }).await?;
                assert_eq!(plain.os_number(), number, "the lowest number that is free");
                assert_eq!(read(&plain, PAGE, 0).await?, pattern(PAGE));
                assert_eq!(driver.counters().cached_reads, u64::from(looks));
                Ok::<_, io::Error>(())
            })
            .unwrap();
        }
    });
}

/// Given a file that grows, shrinks, and has holes; when it is read in between; then what is there
/// at that time comes.
#[test]
fn a_file_that_changes_is_read_as_it_is() {
    for driver in drivers() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let mut writer = fs::File::create(&path).unwrap();
        let ours = adopt(&driver, fs::File::open(&path).unwrap());
        block_on(&driver, async {
            assert_eq!(read(&ours, 10, 0).await?, b"");
            writer.write_all(b"ab")?;
            assert_eq!(read(&ours, 10, 0).await?, b"ab");
            writer.write_all(b"cd")?;
            assert_eq!(read(&ours, 10, 2).await?, b"cd");
            writer.set_len(3)?;
            assert_eq!(read(&ours, 10, 0).await?, b"abc");
            writer.set_len(2 * PAGE as u64)?;
            assert_eq!(read(&ours, PAGE, PAGE).await?, vec![0; PAGE]);
            assert_eq!(read(&ours, 4, 0).await?, b"abc\0");
            Ok::<_, io::Error>(())
        })
        .unwrap();
    }
}

/// Given what is no file with content; when it is read at an offset; then the answer is what the
/// operation itself says, however often it is asked.
#[test]
fn errors_are_those_of_the_operation() {
    for driver in drivers() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        fs::write(&path, "content").unwrap();
        let write_only = fs::File::options().write(true).open(&path).unwrap();
        let (write_only, directory) =
            (adopt(&driver, write_only), adopt(&driver, fs::File::open(dir.path()).unwrap()));
        block_on(&driver, async {
            for _ in 0..5 {
                let error = read(&write_only, 4, 0).await.unwrap_err();
                assert_eq!(error.raw_os_error(), Some(libc::EBADF));
                let error = read(&directory, 4, 0).await.unwrap_err();
                assert_eq!(error.raw_os_error(), Some(libc::EISDIR));
            }
            assert!(read(&directory, 4, usize::MAX / 2 + 7).await.is_err());
        });
        assert_eq!(driver.counters().cached_reads, 0);
    }
}
