//! Sync code in async code: what blocks runs on the pool, and the loop goes on.

use std::thread;
use std::time::Duration;

use wakering::blocking::unblock;
use wakering::spawn;
use wakering::time::interval;

fn blocking_work() -> &'static str {
    thread::sleep(Duration::from_secs(1));
    "done"
}

#[wakering::main]
async fn main() {
    let ticker = spawn(async {
        let mut ticks = interval(Duration::from_millis(300));
        for tick in 0.. {
            ticks.tick().await;
            println!("tick {tick}");
        }
    });
    println!("{}", unblock(blocking_work).await);
    ticker.cancel();
}
