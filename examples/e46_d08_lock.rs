//! Locks: one at a time, also across an `await`.

use std::cell::Cell;
use std::time::Duration;

use wakering::sync::Mutex;
use wakering::task;
use wakering::time::sleep;

async fn user(name: &str, resource: &Mutex<()>) {
    let _guard = resource.lock().await;
    println!("{name} has locked the resource");
    sleep(Duration::from_secs(1)).await;
    println!("{name} has released the resource");
}

#[wakering::main]
async fn main() {
    let resource = Mutex::new(());
    wakering::join!(user("Alice", &resource), user("Bob", &resource));

    // Whoever reads, waits and writes back loses what others have written meanwhile.
    let counter = Cell::new(0);
    task::settle((0..10).map(async |_| {
        let read = counter.get();
        task::yield_now().await;
        counter.set(read + 1);
    }))
    .await;
    println!("without a lock: {}", counter.get());

    let counter = Mutex::new(0);
    task::settle((0..10).map(async |_| {
        let mut counter = counter.lock().await;
        let read = *counter;
        task::yield_now().await;
        *counter = read + 1;
    }))
    .await;
    println!("with a lock: {}", counter.lock().await);
}
