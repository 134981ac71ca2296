//! Errors: returned, gathered, and told to a callback.

use std::convert::Infallible;
use std::time::Duration;

use wakering::Builder;
use wakering::task::{self, gather};
use wakering::time::sleep;

async fn might_fail(fails: bool) -> Result<&'static str, String> {
    sleep(Duration::from_millis(10)).await;
    if fails { Err("Something went wrong".into()) } else { Ok("OK") }
}

async fn work() {
    if let Err(error) = might_fail(true).await {
        println!("Caught error: {error}");
    }

    // Each outcome in its place; one that fails does not take the others down.
    let outcomes = ["OK", "Failed"].map(async |outcome| {
        sleep(Duration::from_millis(10)).await;
        Ok::<_, Infallible>(if outcome == "OK" { Ok(outcome) } else { Err(outcome) })
    });
    let Ok(outcomes) = gather(outcomes).await;
    for outcome in outcomes {
        match outcome {
            Ok(value) => println!("Success: {value}"),
            Err(error) => println!("Error: {error}"),
        }
    }

    // A callback is told when the task is over.
    let task = task::Builder::new().name("worker").spawn(async { might_fail(true).await });
    task.on_done(|task| println!("Callback: {} is over", task.name().unwrap_or("a task")));
    println!("Task: {}", task.await.unwrap().unwrap_err());

    // A panic that nobody awaits goes to the hook.
    drop(task::Builder::new().name("careless").spawn(async { panic!("nobody looks") }));
    sleep(Duration::from_millis(10)).await;
}

fn main() {
    std::panic::set_hook(Box::new(|_| {}));
    let runtime = Builder::new()
        .on_unhandled(|error| println!("Unhandled: {}", error.task().name().unwrap_or("a task")))
        .build()
        .expect("this machine gives a loop");
    runtime.block_on(work());
}
