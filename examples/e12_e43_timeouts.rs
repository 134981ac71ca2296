//! Timeouts, wait_for: what takes too long is dropped, and the kernel is done with it then.

use std::time::Duration;

use wakering::time::{sleep, timeout};

async fn slow_operation(seconds: u64) -> &'static str {
    sleep(Duration::from_secs(seconds)).await;
    "finished"
}

#[wakering::main]
async fn main() {
    match timeout(Duration::from_secs(2), slow_operation(10)).await {
        Ok(outcome) => println!("Operation {outcome}"),
        Err(_) => println!("Operation timed out!"),
    }
    match timeout(Duration::from_secs(3), slow_operation(5)).await {
        Ok(outcome) => println!("It has {outcome}"),
        Err(_) => println!("Took too long!"),
    }
}
