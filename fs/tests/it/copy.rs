//! Copies: between file systems, of holes, of what is no file, and where there is no room.

use std::fs as std_fs;
use std::io::ErrorKind;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::process::Command;

use wakering_fs::{copy, read};
use wakering_runtime::testing::{Limit, ignore, in_child, limit, skip};

use wakering_runtime::signal::SignalKind;

use crate::{run, said, temp_dir};

/// SIGXFSZ, by which Linux tells of a file that would get too large.
const FILE_SIZE: i32 = 25;

fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at % 251) as u8).collect()
}

/// Given two file systems; when a file is copied from one to the other, which the kernel may refuse
/// to do by itself; then it is copied all the same.
#[test]
fn a_copy_goes_from_one_file_system_to_another() {
    let memory = Path::new("/dev/shm");
    let here = temp_dir();
    let device = |path: &Path| std_fs::metadata(path).map(|metadata| metadata.dev()).ok();
    let Some(there) =
        tempfile::tempdir_in(memory).ok().filter(|_| device(memory) != device(here.path()))
    else {
        let why = "there is no second file system at /dev/shm";
        return skip("copy::a_copy_goes_from_one_file_system_to_another", why);
    };
    let content = pattern(20 << 20);
    run(async {
        let (from, to) = (here.path().join("from"), there.path().join("to"));
        std_fs::write(&from, &content).unwrap();
        assert_eq!(copy(&from, &to).await.unwrap(), 20 << 20);
        assert!(std_fs::read(&to).unwrap() == content);
        let back = here.path().join("back");
        assert_eq!(copy(&to, &back).await.unwrap(), 20 << 20);
        assert!(std_fs::read(&back).unwrap() == content);
    });
}

/// Given a file with holes, longer than one piece; when it is copied; then the holes read as zeros.
#[test]
fn holes_read_as_zeros_in_a_copy() {
    const LEN: usize = 40 << 20;
    let dir = temp_dir();
    let (from, to) = (dir.path().join("from"), dir.path().join("to"));
    let file = std_fs::File::create(&from).unwrap();
    let mut expected = vec![0; LEN];
    for at in [0, (8 << 20) - 3, (16 << 20) + 5, LEN - 9] {
        file.write_all_at(b"something", at as u64).unwrap();
        expected[at..at + 9].copy_from_slice(b"something");
    }
    run(async {
        assert_eq!(copy(&from, &to).await.unwrap(), LEN as u64);
        assert!(std_fs::read(&to).unwrap() == expected);
    });
}

/// Given files whose length nobody knows, empty ones, and ones that exactly fill the pieces; when
/// they are copied; then what they hold is there.
#[test]
fn copies_of_all_lengths_are_whole() {
    let dir = temp_dir();
    let (from, to) = (dir.path().join("from"), dir.path().join("to"));
    run(async {
        for len in [0, 1, 4096, (8 << 20) - 1, 8 << 20, (8 << 20) + 1, 16 << 20] {
            std_fs::write(&from, pattern(len)).unwrap();
            assert_eq!(copy(&from, &to).await.unwrap(), len as u64);
            assert!(read(&to).await.unwrap() == pattern(len), "{len}");
        }
        let maps = copy("/proc/self/mountinfo", &to).await.unwrap();
        assert_eq!(read(&to).await.unwrap(), std_fs::read("/proc/self/mountinfo").unwrap());
        assert_eq!(read(&to).await.unwrap().len() as u64, maps);
    });
}

/// Given sources that are no files, a pipe that nobody writes to among them; when they are to be
/// copied; then that is refused at once, and the target is as it was.
#[test]
fn what_is_no_file_is_not_copied() {
    let dir = temp_dir();
    let (pipe, to) = (dir.path().join("pipe"), dir.path().join("to"));
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    std_fs::write(&to, "precious").unwrap();
    run(async {
        for from in [pipe.as_path(), Path::new("/dev/zero"), dir.path()] {
            let error = copy(from, &to).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
            assert_eq!(said(&error).2, "copy");
        }
        assert_eq!(std_fs::read(&to).unwrap(), b"precious");
    });
}

/// Given a process that may write files of 1 MiB; when it copies, or writes, 4 MiB; then the error
/// says so, and what fits has been written.
#[test]
fn a_copy_that_gets_too_large_is_an_error() {
    in_child("copy::a_copy_that_gets_too_large_is_an_error", || {
        let dir = temp_dir();
        let (from, to) = (dir.path().join("from"), dir.path().join("to"));
        std_fs::write(&from, pattern(4 << 20)).unwrap();
        ignore(SignalKind::from_raw(FILE_SIZE));
        limit(Limit::FileSize, 1 << 20);
        run(async {
            let error = copy(&from, &to).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::FileTooLarge, "{error}");
            assert!(std_fs::read(&to).unwrap() == pattern(1 << 20));
            let error = wakering_fs::write(&to, pattern(4 << 20)).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::FileTooLarge, "{error}");
            assert!(std_fs::read(&to).unwrap() == pattern(1 << 20));
        });
    });
}

/// Given a device without room; when a file is copied there; then the error says so.
#[test]
fn a_copy_to_a_full_device_is_an_error() {
    let dir = temp_dir();
    let from = dir.path().join("from");
    std_fs::write(&from, "content").unwrap();
    run(async {
        let error = copy(&from, "/dev/full").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::StorageFull, "{error}");
    });
}
