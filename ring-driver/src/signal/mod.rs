//! Signals: whoever listens has an eventfd, the one handler of the process writes to those of its
//! signal, and to wait for a signal is to wait for the eventfd.
//!
//! An eventfd is full or empty, so signals that nobody has taken yet become one, and each listener
//! has its own. While a signal has listeners the handler is installed for it; the last one to
//! go puts back what was there before, and sends a signal that came and was not taken there.
//!
//! The handler may run between any two instructions of any thread, so it takes no lock and
//! allocates nothing: it walks a list of *places* that only ever grows, and of which listeners take
//! what is free (`handler.rs`).

#![allow(unsafe_code)]

use std::fs::File;
use std::future::Future;
use std::io::{self, Read};
use std::os::fd::FromRawFd;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use crate::op::{self, Interest, Op};

mod handler;
mod kind;

use handler::Registration;
pub(crate) use handler::forget_walkers;
pub use kind::SignalKind;

/// Somebody who is told about one kind of signal, from when it is made until it is dropped.
///
/// It needs no driver until it waits.
///
/// ```
/// use wakering_ring_driver::signal::{Listener, SignalKind};
///
/// let mut listener = Listener::new(SignalKind::user_defined1())?;
/// assert!(!listener.take(), "none has come");
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Listener {
    eventfd: Rc<File>,
    wait: Option<Op<op::Poll<Rc<File>>>>,
    registration: Registration,
}

impl Listener {
    /// Listens to `kind`, which from now on does not do what it did before.
    ///
    /// # Errors
    /// `InvalidInput` for signals that cannot be caught (SIGKILL, SIGSTOP), that are faults of the
    /// thread that they stop (SIGSEGV, SIGBUS, SIGILL, SIGFPE) or that do not exist; what
    /// eventfd(2) says.
    pub fn new(kind: SignalKind) -> io::Result<Listener> {
        kind.refuse()?;
        let eventfd = Rc::new(eventfd()?);
        let registration = Registration::new(kind, &eventfd)?;
        Ok(Listener { eventfd, wait: None, registration })
    }

    /// From now on a signal that comes while the one before has not been taken ends the process:
    /// nobody seems to look any more.
    pub fn insist(&self) {
        self.registration.insist();
    }

    /// What it listens to.
    pub fn kind(&self) -> SignalKind {
        self.registration.kind()
    }

    /// Whether the signal has come since it was last taken.
    pub fn take(&mut self) -> bool {
        // It does not block, so the only error is that nothing is there.
        (&*self.eventfd).read(&mut [0; 8]).is_ok()
    }

    /// Ready, and taken, when the signal has come.
    ///
    /// # Errors
    /// What waiting for a descriptor may say: outside of a runtime, or under another one than the
    /// one that waited last.
    pub fn poll_take(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            if let Some(wait) = &mut self.wait {
                let waited = ready!(Pin::new(wait).poll(cx));
                self.wait = None;
                waited?;
            }
            if self.take() {
                return Poll::Ready(Ok(()));
            }
            self.wait = Some(op::poll(self.eventfd.clone(), Interest::READABLE));
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if self.registration.end() && self.take() {
            handler::raise(self.kind());
        }
    }
}

impl std::fmt::Debug for Listener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Listener").field(&self.kind()).finish()
    }
}

fn eventfd() -> io::Result<File> {
    // SAFETY: eventfd takes two integers and no memory.
    let number = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
    if number < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor was made just now and nobody else knows its number.
    Ok(unsafe { File::from_raw_fd(number) })
}
