//! Errors: returned, gathered, and told to a callback.

use std::time::Duration;

use wakering::Builder;
use wakering::task::{self, gather, settle};
use wakering::time::sleep;

async fn might_fail(fails: bool) -> Result<&'static str, &'static str> {
    sleep(Duration::from_millis(10)).await;
    if fails { Err("Something went wrong") } else { Ok("OK") }
}

async fn work() {
    if let Err(error) = might_fail(true).await {
        println!("Caught error: {error}");
    }

    // Each outcome in its place; one that fails does not take the others down.
    for outcome in settle([might_fail(false), might_fail(true)]).await {
        match outcome.expect("nobody panics") {
            Ok(value) => println!("Success: {value}"),
            Err(error) => println!("Error: {error}"),
        }
    }
    // Or the first error alone, and the others are over when it comes.
    println!("Gathered: {:?}", gather([might_fail(false), might_fail(true)]).await);

    // A callback is told when the task is over.
    let task = task::Builder::new().name("worker").spawn(might_fail(true));
    task.on_done(|task| println!("Callback: {} is over", task.name().unwrap_or("a task")));
    println!("Task: {:?}", task.await.expect("it does not panic"));
    sleep(Duration::from_millis(10)).await;

    // A panic that nobody awaits goes to the hook.
    drop(task::Builder::new().name("careless").spawn(async { panic!("nobody looks") }));
    sleep(Duration::from_millis(10)).await;
}

fn main() {
    // Without this the message of the panic stands on standard error, too.
    std::panic::set_hook(Box::new(|_| {}));
    let runtime = Builder::new()
        .on_unhandled(|error| println!("Unhandled: {}", error.task().name().unwrap_or("a task")))
        .build()
        .expect("this machine gives a loop");
    runtime.block_on(work());
}
