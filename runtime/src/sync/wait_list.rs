//! Who waits: first come, first called.
//!
//! Every primitive has its waiters in such a list, as a part of the state that its lock protects.
//! What a waiter holds is a [`Ticket`]. While it waits, it is in the queue; once it was called, it
//! is out of the queue and its entry tells what it was called for, until the ticket comes back. So
//! there are two ways to leave, and whoever leaves after having been called can pass its turn on:
//! [`WaitList::remove`] tells which it was.
//!
//! A list that becomes empty gives its memory back.

use std::task::Waker;

use slab::Slab;

use super::after::After;

/// Waiters, each with a `W` that says what it waits for or what it was called for.
pub(crate) struct WaitList<W = ()> {
    entries: Slab<Entry<W>>,
    /// The ends of the queue, and how many are in it.
    first: usize,
    last: usize,
    waiting: usize,
}

struct Entry<W> {
    value: W,
    /// `None` once it was called.
    waker: Option<Waker>,
    before: usize,
    behind: usize,
}

/// Where there is no entry.
const NONE: usize = usize::MAX;

/// A list that is empty and had room for more than this gives it back.
const SMALL: usize = 64;

/// The right to one entry. It must come back to [`WaitList::remove`].
#[derive(Debug)]
pub(crate) struct Ticket(usize);

/// What a waiter leaves.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Left<W> {
    pub(crate) value: W,
    pub(crate) was_called: bool,
}

impl<W> WaitList<W> {
    pub(crate) fn new() -> WaitList<W> {
        WaitList { entries: Slab::new(), first: NONE, last: NONE, waiting: 0 }
    }

    /// How many wait, without those that were called.
    pub(crate) fn len(&self) -> usize {
        self.waiting
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting == 0
    }

    /// Waits behind everybody who is there, or goes on waiting in the place of `ticket`. Only for
    /// those who were not called; the poll has to end as pending.
    pub(crate) fn park(&mut self, ticket: &mut Option<Ticket>, value: W, after: &mut After<'_>) {
        let Some(ticket) = ticket else {
            *ticket = after.take_clone().map(|waker| self.push(value, waker));
            return;
        };
        let waker = &mut self.entries[ticket.0].waker;
        if waker.as_ref().is_some_and(|waker| after.is_own(waker)) {
            return;
        }
        if let Some(own) = after.take_clone()
            && let Some(other) = waker.replace(own)
        {
            after.drop(other);
        }
    }

    fn push(&mut self, value: W, waker: Waker) -> Ticket {
        let entry = Entry { value, waker: Some(waker), before: self.last, behind: NONE };
        let at = self.entries.insert(entry);
        match self.last {
            NONE => self.first = at,
            last => self.entries[last].behind = at,
        }
        self.last = at;
        self.waiting += 1;
        Ticket(at)
    }

    /// What the first in the queue waits for.
    pub(crate) fn first(&self) -> Option<&W> {
        self.entries.get(self.first).map(|entry| &entry.value)
    }

    /// Calls the first in the queue: it is woken, and finds what is written into its value.
    pub(crate) fn call(&mut self, after: &mut After<'_>) -> Option<&mut W> {
        let at = self.first;
        let waker = self.entries.get_mut(at)?.waker.take();
        after.wake(waker.expect("who was called is not in the queue"));
        self.unlink(at);
        Some(&mut self.entries[at].value)
    }

    /// Calls everybody.
    pub(crate) fn call_all(&mut self, after: &mut After<'_>) {
        while self.call(after).is_some() {}
    }

    /// What the holder of `ticket` was called for, if it was.
    pub(crate) fn called(&self, ticket: &Ticket) -> Option<&W> {
        let entry = &self.entries[ticket.0];
        entry.waker.is_none().then_some(&entry.value)
    }

    /// Takes the entry of `ticket` out if it was called, and gives what for.
    pub(crate) fn take_called(
        &mut self,
        ticket: &mut Option<Ticket>,
        after: &mut After<'_>,
    ) -> Option<W> {
        let ticket = ticket.take_if(|ticket| self.called(ticket).is_some())?;
        Some(self.remove(ticket, after).value)
    }

    /// Takes an entry out, called or not.
    pub(crate) fn remove(&mut self, ticket: Ticket, after: &mut After<'_>) -> Left<W> {
        if self.entries[ticket.0].waker.is_some() {
            self.unlink(ticket.0);
        }
        let Entry { value, waker, .. } = self.entries.remove(ticket.0);
        if self.entries.is_empty() && self.entries.capacity() > SMALL {
            self.entries = Slab::new();
        }
        let was_called = waker.is_none();
        if let Some(waker) = waker {
            after.drop(waker);
        }
        Left { value, was_called }
    }

    fn unlink(&mut self, at: usize) {
        let Entry { before, behind, .. } = self.entries[at];
        match before {
            NONE => self.first = behind,
            before => self.entries[before].behind = behind,
        }
        match behind {
            NONE => self.last = before,
            behind => self.entries[behind].before = before,
        }
        self.waiting -= 1;
    }

    /// Whether nobody waits and nobody was called.
    #[cfg(all(test, not(loom)))]
    pub(super) fn is_unused(&self) -> bool {
        self.entries.is_empty()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::collections::VecDeque;
    use std::sync::{Arc, Mutex};
    use std::task::{Wake, Waker};

    use proptest::prelude::*;

    use super::*;

    /// Notes who was woken, in order.
    struct Logged(u32, Arc<Mutex<Vec<u32>>>);

    impl Wake for Logged {
        fn wake(self: Arc<Self>) {
            self.1.lock().unwrap().push(self.0);
        }
    }

    /// Parks as the future does: once without a waker, once with.
    fn park(list: &mut WaitList<u32>, ticket: &mut Option<Ticket>, value: u32, waker: &Waker) {
        let mut after = After::of(waker);
        list.park(ticket, value, &mut after);
        if after.run() {
            list.park(ticket, value, &mut after);
            assert!(!after.run(), "a clone was there");
        }
    }

    #[test]
    fn the_last_waker_that_was_left_is_woken() {
        let log = Arc::default();
        let wakers = [0, 1].map(|id| Waker::from(Arc::new(Logged(id, Arc::clone(&log)))));
        let (mut list, mut ticket) = (WaitList::new(), None);
        for waker in [&wakers[0], &wakers[1], &wakers[1]] {
            park(&mut list, &mut ticket, 0, waker);
        }
        assert_eq!(list.len(), 1, "it waits once");
        let mut after = After::default();
        list.call_all(&mut after);
        after.run();
        assert_eq!(*log.lock().unwrap(), [1]);
    }

    #[test]
    fn a_list_gives_its_memory_back() {
        let mut list = WaitList::new();
        let tickets: Vec<_> = (0..100_000)
            .map(|value| {
                let mut ticket = None;
                park(&mut list, &mut ticket, value, Waker::noop());
                ticket.unwrap()
            })
            .collect();
        for ticket in tickets {
            let mut after = After::default();
            list.remove(ticket, &mut after);
            after.run();
        }
        assert!(list.is_unused());
        assert!(list.entries.capacity() <= SMALL);
    }

    #[derive(Clone, Debug)]
    enum Step {
        Park,
        ParkAgain(usize),
        Call,
        CallAll,
        Remove(usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            6 => Just(Step::Park),
            2 => any::<usize>().prop_map(Step::ParkAgain),
            3 => Just(Step::Call),
            1 => Just(Step::CallAll),
            3 => any::<usize>().prop_map(Step::Remove),
        ]
    }

    proptest! {
        /// Beside the list runs a deque; after each step both tell the same, and the same were
        /// woken in the same order.
        #[test]
        fn a_wait_list_behaves_like_a_deque(steps in prop::collection::vec(step(), 0..300)) {
            let mut list = WaitList::new();
            let log = Arc::<Mutex<Vec<u32>>>::default();
            let (mut waiting, mut woken) = (VecDeque::new(), Vec::new());
            let mut held: Vec<(u32, Option<Ticket>)> = Vec::new();
            for (id, step) in (0u32..).zip(steps) {
                let mut after = After::default();
                match step {
                    Step::Park => {
                        let mut ticket = None;
                        let waker = Waker::from(Arc::new(Logged(id, log.clone())));
                        park(&mut list, &mut ticket, id, &waker);
                        held.push((id, ticket));
                        waiting.push_back(id);
                    }
                    Step::ParkAgain(at) if !held.is_empty() => {
                        let at = at % held.len();
                        let (id, ticket) = &mut held[at];
                        if waiting.contains(id) {
                            let waker = Waker::from(Arc::new(Logged(*id, log.clone())));
                            park(&mut list, ticket, *id, &waker);
                        }
                    }
                    Step::Call => {
                        let called = waiting.pop_front();
                        prop_assert_eq!(list.call(&mut after).copied(), called);
                        woken.extend(called);
                    }
                    Step::CallAll => {
                        list.call_all(&mut after);
                        woken.extend(waiting.drain(..));
                    }
                    Step::Remove(at) if !held.is_empty() => {
                        let (id, ticket) = held.swap_remove(at % held.len());
                        let was_called = !waiting.contains(&id);
                        waiting.retain(|other| *other != id);
                        let left = list.remove(ticket.unwrap(), &mut after);
                        prop_assert_eq!(left, Left { value: id, was_called });
                    }
                    Step::ParkAgain(_) | Step::Remove(_) => {}
                }
                after.run();
                prop_assert_eq!(&*log.lock().unwrap(), &woken);
                prop_assert_eq!(list.len(), waiting.len());
                prop_assert_eq!(list.first(), waiting.front());
                for (id, ticket) in &held {
                    let called = list.called(ticket.as_ref().unwrap());
                    prop_assert_eq!(called.is_some(), !waiting.contains(id));
                }
            }
            for (_, ticket) in held {
                let mut after = After::default();
                list.remove(ticket.unwrap(), &mut after);
                after.run();
            }
            prop_assert!(list.is_unused());
        }
    }
}
