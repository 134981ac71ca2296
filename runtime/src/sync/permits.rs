//! So many of something, handed out in turn.
//!
//! What comes free goes to whoever waits first, before they run: nobody who comes later can take
//! it from under them, and whoever goes away instead of taking it gives it to the next.

use std::task::Poll;

use super::after::After;
use super::wait::Waits;
use super::wait_list::{Ticket, WaitList};

/// Permits that are free, and who waits for some.
pub(super) struct Permits {
    pub(super) free: usize,
    /// Nothing may be taken any more.
    pub(super) is_closed: bool,
    waiters: WaitList<Share>,
}

/// What a waiter wants, or what it was given.
struct Share(usize);

/// There will be no permit any more.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Ended;

impl Permits {
    pub(super) fn new(free: usize) -> Permits {
        Permits { free, is_closed: false, waiters: WaitList::new() }
    }

    /// Takes `n` at once, unless others come first: whether there were enough.
    pub(super) fn take(&mut self, n: usize) -> Result<bool, Ended> {
        if self.is_closed {
            return Err(Ended);
        }
        let is_enough = self.waiters.is_empty() && n <= self.free;
        if is_enough {
            self.free -= n;
        }
        Ok(is_enough)
    }

    /// Takes `n`, or waits for them.
    pub(super) fn poll(
        &mut self,
        n: usize,
        ticket: &mut Option<Ticket>,
        after: &mut After<'_>,
    ) -> Poll<Result<(), Ended>> {
        if let Some(Share(given)) = self.waiters.take_called(ticket, after) {
            return Poll::Ready(if given == n { Ok(()) } else { Err(Ended) });
        }
        if ticket.is_none() {
            match self.take(n) {
                Ok(true) => return Poll::Ready(Ok(())),
                Ok(false) => {}
                Err(Ended) => return Poll::Ready(Err(Ended)),
            }
        }
        self.waiters.park(ticket, Share(n), after);
        Poll::Pending
    }

    /// Stops waiting: what was given already goes to the next.
    pub(super) fn leave(&mut self, ticket: Ticket, after: &mut After<'_>) {
        let left = self.waiters.remove(ticket, after);
        // The one in front may have held up others who want less.
        self.give(if left.was_called { left.value.0 } else { 0 }, after);
    }

    /// Gives `n` to those who wait, in turn.
    pub(super) fn give(&mut self, n: usize, after: &mut After<'_>) {
        self.free += n;
        while let Some(&Share(wanted)) = self.waiters.first()
            && wanted <= self.free
        {
            self.free -= wanted;
            self.waiters.call(after);
        }
    }

    /// Gives out nothing any more, and lets nobody wait.
    pub(super) fn close(&mut self, after: &mut After<'_>) {
        self.is_closed = true;
        while let Some(share) = self.waiters.call(after) {
            *share = Share(0);
        }
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiters.len()
    }
}

/// The wish for so many permits, of a state that has some.
pub(super) struct Take(pub(super) usize);

impl<S: AsMut<Permits>> Waits<S> for Take {
    type Output = Result<(), Ended>;

    fn poll(
        &mut self,
        state: &mut S,
        ticket: &mut Option<Ticket>,
        after: &mut After<'_>,
    ) -> Poll<Result<(), Ended>> {
        state.as_mut().poll(self.0, ticket, after)
    }

    fn leave(&mut self, state: &mut S, ticket: Ticket, after: &mut After<'_>) {
        state.as_mut().leave(ticket, after);
    }
}
