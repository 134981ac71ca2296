//! Looking after several futures without ending any.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

use wakering_ring_driver::Instant;

use super::FutureSet;
use crate::time::Sleep;

/// What a [`wait`] waits for.
///
/// ```
/// use wakering_runtime::{run, task::{When, completed, wait}};
///
/// let mut set = completed([Err("no luck"), Ok(1)].map(async |outcome| outcome));
/// let ended = run(wait(&mut set, When::FirstError, None));
/// assert!(ended.contains(&Err("no luck")));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// One future to be ready.
    First,
    /// One to give an error, or all to be ready.
    FirstError,
    /// All to be ready.
    All,
}

/// Waits for the futures of `set` until `deadline`, if there is one, and takes out the outputs of
/// those that are ready, in the order in which they were.
///
/// Nothing is ended by it: futures that are not ready stay in the set, also when the time is over.
/// Whatever is ready when `when` is fulfilled is taken along.
///
/// ```
/// use std::time::Duration;
/// use wakering_runtime::{run, spawn, time::{Instant, sleep}};
/// use wakering_runtime::task::{When, completed, wait};
///
/// run(async {
///     let sleeps = [60_000, 1].map(|ms| spawn(sleep(Duration::from_millis(ms))));
///     let mut set = completed(sleeps);
///     let ended = wait(&mut set, When::First, None).await;
///     assert_eq!((ended.len(), set.len()), (1, 1));
///     let soon = Instant::now() + Duration::from_millis(1);
///     assert!(wait(&mut set, When::All, Some(soon)).await.is_empty());
///     assert!(!set.iter_mut().next().unwrap().is_finished());
/// });
/// ```
///
/// # Panics
/// When it is polled with a deadline on a thread that is not running a runtime.
///
/// # Cancellation
/// **Strict.** Futures and outputs stay in the set.
pub async fn wait<F, T, E>(
    set: &mut FutureSet<F>,
    when: When,
    deadline: Option<Instant>,
) -> Vec<F::Output>
where
    F: Future<Output = Result<T, E>>,
{
    let fulfils = |output: &F::Output| match when {
        When::First => true,
        When::FirstError => output.is_err(),
        When::All => false,
    };
    let mut sleep = Sleep::new(deadline);
    // An earlier call that was dropped may have left some.
    let mut is_fulfilled = set.ready().any(fulfils);
    poll_fn(|cx| {
        loop {
            match set.poll_ready(cx) {
                Poll::Ready(Some(output)) => is_fulfilled |= fulfils(output),
                Poll::Ready(None) => return Poll::Ready(()),
                Poll::Pending if is_fulfilled => return Poll::Ready(()),
                Poll::Pending => return Pin::new(&mut sleep).poll(cx),
            }
        }
    })
    .await;
    set.take_ready()
}
