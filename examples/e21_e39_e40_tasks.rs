//! Creating tasks: they run beside whoever made them, and give their result to who awaits them.

use std::time::Duration;

use wakering::spawn;
use wakering::time::sleep;

async fn fetch_data() -> &'static str {
    sleep(Duration::from_secs(1)).await;
    "Data fetched"
}

async fn worker(name: &str) {
    println!("{name}: starting");
    sleep(Duration::from_secs(5)).await;
    println!("{name}: done");
}

#[wakering::main]
async fn main() {
    println!("{}", fetch_data().await);
    let task = spawn(fetch_data());
    println!("{}", task.await.expect("it does not panic"));

    let background = spawn(worker("background"));
    println!("Doing other stuff...");
    println!("Result: {:?}", background.await);
}
