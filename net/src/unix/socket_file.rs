//! The file of a listener's path, which goes with the listener.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::SocketAddr;
use std::path::{self, Path, PathBuf};

/// Removes the file when it is dropped, unless another one has taken its place.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    /// Which file it was: the device and the number on it.
    file: Option<(u64, u64)>,
}

impl SocketFile {
    /// The file that binding to `address` has just made.
    pub(super) fn of(address: &SocketAddr) -> Option<SocketFile> {
        // The directory that a relative path begins at may be another one later.
        let path = path::absolute(address.as_pathname()?).ok()?;
        let file = identity(&path);
        Some(SocketFile { path, file })
    }

    /// Lets the file stay.
    pub(super) fn keep(mut self) {
        self.file = None;
    }
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    let metadata = fs::symlink_metadata(path).ok()?;
    Some((metadata.dev(), metadata.ino()))
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if self.file.is_some() && self.file == identity(&self.path) {
            // Where this fails there is nobody to tell, and the file does no harm.
            let _ = fs::remove_file(&self.path);
        }
    }
}
