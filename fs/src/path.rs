//! Names: moving, removing, linking and resolving them.

use std::io;
use std::path::{Path, PathBuf};

use wakering_ring_driver::op;

use crate::failure::{between, on};
use crate::off_loop::off_loop;

/// Renames `from` to `to`, on the same file system. A file at `to` is replaced in one step; an
/// empty directory too, by a directory.
///
/// ```
/// wakering_runtime::run(async {
///     let dir = std::env::temp_dir().join(format!("wakering-rename-{}", std::process::id()));
///     wakering_fs::create_dir(&dir).await?;
///     wakering_fs::write(dir.join("new.tmp"), "content").await?;
///     wakering_fs::rename(dir.join("new.tmp"), dir.join("new")).await?;
///     assert_eq!(wakering_fs::read(dir.join("new")).await?, b"content");
///     wakering_fs::remove_dir_all(&dir).await
/// })
/// # .unwrap();
/// ```
///
/// # Errors
///
/// `NotFound`, `PermissionDenied`, `CrossesDevices`, `DirectoryNotEmpty`, …
///
/// # Cancellation
///
/// **Weak**: it may be renamed all the same.
///
/// # Kernel
///
/// `IORING_OP_RENAMEAT`, 5.11; elsewhere renameat2(2) on the pool.
pub async fn rename(from: impl AsRef<Path>, to: impl AsRef<Path>) -> io::Result<()> {
    let (from, to) = (from.as_ref(), to.as_ref());
    op::rename(None, from, to).await.map_err(between("rename", from, to))
}

/// Removes the name `path` of anything but a directory. The file itself goes when nobody has it
/// open any more.
///
/// ```
/// wakering_runtime::run(async {
///     let path = std::env::temp_dir().join(format!("wakering-unlink-{}", std::process::id()));
///     wakering_fs::write(&path, "").await?;
///     wakering_fs::remove_file(&path).await?;
///     assert!(!wakering_fs::exists(&path).await?);
///     Ok::<_, std::io::Error>(())
/// })
/// # .unwrap();
/// ```
///
/// # Errors
///
/// `NotFound`, `PermissionDenied`, `IsADirectory`, …
///
/// # Cancellation
///
/// **Weak**: it may be removed all the same.
///
/// # Kernel
///
/// `IORING_OP_UNLINKAT`, 5.11; elsewhere unlinkat(2) on the pool.
pub async fn remove_file(path: impl AsRef<Path>) -> io::Result<()> {
    let path = path.as_ref();
    op::unlink(None, path).await.map_err(on("unlink", path))
}

/// Gives the file `original` the further name `link`, on the same file system.
///
/// ```
/// wakering_runtime::run(async {
///     let dir = std::env::temp_dir().join(format!("wakering-link-{}", std::process::id()));
///     wakering_fs::create_dir(&dir).await?;
///     wakering_fs::write(dir.join("a"), "").await?;
///     wakering_fs::hard_link(dir.join("a"), dir.join("b")).await?;
///     assert_eq!(wakering_fs::metadata(dir.join("a")).await?.nlink(), 2);
///     wakering_fs::remove_dir_all(&dir).await
/// })
/// # .unwrap();
/// ```
///
/// # Errors
///
/// `NotFound`, `AlreadyExists`, `PermissionDenied` for directories, `CrossesDevices`, …
///
/// # Cancellation
///
/// **Weak**: the name may be made all the same.
///
/// # Kernel
///
/// `IORING_OP_LINKAT`, 5.15; elsewhere linkat(2) on the pool.
pub async fn hard_link(original: impl AsRef<Path>, link: impl AsRef<Path>) -> io::Result<()> {
    let (original, link) = (original.as_ref(), link.as_ref());
    op::link(None, original, link).await.map_err(between("link", original, link))
}

/// Makes `link` a symbolic link to `original`, which need not be there.
///
/// ```
/// use std::path::Path;
///
/// wakering_runtime::run(async {
///     let link = std::env::temp_dir().join(format!("wakering-symlink-{}", std::process::id()));
///     wakering_fs::symlink("../elsewhere", &link).await?;
///     assert_eq!(wakering_fs::read_link(&link).await?, Path::new("../elsewhere"));
///     wakering_fs::remove_file(&link).await
/// })
/// # .unwrap();
/// ```
///
/// # Errors
///
/// `NotFound` for the directory of `link`, `AlreadyExists`, `PermissionDenied`, …
///
/// # Cancellation
///
/// **Weak**: the link may be made all the same.
///
/// # Kernel
///
/// `IORING_OP_SYMLINKAT`, 5.15; elsewhere symlinkat(2) on the pool.
pub async fn symlink(original: impl AsRef<Path>, link: impl AsRef<Path>) -> io::Result<()> {
    let (original, link) = (original.as_ref(), link.as_ref());
    op::symlink(None, original, link).await.map_err(between("symlink", link, original))
}

/// The path that the symbolic link at `path` holds, as it stands there.
///
/// ```
/// wakering_runtime::run(async {
///     let exe = wakering_fs::read_link("/proc/self/exe").await?;
///     assert_eq!(exe, std::env::current_exe()?);
///     Ok::<_, std::io::Error>(())
/// })
/// # .unwrap();
/// ```
///
/// # Errors
///
/// `NotFound`; `InvalidInput` if it is no symbolic link.
///
/// # Cancellation
///
/// **Strict**: nothing changes.
///
/// # Kernel
///
/// readlinkat(2) on the pool.
pub async fn read_link(path: impl AsRef<Path>) -> io::Result<PathBuf> {
    let path = path.as_ref();
    op::read_link(None, path).await.map_err(on("readlink", path))
}

/// The absolute path of the file at `path`, without symbolic links, `.` and `..`.
///
/// ```
/// use std::path::Path;
///
/// wakering_runtime::run(async {
///     assert_eq!(wakering_fs::canonicalize("/proc/../").await?, Path::new("/"));
///     Ok::<_, std::io::Error>(())
/// })
/// # .unwrap();
/// ```
///
/// # Errors
///
/// `NotFound`, `NotADirectory`, `PermissionDenied` on the way, …
///
/// # Cancellation
///
/// **Strict**: nothing changes.
///
/// # Kernel
///
/// realpath(3) on the pool.
pub async fn canonicalize(path: impl AsRef<Path>) -> io::Result<PathBuf> {
    let path = path.as_ref();
    let owned = path.to_owned();
    off_loop(move || std::fs::canonicalize(owned)).await.map_err(on("realpath", path))
}
