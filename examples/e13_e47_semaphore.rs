//! Semaphores: so many at a time, and no more.

use std::time::Duration;

use wakering::sync::Semaphore;
use wakering::task;
use wakering::time::sleep;

async fn fetch(url: usize, limit: &Semaphore) -> String {
    let _permit = limit.acquire().await.expect("nobody closes it");
    println!("Fetching URL {url}");
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
    let limit = Semaphore::new(3);
    let responses = task::settle((0..10).map(|url| fetch(url, &limit))).await;
    println!("Got {} responses", responses.len());

    let limit = Semaphore::new(2);
    task::settle((0..4).map(|number| worker(number, &limit))).await;
}
