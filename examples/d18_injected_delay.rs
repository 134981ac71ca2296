//! A test with an injected delay: what takes an hour takes no time, because time jumps to where
//! somebody waits for it. `#[wakering::test(paused)]` makes such a test of a function; both need the
//! feature `testing`.

use std::time::Duration;

use wakering::Builder;
use wakering::time::{Instant, sleep, timeout};

/// What is tested: it asks somebody for a price, and does not wait for ever.
async fn price(ask: impl AsyncFnOnce() -> u32) -> Option<u32> {
    timeout(Duration::from_secs(30), ask()).await.ok()
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let runtime = Builder::new().paused_time().build()?;
    runtime.block_on(async {
        for delay in [0, 29, 31, 3600] {
            let start = Instant::now();
            let price = price(async || {
                sleep(Duration::from_secs(delay)).await;
                42
            })
            .await;
            println!("a delay of {delay} s: {price:?} after {:?}", start.elapsed());
        }
    });
    Ok(())
}
