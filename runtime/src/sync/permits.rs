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

#[cfg(all(test, not(loom)))]
mod tests {
    use std::collections::VecDeque;
    use std::task::Waker;

    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    enum Step {
        Ask(usize),
        Take(usize),
        Give(usize),
        /// The waiter looks, and takes what it was given.
        Poll(usize),
        Leave(usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            3 => (1..4usize).prop_map(Step::Ask),
            1 => (1..4usize).prop_map(Step::Take),
            3 => (1..4usize).prop_map(Step::Give),
            2 => any::<usize>().prop_map(Step::Poll),
            3 => any::<usize>().prop_map(Step::Leave),
        ]
    }

    /// What permits are: some that are free, and a queue.
    #[derive(Default)]
    struct Model {
        free: usize,
        queue: VecDeque<(usize, usize)>,
        given: Vec<usize>,
    }

    impl Model {
        fn serve(&mut self) {
            while let Some((id, n)) = self.queue.front().copied().filter(|(_, n)| *n <= self.free) {
                self.free -= n;
                self.queue.pop_front();
                self.given.push(id);
            }
        }
    }

    fn poll(permits: &mut Permits, n: usize, ticket: &mut Option<Ticket>) -> bool {
        let mut after = After::of(Waker::noop());
        loop {
            let polled = permits.poll(n, ticket, &mut after);
            if after.run() && polled.is_pending() {
                continue;
            }
            return polled == Poll::Ready(Ok(()));
        }
    }

    proptest! {
        /// Nobody overtakes and nothing is lost, whoever comes and goes.
        #[test]
        fn permits_behave_like_a_count_and_a_queue(
            steps in prop::collection::vec(step(), 0..200),
        ) {
            let (mut permits, mut model) = (Permits::new(0), Model::default());
            let mut waiting: Vec<(usize, usize, Option<Ticket>)> = Vec::new();
            for (id, step) in steps.into_iter().enumerate() {
                let mut after = After::default();
                match step {
                    Step::Ask(n) => {
                        let mut ticket = None;
                        let taken = poll(&mut permits, n, &mut ticket);
                        prop_assert_eq!(taken, model.queue.is_empty() && n <= model.free);
                        if taken {
                            model.free -= n;
                        } else {
                            model.queue.push_back((id, n));
                            waiting.push((id, n, ticket));
                        }
                    }
                    Step::Take(n) => {
                        let fits = model.queue.is_empty() && n <= model.free;
                        prop_assert_eq!(permits.take(n), Ok(fits));
                        model.free -= if fits { n } else { 0 };
                    }
                    Step::Give(n) => {
                        permits.give(n, &mut after);
                        model.free += n;
                        model.serve();
                    }
                    Step::Poll(at) if !waiting.is_empty() => {
                        let at = at % waiting.len();
                        let (id, n, ticket) = &mut waiting[at];
                        let is_given = model.given.contains(id);
                        prop_assert_eq!(poll(&mut permits, *n, ticket), is_given);
                        if is_given {
                            waiting.swap_remove(at);
                        }
                    }
                    Step::Leave(at) if !waiting.is_empty() => {
                        let (id, n, ticket) = waiting.swap_remove(at % waiting.len());
                        permits.leave(ticket.unwrap(), &mut after);
                        model.free += if model.given.contains(&id) { n } else { 0 };
                        model.queue.retain(|(other, _)| *other != id);
                        model.serve();
                    }
                    Step::Poll(_) | Step::Leave(_) => {}
                }
                after.run();
                prop_assert_eq!(permits.free, model.free);
                prop_assert_eq!(permits.waiting(), model.queue.len());
            }
        }
    }
}
