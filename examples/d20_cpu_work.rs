//! Computing off the loop: a pool of one's own, no larger than the machine, and a loop that goes on.

use std::cell::Cell;
use std::thread;
use std::time::Duration;

use wakering::blocking::Pool;
use wakering::time::interval;
use wakering::{select, task};

fn count_primes(below: u32) -> usize {
    (2..below).filter(|n| (2..).take_while(|d| d * d <= *n).all(|d| n % d != 0)).count()
}

async fn tick(ticks: &Cell<u32>) {
    let mut interval = interval(Duration::from_millis(1));
    loop {
        interval.tick().await;
        ticks.set(ticks.get() + 1);
    }
}

#[wakering::main]
async fn main() {
    let pool = Pool::new(thread::available_parallelism().map_or(1, usize::from));
    let ticks = Cell::new(0);
    let counts = task::settle((0..4).map(|_| pool.unblock(|| count_primes(100_000))));
    let counts = select! {
        counts = counts => counts,
        () = tick(&ticks) => unreachable!("it ticks for ever"),
    };
    for count in counts {
        println!("{} primes", count.expect("counting does not panic"));
    }
    println!("ticks meanwhile: {}", if ticks.get() < 10 { "hardly any" } else { "many" });
}
