//! All of several futures, in the order in which they were given.

use std::future::{Future, IntoFuture, poll_fn};
use std::iter;
use std::panic::resume_unwind;
use std::pin::{Pin, pin};
use std::task::Poll;

use wakering_ring_driver::Orphans;

use super::members::Members;
use crate::account::Account;
use crate::conduct::{self, Conduct, Ended};
use crate::context;
use crate::node::Kind;

/// Awaits all `futures` at once, as parts of this task, and gives their values in the order of the
/// futures.
///
/// They may borrow. Each is polled when it was woken, whatever the others do. The first error ends
/// the others: they are dropped, and `gather` returns once the kernel operations that they left
/// behind have ended, as far as they can be cancelled, like an expired
/// [`timeout`](crate::time::timeout()). Without any futures there is nothing to wait for.
///
/// Handles of tasks may be gathered too. Those that are dropped detach their tasks, so give
/// [`abort_on_drop`](super::JoinHandle::abort_on_drop) ones if an error is to end those.
///
/// ```
/// use std::time::Duration;
/// use wakering_runtime::{run, task::gather, time::sleep};
///
/// let words = ["late", "early"];
/// let lengths = words.iter().map(async |word| {
///     sleep(Duration::from_millis(word.len() as u64)).await;
///     word.len().checked_sub(1).ok_or("empty")
/// });
/// assert_eq!(run(gather(lengths)), Ok(vec![3, 4]));
/// ```
///
/// # Errors
/// The first that one of the futures gives.
///
/// # Panics
/// If one of them does; the others are dropped. And when it is polled on a thread that is not
/// running a runtime.
///
/// # Cancellation
/// **Weak.** All futures are dropped, and the values of those that were ready are lost. What they
/// leave in the kernel is left to whoever drops this.
pub fn gather<I, T, E>(futures: I) -> impl Future<Output = Result<Vec<T>, E>>
where
    I: IntoIterator<Item: IntoFuture<Output = Result<T, E>>>,
{
    let members = futures.into_iter().map(IntoFuture::into_future).enumerate();
    all(members.map(|(index, future)| Box::pin(async move { (index, future.await) })).collect())
}

async fn all<F, T, E>(members: Members<Pin<Box<F>>>) -> Result<Vec<T>, E>
where
    F: Future<Output = (usize, Result<T, E>)>,
{
    let account = Account::open(&context::expect("gather futures"), Kind::Members);
    let body = pin!(Conduct::new(in_order(members)));
    let result = match conduct::until(&account, body, |_| Poll::Pending).await {
        Ended::Returned(result) => result,
        Ended::Panicked(panic) => resume_unwind(panic),
        Ended::Stopped => unreachable!("nothing stops it"),
    };
    if result.is_err() {
        account.drain(Orphans::Cancellable).await;
    }
    result
}

/// The values of all members by their indices. The members are gone with the first error.
async fn in_order<F, T, E>(members: Members<Pin<Box<F>>>) -> Result<Vec<T>, E>
where
    F: Future<Output = (usize, Result<T, E>)>,
{
    let mut values: Vec<Option<T>> = iter::repeat_with(|| None).take(members.len()).collect();
    while let Some((index, outcome)) = poll_fn(|cx| members.poll_next(cx)).await {
        values[index] = Some(outcome?);
    }
    Ok(values.into_iter().flatten().collect())
}
