//! Bad input and poor surroundings: each error names kind, errno, operation and path, and nothing
//! panics or hangs.

use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use wakering_fs::{self as fs, File};
use wakering_ring_driver::{Failure, RuntimeError};
use wakering_runtime::io::{AsyncRead, AsyncWrite};
use wakering_runtime::testing::{Limit, drop_privileges, in_child, in_child_with, limit, skip};

use crate::{run, said, temp_dir, text};

// Numbers of the kernel that are the same on every Linux.
const EPERM: i32 = 1;
const ENOENT: i32 = 2;
const EBADF: i32 = 9;
const EACCES: i32 = 13;
const EEXIST: i32 = 17;
const ENOTDIR: i32 = 20;
const EISDIR: i32 = 21;
const EMFILE: i32 = 24;
const ENOSPC: i32 = 28;

#[test]
fn a_missing_file_is_named_by_every_function() {
    let dir = temp_dir();
    let missing = dir.path().join("missing");
    let there = dir.path().join("there");
    std::fs::write(&there, "").unwrap();
    run(async {
        let alone = [
            (fs::read(&missing).await.map(drop), "open"),
            (fs::read_to_string(&missing).await.map(drop), "open"),
            (File::open(&missing).await.map(drop), "open"),
            (fs::write(missing.join("x"), "").await, "open"),
            (fs::metadata(&missing).await.map(drop), "stat"),
            (fs::symlink_metadata(&missing).await.map(drop), "stat"),
            (fs::set_permissions(&missing, fs::Permissions::from_mode(0o0)).await, "chmod"),
            (fs::remove_file(&missing).await, "unlink"),
            (fs::remove_dir(&missing).await, "rmdir"),
            (fs::remove_dir_all(&missing).await, "rm -r"),
            (fs::create_dir(missing.join("x")).await, "mkdir"),
            (fs::read_dir(&missing).await.map(drop), "readdir"),
            (fs::read_link(&missing).await.map(drop), "readlink"),
            (fs::canonicalize(&missing).await.map(drop), "realpath"),
        ];
        for (result, operation) in alone {
            let (kind, errno, named, object) = said(&result.unwrap_err());
            assert_eq!((kind, errno, named), (ErrorKind::NotFound, Some(ENOENT), operation));
            assert!(Path::new(&object).starts_with(&missing), "{object}");
        }
        let between = |from: &Path, to: &Path| format!("{} -> {}", from.display(), to.display());
        let below = missing.join("x");
        let of_two = [
            (fs::rename(&missing, &there).await, "rename", between(&missing, &there)),
            (fs::copy(&missing, &there).await.map(drop), "copy", between(&missing, &there)),
            (fs::hard_link(&missing, &there).await, "link", between(&missing, &there)),
            (fs::symlink(&there, &below).await, "symlink", between(&below, &there)),
        ];
        for (result, operation, object) in of_two {
            let expected = (ErrorKind::NotFound, Some(ENOENT), operation, object);
            assert_eq!(said(&result.unwrap_err()), expected);
        }
    });
}

#[test]
fn a_full_disk_is_storage_full() {
    run(async {
        let mut full = File::options().write(true).open("/dev/full").await.unwrap();
        let expected = (ErrorKind::StorageFull, Some(ENOSPC), "write", "/dev/full".to_owned());
        let failed = full.write_all("lost").await.unwrap_err();
        assert_eq!((said(&failed.error), failed.buf), (expected.clone(), "lost"));
        let failed = full.write_at("lost", 0).await.unwrap_err();
        assert_eq!((said(&failed.error), failed.buf), (expected.clone(), "lost"));
        let failed = full.write_vectored(vec!["lo", "st"]).await.unwrap_err();
        assert_eq!((said(&failed.error), failed.buf.concat()), (expected.clone(), "lost".into()));
        let error = fs::write("/dev/full", "lost").await.unwrap_err();
        assert_eq!(said(&error), expected);
        assert!(Failure::of(&error).unwrap().remedy().is_some());
    });
}

#[test]
fn a_directory_is_no_file() {
    let dir = temp_dir();
    run(async {
        let mut opened = File::open(dir.path()).await.unwrap();
        let expected = (ErrorKind::IsADirectory, Some(EISDIR), "read", text(dir.path()));
        assert_eq!(said(&opened.read(vec![0; 8]).await.unwrap_err().error), expected);
        assert_eq!(said(&opened.read_at(vec![0; 8], 0).await.unwrap_err().error), expected);
        assert_eq!(said(&fs::read(dir.path()).await.unwrap_err()), expected);
        let expected = (ErrorKind::IsADirectory, Some(EISDIR), "open", text(dir.path()));
        assert_eq!(said(&File::create(dir.path()).await.unwrap_err()), expected);
        assert_eq!(said(&fs::write(dir.path(), "").await.unwrap_err()), expected);
    });
}

#[test]
fn a_file_is_no_directory() {
    let dir = temp_dir();
    let below = dir.path().join("file/below");
    std::fs::write(dir.path().join("file"), "").unwrap();
    run(async {
        let expected = (ErrorKind::NotADirectory, Some(ENOTDIR), "open", text(&below));
        assert_eq!(said(&File::open(&below).await.unwrap_err()), expected);
        let error = File::create_new(dir.path().join("file")).await.unwrap_err();
        assert_eq!((error.kind(), said(&error).1), (ErrorKind::AlreadyExists, Some(EEXIST)));
    });
}

#[test]
fn the_wrong_direction_is_named() {
    let dir = temp_dir();
    let path = dir.path().join("file");
    run(async {
        let mut file = File::create(&path).await.unwrap();
        let (_, errno, operation, object) = said(&file.read(vec![0; 1]).await.unwrap_err().error);
        assert_eq!((errno, operation, object), (Some(EBADF), "read", text(&path)));
        let file = File::open(&path).await.unwrap();
        let (_, errno, operation, _) = said(&file.write_at("x", 0).await.unwrap_err().error);
        assert_eq!((errno, operation), (Some(EBADF), "write"));
        let error = file.set_len(1).await.unwrap_err();
        assert_eq!((error.kind(), said(&error).2), (ErrorKind::InvalidInput, "ftruncate"));
    });
}

#[test]
fn paths_that_cannot_be_are_refused() {
    run(async {
        let zero = Path::new("a\0b");
        for result in [
            File::open(zero).await.map(drop),
            fs::metadata(zero).await.map(drop),
            fs::create_dir(zero).await,
            fs::create_dir_all(zero).await,
            fs::remove_file(zero).await,
            fs::rename(zero, "x").await,
            fs::rename("x", zero).await,
            fs::read_dir(zero).await.map(drop),
            fs::symlink("x", zero).await,
            fs::symlink(zero, "x").await,
            fs::hard_link("x", zero).await,
            fs::hard_link(zero, "x").await,
            fs::read_link(zero).await.map(drop),
        ] {
            assert_eq!(result.unwrap_err().kind(), ErrorKind::InvalidInput);
        }
        let long = "x".repeat(300);
        let error = File::open(&long).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidFilename);
        assert_eq!(File::open("").await.unwrap_err().kind(), ErrorKind::NotFound);
    });
}

/// Tells a child the directory of its parent.
const DIR: &str = "WAKERING_TEST_DIR";

#[test]
fn an_unreadable_file_is_a_matter_of_permission() {
    let own = std::fs::metadata("/proc/self").expect("/proc is there");
    if own.uid() != 0 {
        return skip("errors::unreadable", "getuid: the tests do not run as root");
    }
    // The parent makes it, because the child could not remove it any more.
    let made = std::env::var_os(DIR).is_none().then(temp_dir);
    let dir = match &made {
        Some(dir) => dir.path().to_owned(),
        None => PathBuf::from(std::env::var_os(DIR).expect("it is set")),
    };
    let (locked, secret) = (dir.join("locked"), dir.join("secret"));
    if made.is_some() {
        std::fs::write(&secret, "").unwrap();
        std::fs::create_dir(&locked).unwrap();
        for (path, mode) in [(&dir, 0o755), (&locked, 0o700), (&secret, 0o600)] {
            std::fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        }
    }
    let name = "errors::an_unreadable_file_is_a_matter_of_permission";
    in_child_with(name, &[(DIR, dir.to_str().unwrap())], || {
        drop_privileges(65_534);
        run(async {
            let denied = |operation, path: &Path| {
                (ErrorKind::PermissionDenied, Some(EACCES), operation, text(path))
            };
            let error = File::open(&secret).await.unwrap_err();
            assert_eq!(said(&error), denied("open", &secret));
            assert!(Failure::of(&error).unwrap().remedy().is_some());
            assert_eq!(said(&fs::read(&secret).await.unwrap_err()), denied("open", &secret));
            let inside = locked.join("x");
            assert_eq!(said(&fs::metadata(&inside).await.unwrap_err()), denied("stat", &inside));
            assert!(fs::exists(&inside).await.is_err());
            assert_eq!(said(&fs::create_dir(&inside).await.unwrap_err()), denied("mkdir", &inside));
            assert_eq!(said(&fs::read_dir(&locked).await.unwrap_err()), denied("readdir", &locked));
            let new = dir.join("new");
            assert_eq!(said(&fs::write(&new, "").await.unwrap_err()), denied("open", &new));
            let error = fs::rename(&secret, &new).await.unwrap_err();
            assert_eq!((error.kind(), said(&error).1), (ErrorKind::PermissionDenied, Some(EACCES)));
            let mode = fs::Permissions::from_mode(0o777);
            let error = fs::set_permissions(&secret, mode).await.unwrap_err();
            assert_eq!(
                said(&error),
                (ErrorKind::PermissionDenied, Some(EPERM), "chmod", text(&secret))
            );
        });
    });
}

#[test]
fn running_out_of_descriptors_is_told_and_survived() {
    in_child("errors::running_out_of_descriptors_is_told_and_survived", || {
        limit(Limit::OpenFiles, 64);
        run(async {
            let mut files = Vec::new();
            let error = loop {
                match File::open("/dev/null").await {
                    Ok(file) => files.push(file),
                    Err(error) => break error,
                }
            };
            assert_eq!((said(&error).1, said(&error).2), (Some(EMFILE), "open"));
            assert!(Failure::of(&error).unwrap().remedy().unwrap().contains("ulimit -n"));
            assert!(!files.is_empty());
            files.pop().expect("not empty").close().await.unwrap();
            File::open("/dev/null").await.unwrap();
        });
    });
}

#[test]
fn outside_of_a_runtime_nothing_works_and_nothing_panics() {
    fn at_once<T>(future: impl Future<Output = io::Result<T>>) -> RuntimeError {
        match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Err(error)) => RuntimeError::of(&error).expect("an error of the runtime"),
            Poll::Ready(Ok(_)) => panic!("it cannot work"),
            Poll::Pending => panic!("it would wait for ever"),
        }
    }
    assert_eq!(at_once(File::open("/dev/null")), RuntimeError::NoRuntime);
    assert_eq!(at_once(fs::create_dir("/x/y")), RuntimeError::NoRuntime);
    let std = std::fs::File::open("/dev/null").unwrap();
    let error = File::from_std(std).unwrap_err();
    assert_eq!(RuntimeError::of(&error), Some(RuntimeError::NoRuntime));

    let file = run(File::open("/dev/null")).unwrap();
    assert_eq!(at_once(file.sync_all()), RuntimeError::NoRuntime);
    let error = run(async { file.sync_all().await.unwrap_err() });
    assert_eq!(RuntimeError::of(&error), Some(RuntimeError::WrongRuntime));
    assert_eq!(said(&error).3, "/dev/null");
}
