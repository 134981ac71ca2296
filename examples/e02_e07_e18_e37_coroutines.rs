//! Creating coroutines, the first coroutine, coroutines, say hello: an `async fn` is a value that
//! does nothing until it is awaited.

use std::time::Duration;

use wakering::time::sleep;

async fn my_coroutine() {
    println!("Coroutine has started");
    sleep(Duration::from_secs(1)).await;
    println!("Coroutine has finished");
}

async fn say_hello() {
    println!("Hello...");
    sleep(Duration::from_secs(1)).await;
    println!("...World!");
}

async fn greet(name: &str) -> String {
    sleep(Duration::from_secs(1)).await;
    format!("Hello, {name}!")
}

#[wakering::main]
async fn main() {
    my_coroutine().await;
    say_hello().await;
    // The compiler warns of one that is not awaited; this one is dropped and never says a word.
    drop(greet("nobody"));
    println!("{}", greet("World").await);
}
