//! Files and directories with the names of std, where nothing blocks the loop.
//!
//! What a ring can do (open, read, write, sync, stat, rename, link, …) is an operation of the
//! kernel; the few things that it cannot (listing, copying, canonical paths), and all of them where
//! there is no ring, run on the thread pool. Which of the two it was shows nowhere.
//!
//! ```
//! use wakering_fs as fs;
//!
//! wakering_runtime::run(async {
//!     let dir = std::env::temp_dir().join(format!("wakering-fs-{}", std::process::id()));
//!     fs::create_dir_all(&dir).await?;
//!
//!     let file = fs::File::create(dir.join("greeting")).await?;
//!     let (n, buf) = file.write_at(b"hello", 0).await?;
//!     assert_eq!((n, buf), (5, b"hello"));
//!     assert_eq!(fs::read_to_string(dir.join("greeting")).await?, "hello");
//!
//!     fs::remove_dir_all(&dir).await
//! })
//! # .unwrap();
//! ```
//!
//! # Errors
//!
//! Every error is an [`io::Error`](std::io::Error) of the kind that std would give, and carries a
//! [`Failure`](wakering_ring_driver::Failure) with the operation, the path and, where that is
//! known, what mends it.
//!
//! # Cancellation
//!
//! Dropping a future gives up the result, not what the kernel was asked to do: a submitted write
//! may reach the file, a directory may be made. Each function says what that means: **Strict** if
//! nothing is lost, **Weak** if something is. Paths and buffers belong to the operation until it
//! has ended, so that dropping is always safe.

#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(not(target_os = "linux"))]
compile_error!("wakering runs on Linux only");

/// How a file is opened.
mod open_options;
/// An open file.
mod file;
/// Its content at offsets.
mod offset;
/// Its content as a stream, from a position.
mod cursor;
/// What it is to the disk.
mod storage;
/// What the file system knows about a file.
mod metadata;
/// Files in one go.
mod whole;
/// A file's content to another file.
mod copy;
/// Directories: making, removing.
mod dir;
/// What is in a directory, entry by entry.
mod read_dir;
/// Names: moving, removing, linking, resolving.
mod path;
/// What failed on which path.
mod failure;
/// System calls that have no operation.
mod off_loop;

pub use copy::copy;
pub use dir::{create_dir, create_dir_all, remove_dir, remove_dir_all};
pub use file::File;
pub use metadata::{FileType, Metadata, exists, metadata, set_permissions, symlink_metadata};
pub use open_options::OpenOptions;
pub use path::{canonicalize, hard_link, read_link, remove_file, rename, symlink};
pub use read_dir::{DirEntry, ReadDir, read_dir};
pub use std::fs::Permissions;
pub use wakering_ring_driver::AlignedBuf;
pub use whole::{read, read_to_string, write};
