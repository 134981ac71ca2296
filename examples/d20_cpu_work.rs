//! Computing off the loop: a pool of one's own, no larger than the machine.

use std::thread;
use std::time::Duration;

use wakering::blocking::Pool;
use wakering::task;
use wakering::time::{Instant, interval};

fn count_primes(below: u32) -> usize {
    (2..below).filter(|n| (2..).take_while(|d| d * d <= *n).all(|d| n % d != 0)).count()
}

#[wakering::main]
async fn main() {
    let pool = Pool::new(thread::available_parallelism().map_or(1, usize::from));
    let ticker = wakering::spawn(async {
        let mut late = Duration::ZERO;
        let mut ticks = interval(Duration::from_millis(1));
        loop {
            let due = ticks.tick().await;
            late = late.max(Instant::now().duration_since(due));
            if late > Duration::from_secs(1) {
                println!("the loop was late by {late:?}");
            }
        }
    });
    let counts = (0..4).map(|_| pool.unblock(|| count_primes(50_000)));
    for count in task::settle(counts).await {
        println!("{} primes", count.unwrap());
    }
    ticker.cancel();
}
