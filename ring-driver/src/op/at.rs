//! Where a relative path begins: at an open directory, or at the working directory of the process.

use std::path::Path;

use super::{Op, Operation};
use crate::address::KernelPath;
use crate::fd::Fd;
use crate::request::Number;

/// `operation` on the directory, or on none.
pub(super) fn at<O: Operation>(dir: Option<&Fd>, operation: O) -> Op<O> {
    match dir {
        Some(fd) => Op::on(fd, operation),
        None => Op::here(operation),
    }
}

/// The directory of a request that was made by [`at`].
pub(super) fn directory(fd: Number) -> Number {
    if fd == Number::NONE { Number::CWD } else { fd }
}

pub(super) fn path(path: impl AsRef<Path>) -> KernelPath {
    KernelPath::new(path.as_ref())
}
