//! Tasks, timers and cancelling: `cargo run --example tasks`.

use std::time::Duration;

use wakering::task;
use wakering::time::{sleep, timeout};

fn main() {
    wakering::run(async {
        // Three tasks sleep at the same time, so this takes as long as the longest of them.
        let mut workers = Vec::new();
        for (name, ms) in [("slow", 30), ("quick", 10), ("middling", 20)] {
            workers.push(task::Builder::new().name(name).spawn(async move {
                sleep(Duration::from_millis(ms)).await;
                println!("{name} is done");
                ms
            }));
        }
        let mut total = 0;
        for worker in workers {
            total += worker.await.expect("no worker panics");
        }
        println!("they slept for {total} ms between them");

        let forever = wakering::spawn(std::future::pending::<()>());
        forever.cancel();
        println!("cancelled: {}", forever.await.unwrap_err().is_cancelled());

        let late = timeout(Duration::from_millis(5), sleep(Duration::from_secs(60))).await;
        println!("timed out: {}", late.is_err());
    });
}
