//! Retrying: exponential backoff with jitter, and the last error if nothing helps.

use std::cell::Cell;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use wakering::time::sleep;

/// How long to wait after the first, second, … failure.
#[derive(Clone, Copy)]
struct Backoff {
    base: Duration,
    max: Duration,
}

impl Backoff {
    /// Doubled each time, up to the maximum, and up to a half more so that not all come at once.
    fn delay(self, failures: u32) -> Duration {
        let delay = self.base.saturating_mul(2u32.saturating_pow(failures)).min(self.max);
        let random = RandomState::new().hash_one(failures) as f64 / u64::MAX as f64;
        delay.mul_f64(1.0 + random / 2.0)
    }
}

async fn retry<T, E>(
    retries: u32,
    backoff: Backoff,
    mut attempt: impl AsyncFnMut() -> Result<T, E>,
) -> Result<T, E> {
    for failures in 0..retries {
        match attempt().await {
            Ok(value) => return Ok(value),
            Err(_) => sleep(backoff.delay(failures)).await,
        }
    }
    attempt().await
}

#[wakering::main]
async fn main() {
    let backoff = Backoff { base: Duration::from_secs(1), max: Duration::from_secs(30) };

    let attempts = Cell::new(0);
    let outcome = retry(3, backoff, async || {
        attempts.set(attempts.get() + 1);
        println!("attempt {}", attempts.get());
        Err::<(), _>(format!("failure {}", attempts.get()))
    })
    .await;
    println!("gave up: {}", outcome.unwrap_err());

    let quick = Backoff { base: Duration::from_millis(10), ..backoff };
    let attempts = Cell::new(0);
    let outcome = retry(3, quick, async || {
        attempts.set(attempts.get() + 1);
        if attempts.get() < 3 { Err("flaky") } else { Ok("succeeded") }
    })
    .await;
    println!("{} on attempt {}", outcome.unwrap(), attempts.get());
}
