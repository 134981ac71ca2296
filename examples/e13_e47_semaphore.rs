//! Semaphores: so many at a time, and no more.

use std::time::Duration;

use wakering::sync::Semaphore;
use wakering::task;
use wakering::time::{Instant, sleep};

async fn fetch(url: usize, limit: &Semaphore, start: Instant) -> String {
    let _permit = limit.acquire().await.expect("nobody closes it");
    println!("URL {url} starts at {} s", start.elapsed().as_secs());
    sleep(Duration::from_secs(1)).await;
    format!("Response {url}")
}

async fn worker(number: usize, limit: &Semaphore) {
    let _permit = limit.acquire().await.expect("nobody closes it");
    println!("Task {number} has acquired the semaphore");
    sleep(Duration::from_secs(1)).await;
    println!("Task {number} has released the semaphore");
}

#[wakering::main]
async fn main() {
    let (limit, start) = (Semaphore::new(3), Instant::now());
    let responses = task::settle((0..10).map(|url| fetch(url, &limit, start))).await;
    println!("Got {} responses", responses.len());

    let limit = Semaphore::new(2);
    task::settle((0..4).map(|number| worker(number, &limit))).await;
}
