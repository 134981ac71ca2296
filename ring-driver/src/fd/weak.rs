//! A descriptor that somebody else holds.

use std::rc::{Rc, Weak};

use super::{Fd, Handle};

/// Reaches a descriptor as long as somebody holds it, and does not keep it open.
///
/// ```
/// use std::os::unix::net::UnixStream;
/// use wakering_ring_driver::{Config, Driver, Fd, Sharing};
///
/// let driver = Driver::new(&Config::default())?;
/// let fd = Fd::adopt(&driver, UnixStream::pair()?.0.into(), Sharing::Private)?;
/// let weak = fd.downgrade();
/// assert!(fd.is_unique() && weak.upgrade().is_some_and(|same| same.is_same(&fd)));
/// drop(fd);
/// assert!(weak.upgrade().is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct WeakFd(Weak<Handle>);

impl Fd {
    /// A handle that does not keep it open.
    pub fn downgrade(&self) -> WeakFd {
        WeakFd(Rc::downgrade(&self.0))
    }
}

impl WeakFd {
    /// The descriptor, if somebody still holds it.
    pub fn upgrade(&self) -> Option<Fd> {
        self.0.upgrade().map(Fd)
    }
}

impl std::fmt::Debug for WeakFd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("WeakFd").field(&self.upgrade()).finish()
    }
}
