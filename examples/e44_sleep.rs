//! Sleeping: a counter, one number a second.

use std::time::Duration;

use wakering::time::sleep;

#[wakering::main]
async fn main() {
    for number in 0..3 {
        println!("{number}");
        sleep(Duration::from_secs(1)).await;
    }
}
