//! The event loop: three ways to run one, and one way to reach it from inside.

use std::time::Duration;

use wakering::time::sleep;
use wakering::{Handle, Runtime, spawn};

async fn body(name: &str, seconds: u64) {
    sleep(Duration::from_secs(seconds)).await;
    println!("{name}: Done");
}

fn main() {
    println!("outside: a handle? {}", Handle::try_current().is_some());

    // Once and for all.
    wakering::run(body("run", 2));

    // A loop of one's own, as often as one likes.
    let runtime = Runtime::new().expect("this machine gives a loop");
    runtime.block_on(body("block_on", 1));
    let task = runtime.spawn(body("spawn", 1));
    runtime.block_on(task).expect("it does not panic");
    println!("closed: {}", runtime.close());

    // From inside: the loop that is running.
    wakering::run(async {
        let handle = Handle::current();
        println!("inside: a handle? {}", Handle::try_current().is_some());
        // `call_soon_threadsafe`: also from other threads.
        handle.spawn(async { spawn(body("handle", 1)).await }).await.unwrap().unwrap();
    });
}
