//! A service that ends in good order: Ctrl-C or SIGTERM cancels it, everybody cleans up, and the exit
//! code is 0; a second signal ends it at once.

use std::time::Duration;

use wakering::task::{with_cleanup, yield_now};
use wakering::time::sleep;
use wakering::{Builder, signal, spawn};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let runtime = Builder::new().cancel_on(signal::shutdown()).build()?;
    let served = runtime.try_block_on(async {
        for worker in 1..=3 {
            spawn(work(worker));
        }
        // What has not begun when a signal comes has nothing to clean up.
        yield_now().await;
        println!("Serving, process {}", std::process::id());
        std::future::pending::<()>().await
    });
    if let Err(cancelled) = served {
        println!("Received exit signal {}", cancelled.signal());
        println!("Cancelling {} outstanding tasks", runtime.metrics().tasks);
    }
    // Cancels the tasks and waits until they have cleaned up.
    println!("{}", runtime.close());
    Ok(())
}

async fn work(worker: u32) {
    with_cleanup(
        async {
            loop {
                sleep(Duration::from_secs(1)).await;
            }
        },
        async move |_exit| {
            sleep(Duration::from_millis(500)).await;
            println!("Worker {worker} has saved its work");
        },
    )
    .await
}
