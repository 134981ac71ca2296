//! A race in which the later ones begin when the earlier ones do not get on.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use super::members::Members;
use super::race::decided;
use crate::time::{Sleep, sleep};

/// What became of a future that a [`race_staggered`] has begun.
///
/// ```
/// use std::time::Duration;
/// use wakering_runtime::{run, task::{Attempt, race_staggered}};
///
/// let only = async || Err::<(), _>("refused");
/// let (winner, attempts) = run(race_staggered(Duration::ZERO, [only]));
/// assert!(winner.is_none());
/// assert_eq!(attempts, [Attempt::Failed("refused")]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt<E> {
    /// It gave the value.
    Won,
    /// It gave this error.
    Failed(E),
    /// It was dropped, because another one won.
    Dropped,
}

/// Begins one of `makers` after the other until one succeeds, and gives its value, if any, and what
/// became of all that were begun, in their order.
///
/// The next one begins when `delay` is over since the last one did, or at once when one fails. The
/// first value wins; the others are dropped, and what they leave in the kernel is waited for as
/// [`race`](super::race()) does. So a server that does not answer costs `delay`, and one that
/// refuses costs nothing.
///
/// ```
/// use std::{future::pending, time::Duration};
/// use wakering_runtime::{run, task::{Attempt, race_staggered}};
///
/// let makers = ["hangs", "refuses", "answers"].map(|server| async move || match server {
///     "hangs" => pending().await,
///     "refuses" => Err("refused"),
///     _ => Ok(server),
/// });
/// let (winner, attempts) = run(race_staggered(Duration::from_millis(1), makers));
/// assert_eq!(winner, Some("answers"));
/// assert_eq!(attempts, [Attempt::Dropped, Attempt::Failed("refused"), Attempt::Won]);
/// ```
///
/// # Panics
/// If one of the futures does; the others are dropped. And when it is polled on a thread that is
/// not running a runtime.
///
/// # Cancellation
/// **Weak.** All futures are dropped, and errors are lost. What they leave in the kernel is left to
/// whoever drops this.
pub async fn race_staggered<T, E>(
    delay: Duration,
    makers: impl IntoIterator<Item: AsyncFnOnce() -> Result<T, E>>,
) -> (Option<T>, Vec<Attempt<E>>) {
    decided(staggered(delay, makers)).await
}

async fn staggered<T, E>(
    delay: Duration,
    makers: impl IntoIterator<Item: AsyncFnOnce() -> Result<T, E>>,
) -> (Option<T>, Vec<Attempt<E>>) {
    let mut makers = makers.into_iter().fuse();
    let members = Members::new();
    let mut attempts = Vec::new();
    loop {
        let mut next = Sleep::new(None);
        if let Some(maker) = makers.next() {
            let index = attempts.len();
            attempts.push(Attempt::Dropped);
            members.insert(Box::pin(async move { (index, maker().await) }));
            next = sleep(delay);
        }
        let progress = poll_fn(|cx| match members.poll_next(cx) {
            Poll::Ready(ended) => Poll::Ready(Some(ended)),
            Poll::Pending => Pin::new(&mut next).poll(cx).map(|()| None),
        });
        match progress.await {
            Some(Some((index, Ok(value)))) => {
                attempts[index] = Attempt::Won;
                return (Some(value), attempts);
            }
            Some(Some((index, Err(error)))) => attempts[index] = Attempt::Failed(error),
            // None has begun that might still succeed, or could begin.
            Some(None) => return (None, attempts),
            None => {}
        }
    }
}
