//! Awaitable objects, gather, asynchronous IO: several things at once take as long as the longest.

use std::time::Duration;

use wakering::join;
use wakering::task::settle;
use wakering::time::sleep;

async fn coroutine(number: u32) {
    println!("Coroutine {number} started");
    sleep(Duration::from_secs(1)).await;
    println!("Coroutine {number} finished");
}

async fn func(number: u32) -> String {
    sleep(Duration::from_secs(2)).await;
    format!("Func{number} done")
}

async fn fetch(url: &str) -> String {
    println!("Fetching {url}");
    sleep(Duration::from_secs(2)).await;
    format!("Response from {url}")
}

#[wakering::main]
async fn main() {
    join!(coroutine(1), coroutine(2));
    println!("All coroutines have completed");

    let (one, two) = join!(func(1), func(2));
    println!("{:?}", [one, two]);

    let urls = ["example.com/1", "example.com/2", "example.com/3"];
    for response in settle(urls.map(fetch)).await {
        println!("{}", response.expect("fetching does not panic"));
    }
}
