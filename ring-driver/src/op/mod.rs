//! What we ask: an operation is a small value that owns all it lends to the kernel, and [`Op`] is the future around it.
//!
//! The ownership rule, which everything in this crate leans on: *from submission to the final completion the kernel
//! owns what the operation keeps; dropping the future drops only the interest.*

#![allow(unsafe_code)]

use std::io;

use crate::completion::Outcome;
use crate::driver::Driver;
use crate::fd::Shelf;
use crate::request::{Number, Request};

mod future;
mod multi;
mod nop;

pub use future::{Cancel, Op};
pub use multi::{Multi, MultiOperation};
pub use nop::{Nop, nop};

/// Which side of a descriptor an operation occupies while it is in flight: at most one per side at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// None: positioned file I/O, paths, timers. Any number at once.
    Free,
    /// The read side: receives, stream reads, accepts. An abandoned one is adopted by the next.
    Read,
    /// The write side: sends and stream writes. An abandoned one finishes; the next waits for it.
    Write,
}

/// Something a backend can be asked to do, together with everything it lends.
///
/// # Safety
///
/// The *driver* promises:
/// - `request` is called at most once, with `self` at the address where it stays until the final completion;
/// - after that `self` is not touched before the final completion but by `serve` and `put_back` as documented there,
///   and not dropped;
/// - exactly one of `complete`, `fail`, `put_back` ends it.
///
/// The *implementer* promises:
/// - every pointer in the request points into `self` or into memory that `self` owns exclusively, or keeps alive and
///   only lends for reading, and stays valid until `self` is dropped, however long that takes.
pub unsafe trait Operation: Sized + 'static {
    /// What awaiting it gives: as a rule `io::Result<T>` or `BufResult<T, B>`.
    type Output;

    /// The kernel's word for it, for errors and dumps: `"recv"`.
    const NAME: &'static str;

    /// The side it occupies.
    const LANE: Lane = Lane::Free;

    /// The request, pointing into `self`. `fd` is the number of the descriptor that the operation was made on,
    /// [`Number::NONE`] where it was made on none.
    fn request(&mut self, fd: Number) -> Request;

    /// The output of a final completion whose result was not negative. Owned results (descriptors, pooled buffers) are
    /// taken over here, also when nobody wants the output any more: it is then dropped, which closes or recycles them.
    fn complete(self, outcome: Outcome, driver: &Driver) -> Self::Output;

    /// The output of a failed or refused operation; gives back what was lent.
    fn fail(self, error: io::Error) -> Self::Output;

    /// Why it must not even be submitted: an empty target, say.
    fn refuse(&self) -> Option<io::Error> {
        None
    }

    /// Lanes only: served from what an abandoned predecessor left, as if the kernel had answered so.
    fn serve(&mut self, _shelf: &mut Shelf) -> Option<Outcome> {
        None
    }

    /// Lanes only: leaves what the kernel handed over for the next one. Called on a completed operation that nobody
    /// waits for, before it is dropped. Also called with errors, which are news that the kernel tells only once.
    fn put_back(&mut self, _outcome: Outcome, _shelf: &mut Shelf) {}
}
