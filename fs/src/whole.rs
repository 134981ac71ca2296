//! A whole file in one call.
//!
//! The length that the file system tells is a hint at best: files in `/proc` have none, others grow
//! or shrink while they are read, pipes never knew theirs. So it only decides how much memory is
//! taken at first; the end is where a read says that it is.

use std::io;
use std::path::Path;

use wakering_ring_driver::op::{self, FileKind};
use wakering_ring_driver::{BufError, IoBuf};
use wakering_runtime::io::{AsyncRead, AsyncWrite};
use wakering_runtime::join;

use crate::File;
use crate::failure::{on, with_buf};

/// Reads all of the file at `path`.
///
/// ```
/// wakering_runtime::run(async {
///     let status = wakering_fs::read("/proc/self/status").await?;
///     assert!(status.starts_with(b"Name:"));
///     Ok::<_, std::io::Error>(())
/// })
/// # .unwrap();
/// ```
///
/// # Errors
///
/// Those of opening and reading it; `OutOfMemory` if it is larger than memory allows.
///
/// # Cancellation
///
/// **Strict** for a file, which keeps what was read. **Weak** for a pipe or terminal: the bytes
/// read so far are lost.
pub async fn read(path: impl AsRef<Path>) -> io::Result<Vec<u8>> {
    let path = path.as_ref();
    let fd = File::options().read(true).open_fd(path).await?;
    let (kind, len) = op::kind_and_len(&fd).map_err(on("stat", path))?;
    let mut content = Vec::new();
    if kind == FileKind::Regular && len > 0 {
        // One more than there is, so that the read that finds the end needs no more memory.
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        let reserved = content.try_reserve_exact(len.saturating_add(1));
        reserved.map_err(io::Error::from).map_err(on("read", path))?;
        // What is there, and at the same time whether there is more behind it.
        let rest = op::read_at(&fd, Vec::with_capacity(1), len as u64);
        let (all, rest) = join!(op::read_at(&fd, content.slice(..len), 0), rest);
        let (n, all) = all.map_err(with_buf("read", path))?;
        content = all.into_inner();
        if n == len && rest.is_ok_and(|(n, _)| n == 0) {
            return Ok(content);
        }
    }
    let mut file = File::new(fd, path, false);
    file.shared.cursor.set(content.len() as u64);
    let (_, content) = file.read_to_end(content).await?;
    Ok(content)
}

/// Reads all of the file at `path`, which must be UTF-8.
///
/// ```
/// wakering_runtime::run(async {
///     assert!(wakering_fs::read_to_string("/proc/self/status").await?.contains("\nPid:"));
///     Ok::<_, std::io::Error>(())
/// })
/// # .unwrap();
/// ```
///
/// # Errors
///
/// As in [`read`]; `InvalidData` if it is not UTF-8.
///
/// # Cancellation
///
/// As in [`read`].
pub async fn read_to_string(path: impl AsRef<Path>) -> io::Result<String> {
    let path = path.as_ref();
    let invalid = |error| io::Error::new(io::ErrorKind::InvalidData, error);
    String::from_utf8(read(path).await?)
        .map_err(|error| on("read", path)(invalid(error.utf8_error())))
}

/// Makes `content` all that is in the file at `path`, which is created if it is not there.
///
/// ```
/// wakering_runtime::run(async {
///     let path = std::env::temp_dir().join(format!("wakering-whole-{}", std::process::id()));
///     wakering_fs::write(&path, "first").await?;
///     wakering_fs::write(&path, vec![b'2']).await?;
///     assert_eq!(wakering_fs::read(&path).await?, b"2");
///     wakering_fs::remove_file(&path).await
/// })
/// # .unwrap();
/// ```
///
/// # Errors
///
/// Those of creating and writing it; a part may have been written then.
///
/// # Cancellation
///
/// **Weak**: the file may be empty or hold a part of `content`.
pub async fn write<B: IoBuf>(path: impl AsRef<Path>, content: B) -> io::Result<()> {
    let mut file = File::create(path).await?;
    match file.write_all(content).await {
        Ok(_) => Ok(()),
        Err(BufError { error, .. }) => Err(error),
    }
}
