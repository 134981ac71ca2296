//! Groups: children that are tasks of their own, and over when the group is.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;

use wakering_ring_driver::{AccountId, Instant, Orphans};

use self::roll::Open;
use super::failures::{Failure, Failures};
use super::{ScopeError, TaskInfo};
use crate::account::Account;
use crate::conduct::{Conduct, Ended};
use crate::context;
use crate::node::Kind;
use crate::sync::local::Semaphore;
use crate::time::Sleep;

/// A child as the task that it is.
mod child;
/// A child as whoever spawned it sees it.
mod handle;
/// Who belongs to it.
mod roll;
/// How children get into it.
mod spawn;
/// Children that say when they are ready.
mod start;

pub use handle::TaskHandle;
pub use start::{Ready, StartError};

pub(crate) use roll::{Roll, Seat};

/// Runs `body` and the children that it spawns, each child a task, and returns when all of them are
/// over.
///
/// The first error, of `body` or of a child, ends all of them: their futures are dropped, and what
/// they left in the kernel is waited for; then the error comes out, with those that came after it.
/// So does a panic. Use [`scope`](super::scope()) for children that borrow.
///
/// ```
/// use std::{future::pending, io};
/// use wakering_runtime::{run, task};
///
/// run(async {
///     let sum = task::group(async |group| {
///         let one = group.spawn(async { Ok::<_, io::Error>(1) });
///         let two = group.spawn(async { Ok(2) });
///         Ok(one.await? + two.await?)
///     })
///     .await;
///     assert_eq!(sum.unwrap(), 3);
///
///     let error = task::group(async |group| {
///         group.spawn(async { Err::<(), _>(io::Error::other("no luck")) });
///         pending::<io::Result<()>>().await
///     })
///     .await
///     .unwrap_err();
///     assert_eq!(error.first.to_string(), "no luck");
/// });
/// ```
///
/// # Errors
/// [`ScopeError`] with the first error of body and children, and the others.
///
/// # Panics
/// If the body or a child does. And on a thread that is not running a runtime.
///
/// # Cancellation
/// **Weak.** Body and children are cancelled. Whoever drops the group waits for them, and for what
/// they left in the kernel.
pub async fn group<R, E, F>(body: F) -> Result<R, ScopeError<E>>
where
    E: 'static,
    F: AsyncFnOnce(&TaskGroup<E>) -> Result<R, E>,
{
    let executor = context::expect("open a group");
    let account = Account::open(&executor, Kind::Group);
    let group = TaskGroup(Rc::new(Shared {
        account: account.id(),
        roll: Rc::new(Roll::new(executor)),
        failures: Failures::none(),
        deadline: Cell::new(None),
        is_supervisor: Cell::new(false),
        limit: RefCell::default(),
        stopped: Cell::new(false),
    }));
    // Dropped with this future, before the account closes.
    let _open = Open(&group.0.roll);
    let mut body = pin!(Conduct::new(body(&group)));
    finish(&account, &group, body.as_mut()).await
}

/// Polls the body to its end, and waits for the children.
async fn finish<R, E: 'static>(
    account: &Account,
    group: &TaskGroup<E>,
    mut body: Pin<&mut Conduct<impl Future<Output = Result<R, E>>>>,
) -> Result<R, ScopeError<E>> {
    let shared = &*group.0;
    let is_stopped = || shared.stopped.get();
    let mut output = None;
    let mut is_running = true;
    let mut timer = Sleep::new(None);
    poll_fn(|cx| {
        shared.roll.owner.set(Some(cx.waker().clone()));
        if is_running && let Poll::Ready(ended) = body.as_mut().poll_unless(account, cx, is_stopped)
        {
            is_running = false;
            match ended {
                Ended::Returned(Ok(value)) => output = Some(value),
                Ended::Returned(Err(error)) => shared.fail(Failure::Error(error)),
                Ended::Panicked(panic) => shared.fail(Failure::Panic(panic)),
                Ended::Stopped => {}
            }
        }
        let deadline = shared.deadline.get();
        if deadline != timer.deadline() {
            timer.set(deadline);
        }
        if !group.is_cancelled() && Pin::new(&mut timer).poll(cx).is_ready() {
            group.cancel();
        }
        if is_running || shared.roll.len() > 0 { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
    shared.roll.is_over.set(true);
    account.drain(Orphans::All).await;
    shared.failures.outcome(output)
}

/// Where the children of a [`group`] are spawned. Clones are handles on the same group, and may be
/// moved into its children.
///
/// ```
/// use std::io;
/// use wakering_runtime::{run, task};
///
/// let total = run(task::group(async |group| {
///     let inner = group.clone();
///     let child = group.spawn(async move {
///         let grandchild = inner.spawn(async { Ok::<_, io::Error>(1) });
///         Ok(grandchild.await? + 1)
///     });
///     Ok(child.await?)
/// }));
/// assert_eq!(total.unwrap(), 2);
/// ```
pub struct TaskGroup<E>(Rc<Shared<E>>);

struct Shared<E> {
    account: AccountId,
    roll: Rc<Roll>,
    failures: Failures<E>,
    deadline: Cell<Option<Instant>>,
    is_supervisor: Cell<bool>,
    /// As many permits as children may have begun, if that is limited.
    limit: RefCell<Option<Rc<Semaphore>>>,
    /// Whether the body is to end.
    stopped: Cell<bool>,
}

impl<E> Shared<E> {
    /// A child has returned an error.
    fn failed(&self, error: E) {
        match self.is_supervisor.get() {
            true => self.failures.add(Failure::Error(error)),
            false => self.fail(Failure::Error(error)),
        }
    }

    fn fail(&self, failure: Failure<E>) {
        self.failures.add(failure);
        self.stopped.set(true);
        self.roll.cancel();
    }
}

impl<E: 'static> TaskGroup<E> {
    /// Waits for the next child to be over, and tells which it was. `None` when there is none left.
    ///
    /// From the first call on, children that end are remembered until this tells of them.
    ///
    /// ```
    /// use std::io;
    /// use wakering_runtime::{run, task};
    ///
    /// run(task::group(async |group| {
    ///     let slow = group.spawn(async { task::yield_now().await; Ok::<_, io::Error>(()) });
    ///     let quick = group.spawn(async { Ok(()) });
    ///     assert_eq!(group.next().await.unwrap().id(), quick.id());
    ///     assert_eq!(group.next().await.unwrap().id(), slow.id());
    ///     assert!(group.next().await.is_none());
    ///     Ok(())
    /// }))
    /// .unwrap();
    /// ```
    ///
    /// # Cancellation
    /// **Strict.**
    pub async fn next(&self) -> Option<TaskInfo> {
        let roll = &self.0.roll;
        roll.ended.borrow_mut().get_or_insert_default();
        poll_fn(|cx| {
            if let Some(info) = roll.ended.borrow_mut().as_mut().and_then(VecDeque::pop_front) {
                return Poll::Ready(Some(info));
            }
            if roll.len() == 0 {
                return Poll::Ready(None);
            }
            roll.watch(cx);
            Poll::Pending
        })
        .await
    }

    /// Cancels the children that there are and that are still to be spawned. The body goes on, and
    /// decides what the group returns; [`cancelled`](TaskGroup::cancelled) tells it.
    ///
    /// ```
    /// use std::{future::pending, io};
    /// use wakering_runtime::{run, task};
    ///
    /// let output = run(task::group(async |group| {
    ///     group.spawn(pending::<io::Result<()>>());
    ///     group.cancel();
    ///     Ok(42)
    /// }));
    /// assert_eq!(output.unwrap(), 42);
    /// ```
    pub fn cancel(&self) {
        self.0.roll.cancel();
    }

    /// Waits until the group is cancelled: by [`cancel`](TaskGroup::cancel), by its deadline or by
    /// a failure.
    ///
    /// ```
    /// use std::io;
    /// use wakering_runtime::{run, task};
    ///
    /// run(task::group(async |group| {
    ///     let inner = group.clone();
    ///     group.spawn(async move { Ok::<_, io::Error>(inner.cancel()) });
    ///     group.cancelled().await;
    ///     assert!(group.is_cancelled());
    ///     Ok(())
    /// }))
    /// .unwrap();
    /// ```
    ///
    /// # Cancellation
    /// **Strict.**
    pub async fn cancelled(&self) {
        let roll = &self.0.roll;
        poll_fn(|cx| match roll.is_cancelled.get() {
            true => Poll::Ready(()),
            false => {
                roll.watch(cx);
                Poll::Pending
            }
        })
        .await;
    }

    /// Whether the group was cancelled.
    ///
    /// ```
    /// use std::io;
    /// use wakering_runtime::{run, task};
    ///
    /// run(task::group(async |group| {
    ///     assert!(!group.is_cancelled());
    ///     Ok::<_, io::Error>(())
    /// }))
    /// .unwrap();
    /// ```
    pub fn is_cancelled(&self) -> bool {
        self.0.roll.is_cancelled.get()
    }

    /// Has the group cancelled at `deadline`, instead of an earlier wish.
    ///
    /// ```
    /// use std::{future::pending, io, time::Duration};
    /// use wakering_runtime::{run, task, time::Instant};
    ///
    /// run(task::group(async |group| {
    ///     group.set_deadline(Instant::now() + Duration::from_millis(1));
    ///     let child = group.spawn(pending::<io::Result<()>>());
    ///     assert!(child.await.is_err());
    ///     Ok(())
    /// }))
    /// .unwrap();
    /// ```
    pub fn set_deadline(&self, deadline: Instant) {
        let Shared { account, roll, .. } = &*self.0;
        if !roll.is_over.get() {
            roll.executor.nodes().set_deadline(*account, Some(deadline));
        }
        self.0.deadline.set(Some(deadline));
        roll.tell_owner();
    }

    /// Lets the group go on when a child fails. Errors are kept until the end, when the group
    /// returns them.
    ///
    /// ```
    /// use std::io;
    /// use wakering_runtime::{run, task};
    ///
    /// let error = run(task::group(async |group| {
    ///     group.supervisor();
    ///     group.spawn(async { Err::<(), _>(io::Error::other("one of many")) });
    ///     assert_eq!(group.spawn(async { Ok(42) }).await?, 42);
    ///     Ok(())
    /// }))
    /// .unwrap_err();
    /// assert_eq!(error.first.to_string(), "one of many");
    /// ```
    pub fn supervisor(&self) -> &Self {
        self.0.is_supervisor.set(true);
        self
    }

    /// Lets at most `n` children run at a time. Those that are spawned beyond that wait for their
    /// turn, first come, first served; [`room`](TaskGroup::room) lets the spawner wait instead.
    /// Children that were spawned before do not count.
    ///
    /// ```
    /// use std::{cell::Cell, io, rc::Rc};
    /// use wakering_runtime::{run, task};
    ///
    /// let (running, most) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
    /// run(task::group(async |group| {
    ///     group.max_tasks(2);
    ///     for _ in 0..10 {
    ///         let (running, most) = (running.clone(), most.clone());
    ///         group.spawn(async move {
    ///             running.set(running.get() + 1);
    ///             most.set(most.get().max(running.get()));
    ///             task::yield_now().await;
    ///             running.set(running.get() - 1);
    ///             Ok::<_, io::Error>(())
    ///         });
    ///     }
    ///     Ok(())
    /// }))
    /// .unwrap();
    /// assert_eq!(most.get(), 2);
    /// ```
    ///
    /// # Panics
    /// If `n` is 0: nobody would ever run.
    #[track_caller]
    pub fn max_tasks(&self, n: usize) -> &Self {
        assert!(n > 0, "a group in which no task may run would never end; allow at least one");
        *self.0.limit.borrow_mut() = Some(Rc::new(Semaphore::new(n)));
        self
    }

    /// Waits until a child that is spawned now would run at once, which is at once where there is
    /// no [limit](TaskGroup::max_tasks).
    ///
    /// ```
    /// use std::io;
    /// use wakering_runtime::{run, task};
    ///
    /// run(task::group(async |group| {
    ///     group.max_tasks(2);
    ///     for _ in 0..10 {
    ///         group.room().await;
    ///         assert!(group.len() < 3);
    ///         group.spawn(async { Ok::<_, io::Error>(task::yield_now().await) });
    ///     }
    ///     Ok(())
    /// }))
    /// .unwrap();
    /// ```
    ///
    /// # Cancellation
    /// **Strict.**
    pub async fn room(&self) {
        let limit = self.0.limit.borrow().clone();
        if let Some(limit) = limit {
            drop(limit.acquire().await);
        }
    }

    /// How many children are not over.
    ///
    /// ```
    /// use std::io;
    /// use wakering_runtime::{run, task};
    ///
    /// run(task::group(async |group| {
    ///     group.spawn(async { Ok::<_, io::Error>(()) });
    ///     assert_eq!(group.len(), 1);
    ///     Ok(())
    /// }))
    /// .unwrap();
    /// ```
    pub fn len(&self) -> usize {
        self.0.roll.len()
    }

    /// Whether all children are over.
    ///
    /// ```
    /// use std::io;
    /// use wakering_runtime::{run, task};
    ///
    /// run(task::group(async |group| Ok::<_, io::Error>(assert!(group.is_empty())))).unwrap();
    /// ```
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<E> Clone for TaskGroup<E> {
    fn clone(&self) -> TaskGroup<E> {
        TaskGroup(self.0.clone())
    }
}

impl<E> fmt::Debug for TaskGroup<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskGroup")
            .field("children", &self.0.roll.len())
            .field("is_cancelled", &self.0.roll.is_cancelled.get())
            .finish_non_exhaustive()
    }
}
