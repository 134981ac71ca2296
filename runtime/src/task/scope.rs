//! Scopes: futures that run beside each other inside one task, may borrow, and are over when the
//! scope is.

use std::cell::{Cell, OnceCell};
use std::convert::Infallible;
use std::fmt;
use std::future::{Future, poll_fn};
use std::marker::PhantomData;
use std::ops::Deref;
use std::pin::{Pin, pin};
use std::rc::{Rc, Weak};
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use wakering_ring_driver::Orphans;

use self::child::ScopeChild;
use self::handle::Outcome;
use super::failures::{Failure, Failures};
use super::members::Members;
use super::{ChildError, ScopeError};
use crate::account::Account;
use crate::conduct::{Conduct, Ended};
use crate::context;
use crate::executor::Executor;
use crate::node::Kind;

/// A child as the scope polls it.
mod child;
/// A child as whoever spawned it sees it.
mod handle;

pub use handle::ChildHandle;

/// Runs `body` and the children that it spawns beside each other, and returns when all of them are
/// over.
///
/// Children live inside this future: they run in the same task, need not be `'static`, and may
/// borrow whatever outlives the scope. When `scope` returns, no child runs and the kernel has
/// nothing of them. A panic of a child or of the body ends the others, and comes out of `scope`
/// once they are over.
///
/// ```
/// use std::{cell::Cell, time::Duration};
/// use wakering_runtime::{run, task, time::sleep};
///
/// run(async {
///     let done = Cell::new(0);
///     let answer = task::scope(async |scope| {
///         for _ in 0..3 {
///             scope.spawn(async {
///                 sleep(Duration::from_millis(1)).await;
///                 done.set(done.get() + 1);
///             });
///         }
///         42
///     })
///     .await;
///     assert_eq!((answer, done.get()), (42, 3));
/// });
/// ```
///
/// What would make that unsound does not compile: a child that borrows from the body, which may end
/// before it,
///
/// ```compile_fail,E0716
/// use wakering_runtime::{run, task};
///
/// run(task::scope(async |scope| {
///     let local = &String::from("gone when the body returns");
///     scope.spawn(async move { local.len() });
/// }));
/// ```
///
/// a reference to the scope that leaves it,
///
/// ```compile_fail
/// use wakering_runtime::{run, task};
///
/// let mut escaped = None;
/// run(task::scope(async |scope| escaped = Some(scope)));
/// ```
///
/// and another thread.
///
/// ```compile_fail,E0277
/// fn travels<T: Send>() {}
/// travels::<wakering_runtime::task::Scope<'static, 'static>>();
/// ```
///
/// # Panics
/// If the body or a child does. And on a thread that is not running a runtime.
///
/// # Cancellation
/// **Weak.** Body and children are dropped; what they leave in the kernel is waited for by whoever
/// drops the scope.
pub async fn scope<'env, R, F>(body: F) -> R
where
    F: for<'scope> AsyncFnOnce(&'scope Scope<'scope, 'env>) -> R,
{
    let scope = Scope(TryScope::new());
    let children = Rc::new(Members::new());
    let _ = scope.0.children.set(Rc::downgrade(&children));
    let account = Account::open(&scope.0.state.executor, Kind::Scope);
    let mut body = pin!(Conduct::new(Infallibly { body: body(&scope) }));
    match finish(&account, &children, &scope.0.state, body.as_mut()).await {
        Ok(output) => output,
        Err(error) => match error.first {},
    }
}

/// Runs `body` and the children that it spawns beside each other; the first error ends all of them.
///
/// Like [`scope`], for children that may fail: when the body or a child returns an error, body and
/// children are dropped and what they left in the kernel is waited for; then the error comes out,
/// with those that came after it.
///
/// ```
/// use std::{future::pending, io};
/// use wakering_runtime::{run, task};
///
/// run(async {
///     let error = task::try_scope(async |scope| {
///         scope.spawn(pending::<io::Result<()>>());
///         scope.spawn(async { Err::<(), _>(io::Error::other("no luck")) });
///         pending::<io::Result<()>>().await
///     })
///     .await
///     .unwrap_err();
///     assert_eq!(error.first.to_string(), "no luck");
///     assert!(error.suppressed.is_empty());
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
/// **Weak.** Body and children are dropped; what they leave in the kernel is waited for by whoever
/// drops the scope.
pub async fn try_scope<'env, R, E, F>(body: F) -> Result<R, ScopeError<E>>
where
    F: for<'scope> AsyncFnOnce(&'scope TryScope<'scope, 'env, E>) -> Result<R, E>,
{
    let scope = TryScope::new();
    let children = Rc::new(Members::new());
    let _ = scope.children.set(Rc::downgrade(&children));
    let account = Account::open(&scope.state.executor, Kind::Scope);
    let mut body = pin!(Conduct::new(body(&scope)));
    finish(&account, &children, &scope.state, body.as_mut()).await
}

pin_project! {
    /// A future that cannot fail, as one that could.
    struct Infallibly<F> {
        #[pin]
        body: F,
    }
}

impl<F: Future> Future for Infallibly<F> {
    type Output = Result<F::Output, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().body.poll(cx).map(Ok)
    }
}

/// Polls body and children to their ends.
async fn finish<R, E>(
    account: &Account,
    children: &Members<Child<'_>>,
    state: &State<E>,
    mut body: Pin<&mut Conduct<impl Future<Output = Result<R, E>>>>,
) -> Result<R, ScopeError<E>> {
    let is_stopped = || state.stopped.get();
    let mut output = None;
    let mut running = true;
    poll_fn(|cx| {
        if running && let Poll::Ready(ended) = body.as_mut().poll_unless(account, cx, is_stopped) {
            running = false;
            match ended {
                Ended::Returned(Ok(value)) => output = Some(value),
                Ended::Returned(Err(error)) => state.fail(Failure::Error(error), children),
                Ended::Panicked(panic) => state.fail(Failure::Panic(panic), children),
                Ended::Stopped => {}
            }
        }
        let was_stopped = is_stopped();
        // As many as there are, so that those whom children spawn for ever keep nobody waiting.
        let mut are_waiting = children.is_empty();
        for _ in 0..children.len() {
            are_waiting = account.charge(|| children.poll_next(cx)).is_pending();
            if are_waiting {
                break;
            }
        }
        if !running && children.is_empty() {
            return Poll::Ready(());
        }
        let must_stop = running && is_stopped() != was_stopped;
        if must_stop || !are_waiting && !children.is_empty() {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    })
    .await;
    account.drain(Orphans::All).await;
    state.failures.outcome(output)
}

/// A child, which keeps its outcome itself.
type Child<'scope> = Pin<Box<dyn Future<Output = ()> + 'scope>>;

/// Where the children of [`try_scope`] are spawned.
///
/// ```
/// use wakering_runtime::{run, task};
///
/// run(async {
///     let text = String::from("borrowed");
///     let length = task::try_scope(async |scope| {
///         let child = scope.spawn(async { Ok::<_, std::fmt::Error>(text.len()) });
///         Ok(child.await.expect("it neither fails nor is cancelled"))
///     })
///     .await;
///     assert_eq!(length.unwrap(), 8);
/// });
/// ```
pub struct TryScope<'scope, 'env: 'scope, E> {
    /// Weak, so that the children may borrow this.
    children: OnceCell<Weak<Members<Child<'scope>>>>,
    state: Rc<State<E>>,
    _invariant: PhantomData<(&'scope mut &'scope (), &'env mut &'env ())>,
}

/// What body and children of one scope share.
struct State<E> {
    executor: Rc<Executor>,
    cancelled: Cell<bool>,
    /// Whether the body is to end.
    stopped: Cell<bool>,
    failures: Failures<E>,
}

impl<E> State<E> {
    fn fail(&self, failure: Failure<E>, children: &Members<Child<'_>>) {
        self.failures.add(failure);
        self.stopped.set(true);
        self.cancel(children);
    }

    fn cancel(&self, children: &Members<Child<'_>>) {
        if !self.cancelled.replace(true) {
            children.wake_all();
        }
    }
}

impl<'scope, 'env, E> TryScope<'scope, 'env, E> {
    fn new() -> TryScope<'scope, 'env, E> {
        let state = State {
            executor: context::expect("open a scope"),
            cancelled: Cell::new(false),
            stopped: Cell::new(false),
            failures: Failures::none(),
        };
        TryScope { children: OnceCell::new(), state: Rc::new(state), _invariant: PhantomData }
    }

    /// Adds a child, whose first turn comes after those of the children before it. Its error ends
    /// the scope.
    ///
    /// A child may spawn siblings. One that is spawned into a scope that was cancelled, or is
    /// cancelled before its first turn, is polled once, so that it can tell, and then dropped.
    ///
    /// ```
    /// use wakering_runtime::{run, task};
    ///
    /// run(async {
    ///     let sum = task::try_scope(async |scope| {
    ///         let child = scope.spawn(async {
    ///             let sibling = scope.spawn(async { Ok::<_, std::fmt::Error>(1) });
    ///             Ok(sibling.await.unwrap() + 1)
    ///         });
    ///         Ok(child.await.unwrap())
    ///     })
    ///     .await;
    ///     assert_eq!(sum.unwrap(), 2);
    /// });
    /// ```
    pub fn spawn<T: 'scope>(
        &'scope self,
        future: impl Future<Output = Result<T, E>> + 'scope,
    ) -> ChildHandle<'scope, T>
    where
        E: 'scope,
    {
        let outcome = Rc::new(Outcome::new());
        match self.children.get().and_then(Weak::upgrade) {
            Some(children) => {
                let child = Box::pin(ScopeChild {
                    body: Conduct::new(future),
                    account: None,
                    ended: None,
                    outcome: outcome.clone(),
                    scope: self,
                });
                children.insert(child);
            }
            // The scope is being dropped, and a child's drop has called.
            None => outcome.settle(Err(ChildError::Cancelled)),
        }
        ChildHandle { outcome, _scope: PhantomData }
    }

    /// A child has failed.
    fn fail(&self, failure: Failure<E>) -> ChildError {
        if let Some(children) = self.children.get().and_then(Weak::upgrade) {
            self.state.fail(failure, &children);
        }
        ChildError::Failed
    }

    /// Cancels the children that there are and that are still to be spawned. The body goes on, and
    /// decides what the scope returns.
    ///
    /// ```
    /// use std::{future::pending, io};
    /// use wakering_runtime::{run, task};
    ///
    /// run(async {
    ///     let output = task::try_scope(async |scope| {
    ///         scope.spawn(pending::<io::Result<()>>());
    ///         scope.cancel();
    ///         Ok(42)
    ///     })
    ///     .await;
    ///     assert_eq!(output.unwrap(), 42);
    /// });
    /// ```
    pub fn cancel(&self) {
        match self.children.get().and_then(Weak::upgrade) {
            Some(children) => self.state.cancel(&children),
            None => self.state.cancelled.set(true),
        }
    }

    /// Whether the scope was cancelled, by [`cancel`](TryScope::cancel) or by a failure.
    ///
    /// ```
    /// use wakering_runtime::{run, task};
    ///
    /// run(task::scope(async |scope| {
    ///     assert!(!scope.is_cancelled());
    ///     scope.cancel();
    ///     assert!(scope.is_cancelled());
    /// }));
    /// ```
    pub fn is_cancelled(&self) -> bool {
        self.state.cancelled.get()
    }

    /// How many children are not over.
    ///
    /// ```
    /// use wakering_runtime::{run, task};
    ///
    /// run(task::scope(async |scope| {
    ///     scope.spawn(async {}).await.unwrap();
    ///     scope.spawn(async {});
    ///     assert_eq!(scope.len(), 1);
    /// }));
    /// ```
    pub fn len(&self) -> usize {
        self.children.get().and_then(Weak::upgrade).map_or(0, |children| children.len())
    }

    /// Whether all children are over.
    ///
    /// ```
    /// use wakering_runtime::{run, task};
    ///
    /// run(task::scope(async |scope| assert!(scope.is_empty())));
    /// ```
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<E> fmt::Debug for TryScope<'_, '_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TryScope")
            .field("children", &self.len())
            .field("is_cancelled", &self.is_cancelled())
            .finish()
    }
}

/// Where the children of [`scope`] are spawned: a [`TryScope`] whose children cannot fail.
///
/// ```
/// use wakering_runtime::{run, task};
///
/// run(task::scope(async |scope| {
///     let child = scope.spawn(async { 42 });
///     assert_eq!(child.await, Ok(42));
/// }));
/// ```
#[derive(Debug)]
pub struct Scope<'scope, 'env: 'scope>(TryScope<'scope, 'env, Infallible>);

impl<'scope, 'env> Scope<'scope, 'env> {
    /// Adds a child, as [`TryScope::spawn`] does.
    ///
    /// ```
    /// use wakering_runtime::{run, task};
    ///
    /// run(task::scope(async |scope| {
    ///     assert_eq!(scope.spawn(async { "hello" }).await, Ok("hello"));
    /// }));
    /// ```
    pub fn spawn<T: 'scope>(
        &'scope self,
        future: impl Future<Output = T> + 'scope,
    ) -> ChildHandle<'scope, T> {
        self.0.spawn(Infallibly { body: future })
    }
}

impl<'scope, 'env> Deref for Scope<'scope, 'env> {
    type Target = TryScope<'scope, 'env, Infallible>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}
