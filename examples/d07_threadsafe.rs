//! From another thread: work for the loop, and its result for the thread.

use std::thread;
use std::time::Duration;

use wakering::time::sleep;
use wakering::{Handle, spawn};

#[wakering::main]
async fn main() {
    let handle = Handle::current();
    let home = thread::current().id();
    let other = thread::spawn(move || {
        let sum = handle.block_on(async move {
            // Here it is on the loop's thread, and may make what cannot travel.
            assert_eq!(thread::current().id(), home);
            spawn(async { sleep(Duration::from_millis(100)).await }).await.unwrap();
            1 + 1
        });
        println!("the thread has got {}", sum.unwrap());
    });
    while !other.is_finished() {
        sleep(Duration::from_millis(10)).await;
    }
    other.join().unwrap();
}
