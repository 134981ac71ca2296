//! The tasks of a runtime that are not over, each in a slot of its own.
//!
//! A slot outlives who is in it. With it stays the account of those for whom the runtime answers:
//! as long as nothing is charged to it, it serves whoever comes next, who finds both in one place.

use wakering_ring_driver::AccountId;

use crate::task::TaskRef;

/// Tasks by slot.
pub(crate) struct Roster {
    slots: Vec<Slot>,
    /// The first of those that are vacant.
    vacant: u32,
    len: usize,
}

struct Slot {
    task: Option<TaskRef>,
    /// That of the runtime itself stands for none.
    account: AccountId,
    /// While it is vacant: the one that is vacant beside it.
    next: u32,
}

/// No slot has this number.
const NONE: u32 = u32::MAX;

impl Roster {
    /// Gives `task` a slot; which, and the account that was left there.
    #[inline]
    pub(crate) fn insert(&mut self, task: TaskRef) -> (u32, Option<AccountId>) {
        self.len += 1;
        let number = self.vacant;
        let Some(slot) = self.slots.get_mut(number as usize) else {
            return (self.add(task), None);
        };
        self.vacant = slot.next;
        slot.task = Some(task);
        (number, (slot.account != AccountId::ROOT).then_some(slot.account))
    }

    #[cold]
    fn add(&mut self, task: TaskRef) -> u32 {
        let number = self.slots.len() as u32;
        self.slots.push(Slot { task: Some(task), account: AccountId::ROOT, next: NONE });
        number
    }

    /// Takes the task out of its slot.
    ///
    /// # Panics
    /// If there is none.
    #[inline]
    pub(crate) fn remove(&mut self, number: u32) -> TaskRef {
        let slot = &mut self.slots[number as usize];
        let task = slot.task.take().expect("a task leaves its slot once");
        slot.next = self.vacant;
        self.vacant = number;
        self.len -= 1;
        task
    }

    pub(crate) fn get(&self, number: u32) -> Option<&TaskRef> {
        self.slots.get(number as usize)?.task.as_ref()
    }

    /// Each with its slot.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &TaskRef)> {
        self.iter_from(0)
    }

    /// Each from slot `first` on, with its slot.
    pub(crate) fn iter_from(&self, first: u32) -> impl Iterator<Item = (u32, &TaskRef)> {
        let slots = (first..).zip(self.slots.get(first as usize..).unwrap_or_default());
        slots.filter_map(|(number, slot)| Some((number, slot.task.as_ref()?)))
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether `account` is that which stays with the slot.
    #[inline]
    pub(crate) fn keeps(&self, number: u32, account: AccountId) -> bool {
        self.slots[number as usize].account == account
    }

    /// Lets `account` stay with the slot.
    pub(crate) fn keep(&mut self, number: u32, account: AccountId) {
        self.slots[number as usize].account = account;
    }

    /// The account stays no longer.
    pub(crate) fn forget(&mut self, number: u32) {
        self.keep(number, AccountId::ROOT);
    }
}

impl Default for Roster {
    fn default() -> Roster {
        Roster { slots: Vec::new(), vacant: NONE, len: 0 }
    }
}
