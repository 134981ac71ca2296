//! What is in a directory, entry by entry.
//!
//! No ring can list directories, so the pool does, a batch at a time. The batch under way belongs
//! to the listing and not to the future that waits for it, so that no entry gets lost with a
//! dropped one.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::rc::Rc;

use crate::failure::on;
use crate::off_loop::off_loop;
use crate::{FileType, Metadata, symlink_metadata};

/// How many entries are fetched at once.
const BATCH: usize = 128;

/// Lists the directory at `path`.
///
/// ```
/// wakering_runtime::run(async {
///     let mut fds = wakering_fs::read_dir("/proc/self/fd").await?;
///     let mut count = 0;
///     while let Some(entry) = fds.next_entry().await? {
///         assert!(entry.file_type().await?.is_symlink());
///         count += 1;
///     }
///     assert!(count >= 3);
///     Ok::<_, std::io::Error>(())
/// })
/// # .unwrap();
/// ```
///
/// # Errors
///
/// `NotFound`, `NotADirectory`, `PermissionDenied`, …
///
/// # Cancellation
///
/// **Strict**: nothing changes.
///
/// # Kernel
///
/// getdents64(2) on the pool.
pub async fn read_dir(path: impl AsRef<Path>) -> io::Result<ReadDir> {
    let dir = path.as_ref();
    let owned = dir.to_owned();
    let (entries, rest) = off_loop(move || std::fs::read_dir(owned).and_then(batch))
        .await
        .map_err(on("readdir", dir))?;
    Ok(ReadDir { dir: dir.into(), entries: entries.into(), source: rest.into() })
}

/// The entries of a directory, in no particular order and without `.` and `..`; made by
/// [`read_dir`].
pub struct ReadDir {
    dir: Rc<Path>,
    entries: VecDeque<io::Result<Found>>,
    source: Source,
}

/// Where further entries come from.
enum Source {
    /// Nobody has asked for more yet.
    Idle(std::fs::ReadDir),
    /// A batch is under way.
    Busy(Pin<Box<dyn Future<Output = io::Result<Batch>>>>),
    /// There are no more.
    Ended,
}

/// Some entries, and what gives the rest.
type Batch = (Vec<io::Result<Found>>, Option<std::fs::ReadDir>);

/// What listing alone tells about an entry.
struct Found {
    name: OsString,
    file_type: Option<FileType>,
    ino: u64,
}

impl From<Option<std::fs::ReadDir>> for Source {
    fn from(rest: Option<std::fs::ReadDir>) -> Source {
        rest.map_or(Source::Ended, Source::Idle)
    }
}

/// Runs on the pool.
fn batch(mut rest: std::fs::ReadDir) -> io::Result<Batch> {
    let found = |entry: std::fs::DirEntry| Found {
        file_type: entry.file_type().ok().map(FileType::from_std),
        ino: std::os::unix::fs::DirEntryExt::ino(&entry),
        name: entry.file_name(),
    };
    let entries: Vec<_> = rest.by_ref().take(BATCH).map(|entry| entry.map(found)).collect();
    let rest = (entries.len() == BATCH).then_some(rest);
    Ok((entries, rest))
}

impl ReadDir {
    /// The next entry; `None` when there are no more.
    ///
    /// ```
    /// wakering_runtime::run(async {
    ///     let mut tasks = wakering_fs::read_dir("/proc/self/task").await?;
    ///     let first = tasks.next_entry().await?.expect("a process has a thread");
    ///     assert!(first.metadata().await?.is_dir());
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// What getdents64(2) says; the entries behind may still come.
    ///
    /// # Cancellation
    ///
    /// **Strict**: no entry is lost.
    pub async fn next_entry(&mut self) -> io::Result<Option<DirEntry>> {
        loop {
            if let Some(found) = self.entries.pop_front() {
                let found = found.map_err(on("readdir", &self.dir))?;
                return Ok(Some(DirEntry { dir: Rc::clone(&self.dir), found }));
            }
            self.source = match std::mem::replace(&mut self.source, Source::Ended) {
                Source::Idle(rest) => Source::Busy(Box::pin(off_loop(move || batch(rest)))),
                busy => busy,
            };
            let Source::Busy(fetching) = &mut self.source else { return Ok(None) };
            let fetched = fetching.as_mut().await;
            self.source = Source::Ended;
            let (entries, rest) = fetched.map_err(on("readdir", &self.dir))?;
            self.entries = entries.into();
            self.source = rest.into();
        }
    }
}

impl fmt::Debug for ReadDir {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadDir").field("dir", &self.dir).finish_non_exhaustive()
    }
}

/// One entry of a directory.
///
/// ```
/// wakering_runtime::run(async {
///     let mut root = wakering_fs::read_dir("/").await?;
///     let entry = root.next_entry().await?.expect("the root is not empty");
///     assert_eq!(entry.path(), std::path::Path::new("/").join(entry.file_name()));
///     assert_eq!(entry.metadata().await?.file_type(), entry.file_type().await?);
///     Ok::<_, std::io::Error>(())
/// })
/// # .unwrap();
/// ```
pub struct DirEntry {
    dir: Rc<Path>,
    found: Found,
}

impl DirEntry {
    /// The path that was listed, with the name of the entry.
    ///
    /// ```
    /// wakering_runtime::run(async {
    ///     let entry = wakering_fs::read_dir("/proc/self/task").await?.next_entry().await?;
    ///     let entry = entry.expect("a process has a thread");
    ///     assert!(entry.path().starts_with("/proc/self/task"));
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    pub fn path(&self) -> PathBuf {
        self.dir.join(&self.found.name)
    }

    /// The name of the entry alone.
    ///
    /// ```
    /// wakering_runtime::run(async {
    ///     let entry = wakering_fs::read_dir("/proc/self/task").await?.next_entry().await?;
    ///     let entry = entry.expect("a process has a thread");
    ///     let name = entry.file_name().to_str().expect("a number");
    ///     assert!(name.parse::<u32>().is_ok());
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    pub fn file_name(&self) -> &OsStr {
        &self.found.name
    }

    /// The number of the file in its file system.
    ///
    /// ```
    /// wakering_runtime::run(async {
    ///     let entry = wakering_fs::read_dir("/proc/self/task").await?.next_entry().await?;
    ///     let entry = entry.expect("a process has a thread");
    ///     assert_eq!(entry.ino(), entry.metadata().await?.ino());
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    pub fn ino(&self) -> u64 {
        self.found.ino
    }

    /// What kind of file it is; a symbolic link is one. Most file systems tell that with the
    /// listing.
    ///
    /// ```
    /// wakering_runtime::run(async {
    ///     let entry = wakering_fs::read_dir("/proc/self/task").await?.next_entry().await?;
    ///     let entry = entry.expect("a process has a thread");
    ///     assert!(entry.file_type().await?.is_dir());
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`metadata`](DirEntry::metadata), where the listing did not tell.
    ///
    /// # Cancellation
    ///
    /// **Strict**: nothing changes.
    pub async fn file_type(&self) -> io::Result<FileType> {
        match self.found.file_type {
            Some(file_type) => Ok(file_type),
            None => Ok(self.metadata().await?.file_type()),
        }
    }

    /// Asks about the file, and about a symbolic link itself.
    ///
    /// ```
    /// wakering_runtime::run(async {
    ///     let entry = wakering_fs::read_dir("/proc/self/task").await?.next_entry().await?;
    ///     let entry = entry.expect("a process has a thread");
    ///     assert_eq!(entry.metadata().await?.mode() & 0o222, 0);
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`symlink_metadata`]: `NotFound` if it has been removed since.
    ///
    /// # Cancellation
    ///
    /// **Strict**: nothing changes.
    pub async fn metadata(&self) -> io::Result<Metadata> {
        symlink_metadata(self.path()).await
    }
}

impl fmt::Debug for DirEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("DirEntry").field(&self.path()).finish()
    }
}
