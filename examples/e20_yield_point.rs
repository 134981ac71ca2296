//! `await` is where others get their turn.

use std::time::Duration;

use wakering::task;
use wakering::time::sleep;

async fn worker(name: &str, seconds: u64) {
    println!("{name}: starting");
    sleep(Duration::from_secs(seconds)).await;
    println!("{name}: done");
}

#[wakering::main]
async fn main() {
    task::scope(async |scope| {
        scope.spawn(worker("A", 2));
        scope.spawn(worker("B", 1));
        scope.spawn(worker("C", 3));
    })
    .await;
}
