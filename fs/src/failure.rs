//! "No such file or directory" is the most unhelpful message there is; which one, and what for?
//!
//! std leaves that to the caller, who has often lost the path by then. Here each error names the
//! operation, in the word of its manual page, and the path.

use std::io;
use std::path::Path;

use wakering_ring_driver::{BufError, Failure};

/// For `map_err`: names `operation` and `path`.
pub(crate) fn on(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> io::Error {
    move |error| Failure::wrap(operation, path.to_string_lossy(), error)
}

/// As [`on`], for an operation on two paths.
pub(crate) fn between(
    operation: &'static str,
    from: &Path,
    to: &Path,
) -> impl FnOnce(io::Error) -> io::Error {
    move |error| {
        let object = format!("{} -> {}", from.display(), to.display());
        Failure::wrap(operation, object, error)
    }
}

/// As [`on`], for an error that brings a buffer back.
pub(crate) fn with_buf<B>(
    operation: &'static str,
    path: &Path,
) -> impl FnOnce(BufError<B>) -> BufError<B> {
    move |failed| BufError::new(on(operation, path)(failed.error), failed.buf)
}
