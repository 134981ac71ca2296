//! The outcomes of several futures, whatever they are.

use std::convert::Infallible;
use std::future::{Future, IntoFuture};
use std::panic::Location;
use std::pin::pin;
use std::task::Poll;

use super::handle::Cause;
use super::{JoinError, TaskInfo, gather};
use crate::conduct::{self, Conduct, Ended};

/// Awaits all `futures` at once, as parts of this task, and gives every outcome in its place: what
/// the future gave, or the panic that ended it.
///
/// Like [`gather`], but no outcome ends the others. A future that panics is dropped. It is no task
/// of its own, so that its error names it by its place here.
///
/// ```
/// use wakering_runtime::{run, task::settle};
///
/// let outcomes = run(settle([1, 0].map(async |divisor| 6 / divisor)));
/// assert_eq!(*outcomes[0].as_ref().unwrap(), 6);
/// let error = outcomes[1].as_ref().unwrap_err();
/// assert!(error.is_panic());
/// assert_eq!(error.task().name(), Some("member 1 of settle"));
/// ```
///
/// # Panics
/// When it is polled on a thread that is not running a runtime.
///
/// # Cancellation
/// **Weak.** All futures are dropped, and the outcomes of those that were ready are lost. What they
/// leave in the kernel is left to whoever drops this.
#[track_caller]
pub fn settle<I>(
    futures: I,
) -> impl Future<Output = Vec<Result<<I::Item as IntoFuture>::Output, JoinError>>>
where
    I: IntoIterator<Item: IntoFuture>,
{
    let here = Location::caller();
    let outcomes = gather(futures.into_iter().enumerate().map(async |(index, future)| {
        let body = pin!(Conduct::new(future.into_future()));
        let member = conduct::until(&conduct::Same, body, |_| Poll::Pending);
        Ok::<_, Infallible>(match member.await {
            Ended::Returned(output) => Ok(output),
            Ended::Panicked(panic) => {
                let name = format!("member {index} of settle");
                let info = TaskInfo::new(Some(name.into()), here);
                Err(JoinError::new(info, Cause::panicked(panic)))
            }
            Ended::Stopped => unreachable!("nothing stops it"),
        })
    }));
    async {
        let Ok(outcomes) = outcomes.await;
        outcomes
    }
}
