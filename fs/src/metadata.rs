//! What the file system knows about a file, and the part of it that can be set.

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::Path;
use std::time::SystemTime;

use wakering_ring_driver::op::{self, FileKind, Stat};

use crate::failure::on;
use crate::off_loop::off_loop;

/// What the file system told about a file, as [`std::fs::Metadata`] has it.
///
/// ```
/// use std::time::SystemTime;
///
/// wakering_runtime::run(async {
///     let path = std::env::temp_dir().join(format!("wakering-stat-{}", std::process::id()));
///     wakering_fs::write(&path, vec![1; 5000]).await?;
///     let found = wakering_fs::metadata(&path).await?;
///
///     assert!(found.is_file() && !found.is_dir() && !found.is_symlink());
///     assert_eq!((found.len(), found.nlink(), found.rdev()), (5000, 1, 0));
///     assert!(found.modified()? <= SystemTime::now() && found.changed() <= SystemTime::now());
///     assert_eq!(found.permissions().readonly(), found.mode() & 0o222 == 0);
///
///     // Two names of one file have file system and number in common, and all the rest.
///     let own = wakering_fs::metadata("/proc/self").await?;
///     assert_eq!(found.uid(), own.uid());
///     assert_ne!((found.dev(), found.ino()), (own.dev(), own.ino()));
///     wakering_fs::remove_file(&path).await
/// })
/// # .unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct Metadata(Stat);

impl Metadata {
    pub(crate) fn new(stat: Stat) -> Metadata {
        Metadata(stat)
    }

    /// What kind of file it is.
    pub fn file_type(&self) -> FileType {
        FileType(self.0.kind)
    }

    /// Whether it is a directory.
    pub fn is_dir(&self) -> bool {
        self.file_type().is_dir()
    }

    /// Whether it is a regular file.
    pub fn is_file(&self) -> bool {
        self.file_type().is_file()
    }

    /// Whether it is a symbolic link, which only [`symlink_metadata`] and
    /// [`DirEntry`](crate::DirEntry) tell.
    pub fn is_symlink(&self) -> bool {
        self.file_type().is_symlink()
    }

    /// The length in bytes; 0 for what has none that is known, such as the files in `/proc`.
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> u64 {
        self.0.len
    }

    /// Who may do what.
    pub fn permissions(&self) -> Permissions {
        Permissions::from_mode(self.0.mode)
    }

    /// When the content was last written.
    ///
    /// # Errors
    ///
    /// None on Linux; the signature is std's.
    pub fn modified(&self) -> io::Result<SystemTime> {
        Ok(self.0.modified)
    }

    /// When the content was last read, as far as the mount records that.
    ///
    /// # Errors
    ///
    /// None on Linux; the signature is std's.
    pub fn accessed(&self) -> io::Result<SystemTime> {
        Ok(self.0.accessed)
    }

    /// When it was created.
    ///
    /// # Errors
    ///
    /// `Unsupported` where the file system does not record it.
    pub fn created(&self) -> io::Result<SystemTime> {
        let message = "the file system does not record when files were created";
        self.0.created.ok_or_else(|| io::Error::new(io::ErrorKind::Unsupported, message))
    }

    /// When anything about it last changed: content, owner, permissions, number of names.
    pub fn changed(&self) -> SystemTime {
        self.0.changed
    }

    /// Kind and permission bits, as `st_mode` has them.
    pub fn mode(&self) -> u32 {
        self.0.mode
    }

    /// The user it belongs to.
    pub fn uid(&self) -> u32 {
        self.0.uid
    }

    /// The group it belongs to.
    pub fn gid(&self) -> u32 {
        self.0.gid
    }

    /// The number of the file in its file system. Together with [`dev`](Metadata::dev) it says
    /// whether two names stand for one file.
    pub fn ino(&self) -> u64 {
        self.0.ino
    }

    /// The number of the file system.
    pub fn dev(&self) -> u64 {
        self.0.dev
    }

    /// For a device: its own number.
    pub fn rdev(&self) -> u64 {
        self.0.rdev
    }

    /// How many names it has.
    pub fn nlink(&self) -> u64 {
        self.0.nlink
    }

    /// The space that it takes, in units of 512 bytes.
    pub fn blocks(&self) -> u64 {
        self.0.blocks
    }

    /// The size in bytes in which reading and writing works best.
    pub fn blksize(&self) -> u64 {
        self.0.blksize
    }
}

/// What kind of file it is.
///
/// ```
/// wakering_runtime::run(async {
///     let null = wakering_fs::metadata("/dev/null").await?.file_type();
///     assert!(null.is_char_device() && !null.is_block_device());
///     assert!(!null.is_fifo() && !null.is_socket() && !null.is_symlink());
///     let root = wakering_fs::metadata("/").await?.file_type();
///     assert!(root.is_dir() && !root.is_file());
///     Ok::<_, std::io::Error>(())
/// })
/// # .unwrap();
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FileType(FileKind);

impl FileType {
    pub(crate) fn new(kind: FileKind) -> FileType {
        FileType(kind)
    }

    /// The one that std found out, if it did.
    pub(crate) fn from_std(kind: std::fs::FileType) -> FileType {
        FileType(match kind {
            kind if kind.is_file() => FileKind::Regular,
            kind if kind.is_dir() => FileKind::Directory,
            kind if kind.is_symlink() => FileKind::Symlink,
            kind if kind.is_fifo() => FileKind::Fifo,
            kind if kind.is_socket() => FileKind::Socket,
            kind if kind.is_char_device() => FileKind::CharDevice,
            kind if kind.is_block_device() => FileKind::BlockDevice,
            _ => FileKind::Unknown,
        })
    }

    /// Whether its bytes come one after the other, at a position that is the kernel's, if there is
    /// one at all.
    pub(crate) fn is_stream(self) -> bool {
        matches!(self.0, FileKind::Fifo | FileKind::Socket | FileKind::CharDevice)
    }

    /// A directory.
    pub fn is_dir(&self) -> bool {
        self.0 == FileKind::Directory
    }

    /// A regular file.
    pub fn is_file(&self) -> bool {
        self.0 == FileKind::Regular
    }

    /// A symbolic link.
    pub fn is_symlink(&self) -> bool {
        self.0 == FileKind::Symlink
    }

    /// A named pipe.
    pub fn is_fifo(&self) -> bool {
        self.0 == FileKind::Fifo
    }

    /// A Unix socket.
    pub fn is_socket(&self) -> bool {
        self.0 == FileKind::Socket
    }

    /// A device of characters, such as a terminal.
    pub fn is_char_device(&self) -> bool {
        self.0 == FileKind::CharDevice
    }

    /// A device of blocks, such as a disk.
    pub fn is_block_device(&self) -> bool {
        self.0 == FileKind::BlockDevice
    }
}

/// Asks about the file at `path`; a symbolic link stands for what it leads to.
///
/// ```
/// wakering_runtime::run(async {
///     assert!(wakering_fs::metadata("/proc/self/exe").await?.is_file());
///     Ok::<_, std::io::Error>(())
/// })
/// # .unwrap();
/// ```
///
/// # Errors
///
/// `NotFound`, `PermissionDenied` on the way there, …
///
/// # Cancellation
///
/// **Strict**: nothing changes.
///
/// # Kernel
///
/// `IORING_OP_STATX`, 5.6; elsewhere statx(2) on the pool.
pub async fn metadata(path: impl AsRef<Path>) -> io::Result<Metadata> {
    let path = path.as_ref();
    op::statx(None, path, true).await.map(Metadata).map_err(on("stat", path))
}

/// As [`metadata`], but asks about a symbolic link itself.
///
/// ```
/// wakering_runtime::run(async {
///     assert!(wakering_fs::symlink_metadata("/proc/self/exe").await?.is_symlink());
///     Ok::<_, std::io::Error>(())
/// })
/// # .unwrap();
/// ```
///
/// # Errors
///
/// As in [`metadata`].
///
/// # Cancellation
///
/// **Strict**: nothing changes.
///
/// # Kernel
///
/// `IORING_OP_STATX`, 5.6; elsewhere statx(2) on the pool.
pub async fn symlink_metadata(path: impl AsRef<Path>) -> io::Result<Metadata> {
    let path = path.as_ref();
    op::statx(None, path, false).await.map(Metadata).map_err(on("stat", path))
}

/// Whether there is anything at `path`; a symbolic link that leads nowhere is nothing.
///
/// ```
/// wakering_runtime::run(async {
///     assert!(wakering_fs::exists("/").await?);
///     assert!(!wakering_fs::exists("/no/such/thing").await?);
///     Ok::<_, std::io::Error>(())
/// })
/// # .unwrap();
/// ```
///
/// # Errors
///
/// Where it cannot be told, for lack of permission say.
///
/// # Cancellation
///
/// **Strict**: nothing changes.
pub async fn exists(path: impl AsRef<Path>) -> io::Result<bool> {
    match metadata(path).await {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Says who may do what with the file at `path`; a symbolic link stands for what it leads to.
///
/// ```
/// use std::os::unix::fs::PermissionsExt;
/// use wakering_fs::Permissions;
///
/// wakering_runtime::run(async {
///     let path = std::env::temp_dir().join(format!("wakering-mode-{}", std::process::id()));
///     wakering_fs::write(&path, "").await?;
///     wakering_fs::set_permissions(&path, Permissions::from_mode(0o640)).await?;
///     assert_eq!(wakering_fs::metadata(&path).await?.mode() & 0o777, 0o640);
///     wakering_fs::remove_file(&path).await
/// })
/// # .unwrap();
/// ```
///
/// # Errors
///
/// `NotFound`; `PermissionDenied` if the file is another user's.
///
/// # Cancellation
///
/// **Weak**: they may be set all the same.
///
/// # Kernel
///
/// chmod(2) on the pool.
pub async fn set_permissions(path: impl AsRef<Path>, permissions: Permissions) -> io::Result<()> {
    let path = path.as_ref();
    let owned = path.to_owned();
    off_loop(move || std::fs::set_permissions(owned, permissions)).await.map_err(on("chmod", path))
}
