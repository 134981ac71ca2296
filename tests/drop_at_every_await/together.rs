//! Rows of several futures in one task.

use std::time::Duration;

use wakering::driver::testing::in_child;
use wakering::spawn;
use wakering::task::{
    CancelToken, FutureSet, When, completed, gather, race, race_staggered, settle, wait, yield_now,
};
use wakering::time::sleep;

use crate::row;

const MS: Duration = Duration::from_millis(1);

/// Members of which one is ready at once, one after a yield, and one after a millisecond.
async fn member(index: usize) -> Result<usize, ()> {
    match index {
        0 => {}
        1 => yield_now().await,
        _ => sleep(MS).await,
    }
    Ok(index)
}

#[test]
fn together() {
    in_child("together::together", || {
        row("runtime::gather", async || gather([2, 1, 0].map(member)).await.unwrap());
        row("runtime::settle", async || settle([2, 1, 0].map(member)).await);
        row("runtime::race", async || race([2, 1].map(member)).await.unwrap());
        row("runtime::race_staggered", async || {
            let makers = [2, 1].map(|index| async move || member(index).await);
            race_staggered(MS, makers).await.0.unwrap()
        });
        row("runtime::wait", async || {
            let mut set = completed([2, 1, 0].map(member));
            wait(&mut set, When::All, None).await
        });
        row("runtime::RunUntilCancelled", async || {
            CancelToken::new().run_until_cancelled(member(2)).await.unwrap()
        });
        row("runtime::Cancelled", async || {
            let token = CancelToken::new();
            let cancelled = token.cancelled();
            spawn(async move {
                sleep(MS).await;
                token.cancel();
            });
            cancelled.await;
        });
        row("runtime::AbortOnDrop", async || spawn(sleep(MS)).abort_on_drop().await.unwrap());
        row("runtime::FutureSet::next", async || {
            let mut set: FutureSet<_> = [2].map(member).into_iter().collect();
            set.next().await
        });
    });
}
