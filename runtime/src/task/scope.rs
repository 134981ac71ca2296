//! Scopes: futures that run beside each other inside one task, may borrow, and are over when the
//! scope is.

use std::any::Any;
use std::cell::{Cell, OnceCell, RefCell};
use std::convert::Infallible;
use std::error::Error;
use std::fmt;
use std::future::{Future, poll_fn};
use std::marker::PhantomData;
use std::ops::Deref;
use std::panic::resume_unwind;
use std::pin::{Pin, pin};
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, Waker, ready};

use pin_project_lite::pin_project;
use wakering_ring_driver::Orphans;

use super::members::Members;
use crate::account::Account;
use crate::conduct::{Conduct, Ended};
use crate::context;
use crate::executor::Executor;
use crate::node::Kind;

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
///     let _ = scope.spawn(async move { local.len() });
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
    let is_cancelled = || state.failed.get();
    let mut output = None;
    let mut running = true;
    poll_fn(|cx| {
        if running && let Poll::Ready(ended) = body.as_mut().poll_unless(account, cx, is_cancelled)
        {
            running = false;
            match ended {
                Ended::Returned(Ok(value)) => output = Some(value),
                Ended::Returned(Err(error)) => state.fail(Failure::Error(error), children),
                Ended::Panicked(panic) => state.fail(Failure::Panic(panic), children),
                Ended::Stopped => {}
            }
        }
        let failed = state.failed.get();
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
        let must_stop = running && state.failed.get() != failed;
        if must_stop || !are_waiting && !children.is_empty() {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    })
    .await;
    account.drain(Orphans::All).await;
    if let Some(panic) = state.panic.take() {
        resume_unwind(panic);
    }
    let mut errors = state.errors.take().into_iter();
    match (errors.next(), output) {
        (None, Some(output)) => Ok(output),
        (Some(first), _) => Err(ScopeError { first, suppressed: errors.collect() }),
        (None, None) => unreachable!("a body is stopped by failures only"),
    }
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
    failed: Cell<bool>,
    errors: RefCell<Vec<E>>,
    panic: Cell<Option<Box<dyn Any + Send>>>,
}

enum Failure<E> {
    Error(E),
    Panic(Box<dyn Any + Send>),
}

impl<E> State<E> {
    fn fail(&self, failure: Failure<E>, children: &Members<Child<'_>>) {
        match failure {
            Failure::Error(error) => self.errors.borrow_mut().push(error),
            Failure::Panic(panic) => {
                // The first one counts. The others are dropped outside of the cell.
                let first = self.panic.take().unwrap_or(panic);
                self.panic.set(Some(first));
            }
        }
        self.failed.set(true);
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
            failed: Cell::new(false),
            errors: RefCell::default(),
            panic: Cell::new(None),
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
                outcome.bell.set(Some(children.insert(child).waker()));
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

pin_project! {
    /// A child: polled on an account of its own, dropped, and waited for.
    struct ScopeChild<'scope, 'env, F, T, E> {
        #[pin]
        body: Conduct<F>,
        // Open once it has begun.
        account: Option<Account>,
        ended: Option<Ended<Result<T, E>>>,
        outcome: Rc<Outcome<T>>,
        scope: &'scope TryScope<'scope, 'env, E>,
    }
}

impl<F: Future<Output = Result<T, E>>, T, E> Future for ScopeChild<'_, '_, F, T, E> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        let state = &this.scope.state;
        let account =
            this.account.get_or_insert_with(|| Account::open(&state.executor, Kind::Scope));
        if this.ended.is_none() {
            let is_cancelled = || state.cancelled.get() || this.outcome.cancelled.get();
            *this.ended = Some(ready!(this.body.poll_unless(account, cx, is_cancelled)));
        }
        ready!(account.poll_drained(Orphans::All, cx));
        *this.account = None;
        let outcome = match this.ended.take() {
            Some(Ended::Returned(Ok(value))) => Ok(value),
            Some(Ended::Returned(Err(error))) => Err(this.scope.fail(Failure::Error(error))),
            Some(Ended::Panicked(panic)) => Err(this.scope.fail(Failure::Panic(panic))),
            Some(Ended::Stopped) | None => Err(ChildError::Cancelled),
        };
        this.outcome.settle(outcome);
        Poll::Ready(())
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

/// Awaits the value of a child of a scope, or ends the child. Dropping it lets the child go on.
///
/// ```
/// use std::future::pending;
/// use wakering_runtime::{run, task::{self, ChildError}};
///
/// run(task::scope(async |scope| {
///     let mut child = scope.spawn(pending::<()>());
///     assert!(child.cancel());
///     assert_eq!((&mut child).await, Err(ChildError::Cancelled));
///     assert!(!child.cancel(), "it is over");
/// }));
/// ```
///
/// # Errors
/// [`ChildError`] if there is no value.
///
/// # Panics
/// If it is polled again after it has given the value.
///
/// # Cancellation
/// **Strict.** `&mut handle` may be awaited, dropped and awaited again.
pub struct ChildHandle<'scope, T> {
    outcome: Rc<Outcome<T>>,
    _scope: PhantomData<&'scope ()>,
}

/// Where a child leaves its value, and its handle the wish that it end.
struct Outcome<T> {
    value: Cell<Option<Result<T, ChildError>>>,
    is_over: Cell<bool>,
    waiter: Cell<Option<Waker>>,
    cancelled: Cell<bool>,
    bell: Cell<Option<Waker>>,
}

impl<T> Outcome<T> {
    fn new() -> Outcome<T> {
        Outcome {
            value: Cell::new(None),
            is_over: Cell::new(false),
            waiter: Cell::new(None),
            cancelled: Cell::new(false),
            bell: Cell::new(None),
        }
    }

    fn settle(&self, value: Result<T, ChildError>) {
        self.value.set(Some(value));
        self.is_over.set(true);
        if let Some(waiter) = self.waiter.take() {
            waiter.wake();
        }
    }
}

impl<T> ChildHandle<'_, T> {
    /// Asks for the end of the child, and tells whether this was the first request and in time.
    ///
    /// The child is dropped when its turn comes, after the first poll of its own at the earliest;
    /// what it left in the kernel is waited for; then the handle resolves.
    ///
    /// ```
    /// use wakering_runtime::{run, task};
    ///
    /// run(task::scope(async |scope| {
    ///     let child = scope.spawn(async { "ready at once" });
    ///     assert!(child.cancel());
    ///     assert_eq!(child.await, Ok("ready at once"), "a value wins");
    /// }));
    /// ```
    pub fn cancel(&self) -> bool {
        let asked = !self.outcome.is_over.get() && !self.outcome.cancelled.replace(true);
        if asked && let Some(bell) = self.outcome.bell.take() {
            bell.wake();
        }
        asked
    }

    /// Whether awaiting it would give an outcome at once.
    ///
    /// ```
    /// use wakering_runtime::{run, task};
    ///
    /// run(task::scope(async |scope| {
    ///     let child = scope.spawn(async {});
    ///     assert!(!child.is_finished());
    ///     task::yield_now().await;
    ///     assert!(child.is_finished());
    /// }));
    /// ```
    pub fn is_finished(&self) -> bool {
        self.outcome.is_over.get()
    }
}

impl<T> Future for ChildHandle<'_, T> {
    type Output = Result<T, ChildError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let outcome = &self.outcome;
        if outcome.is_over.get() {
            let value = outcome.value.take();
            return Poll::Ready(value.expect("the handle of a child gives its value once"));
        }
        outcome.waiter.set(Some(cx.waker().clone()));
        Poll::Pending
    }
}

impl<T> fmt::Debug for ChildHandle<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChildHandle").field("is_finished", &self.is_finished()).finish()
    }
}

/// Why a child of a scope or group gave no value.
///
/// ```
/// use wakering_runtime::task::ChildError;
///
/// assert_eq!(ChildError::Cancelled.to_string(), "the child was cancelled");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChildError {
    /// It was dropped before it returned.
    Cancelled,
    /// It returned an error, or panicked: whoever awaits the scope or group is told.
    Failed,
    /// It never began, because its group had ended.
    Refused,
}

impl fmt::Display for ChildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ChildError::Cancelled => "the child was cancelled",
            ChildError::Failed => "the child failed; its scope or group tells how",
            ChildError::Refused => {
                "the child never began: its group has ended; spawn before the group's body returns"
            }
        })
    }
}

impl Error for ChildError {}

impl From<ChildError> for std::io::Error {
    fn from(error: ChildError) -> std::io::Error {
        std::io::Error::other(error)
    }
}

/// Errors of a scope or group: the one that ended it, and those that came after.
///
/// ```
/// use std::fmt::Error;
/// use wakering_runtime::{run, task};
///
/// let error = run(task::try_scope(async |scope| {
///     scope.spawn(async { Err::<(), _>(Error) });
///     scope.spawn(async { Err::<(), _>(Error) });
///     task::yield_now().await;
///     Ok(())
/// }))
/// .unwrap_err();
/// assert_eq!((error.first, error.suppressed), (Error, vec![Error]));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScopeError<E> {
    /// The one that ended the scope.
    pub first: E,
    /// Those of the others, in the order in which they came.
    pub suppressed: Vec<E>,
}

impl<E: fmt::Display> fmt::Display for ScopeError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.first.fmt(f)?;
        match self.suppressed.len() {
            0 => Ok(()),
            more => write!(f, " (and {more} more)"),
        }
    }
}

impl<E: Error + 'static> Error for ScopeError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.first)
    }
}
