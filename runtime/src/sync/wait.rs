//! The future that waits: the one place where a task meets a wait list.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use super::after::{After, update};
use super::flavor::{Flavor, Protect};
use super::wait_list::{Ticket, WaitList};

/// What is waited for in a state of type `S`.
pub(crate) trait Waits<S> {
    type Output;

    /// Under the lock: done, with the ticket given back, or parked. May be called twice a poll,
    /// the second time with a waker to leave.
    fn poll(
        &mut self,
        state: &mut S,
        ticket: &mut Option<Ticket>,
        after: &mut After<'_>,
    ) -> Poll<Self::Output>;

    /// Under the lock: gives the ticket back undone, and passes on what it was called for.
    fn leave(&mut self, state: &mut S, ticket: Ticket, after: &mut After<'_>);
}

/// The wish that something be so once. The function tells whether it is, and who waits for that:
/// they are all called when it comes about, and have waited enough even if it passes again.
pub(crate) struct Until<P>(pub(crate) P);

impl<S, P: FnMut(&mut S) -> (bool, &mut WaitList)> Waits<S> for Until<P> {
    type Output = ();

    fn poll(
        &mut self,
        state: &mut S,
        ticket: &mut Option<Ticket>,
        after: &mut After<'_>,
    ) -> Poll<()> {
        let (is_so, waiters) = (self.0)(state);
        if waiters.take_called(ticket, after).is_some() || is_so {
            return Poll::Ready(());
        }
        waiters.park(ticket, (), after);
        Poll::Pending
    }

    fn leave(&mut self, state: &mut S, ticket: Ticket, after: &mut After<'_>) {
        (self.0)(state).1.remove(ticket, after);
    }
}

/// Polls for `wish` once.
pub(crate) fn poll<C: Protect<S>, S, W: Waits<S>>(
    cell: &C,
    wish: &mut W,
    ticket: &mut Option<Ticket>,
    cx: &mut Context<'_>,
) -> Poll<W::Output> {
    let mut after = After::of(cx.waker());
    loop {
        let polled = cell.with(|state| wish.poll(state, ticket, &mut after));
        let comes_again = after.run();
        if polled.is_ready() || !comes_again {
            return polled;
        }
    }
}

/// Stops waiting.
pub(crate) fn leave<C: Protect<S>, S, W: Waits<S>>(
    cell: &C,
    wish: &mut W,
    ticket: &mut Option<Ticket>,
) {
    if let Some(ticket) = ticket.take() {
        update(cell, |state, after| wish.leave(state, ticket, after));
    }
}

/// Waits for one wish. Dropped early, it has not waited.
pub(crate) struct Wait<'a, F: Flavor, S, W: Waits<S>> {
    cell: &'a F::Cell<S>,
    pub(crate) wish: W,
    ticket: Option<Ticket>,
}

impl<'a, F: Flavor, S, W: Waits<S>> Wait<'a, F, S, W> {
    pub(crate) fn new(cell: &'a F::Cell<S>, wish: W) -> Wait<'a, F, S, W> {
        Wait { cell, wish, ticket: None }
    }

    /// Goes on waiting in a place that somebody else has taken.
    pub(crate) fn resume(
        cell: &'a F::Cell<S>,
        wish: W,
        ticket: Option<Ticket>,
    ) -> Wait<'a, F, S, W> {
        Wait { cell, wish, ticket }
    }

    /// Takes a place in the queue before there is a waker to leave, or looks how that fares.
    pub(crate) fn enable(&mut self) -> Poll<W::Output> {
        let Wait { cell, wish, ticket } = self;
        match ticket {
            None => poll(*cell, wish, ticket, &mut Context::from_waker(Waker::noop())),
            Some(_) => update(*cell, |state, after| wish.poll(state, ticket, after)),
        }
    }
}

// Nothing in it is ever pinned.
impl<F: Flavor, S, W: Waits<S>> Unpin for Wait<'_, F, S, W> {}

impl<F: Flavor, S, W: Waits<S>> Future for Wait<'_, F, S, W> {
    type Output = W::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<W::Output> {
        let Wait { cell, wish, ticket } = self.get_mut();
        poll(*cell, wish, ticket, cx)
    }
}

impl<F: Flavor, S, W: Waits<S>> Drop for Wait<'_, F, S, W> {
    fn drop(&mut self) {
        leave(self.cell, &mut self.wish, &mut self.ticket);
    }
}
