//! The two sides of a descriptor: who occupies them, who waits for them, what was left on them.
//!
//! At most one operation per side is in flight, split halves included. Futures only borrow a side:
//! the operation belongs to it. So a dropped future and a forgotten one are the same case, and a
//! new reader adopts what it finds instead of submitting beside it.

use std::task::Waker;

use super::{Empties, Line, Shelf};
use crate::account::{AccountId, Recall};
use crate::in_flight::Key;
use crate::op::Lane;
use crate::request::Number;

/// What the driver knows of one descriptor.
pub(crate) struct Descriptor {
    /// [`Number::NONE`] once it has been closed or given away.
    pub(crate) number: Number,
    pub(crate) read: Side,
    /// Boxed, since most descriptors are waited for by readers only, and at most times.
    pub(crate) write: Option<Box<Side>>,
    /// How many operations in flight name this descriptor without occupying a side.
    pub(crate) free_flights: u32,
    pub(crate) phase: Phase,
    /// Whether what occupies the read side is the side's own, begun for whoever comes. It is never
    /// an orphan.
    pub(crate) own: bool,
    /// Whether what occupies the read side stands there as an orphan.
    pub(crate) orphan: bool,
    /// Whether its sink already stands in the driver's list of those with something to send.
    pub(crate) dirty: bool,
    /// Whether the peer is to be told the end once all output has left.
    pub(crate) end_after_output: bool,
    /// Whether its output is thrown away from now on.
    pub(crate) cut_short: bool,
    /// Whether the kernel can send from memory that it borrows: unknown until it matters, and no
    /// longer where it has copied all the same.
    pub(crate) can_borrow: Option<bool>,
}

/// There may be a million.
const _: () = assert!(size_of::<Descriptor>() == 64);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Handles exist and operations may start.
    Open,
    /// Somebody closes it explicitly: operations are refused, handles still exist.
    Closing,
    /// No handle is left; the driver closes it as soon as its sides are idle.
    Released,
}

/// One side.
pub(crate) struct Side {
    /// The operation that occupies it.
    pub(crate) in_flight: Option<Key>,
    /// Who pays for that operation.
    pub(crate) payer: AccountId,
    /// How many futures wait for what the operation in flight brings, if that is a receive.
    pub(crate) queued: u32,
    /// Told when the side changes. Those of the write side are also told when the descriptor has
    /// become quiet enough to be closed or given away.
    pub(crate) waiters: Line<Waker>,
    /// Boxed, since most descriptors have nothing left on them at most times.
    pub(crate) shelf: Option<Box<Shelf>>,
}

impl Default for Side {
    fn default() -> Side {
        Side {
            in_flight: None,
            payer: AccountId::ROOT,
            queued: 0,
            waiters: Line::default(),
            shelf: None,
        }
    }
}

impl Side {
    #[inline]
    pub(crate) fn shelf(&mut self, empties: &mut Empties) -> &mut Shelf {
        self.shelf.get_or_insert_with(|| empties.shelves.take())
    }

    /// Nothing is expected to come soon: an empty shelf goes where others find it.
    #[inline]
    pub(crate) fn tidy(&mut self, empties: &mut Empties) {
        if let Some(shelf) = self.shelf.take_if(|shelf| shelf.is_empty()) {
            empties.shelves.keep(shelf);
        }
    }

    /// Whether nothing is known of it.
    fn is_idle(&self) -> bool {
        self.in_flight.is_none() && self.waiters.is_empty() && self.shelf.is_none()
    }
}

impl Descriptor {
    pub(crate) fn new(number: Number) -> Descriptor {
        Descriptor {
            number,
            read: Side::default(),
            write: None,
            free_flights: 0,
            phase: Phase::Open,
            own: false,
            orphan: false,
            dirty: false,
            end_after_output: false,
            cut_short: false,
            can_borrow: None,
        }
    }

    pub(crate) fn side(&mut self, lane: Lane) -> &mut Side {
        match lane {
            Lane::Write => self.write.get_or_insert_default(),
            _ => &mut self.read,
        }
    }

    /// The write side, to be used.
    #[inline]
    pub(crate) fn write(&mut self, empties: &mut Empties) -> &mut Side {
        self.write.get_or_insert_with(|| empties.sides.take())
    }

    /// Nobody needs the write side just now, unless somebody does: it goes where others find it.
    #[inline]
    pub(crate) fn tidy_write(&mut self, empties: &mut Empties) {
        if let Some(side) = self.write.take_if(|side| side.is_idle()) {
            empties.sides.keep(side);
        }
    }

    /// The send in flight.
    pub(crate) fn sending(&self) -> Option<Key> {
        self.write.as_ref()?.in_flight
    }

    /// What lies on the write side.
    pub(crate) fn write_shelf(&mut self) -> Option<&mut Shelf> {
        self.write.as_mut()?.shelf.as_deref_mut()
    }

    /// What an earlier send came to, if nobody has been told.
    pub(crate) fn take_write_error(&mut self) -> Option<i32> {
        self.write_shelf()?.error.take()
    }

    /// Nobody pays any more for what occupies a side. Tells who did, and whether that was an orphan:
    /// what a side holds can be cancelled.
    pub(crate) fn settle(&mut self, lane: Lane) -> (AccountId, Option<Recall>) {
        let payer = std::mem::replace(&mut self.side(lane).payer, AccountId::ROOT);
        let was_orphan = lane != Lane::Write && std::mem::take(&mut self.orphan);
        (payer, was_orphan.then_some(Recall::Cancellable))
    }

    /// Whether no operation that names it is in flight and nothing waits to be sent.
    pub(crate) fn is_quiet(&self) -> bool {
        !self.is_named() && !self.has_output()
    }

    /// Whether an operation in flight names it, so that its number must not become somebody else's.
    pub(crate) fn is_named(&self) -> bool {
        self.read.in_flight.is_some() || self.sending().is_some() || self.free_flights > 0
    }

    /// Throws away what no send has taken yet; whoever closes the descriptor is told.
    pub(crate) fn discard_output(&mut self) {
        if self.has_output()
            && let Some(shelf) = self.write_shelf()
        {
            (shelf.queue, shelf.unsent) = (Vec::new(), None);
            shelf.error.get_or_insert(libc::ECANCELED);
        }
    }

    /// Whether the sink holds bytes that no send has taken yet.
    pub(crate) fn has_output(&self) -> bool {
        let has_some = |shelf: &Shelf| !shelf.queue.is_empty() || shelf.unsent.is_some();
        let shelf = self.write.as_ref().and_then(|side| side.shelf.as_deref());
        shelf.is_some_and(has_some)
    }
}
