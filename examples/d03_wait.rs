//! Waiting for the first of several, which lets the others go on.

use std::time::Duration;

use wakering::spawn;
use wakering::task::{When, completed, wait};
use wakering::time::sleep;

async fn job(name: &'static str, ms: u64) -> &'static str {
    sleep(Duration::from_millis(ms)).await;
    name
}

#[wakering::main]
async fn main() {
    let mut jobs = completed(
        [("slow", 600), ("quick", 200), ("middling", 400)].map(|(n, ms)| spawn(job(n, ms))),
    );
    let done = wait(&mut jobs, When::First, None).await;
    println!("first: {}, {} to come", done[0].as_ref().unwrap(), jobs.len());
    while let Some(name) = jobs.next().await {
        println!("then: {}", name.unwrap());
    }
}
