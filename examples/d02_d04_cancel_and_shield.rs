//! Cancelling: cleanup runs, and what must not be cut short is not.

use std::future::pending;
use std::time::Duration;

use wakering::spawn;
use wakering::task::{shield, with_cleanup};
use wakering::time::{sleep, timeout};

async fn commit() {
    sleep(Duration::from_millis(200)).await;
    println!("committed");
}

#[wakering::main]
async fn main() {
    let task = spawn(with_cleanup(pending::<()>(), async |exit| {
        println!("cleaning up after {exit:?}");
        sleep(Duration::from_millis(100)).await;
        println!("cleaned up");
    }));
    sleep(Duration::from_millis(100)).await;
    println!("cancel: {}", task.cancel());
    println!("cancelled: {}", task.await.unwrap_err().is_cancelled());

    let outcome = timeout(Duration::from_millis(100), shield(commit())).await;
    println!("timed out: {}, but not before the commit was done", outcome.is_err());
}
