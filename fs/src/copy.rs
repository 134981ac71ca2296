//! The content of a file to another file.
//!
//! The kernel copies between files without a detour through our memory, and on some file systems
//! without copying at all (copy_file_range(2), which std knows when to use). No ring offers that,
//! so the pool does it, in pieces: between two of them it looks whether anybody still wants the
//! copy.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use wakering_runtime::blocking::is_cancelled;

use crate::failure::between;
use crate::off_loop::off_loop;

/// How many bytes are copied before looking whether to go on.
const PIECE: u64 = 8 * 1024 * 1024;

/// Makes the content and the permissions of `from` those of `to`, which is created if it is not
/// there, and says how many bytes that were.
///
/// ```
/// wakering_runtime::run(async {
///     let dir = std::env::temp_dir().join(format!("wakering-copy-{}", std::process::id()));
///     wakering_fs::create_dir(&dir).await?;
///     wakering_fs::write(dir.join("a"), "content").await?;
///     assert_eq!(wakering_fs::copy(dir.join("a"), dir.join("b")).await?, 7);
///     assert_eq!(wakering_fs::read(dir.join("b")).await?, b"content");
///     wakering_fs::remove_dir_all(&dir).await
/// })
/// # .unwrap();
/// ```
///
/// # Errors
///
/// Those of opening, reading and writing; `InvalidInput` if `from` is no regular file, or the same
/// file as `to`.
///
/// # Cancellation
///
/// **Weak**: `to` may hold a part. Copying stops at most 8 MiB later.
///
/// # Kernel
///
/// copy_file_range(2) on the pool; elsewhere sendfile(2), read(2) and write(2).
pub async fn copy(from: impl AsRef<Path>, to: impl AsRef<Path>) -> io::Result<u64> {
    let (from, to) = (from.as_ref(), to.as_ref());
    let (source, target) = (from.to_owned(), to.to_owned());
    let copied = off_loop(move || {
        let (mut source, mut target) = open(&source, &target)?;
        let mut total = 0;
        while !is_cancelled() {
            let n = io::copy(&mut (&mut source).take(PIECE), &mut target)?;
            total += n;
            if n < PIECE {
                break;
            }
        }
        Ok(total)
    })
    .await;
    copied.map_err(between("copy", from, to))
}

fn open(from: &Path, to: &Path) -> io::Result<(File, File)> {
    let refuse = |message| Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    // Before it is opened, which for a pipe waits until somebody writes to it.
    if !std::fs::metadata(from)?.is_file() {
        return refuse("the source is not a regular file");
    }
    let source = File::open(from)?;
    let found = source.metadata()?;
    let mode = found.permissions().mode();
    // Not truncated yet: it might be the source.
    let target = OpenOptions::new().write(true).create(true).truncate(false).mode(mode).open(to)?;
    let replaced = target.metadata()?;
    if (found.dev(), found.ino()) == (replaced.dev(), replaced.ino()) {
        return refuse("source and target are the same file");
    }
    if replaced.is_file() {
        target.set_len(0)?;
        target.set_permissions(found.permissions())?;
    }
    Ok((source, target))
}
