//! Prints what this machine offers, and what a runtime took of it: `cargo run --example doctor`.
//! With this a report of a problem should open.

use std::process::ExitCode;

use wakering::Runtime;
use wakering::driver::{Driver, SetupError, doctor, op};

fn main() -> ExitCode {
    print!("{}", doctor());
    match used() {
        Ok((backend, tier)) => {
            println!("{:<14}{backend}\n{:<14}{tier}", "backend", "tier");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// What a runtime uses here, which `WAKERING_BACKEND` and `WAKERING_CAPS` have a say in.
fn used() -> Result<(&'static str, &'static str), SetupError> {
    let runtime = Runtime::new()?;
    let tier = runtime.block_on(async {
        op::nop().await.expect("doing nothing does not fail");
        Driver::current().expect("a runtime is running").capabilities().tier()
    });
    // What has taken requests is a ring.
    let is_ring = runtime.metrics().driver.submitted > 0;
    Ok(if is_ring { ("uring", tier) } else { ("poll", "-") })
}
