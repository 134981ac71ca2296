//! Giving a socket to std, with all that came for it.

use std::io;
use std::os::fd::OwnedFd;

use wakering_ring_driver::{Fd, Leftovers, RuntimeError};

use crate::address::failed;

/// The descriptor, and what was received or accepted and nobody has taken.
pub(crate) async fn detach(fd: Fd) -> io::Result<(OwnedFd, Leftovers)> {
    fd.detach().await.map_err(|fd| {
        if fd.driver().is_forked() {
            return failed("into_std", &fd, RuntimeError::ForkedChild.into());
        }
        let shared = "the socket is shared: drop the other handles first";
        failed("into_std", &fd, io::Error::new(io::ErrorKind::ResourceBusy, shared))
    })
}
