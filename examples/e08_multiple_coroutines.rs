//! Multiple coroutines: they end in their own order, and their results come in ours.

use std::time::Duration;

use wakering::join;
use wakering::time::sleep;

async fn fetch_data(what: &str, seconds: f64) -> String {
    println!("Fetching {what}...");
    sleep(Duration::from_secs_f64(seconds)).await;
    println!("Got {what}");
    format!("{what} data")
}

#[wakering::main]
async fn main() {
    let (users, posts, comments) =
        join!(fetch_data("users", 2.0), fetch_data("posts", 1.0), fetch_data("comments", 1.5));
    println!("Results: {:?}", [users, posts, comments]);
}
