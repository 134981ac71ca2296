//! Debug mode finds what blocks the loop; a dump shows what everybody waits for, and the metrics
//! what a program costs.

use std::thread;
use std::time::Duration;

use wakering::task::{self, JoinHandle};
use wakering::time::{sleep, timeout};
use wakering::{Builder, Handle, fs};

#[track_caller]
fn named<F: Future + 'static>(name: &str, body: F) -> JoinHandle<F::Output> {
    task::Builder::new().name(name).spawn(body)
}

async fn work() {
    // Nobody else has a turn meanwhile. `WAKERING_DEBUG=1` would find it just as well.
    let blocker = named("blocker", async { thread::sleep(Duration::from_millis(300)) });
    blocker.await.expect("it does not panic");

    let patient = named("patient", timeout(Duration::from_secs(30), std::future::pending::<()>()));
    let sleeper = named("sleeper", sleep(Duration::from_secs(60)));
    task::yield_now().await;
    println!("{}", Handle::current().dump());
    patient.cancel();
    sleeper.cancel();

    for _ in 0..10 {
        fs::metadata(".").await.expect("every process is somewhere");
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let runtime =
        Builder::new().debug(true).on_report(|report| println!("Report: {report}")).build()?;
    runtime.block_on(work());

    let metrics = runtime.metrics();
    let longest = metrics.longest_poll.unwrap_or_default();
    println!("{} tasks spawned, {} left", metrics.spawned, metrics.tasks);
    println!("{} polls, the longest {} ms", metrics.polls, longest.as_millis());
    let driver = metrics.driver;
    println!("{} operations in {} calls of the kernel", driver.submitted, driver.enters);
    Ok(())
}
