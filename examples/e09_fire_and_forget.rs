//! Fire and forget: a job in the background goes on until it is cancelled, and is over then.

use std::time::Duration;

use wakering::spawn;
use wakering::time::{interval, sleep};

async fn background_job() {
    let mut ticks = interval(Duration::from_secs(5));
    loop {
        ticks.tick().await;
        println!("Working...");
    }
}

#[wakering::main]
async fn main() {
    let job = spawn(background_job());
    sleep(Duration::from_secs(12)).await;
    job.cancel();
    println!("Cancelled: {}", job.await.unwrap_err().is_cancelled());
}
