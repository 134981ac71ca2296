//! Futures that are polled beside each other inside one: each only when it was woken itself.
//!
//! Scopes, gathering and racing are made of this. A member may add others while it is polled.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;

use slab::Slab;

/// A set of futures, each boxed or otherwise free to move.
pub(crate) struct Members<F> {
    ready: Arc<Ready>,
    members: RefCell<Slab<Member<F>>>,
    /// How many were ready when the present round began and have not had their turn.
    round: Cell<usize>,
    /// How many members there have been.
    count: Cell<u64>,
}

struct Member<F> {
    /// Absent while it is polled.
    future: Option<F>,
    bell: Arc<Bell>,
}

/// Whose turn it is.
#[derive(Debug, Default)]
struct Ready(Mutex<Queue>);

#[derive(Debug, Default)]
struct Queue {
    woken: VecDeque<Name>,
    /// Whoever polls the set, unless they have been told already.
    poller: Option<Waker>,
}

/// Which member: its place, and its number, since others have been in that place before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Name {
    index: usize,
    number: u64,
}

/// Puts one member among those whose turn it is.
#[derive(Debug)]
struct Bell {
    ready: Arc<Ready>,
    name: Name,
    /// Whether it is among them.
    rung: AtomicBool,
}

impl<F: Future + Unpin> Members<F> {
    pub(crate) fn new() -> Members<F> {
        Members {
            ready: Arc::default(),
            members: RefCell::default(),
            round: Cell::new(0),
            count: Cell::new(0),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.members.borrow().len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.members.borrow().is_empty()
    }

    /// Adds a member, whose turn comes after those that are ready.
    pub(crate) fn insert(&self, future: F) {
        let mut members = self.members.borrow_mut();
        let entry = members.vacant_entry();
        let name = Name { index: entry.key(), number: self.count.get() };
        self.count.set(name.number + 1);
        let bell = Bell { ready: self.ready.clone(), name, rung: AtomicBool::new(true) };
        entry.insert(Member { future: Some(future), bell: Arc::new(bell) });
        drop(members);
        self.ready.push(name);
    }

    /// Those that have not completed.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut F> {
        let members = self.members.get_mut().iter_mut();
        members.filter_map(|(_, member)| member.future.as_mut())
    }

    /// Lets everybody have a turn.
    pub(crate) fn wake_all(&self) {
        let bells: Vec<_> = self.members.borrow().iter().map(|(_, m)| m.bell.clone()).collect();
        for bell in bells {
            bell.wake();
        }
    }

    /// The output of a member that has completed; `None` if there are no members.
    ///
    /// Everybody who is ready has one turn before it is pending, so that a member that is always
    /// ready keeps nobody else waiting, outside of the set neither.
    pub(crate) fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Option<F::Output>> {
        if self.round.get() == 0 {
            self.round.set(self.ready.len());
        }
        while self.round.get() > 0 {
            let Some(name) = self.ready.pop() else { break };
            self.round.update(|left| left - 1);
            if let Some(output) = self.poll_member(name) {
                return Poll::Ready(Some(output));
            }
        }
        self.round.set(0);
        if self.is_empty() {
            return Poll::Ready(None);
        }
        self.ready.leave(cx.waker());
        Poll::Pending
    }

    fn poll_member(&self, name: Name) -> Option<F::Output> {
        let (mut future, bell) = {
            let mut members = self.members.borrow_mut();
            let member = members.get_mut(name.index).filter(|m| m.bell.name == name)?;
            (member.future.take()?, member.bell.clone())
        };
        // Cleared before the poll: a wake during the poll counts. One that came before finds it set
        // and does nothing more; so this also takes in what that somebody has written.
        bell.rung.swap(false, Ordering::AcqRel);
        let waker = Waker::from(bell);
        let polled = std::pin::Pin::new(&mut future).poll(&mut Context::from_waker(&waker));
        let mut members = self.members.borrow_mut();
        let member = members.get_mut(name.index).filter(|m| m.bell.name == name);
        match polled {
            Poll::Ready(output) => {
                if member.is_some() {
                    members.remove(name.index);
                }
                drop(members);
                drop(future);
                Some(output)
            }
            Poll::Pending => {
                if let Some(member) = member {
                    member.future = Some(future);
                } else {
                    drop(members);
                    drop(future);
                }
                None
            }
        }
    }
}

impl<F: Future + Unpin> FromIterator<F> for Members<F> {
    fn from_iter<I: IntoIterator<Item = F>>(futures: I) -> Members<F> {
        let members = Members::new();
        for future in futures {
            members.insert(future);
        }
        members
    }
}

impl Ready {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn len(&self) -> usize {
        self.lock().woken.len()
    }

    fn pop(&self) -> Option<Name> {
        self.lock().woken.pop_front()
    }

    /// Adds somebody who is not among them, and tells whoever polls.
    fn push(&self, name: Name) {
        let poller = {
            let mut queue = self.lock();
            queue.woken.push_back(name);
            queue.poller.take()
        };
        if let Some(poller) = poller {
            poller.wake();
        }
    }

    /// Has `poller` told of the next wake, at once if there was one already.
    fn leave(&self, poller: &Waker) {
        let known = self.lock().poller.take_if(|known| !known.will_wake(poller));
        // Foreign code, which is not run under the lock.
        drop(known);
        let mut own = Some(poller.clone());
        {
            let mut queue = self.lock();
            if queue.woken.is_empty() {
                std::mem::swap(&mut queue.poller, &mut own);
                return;
            }
        }
        if let Some(own) = own {
            own.wake();
        }
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.rung.swap(true, Ordering::AcqRel) {
            self.ready.push(self.name);
        }
    }
}

impl<F> Drop for Members<F> {
    fn drop(&mut self) {
        // Wakers may outlive the set, and are for nobody then.
        let left = std::mem::take(&mut *self.ready.lock());
        drop(left);
        // One by one: were two to panic in one drop, that would be the end of the process.
        let mut first = None;
        for member in self.members.get_mut().drain() {
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| drop(member))) {
                first.get_or_insert(panic);
            }
        }
        if let Some(panic) = first.filter(|_| !thread::panicking()) {
            resume_unwind(panic);
        }
    }
}

#[cfg(test)]
mod tests;
