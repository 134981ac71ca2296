//! Tasks, their names, what they carry, and how they end: `cargo run --example tasks`.

use std::time::Duration;

use wakering::task;
use wakering::time::{sleep, timeout};
use wakering::{Handle, task_local};

task_local! {
    /// Whom the program works for now.
    static USER: &'static str;
}

async fn greet() {
    println!("hello, {}", USER.get());
}

#[wakering::main]
async fn main() {
    // Three tasks sleep at the same time, so this takes as long as the longest of them.
    let mut workers = Vec::new();
    for (name, ms) in [("slow", 30), ("quick", 10), ("middling", 20)] {
        workers.push(task::Builder::new().name(name).spawn(async move {
            sleep(Duration::from_millis(ms)).await;
            let this = task::current().expect("this is a task");
            println!("{} is done", this.name().expect("it has a name"));
            ms
        }));
    }
    println!("{} tasks are running", Handle::current().tasks().len());
    let mut total = 0;
    for worker in workers {
        total += worker.await.expect("no worker panics");
    }
    println!("they slept for {total} ms between them");

    // Begun at once, and not when its turn comes: what does not have to wait is over already.
    println!("over at once: {}", task::spawn_eager(async { 42 }).is_finished());

    // What a task and all that it calls can see, as others see something else.
    wakering::join!(USER.scope("Ann", greet()), USER.scope("Bob", greet()));

    // Nobody has to keep it: the runtime does, and tells if it fails.
    task::background(async {
        println!("in the background");
        Ok::<_, std::io::Error>(())
    });
    task::yield_now().await;

    let forever = wakering::spawn(std::future::pending::<()>());
    forever.cancel();
    println!("cancelled: {}", forever.await.unwrap_err().is_cancelled());

    let late = timeout(Duration::from_millis(5), sleep(Duration::from_secs(60))).await;
    println!("timed out: {}", late.is_err());
}
