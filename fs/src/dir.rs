//! Directories: making and removing them.

use std::io;
use std::path::Path;

use wakering_ring_driver::op;

use crate::failure::on;
use crate::metadata::metadata;
use crate::off_loop::off_loop;

/// The permission bits of a new directory, before the umask.
const MODE: u32 = 0o777;

/// Makes the directory `path`, whose parent must be there.
///
/// ```
/// use std::io::ErrorKind;
///
/// wakering_runtime::run(async {
///     let dir = std::env::temp_dir().join(format!("wakering-mkdir-{}", std::process::id()));
///     wakering_fs::create_dir(&dir).await?;
///     let error = wakering_fs::create_dir(&dir).await.unwrap_err();
///     assert_eq!(error.kind(), ErrorKind::AlreadyExists);
///     wakering_fs::remove_dir(&dir).await
/// })
/// # .unwrap();
/// ```
///
/// # Errors
///
/// `AlreadyExists`, `NotFound` for the parent, `PermissionDenied`, …
///
/// # Cancellation
///
/// **Weak**: it may be made all the same.
///
/// # Kernel
///
/// `IORING_OP_MKDIRAT`, 5.15; elsewhere mkdirat(2) on the pool.
pub async fn create_dir(path: impl AsRef<Path>) -> io::Result<()> {
    let path = path.as_ref();
    op::mkdir(None, path, MODE).await.map_err(on("mkdir", path))
}

/// Makes the directory `path` and all that are missing on the way to it. Any number of callers may
/// make the same ones at the same time.
///
/// ```
/// wakering_runtime::run(async {
///     let dir = std::env::temp_dir().join(format!("wakering-mkdirs-{}", std::process::id()));
///     wakering_fs::create_dir_all(dir.join("a/b/c")).await?;
///     wakering_fs::create_dir_all(dir.join("a/b")).await?;
///     assert!(wakering_fs::metadata(dir.join("a/b/c")).await?.is_dir());
///     wakering_fs::remove_dir_all(&dir).await
/// })
/// # .unwrap();
/// ```
///
/// # Errors
///
/// `AlreadyExists` if `path` is something else; `NotADirectory` on the way, `PermissionDenied`, …
///
/// # Cancellation
///
/// **Weak**: some of them may be made all the same.
pub async fn create_dir_all(path: impl AsRef<Path>) -> io::Result<()> {
    let path = path.as_ref();
    // Upwards to the first that is there or can be made, and down again. As a rule the very first
    // can be made.
    let mut missing = Vec::new();
    let mut next = Some(path);
    while let Some(dir) = next.filter(|dir| !dir.as_os_str().is_empty()) {
        match create_dir(dir).await {
            Err(error) if error.kind() == io::ErrorKind::NotFound => missing.push(dir),
            made => {
                there_now(dir, made).await?;
                break;
            }
        }
        next = dir.parent();
    }
    for dir in missing.into_iter().rev() {
        there_now(dir, create_dir(dir).await).await?;
    }
    Ok(())
}

/// That it cannot be made is no error if it is there, whoever made it and whatever the error: a
/// mount point, say, may tell of anything but that it exists.
async fn there_now(dir: &Path, made: io::Result<()>) -> io::Result<()> {
    match made {
        Err(error) => match metadata(dir).await {
            Ok(found) if found.is_dir() => Ok(()),
            _ => Err(error),
        },
        made => made,
    }
}

/// Removes the directory `path`, which must be empty.
///
/// ```
/// use std::io::ErrorKind;
///
/// wakering_runtime::run(async {
///     let error = wakering_fs::remove_dir("/proc").await.unwrap_err();
///     assert_ne!(error.kind(), ErrorKind::NotFound);
/// });
/// ```
///
/// # Errors
///
/// `NotFound`, `DirectoryNotEmpty`, `NotADirectory`, `PermissionDenied`, …
///
/// # Cancellation
///
/// **Weak**: it may be removed all the same.
///
/// # Kernel
///
/// `IORING_OP_UNLINKAT`, 5.11; elsewhere unlinkat(2) on the pool.
pub async fn remove_dir(path: impl AsRef<Path>) -> io::Result<()> {
    let path = path.as_ref();
    op::rmdir(None, path).await.map_err(on("rmdir", path))
}

/// Removes the directory `path` with all that is in it; a symbolic link is removed, not followed,
/// also if somebody puts one there in between.
///
/// ```
/// wakering_runtime::run(async {
///     let dir = std::env::temp_dir().join(format!("wakering-tree-{}", std::process::id()));
///     wakering_fs::create_dir_all(dir.join("a/b")).await?;
///     wakering_fs::remove_dir_all(&dir).await?;
///     assert!(!wakering_fs::exists(&dir).await?);
///     Ok::<_, std::io::Error>(())
/// })
/// # .unwrap();
/// ```
///
/// # Errors
///
/// `NotFound`, `PermissionDenied` for anything in it, …; a part may have been removed then.
///
/// # Cancellation
///
/// **Weak**: it is removed all the same; the call runs to its end on the pool.
///
/// # Kernel
///
/// unlinkat(2) and getdents64(2) on the pool, where std takes care of the links.
pub async fn remove_dir_all(path: impl AsRef<Path>) -> io::Result<()> {
    let path = path.as_ref();
    let owned = path.to_owned();
    off_loop(move || std::fs::remove_dir_all(owned)).await.map_err(on("rm -r", path))
}
