//! Multiple coroutines: they end in their own order, and their results come in ours.

use std::convert::Infallible;
use std::time::Duration;

use wakering::task::gather;
use wakering::time::sleep;

async fn fetch_data(what: &str, seconds: f64) -> Result<String, Infallible> {
    println!("Fetching {what}...");
    sleep(Duration::from_secs_f64(seconds)).await;
    println!("Got {what}");
    Ok(format!("{what} data"))
}

#[wakering::main]
async fn main() {
    let Ok(results) =
        gather([fetch_data("users", 2.0), fetch_data("posts", 1.0), fetch_data("comments", 1.5)])
            .await;
    println!("Results: {results:?}");
}
