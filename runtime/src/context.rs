//! Which runtime is running on this thread.
//!
//! `spawn`, `sleep` and wakers find their executor here. A runtime is current only while its loop
//! runs, so that a waker used in between goes through the inbox like one from another thread.

use std::cell::{Cell, RefCell};
use std::marker::PhantomData;
use std::mem::{self, ManuallyDrop};
use std::rc::Rc;
use std::sync::Arc;

use wakering_ring_driver::Entered;

use crate::executor::Executor;
use crate::home::{AtHome, Home, HomeKey};
use crate::node::Nodes;
use crate::task::{Id, TaskRef};

thread_local! {
    /// There is none between runs, so that nothing is leaked. Without a destructor it outlives what
    /// the thread has of its own, which may be a runtime.
    static CURRENT: RefCell<ManuallyDrop<Option<Rc<Executor>>>> =
        const { RefCell::new(ManuallyDrop::new(None)) };
    /// Apart, because it is asked for by every spawn, and needs no look at an executor.
    static RUNNING: Cell<Option<Id>> = const { Cell::new(None) };
}

/// Where a wake comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// This thread, while the task's runtime runs.
    Here,
    /// Anywhere else.
    Afar,
}

/// Keeps an executor current, and its driver with it, until it is dropped.
pub(crate) struct Context {
    // Dropped in this order: the last owner of an executor may run foreign code, whose wakes are
    // queued with what is current only if that is home.
    _at_home: AtHome,
    _entered: Entered,
    _current: Current,
}

/// Keeps an executor current.
struct Current {
    outer: Option<Rc<Executor>>,
    _on_this_thread: PhantomData<*const ()>,
}

/// Makes `executor` current.
pub(crate) fn enter(executor: &Rc<Executor>) -> Context {
    let outer = CURRENT.with_borrow_mut(|current| current.replace(executor.clone()));
    let (_at_home, _entered) = (executor.key().enter(), executor.driver().enter());
    let _current = Current { outer, _on_this_thread: PhantomData };
    Context { _at_home, _entered, _current }
}

impl Drop for Current {
    fn drop(&mut self) {
        let outer = self.outer.take();
        let ended = CURRENT.with_borrow_mut(|current| mem::replace(&mut **current, outer));
        // Dropped only here: the last owner of an executor may run foreign code.
        drop(ended);
    }
}

/// The executor that is current, if any.
pub(crate) fn current() -> Option<Rc<Executor>> {
    CURRENT.with_borrow(|current| Option::clone(current))
}

/// The task that is being polled on this thread, if any.
pub(crate) fn running() -> Option<Id> {
    RUNNING.get()
}

/// Says which task is polled from now on; returns which one was.
pub(crate) fn set_running(task: Option<Id>) -> Option<Id> {
    RUNNING.replace(task)
}

/// The executor that is current, for those who cannot do without.
///
/// # Panics
/// If there is none.
#[track_caller]
pub(crate) fn expect(purpose: &str) -> Rc<Executor> {
    match current() {
        Some(executor) => executor,
        None => refuse(purpose),
    }
}

/// Does something with it that runs no foreign code.
///
/// # Panics
/// If there is none.
#[track_caller]
#[inline]
pub(crate) fn with<R>(purpose: &str, act: impl FnOnce(&Executor) -> R) -> R {
    match CURRENT.with_borrow(|current| current.as_ref().map(|executor| act(executor))) {
        Some(done) => done,
        None => refuse(purpose),
    }
}

#[track_caller]
#[cold]
fn refuse(purpose: &str) -> ! {
    panic!(
        "cannot {purpose} on a thread that is not running a runtime; do it in a future given to \
         `run` or `Runtime::block_on`, or through a `Handle`"
    )
}

/// Refuses to block a thread that is running tasks.
///
/// # Panics
/// If a runtime is running on this thread.
#[track_caller]
pub(crate) fn assert_may_block(what: &str) {
    assert!(
        current().is_none(),
        "cannot call `{what}` on a thread that is running tasks, because it would stop them all; \
         await the future, or `spawn` it"
    );
}

/// Puts a woken task into the run queue of the current executor, which is its own.
#[inline]
pub(crate) fn queue(task: TaskRef, from: Origin) {
    CURRENT.with_borrow(|current| {
        if let Some(executor) = &**current {
            debug_assert!(executor.is_home_of(&task), "a task is queued at home");
            executor.push_woken(task, from);
        }
    });
}

/// Does something with the key of the current executor's home.
#[inline]
pub(crate) fn with_key<R>(act: impl FnOnce(&HomeKey) -> R) -> Option<R> {
    CURRENT.with_borrow(|current| current.as_ref().map(|executor| act(executor.key())))
}

/// Takes in a task that was made on another thread. Without its executor nothing happens.
pub(crate) fn adopt(task: &TaskRef) {
    if let Some(executor) = current().filter(|executor| executor.is_home_of(task)) {
        executor.adopt(task);
    }
}

/// The executor of `home`, if it is current.
pub(crate) fn current_of(home: &Arc<Home>) -> Option<Rc<Executor>> {
    current().filter(|executor| Arc::ptr_eq(executor.home(), home))
}

/// Whether the runtime that keeps `nodes` is current.
pub(crate) fn is_among(nodes: &Rc<Nodes>) -> bool {
    CURRENT.with_borrow(|current| {
        current.as_ref().is_some_and(|executor| Rc::ptr_eq(executor.nodes(), nodes))
    })
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::future::pending;
    use std::panic::Location;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::task::{Context, Wake, Waker};
    use std::time::Duration;

    use wakering_ring_driver::Driver;

    use super::*;
    use crate::home;
    use crate::task::TaskInfo;

    /// Says whether its thread took itself for this home when it was dropped.
    struct Looks(Arc<Home>, Arc<AtomicBool>);

    impl Wake for Looks {
        fn wake(self: Arc<Self>) {}
    }

    impl Drop for Looks {
        fn drop(&mut self) {
            self.1.store(home::is_here(&self.0), Ordering::Relaxed);
        }
    }

    /// Given an executor that is current and that nobody else owns; when the context ends; then the
    /// foreign code that goes with it finds itself elsewhere.
    #[test]
    fn what_ends_with_a_context_is_not_at_home_any_more() {
        let (driver, _memory) = Driver::memory().unwrap();
        let (told, watch) = (Arc::new(|_: &_| {}), None);
        let executor = Executor::new(driver, Duration::ZERO, Arc::new(|_| {}), told, watch);
        let executor = Rc::new(executor);
        let is_here = Arc::new(AtomicBool::new(true));
        let waker = Waker::from(Arc::new(Looks(executor.home().clone(), is_here.clone())));
        let info = || TaskInfo::new(None, Location::caller());
        drop(executor.spawn(info, pending::<()>()));
        let context = enter(&executor);
        assert!(executor.poll_empty(&mut Context::from_waker(&waker)).is_pending());
        drop((executor, waker));
        drop(context);
        assert!(!is_here.load(Ordering::Relaxed));
    }
}
