//! Cancellation that code asks about, instead of being dropped.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::mem;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;
use slab::Slab;
use wakering_ring_driver::Orphans;

use crate::account::Account;
use crate::conduct::{Conduct, Ended};
use crate::context;
use crate::node::Kind;
use crate::primitive::Mutex;
use crate::sync::after::update;
use crate::sync::flavor::Protect;
use crate::sync::wait::{self, Until};
use crate::sync::wait_list::{Ticket, WaitList};

/// Tells many that they shall stop, and lets them do so in their own time.
///
/// Clones are the same token, on any thread. A [child](CancelToken::child_token) is cancelled with
/// its parent, and alone without it. Once cancelled it stays so.
///
/// ```
/// use wakering_runtime::{run, spawn, task::CancelToken};
///
/// run(async {
///     let stop = CancelToken::new();
///     let told = stop.clone();
///     let task = spawn(async move {
///         told.cancelled().await;
///         "said goodbye"
///     });
///     stop.cancel();
///     assert_eq!(task.await.unwrap(), "said goodbye");
/// });
/// ```
#[derive(Clone)]
pub struct CancelToken {
    node: Arc<Node>,
}

struct Node {
    state: Mutex<State>,
    above: Option<Above>,
}

/// The parent of a node, and the node's place there.
struct Above {
    parent: Arc<Node>,
    place: usize,
}

struct State {
    is_cancelled: bool,
    waiters: WaitList,
    /// Empty once it is cancelled.
    children: Slab<Weak<Node>>,
}

impl State {
    fn cancelled(&mut self) -> (bool, &mut WaitList) {
        (self.is_cancelled, &mut self.waiters)
    }
}

impl Node {
    fn new(is_cancelled: bool, above: Option<Above>) -> Arc<Node> {
        let state = State { is_cancelled, waiters: WaitList::new(), children: Slab::new() };
        Arc::new(Node { state: Protect::new(state), above })
    }
}

impl Drop for Node {
    /// A loop, not a recursion: families may be deep.
    fn drop(&mut self) {
        let mut above = self.above.take();
        while let Some(Above { parent, place }) = above {
            parent.state.with(|state| state.children.try_remove(place));
            above = Arc::into_inner(parent).and_then(|mut parent| parent.above.take());
        }
    }
}

impl CancelToken {
    /// A token without a parent.
    ///
    /// ```
    /// use wakering_runtime::task::CancelToken;
    ///
    /// assert!(!CancelToken::new().is_cancelled());
    /// ```
    pub fn new() -> CancelToken {
        CancelToken { node: Node::new(false, None) }
    }

    /// A token that is cancelled when this one is, or earlier.
    ///
    /// ```
    /// use wakering_runtime::task::CancelToken;
    ///
    /// let server = CancelToken::new();
    /// let (one, other) = (server.child_token(), server.child_token());
    /// one.cancel();
    /// assert!(!server.is_cancelled() && !other.is_cancelled());
    /// server.cancel();
    /// assert!(other.is_cancelled());
    /// assert!(server.child_token().is_cancelled());
    /// ```
    pub fn child_token(&self) -> CancelToken {
        let node = self.node.state.with(|state| {
            if state.is_cancelled {
                return Node::new(true, None);
            }
            let entry = state.children.vacant_entry();
            let above = Above { parent: self.node.clone(), place: entry.key() };
            let node = Node::new(false, Some(above));
            entry.insert(Arc::downgrade(&node));
            node
        });
        CancelToken { node }
    }

    /// Cancels this token and those below it, and wakes all who wait for that. A second time
    /// nothing happens.
    ///
    /// ```
    /// use wakering_runtime::task::CancelToken;
    ///
    /// let token = CancelToken::new();
    /// token.clone().cancel();
    /// assert!(token.is_cancelled());
    /// ```
    pub fn cancel(&self) {
        let mut nodes = vec![self.node.clone()];
        while let Some(node) = nodes.pop() {
            let children = update(&node.state, |state, after| {
                state.is_cancelled = true;
                state.waiters.call_all(after);
                mem::take(&mut state.children)
            });
            nodes.extend(children.into_iter().filter_map(|(_, child)| child.upgrade()));
        }
    }

    /// Whether it was cancelled.
    ///
    /// ```
    /// use wakering_runtime::task::CancelToken;
    ///
    /// let token = CancelToken::new();
    /// token.cancel();
    /// assert!(token.is_cancelled());
    /// ```
    pub fn is_cancelled(&self) -> bool {
        self.node.state.with(|state| state.is_cancelled)
    }

    /// Waits until it is cancelled. The future has a token of its own, so that it may be stored.
    ///
    /// ```
    /// use wakering_runtime::{run, task::CancelToken};
    ///
    /// let token = CancelToken::new();
    /// token.cancel();
    /// run(token.cancelled());
    /// ```
    ///
    /// # Cancellation
    /// **Strict.**
    pub fn cancelled(&self) -> Cancelled {
        Cancelled { token: self.clone(), ticket: None }
    }

    /// Awaits `future`, but drops it when the token is cancelled, and gives `None` once the kernel
    /// operations that it left behind have ended, as far as they can be cancelled.
    ///
    /// The future is always polled before the token is asked, so that a value which is there wins.
    ///
    /// ```
    /// use std::future::{pending, ready};
    /// use wakering_runtime::{run, task::CancelToken};
    ///
    /// run(async {
    ///     let token = CancelToken::new();
    ///     token.cancel();
    ///     assert_eq!(token.run_until_cancelled(pending::<()>()).await, None);
    ///     assert_eq!(token.run_until_cancelled(ready(42)).await, Some(42));
    /// });
    /// ```
    ///
    /// # Panics
    /// When it is polled on a thread that is not running a runtime.
    ///
    /// # Cancellation
    /// That of `future`.
    pub fn run_until_cancelled<F: IntoFuture>(
        &self,
        future: F,
    ) -> RunUntilCancelled<F::IntoFuture> {
        RunUntilCancelled {
            body: Conduct::new(future.into_future()),
            cancelled: self.cancelled(),
            account: None,
            is_draining: false,
        }
    }

    /// Cancels the token when the guard is dropped.
    ///
    /// ```
    /// use wakering_runtime::task::CancelToken;
    ///
    /// let token = CancelToken::new();
    /// drop(token.child_token().drop_guard());
    /// assert!(!token.is_cancelled());
    /// drop(token.clone().drop_guard());
    /// assert!(token.is_cancelled());
    /// ```
    pub fn drop_guard(self) -> DropGuard {
        DropGuard { token: Some(self) }
    }
}

impl Default for CancelToken {
    fn default() -> CancelToken {
        CancelToken::new()
    }
}

impl fmt::Debug for CancelToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (is_cancelled, waiting, children) = (self.node.state)
            .with(|state| (state.is_cancelled, state.waiters.len(), state.children.len()));
        f.debug_struct("CancelToken")
            .field("is_cancelled", &is_cancelled)
            .field("waiting", &waiting)
            .field("children", &children)
            .finish()
    }
}

/// The future of [`CancelToken::cancelled`].
///
/// ```
/// use wakering_runtime::{run, task::{CancelToken, Cancelled}};
///
/// let token = CancelToken::new();
/// let stored: Cancelled = token.cancelled();
/// token.cancel();
/// run(stored);
/// ```
#[must_use = "a future does nothing until it is awaited"]
pub struct Cancelled {
    token: CancelToken,
    ticket: Option<Ticket>,
}

impl Future for Cancelled {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Cancelled { token, ticket } = self.get_mut();
        wait::poll(&token.node.state, &mut Until(State::cancelled), ticket, cx)
    }
}

impl Drop for Cancelled {
    fn drop(&mut self) {
        wait::leave(&self.token.node.state, &mut Until(State::cancelled), &mut self.ticket);
    }
}

impl fmt::Debug for Cancelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Cancelled").field(&self.token).finish()
    }
}

pin_project! {
    /// The future of [`CancelToken::run_until_cancelled`].
    ///
    /// ```
    /// use std::future::{Ready, ready};
    /// use wakering_runtime::{run, task::{CancelToken, RunUntilCancelled}};
    ///
    /// let stored: RunUntilCancelled<Ready<u8>> = CancelToken::new().run_until_cancelled(ready(1));
    /// assert_eq!(run(stored), Some(1));
    /// ```
    #[must_use = "a future does nothing until it is awaited"]
    pub struct RunUntilCancelled<F> {
        #[pin]
        body: Conduct<F>,
        cancelled: Cancelled,
        // Once it has begun.
        account: Option<Account>,
        is_draining: bool,
    }
}

impl<F: Future> Future for RunUntilCancelled<F> {
    type Output = Option<F::Output>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let account = this.account.get_or_insert_with(|| {
            Account::open(&context::expect("run until cancelled"), Kind::Members)
        });
        if !*this.is_draining {
            let cancelled = |cx: &mut Context<'_>| Pin::new(this.cancelled).poll(cx);
            match ready!(this.body.poll(account, cx, || false, cancelled)) {
                Ended::Returned(output) => {
                    *this.account = None;
                    return Poll::Ready(Some(output));
                }
                Ended::Panicked(panic) => resume_unwind(panic),
                Ended::Stopped => *this.is_draining = true,
            }
        }
        ready!(account.poll_drained(Orphans::Cancellable, cx));
        *this.account = None;
        Poll::Ready(None)
    }
}

impl<F> fmt::Debug for RunUntilCancelled<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RunUntilCancelled").field(&self.cancelled.token).finish()
    }
}

/// Cancels a [`CancelToken`] when it is dropped; made by [`CancelToken::drop_guard`].
///
/// ```
/// use wakering_runtime::task::{CancelToken, DropGuard};
///
/// let token = CancelToken::new();
/// let guard: DropGuard = token.clone().drop_guard();
/// let kept = guard.disarm();
/// assert!(!token.is_cancelled() && !kept.is_cancelled());
/// ```
#[derive(Debug)]
#[must_use = "the token is cancelled when this is dropped"]
pub struct DropGuard {
    token: Option<CancelToken>,
}

impl DropGuard {
    /// Gives the token back without cancelling it.
    ///
    /// ```
    /// use wakering_runtime::task::CancelToken;
    ///
    /// assert!(!CancelToken::new().drop_guard().disarm().is_cancelled());
    /// ```
    pub fn disarm(mut self) -> CancelToken {
        self.token.take().unwrap_or_default()
    }
}

impl Drop for DropGuard {
    fn drop(&mut self) {
        if let Some(token) = &self.token {
            token.cancel();
        }
    }
}
