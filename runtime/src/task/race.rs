//! The first of several futures.

use std::future::{Future, IntoFuture, poll_fn};
use std::panic::resume_unwind;
use std::pin::pin;
use std::task::Poll;

use wakering_ring_driver::Orphans;

use super::members::Members;
use crate::account::Account;
use crate::conduct::{self, Conduct, Ended};
use crate::context;
use crate::node::Kind;

/// Awaits all `futures` at once, as parts of this task, and gives what the first one gives that is
/// ready.
///
/// They may borrow. Of those that are ready together the one that was woken first wins, which at
/// the beginning is the order in which they were given. The others are dropped, and `race` returns
/// once the kernel operations that they left behind have ended, as far as they can be cancelled,
/// like an expired [`timeout`](crate::time::timeout()).
///
/// ```
/// use std::time::Duration;
/// use wakering_runtime::{run, task::race, time::sleep};
///
/// let first = run(race([60_000, 1].map(async |ms| {
///     sleep(Duration::from_millis(ms)).await;
///     ms
/// })));
/// assert_eq!(first, 1);
/// ```
///
/// # Panics
/// If there are no futures, and if one of them panics; the others are dropped. And when it is
/// polled on a thread that is not running a runtime.
///
/// # Cancellation
/// **Weak.** All futures are dropped. What they leave in the kernel is left to whoever drops this.
pub fn race<I>(futures: I) -> impl Future<Output = <I::Item as IntoFuture>::Output>
where
    I: IntoIterator<Item: IntoFuture>,
{
    let members: Members<_> = futures.into_iter().map(|f| Box::pin(f.into_future())).collect();
    let first = poll_fn(move |cx| members.poll_next(cx));
    async { decided(first).await.expect("a race of no futures has no winner: give it one") }
}

/// Awaits a body that drops losers when it is ready, and waits for what those leave in the kernel.
pub(super) async fn decided<F: Future>(body: F) -> F::Output {
    let body = pin!(Conduct::new(body));
    let account = Account::open(&context::expect("race futures"), Kind::Members);
    let output = match conduct::until(&account, body, |_| Poll::Pending).await {
        Ended::Returned(output) => output,
        Ended::Panicked(panic) => resume_unwind(panic),
        Ended::Stopped => unreachable!("nothing stops it"),
    };
    account.drain(Orphans::Cancellable).await;
    output
}
