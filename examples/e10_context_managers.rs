//! Async context managers: what was acquired is released with an `await`, however its use ends.

use std::future::pending;
use std::time::Duration;

use wakering::task::with_cleanup;
use wakering::time::{sleep, timeout};

async fn acquire() {
    sleep(Duration::from_millis(100)).await;
    println!("Acquired");
}

async fn release() {
    sleep(Duration::from_millis(100)).await;
    println!("Released");
}

#[wakering::main]
async fn main() {
    acquire().await;
    with_cleanup(async { println!("Using it") }, async |_| release().await).await;

    // An error is an end like any other.
    acquire().await;
    let failed = with_cleanup(async { Err::<(), _>("it broke") }, async |_| release().await).await;
    println!("Error: {}", failed.unwrap_err());

    // And whoever cancels waits for the release.
    acquire().await;
    let used = with_cleanup(pending::<()>(), async |_| release().await);
    println!("Timed out: {}", timeout(Duration::from_millis(100), used).await.is_err());
}
