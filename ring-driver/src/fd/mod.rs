//! Descriptors: adopted by a driver, shared by their sides, closed when nothing names them any
//! more.
//!
//! An [`Fd`] is a counted handle. The driver keeps the state of its two sides (`side.rs`): the one
//! receive (or accept) and the one send that may be in flight, what an abandoned receive left
//! ([`Shelf`](crate::fd::Shelf)), and what is queued for sending. A number is given back to the
//! system only when no operation and no queued request can name it any more.

use std::io;
use std::os::fd::{IntoRawFd, OwnedFd};
use std::rc::Rc;

use crate::driver::Driver;
use crate::error::RuntimeError;
use crate::request::{Number, Request};

mod closing;
mod datagrams;
mod empties;
mod line;
mod shelf;
mod side;
mod sink;
mod source;
mod weak;

pub(crate) use empties::Empties;
pub(crate) use line::Line;
pub use shelf::{Leftovers, Shelf};
pub(crate) use side::{Descriptor, Phase};
pub(crate) use sink::Spares;
pub use weak::WeakFd;

/// Whether somebody outside this process, or outside this runtime, uses the same open file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Sharing {
    /// Only this driver: it may set the mode that its backend needs.
    Private,
    /// Others too (standard streams, inherited pipes): the mode stays as it is.
    Shared,
}

/// A descriptor that belongs to a driver. Cloning it shares it; the last one to be dropped closes
/// it in the background.
///
/// ```
/// use std::os::unix::net::UnixStream;
/// use wakering_ring_driver::{Config, Driver, Fd, Sharing};
///
/// let driver = Driver::new(&Config::default())?;
/// let (ours, _theirs) = UnixStream::pair()?;
/// let fd = Fd::adopt(&driver, ours.into(), Sharing::Private)?;
/// assert!(fd.clone().driver().is_same(&driver));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Fd(Rc<Handle>);

struct Handle {
    driver: Driver,
    index: u32,
}

impl Fd {
    /// Hands `owned` to `driver`, which from now on is the only one to use and to close it.
    ///
    /// # Errors
    /// Where the mode of the descriptor cannot be changed.
    pub fn adopt(driver: &Driver, owned: OwnedFd, sharing: Sharing) -> io::Result<Fd> {
        let index = driver.with(|core| core.adopt_descriptor(&owned, sharing))?;
        // From here on the driver closes it.
        let _ = owned.into_raw_fd();
        Ok(Fd::of(driver, index))
    }

    /// A descriptor that the backend itself has made, in the mode that it needs.
    pub(crate) fn from_number(driver: &Driver, number: Number) -> Fd {
        Fd::of(driver, driver.with(|core| core.insert_descriptor(number)))
    }

    fn of(driver: &Driver, index: u32) -> Fd {
        Fd(Rc::new(Handle { driver: driver.clone(), index }))
    }

    /// The driver it belongs to.
    pub fn driver(&self) -> &Driver {
        &self.0.driver
    }

    /// The number, as long as it is not closed.
    pub(crate) fn number(&self) -> io::Result<Number> {
        let number = self.0.driver.with(|core| core.descriptors[self.index()].number);
        if number == Number::NONE { Err(RuntimeError::Closed.into()) } else { Ok(number) }
    }

    pub(crate) fn index(&self) -> usize {
        self.0.index as usize
    }

    /// Carries out a request that does not wait, on the thread that calls.
    pub(crate) fn call_now(&self, request: impl FnOnce(Number) -> Request) -> io::Result<u32> {
        let number = self.number()?;
        self.driver().call_now(&request(number))
    }

    /// Whether this is the only handle.
    pub fn is_unique(&self) -> bool {
        Rc::strong_count(&self.0) == 1
    }

    /// Whether `other` is the same descriptor of the same driver.
    pub fn is_same(&self, other: &Fd) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }

    /// The descriptor's number in the operating system, for messages and dumps; `None` once it is
    /// closed.
    ///
    /// It says nothing about how long the number stays this descriptor's.
    pub fn os_number(&self) -> Option<i32> {
        self.number().ok().map(|number| number.0)
    }
}

impl AsRef<Fd> for Fd {
    fn as_ref(&self) -> &Fd {
        self
    }
}

impl std::fmt::Debug for Fd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.os_number() {
            Some(number) => write!(f, "Fd({number})"),
            None => f.write_str("Fd(closed)"),
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.driver.release(self.index);
    }
}
