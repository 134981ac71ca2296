//! A heap that gives back what is taken out of its middle.
//!
//! Most timers are timeouts, and most timeouts are cancelled long before they expire, so removal
//! must be as cheap as insertion and return the memory at once. This is a heap with four children a
//! node, which is shallower than a binary one, and what is compared lies apart from what is kept, so
//! that siblings share a cache line. Each entry has a ticket, and a table tells where in the heap
//! the holder of a ticket is now. Entries with equal deadlines come out in the order in which they
//! went in.

/// Entries of type `T`, earliest deadline first.
pub(crate) struct Heap<T> {
    entries: Vec<Entry>,
    /// What belongs to each of the entries.
    values: Vec<T>,
    tickets: Vec<Ticketed>,
    /// The first of the chain of unused tickets.
    unused: u32,
    /// How many tickets are used.
    used: usize,
    /// When no more tickets than this are used, the table is looked at for what can be given back.
    look_at: usize,
}

#[derive(Clone, Copy)]
pub(crate) struct Entry {
    pub(crate) deadline: u64,
    order: u32,
    ticket: u32,
}

impl Entry {
    /// Two that have the same deadline are less than half a circle of insertions apart.
    pub(crate) fn is_before(&self, other: &Entry) -> bool {
        let went_in_before = || self.order.wrapping_sub(other.order) > u32::MAX / 2;
        self.deadline < other.deadline || self.deadline == other.deadline && went_in_before()
    }
}

/// Where the holder of a ticket is: in the heap, there; or nowhere if it has come out, and its
/// holder has not been told yet. Of a ticket that nobody holds, the next such one, marked.
#[derive(Clone, Copy)]
struct Ticketed(u32);

/// Marks an unused ticket.
const UNUSED: u32 = 1 << 31;

/// Numbers of entries and tickets are less. Ends the chain of unused tickets.
const NOWHERE: u32 = UNUSED - 1;

impl Ticketed {
    const OUT: Ticketed = Ticketed(NOWHERE);

    fn inside(at: usize) -> Ticketed {
        Ticketed(at as u32)
    }

    fn unused(next: u32) -> Ticketed {
        Ticketed(next | UNUSED)
    }

    /// Where in the heap it is.
    fn place(self) -> Option<usize> {
        (self.0 < NOWHERE).then_some(self.0 as usize)
    }

    /// What follows in the chain of unused tickets.
    fn next(self) -> Option<u32> {
        (self.0 & UNUSED != 0).then_some(self.0 & !UNUSED)
    }
}

/// The right to ask for one entry, and to take it out. It must come back to [`Heap::remove`], else
/// the ticket is lost.
#[derive(Debug)]
pub(crate) struct Ticket(u32);

impl Ticket {
    pub(crate) fn number(&self) -> u32 {
        self.0
    }
}

impl<T> Heap<T> {
    const CHILDREN: usize = 4;
    /// Fewer tickets than this are not worth a look.
    const SMALL: usize = 64;

    pub(crate) fn new() -> Heap<T> {
        Heap {
            entries: Vec::new(),
            values: Vec::new(),
            tickets: Vec::new(),
            unused: NOWHERE,
            used: 0,
            look_at: 0,
        }
    }

    /// How many entries are inside.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// All that is inside, in no order, with its deadlines.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, &T)> {
        self.entries.iter().map(|entry| entry.deadline).zip(&self.values)
    }

    /// The earliest one.
    pub(crate) fn first(&self) -> Option<&Entry> {
        self.entries.first()
    }

    /// Puts `value` in; `order` counts insertions, in circles.
    pub(crate) fn insert(&mut self, deadline: u64, order: u32, value: T) -> Ticket {
        let at = self.entries.len();
        let ticket = self.issue(Ticketed::inside(at));
        let entry = Entry { deadline, order, ticket };
        self.entries.push(entry);
        self.values.push(value);
        self.rise(at, entry);
        Ticket(ticket)
    }

    /// The value of an entry that is still inside.
    pub(crate) fn get_mut(&mut self, ticket: &Ticket) -> Option<&mut T> {
        self.numbered(ticket.0)
    }

    /// The same by the number of its ticket.
    pub(crate) fn numbered(&mut self, number: u32) -> Option<&mut T> {
        self.tickets[number as usize].place().map(|at| &mut self.values[at])
    }

    /// Gives a ticket back, and takes its entry out if that is still inside.
    pub(crate) fn remove(&mut self, ticket: Ticket) -> Option<T> {
        let unused = Ticketed::unused(std::mem::replace(&mut self.unused, ticket.0));
        let ticketed = std::mem::replace(&mut self.tickets[ticket.0 as usize], unused);
        let value = ticketed.place().map(|at| self.take(at).1);
        self.used -= 1;
        self.give_back();
        value
    }

    /// Takes the first entry out if its deadline is `until` or before.
    pub(crate) fn pop(&mut self, until: u64) -> Option<T> {
        if self.first()?.deadline > until {
            return None;
        }
        let (ticket, value) = self.take(0);
        self.tickets[ticket as usize] = Ticketed::OUT;
        Some(value)
    }

    fn issue(&mut self, ticketed: Ticketed) -> u32 {
        self.used += 1;
        self.look_at = self.look_at.max(self.used / 4);
        let ticket = self.unused;
        if ticket == NOWHERE {
            assert!(self.tickets.len() < NOWHERE as usize, "2 billion timers run already");
            self.tickets.push(ticketed);
            return self.tickets.len() as u32 - 1;
        }
        let unused = std::mem::replace(&mut self.tickets[ticket as usize], ticketed);
        self.unused = unused.next().expect("the chain holds unused tickets only");
        ticket
    }

    /// Takes an entry out; its ticket and value.
    fn take(&mut self, at: usize) -> (u32, T) {
        let Entry { ticket, .. } = self.entries.swap_remove(at);
        let value = self.values.swap_remove(at);
        if let Some(&moved) = self.entries.get(at)
            && self.rise(at, moved) == at
        {
            self.sink(at, moved);
        }
        let (len, capacity) = (self.entries.len(), self.entries.capacity());
        if len < capacity / 4 && capacity > Self::SMALL {
            self.entries.shrink_to(len * 2);
            self.values.shrink_to(len * 2);
        }
        (ticket, value)
    }

    /// Puts an entry at `at`, and tells the table.
    fn put(&mut self, at: usize, entry: Entry) {
        self.entries[at] = entry;
        self.tickets[entry.ticket as usize] = Ticketed::inside(at);
    }

    /// Moves the entry at `from` to `to`, whose own is about to be put elsewhere.
    fn shift(&mut self, from: usize, to: usize) {
        self.values.swap(from, to);
        self.put(to, self.entries[from]);
    }

    /// Moves the entry that is to be at `at` up to where it belongs, and tells where that is.
    fn rise(&mut self, mut at: usize, entry: Entry) -> usize {
        while at > 0 {
            let parent = (at - 1) / Self::CHILDREN;
            if !entry.is_before(&self.entries[parent]) {
                break;
            }
            self.shift(parent, at);
            at = parent;
        }
        self.put(at, entry);
        at
    }

    /// Moves the entry that is to be at `at` down to where it belongs.
    fn sink(&mut self, mut at: usize, entry: Entry) {
        loop {
            let first = at * Self::CHILDREN + 1;
            let children = first..self.entries.len().min(first + Self::CHILDREN);
            let least = children.reduce(|least, child| {
                if self.entries[child].is_before(&self.entries[least]) { child } else { least }
            });
            let Some(least) = least.filter(|&least| self.entries[least].is_before(&entry)) else {
                break;
            };
            self.shift(least, at);
            at = least;
        }
        self.put(at, entry);
    }

    /// Cuts unused tickets off the end of the table, once for each time that the use has fallen by
    /// half or more.
    fn give_back(&mut self) {
        if self.used > self.look_at || self.tickets.len() <= Self::SMALL {
            return;
        }
        self.look_at = self.used / 2;
        while self.tickets.last().is_some_and(|last| last.next().is_some()) {
            self.tickets.pop();
        }
        self.tickets.shrink_to_fit();
        self.unused = NOWHERE;
        for (at, ticketed) in self.tickets.iter_mut().enumerate().rev() {
            if ticketed.next().is_some() {
                *ticketed = Ticketed::unused(std::mem::replace(&mut self.unused, at as u32));
            }
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn equal_deadlines_come_out_in_the_order_in_which_they_went_in() {
        let mut heap = Heap::new();
        let _tickets: Vec<_> = (0..100).map(|number| heap.insert(7, number, number)).collect();
        let order: Vec<_> = std::iter::from_fn(|| heap.pop(7)).collect();
        assert_eq!(order, (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn a_ticket_outlives_its_entry_until_it_is_given_back() {
        let mut heap = Heap::new();
        let first = heap.insert(1, 0, "first");
        assert_eq!(heap.pop(0), None);
        assert_eq!(heap.pop(1), Some("first"));
        let second = heap.insert(1, 1, "second");
        assert!(heap.get_mut(&first).is_none(), "its place was not given to somebody else");
        assert_eq!(heap.get_mut(&second), Some(&mut "second"));
        assert_eq!(heap.remove(first), None);
        assert_eq!(heap.remove(second), Some("second"));
    }

    #[test]
    fn what_is_removed_gives_its_memory_back() {
        const COUNT: u64 = 1_000_000;
        let mut heap = Heap::new();
        let mut tickets: Vec<_> =
            (0..COUNT).map(|n| Some(heap.insert(n % 1000, n as u32, n))).collect();
        let full = heap.bytes();
        for (at, ticket) in tickets.iter_mut().enumerate() {
            if at % 100 != 0 {
                heap.remove(ticket.take().unwrap());
            }
        }
        assert_eq!(heap.len() as u64, COUNT / 100);
        assert!(heap.bytes() < full / 3, "{} of {full} bytes are kept", heap.bytes());
        for ticket in tickets.into_iter().flatten() {
            heap.remove(ticket);
        }
        assert!(heap.bytes() < 64 * 1024, "{} bytes are kept", heap.bytes());
    }

    impl<T> Heap<T> {
        fn bytes(&self) -> usize {
            self.entries.capacity() * size_of::<Entry>()
                + self.values.capacity() * size_of::<T>()
                + self.tickets.capacity() * size_of::<Ticketed>()
        }
    }

    #[derive(Clone, Debug)]
    enum Step {
        Insert(u64),
        Remove(usize),
        Touch(usize),
        Pop(u64),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => (0..40u64).prop_map(Step::Insert),
            3 => any::<usize>().prop_map(Step::Remove),
            1 => any::<usize>().prop_map(Step::Touch),
            2 => (0..40u64).prop_map(Step::Pop),
        ]
    }

    proptest! {
        /// Beside the heap runs a sorted map; after each step both tell the same.
        #[test]
        fn a_heap_behaves_like_a_sorted_map(steps in prop::collection::vec(step(), 0..600)) {
            let mut heap = Heap::new();
            let mut model = BTreeMap::new();
            let mut held: Vec<(Ticket, (u64, u64))> = Vec::new();
            for (number, step) in (0u64..).zip(steps) {
                match step {
                    Step::Insert(deadline) => {
                        let ticket = heap.insert(deadline, number as u32, number);
                        held.push((ticket, (deadline, number)));
                        model.insert((deadline, number), number);
                    }
                    Step::Remove(at) if !held.is_empty() => {
                        let (ticket, key) = held.swap_remove(at % held.len());
                        prop_assert_eq!(heap.remove(ticket), model.remove(&key));
                    }
                    Step::Touch(at) if !held.is_empty() => {
                        let (ticket, key) = &held[at % held.len()];
                        prop_assert_eq!(heap.get_mut(ticket), model.get_mut(key));
                    }
                    Step::Pop(until) => {
                        let due = model.first_entry().filter(|first| first.key().0 <= until);
                        prop_assert_eq!(heap.pop(until), due.map(|first| first.remove()));
                    }
                    Step::Remove(_) | Step::Touch(_) => {}
                }
                prop_assert_eq!(heap.len(), model.len());
                let first = heap.first().map(|entry| entry.deadline);
                prop_assert_eq!(first, model.keys().next().map(|key| key.0));
            }
            for (ticket, key) in held {
                prop_assert_eq!(heap.remove(ticket), model.remove(&key));
            }
            prop_assert_eq!(heap.len(), 0);
            prop_assert_eq!(heap.used, 0);
        }
    }
}
